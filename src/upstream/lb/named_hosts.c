/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the addresses that a request names. */
#include "upstream/lb/named_hosts.h"

#include "base/arena.h"
#include "http/headers.h"
#include "http/metadata.h"
#include "http/stream_info.h"

/* Of a header that comes several times the first counts. */
static struct nu_str find_text(const struct nu_named_host_source *source,
                               const struct nu_headers *headers, const struct nu_stream_info *info)
{
    if (source->header.len)
        return nu_headers_get(headers, source->header);
    const struct nu_value *value = nu_metadata_find(info->dynamic_metadata, source->metadata,
                                                    source->path, source->path_count);
    return value && value->type == NU_VALUE_STRING ? nu_value_text(value) : nu_str_make(NULL, 0);
}

/* The next part of a list that is not blank; false at its end. */
static bool take_part(struct nu_str *text, struct nu_str *part)
{
    while (text->len) {
        const char *comma = memchr(text->ptr, ',', text->len);
        size_t len = comma ? (size_t)(comma - text->ptr) : text->len;
        *part = nu_str_trim(nu_str_make(text->ptr, len));
        *text = nu_str_skip(*text, comma ? len + 1 : len);
        if (part->len)
            return true;
    }
    return false;
}

static uint32_t count_parts(struct nu_str text)
{
    struct nu_str part;
    uint32_t count = 0;
    while (take_part(&text, &part))
        count++;
    return count;
}

struct nu_lb_named_hosts *nu_named_hosts_find(const struct nu_named_host_settings *settings,
                                              const struct nu_headers *headers,
                                              const struct nu_stream_info *info)
{
    struct nu_lb_named_hosts *named = nu_arena_calloc(info->arena, sizeof(*named));
    uint32_t count = 0;
    for (size_t i = 0; i < settings->count; i++)
        count += count_parts(find_text(&settings->sources[i], headers, info));
    struct nu_str *addresses = nu_arena_alloc(info->arena, (count + 1) * sizeof(*addresses));
    for (size_t i = 0; i < settings->count; i++) {
        struct nu_str text = find_text(&settings->sources[i], headers, info);
        while (take_part(&text, &addresses[named->count]))
            named->count++;
    }
    named->addresses = addresses;
    return named;
}
