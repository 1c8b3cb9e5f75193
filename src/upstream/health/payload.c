/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for expected bytes. */
#include "upstream/health/payload.h"

size_t nu_health_payload_look(const struct nu_health_payload *payload, size_t *found,
                              struct nu_str bytes)
{
    size_t done = 0;
    for (; *found < payload->count; ++*found) {
        const struct nu_str *piece = &payload->pieces[*found];
        size_t left = bytes.len - done;
        const char *at = left ? memmem(bytes.ptr + done, left, piece->ptr, piece->len) : NULL;
        if (!at) /* it may have begun in the last bytes */
            return bytes.len - nu_min_size(left, piece->len - 1);
        done = (size_t)(at - bytes.ptr) + piece->len;
    }
    return done;
}

bool nu_health_payload_matches(const struct nu_health_payload *payload, struct nu_str bytes)
{
    size_t found = 0;
    nu_health_payload_look(payload, &found, bytes);
    return found == payload->count;
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
