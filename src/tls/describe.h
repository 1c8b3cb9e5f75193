/* SPDX-License-Identifier: Apache-2.0 */
/* What /certs says about certificates, in the words of envoy.admin.v3. */
#ifndef NU_TLS_DESCRIBE_H
#define NU_TLS_DESCRIBE_H

#include "base/json.h"
#include "tls/context.h"

/* Writes one object: the trusted CA and the certificates of a context, with how long they last from
 * the second `now_s` on; nothing for a context that is not ready. Main thread. */
void nu_tls_describe_context(const struct nu_tls_context *context, uint64_t now_s,
                             struct nu_json *json);
/* When it expires, in seconds since 1970. */
int64_t nu_tls_expiration_of(const X509 *certificate);
/* Whole days until the first certificate of the contexts in `list` expires, 0 if one has;
 * UINT32_MAX if there is none. */
uint32_t nu_tls_days_until_expiry(const struct nu_list *list, uint64_t now_s);
/* Seconds until the first of their OCSP staples expires; 0 if one has, or if there is none. */
uint64_t nu_tls_seconds_until_staple_expiry(const struct nu_list *list, uint64_t now_s);

#endif
