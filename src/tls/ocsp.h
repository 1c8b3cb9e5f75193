/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCSP staples: a statement of the authority's that a certificate is not revoked, which the server
 * hands to clients that ask (RFC 6066 8). Parsed once; immutable then, any thread.
 */
#ifndef NU_TLS_OCSP_H
#define NU_TLS_OCSP_H

#include <openssl/ssl.h>

#include "base/arena.h"

enum nu_tls_staple_policy {
    NU_TLS_STAPLE_LENIENT, /* a valid one, if there is one */
    NU_TLS_STAPLE_STRICT,  /* none is fine, one that has expired is not */
    NU_TLS_STAPLE_MUST,    /* a valid one */
};

struct nu_tls_staple {
    struct nu_str der; /* empty: there is none */
    int64_t from_s;    /* seconds since 1970 */
    int64_t until_s;   /* INT64_MAX: without an end */
};

/* Parses `der` and checks that it is for `certificate`; the copy goes to `arena`. False with
 * Envoy's words for it in `error`. */
NU_MUST_USE bool nu_tls_staple_load(struct nu_str der, const X509 *certificate,
                                    struct nu_arena *arena, struct nu_tls_staple *out,
                                    struct nu_strbuf *error);
/* Whether the certificate says that it is worth nothing without a staple (RFC 7633). */
bool nu_tls_must_staple(const X509 *certificate);

enum nu_tls_staple_action {
    NU_TLS_STAPLE_SEND,
    NU_TLS_STAPLE_OMIT,
    NU_TLS_STAPLE_REFUSE, /* the certificate may not be shown */
};

/* What a client that asks gets at the second `now_s`. */
enum nu_tls_staple_action nu_tls_staple_decide(const struct nu_tls_staple *staple,
                                               enum nu_tls_staple_policy policy, int64_t now_s);

#endif
