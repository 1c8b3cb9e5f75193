/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping local replies, in Envoy's order: body, headers, status, then the format over all of
 * it. */
#include "stream/local_reply_config.h"

#include "http/headers.h"
#include "http/joined.h"
#include "http/status.h"
#include "http/stream_info.h"

static const struct nu_reply_mapper *find_mapper(const struct nu_local_reply_config *config,
                                                 const struct nu_format_context *context,
                                                 const struct nu_runtime *runtime)
{
    for (size_t i = 0; i < config->mapper_count; i++) {
        if (nu_log_filter_accepts(config->mappers[i].filter, context, runtime))
            return &config->mappers[i];
    }
    return NULL;
}

static void set_status(struct nu_headers *headers, uint32_t status)
{
    char *text = nu_arena_alloc(headers->arena, 3);
    nu_status_format(status, text);
    nu_headers_set_id(headers, NU_HEADER_STATUS, nu_str_make(text, 3));
}

static void format_body(const struct nu_format_string *format,
                        const struct nu_format_context *context, struct nu_arena *arena,
                        struct nu_reply_parts *parts)
{
    struct nu_format_context with_body = *context;
    struct nu_strbuf out = {0};
    with_body.local_reply_body = parts->body;
    nu_formatter_format(format->formatter, &with_body, &out);
    parts->body = nu_arena_dup(arena, nu_strbuf_str(&out));
    parts->content_type = format->content_type;
    nu_strbuf_finish(&out);
}

void nu_local_reply_config_apply(const struct nu_local_reply_config *config,
                                 const struct nu_format_context *context,
                                 const struct nu_runtime *runtime, struct nu_headers *headers,
                                 struct nu_stream_info *info, struct nu_reply_parts *parts)
{
    info->response_code = parts->status;
    const struct nu_format_string *format = &config->format;
    const struct nu_reply_mapper *mapper = find_mapper(config, context, runtime);
    if (mapper && mapper->has_body)
        parts->body = mapper->body;
    if (mapper && mapper->edits)
        nu_header_edits_apply(mapper->edits, headers, &nu_joined_response_headers, context);
    if (mapper && mapper->status) {
        parts->status = mapper->status;
        info->response_code = mapper->status;
        set_status(headers, mapper->status);
    }
    if (mapper && mapper->format.formatter)
        format = &mapper->format;
    if (format->formatter)
        format_body(format, context, headers->arena, parts);
}
