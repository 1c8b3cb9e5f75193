/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names whose values Envoy keeps in one field: a second one that arrives, or that a configuration
 * appends, is added to the first by "," instead of making a field of its own. The two directions
 * have different sets. Codecs join once a section is complete, header mutations as they add.
 */
#ifndef NU_HTTP_JOINED_H
#define NU_HTTP_JOINED_H

#include "http/headers.h"

extern const struct nu_header_set nu_joined_request_headers;
extern const struct nu_header_set nu_joined_response_headers;

void nu_headers_join_value(struct nu_headers *headers, enum nu_header_id id, struct nu_str value);

/* Joins all fields that were added beside one of the same name which the set holds. What this takes
 * grows with their bytes, where joining one by one would copy the first bytes each time. */
void nu_headers_join_repeated(struct nu_headers *headers, const struct nu_header_set *joined);

/* Like nu_headers_add_ref, but joins the value to an entry of the same name if the set holds it. */
static inline void nu_headers_append_ref(struct nu_headers *headers,
                                         const struct nu_header_set *joined, enum nu_header_id id,
                                         struct nu_str name, struct nu_str value)
{
    if (nu_unlikely(nu_headers_has_id(headers, id)) && nu_header_set_has(joined, id))
        nu_headers_join_value(headers, id, value);
    else
        nu_headers_add_ref(headers, id, name, value);
}

#endif
