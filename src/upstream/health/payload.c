/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for expected bytes. */
#include "upstream/health/payload.h"

bool nu_health_payload_matches(const struct nu_health_payload *payload, struct nu_str bytes)
{
    const char *at = bytes.ptr;
    size_t left = bytes.len;
    for (size_t i = 0; i < payload->count; i++) {
        const struct nu_str *piece = &payload->pieces[i];
        const char *found = left ? memmem(at, left, piece->ptr, piece->len) : NULL;
        if (!found)
            return false;
        left -= (size_t)(found - at) + piece->len;
        at = found + piece->len;
    }
    return true;
}

void nu_health_payload_collect(struct nu_strbuf *out, struct nu_buf *data, uint64_t limit)
{
    uint64_t room = !limit ? UINT64_MAX : limit > out->len ? limit - out->len : 0;
    for (const struct nu_slice *slice = data->first; slice && room; slice = slice->next) {
        size_t take = slice->len < room ? slice->len : (size_t)room;
        nu_strbuf_add(out, nu_str_make(slice->ptr, take));
        room -= take;
    }
    nu_buf_clear(data);
}
