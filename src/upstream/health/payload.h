/* SPDX-License-Identifier: Apache-2.0 */
/* What a health check expects in an answer's bytes: pieces that must be there in their order, with
 * anything between them. */
#ifndef NU_UPSTREAM_HEALTH_PAYLOAD_H
#define NU_UPSTREAM_HEALTH_PAYLOAD_H

#include "base/buf.h"
#include "base/str.h"

struct nu_health_payload {
    const struct nu_str *pieces; /* none of them empty */
    size_t count;                /* 0: nothing is expected */
};

/* Whether all pieces are in `bytes`. */
bool nu_health_payload_matches(const struct nu_health_payload *payload, struct nu_str bytes);

/* The same for bytes that come in pieces: `found` pieces were there so far. Returns how many of
 * `bytes` need not be looked at again; the others are to stand before what comes next. */
size_t nu_health_payload_look(const struct nu_health_payload *payload, size_t *found,
                              struct nu_str bytes);

/* Moves from `data` to the end of `out` what keeps that within `limit` bytes; 0: all. The rest of
 * `data` is dropped. */
void nu_health_payload_collect(struct nu_strbuf *out, struct nu_buf *data, uint64_t limit);

#endif
