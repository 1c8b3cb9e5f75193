/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `x-request-id` values: random UUIDs (version 4) in lower case. Envoy keeps a request's trace
 * decision in the character where the version stands: 4 is none.
 */
#ifndef NU_HTTP_REQUEST_ID_H
#define NU_HTTP_REQUEST_ID_H

#include "base/str.h"

enum { NU_REQUEST_ID_LEN = 36 };

/* Writes a new identifier, no NUL. Any thread. */
void nu_request_id_create(char out[NU_REQUEST_ID_LEN]);

/* Takes the decision out of an identifier of 36 bytes; others stay as they are, and false is returned. */
bool nu_request_id_clear_reason(char *id, size_t len);

/* The number in the first eight characters, by which Envoy samples; false unless they are hex
 * digits. */
NU_MUST_USE bool nu_request_id_number(struct nu_str id, uint64_t *out);

/* Whether the text has the form of a UUID, of any version and in either case. */
bool nu_request_id_is_uuid(struct nu_str id);

#endif
