/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that print what a transport knows of the two ends of a TLS connection. `detail` says of
 * which connection, the client's or the upstream's.
 */
#include "format/format_internal.h"
#include "format/time_format.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"

/* NULL without TLS. */
static struct nu_ssl_info *find_info(const struct nu_format_context *context, enum nu_ssl_side side)
{
    const struct nu_stream_info *info = context->info;
    if (side == NU_SSL_UPSTREAM)
        return info->upstream.ssl;
    return info->connection ? info->connection->ssl : NULL;
}

/* Variant: enum nu_ssl_text. */
void nu_op_ssl_text(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    struct nu_ssl_info *info = find_info(context, (enum nu_ssl_side)part->detail);
    result->kind = NU_OP_NONE;
    if (!info)
        return;
    struct nu_str text = nu_ssl_info_text(info, (enum nu_ssl_text)part->variant);
    if (text.len)
        nu_op_give_text(result, text);
}

static size_t joined_len(struct nu_ssl_list_value list)
{
    size_t len = list.count - 1; /* commas */
    for (size_t i = 0; i < list.count; i++)
        len += list.items[i].len;
    return len;
}

/* Variant: enum nu_ssl_list. */
void nu_op_ssl_list(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    struct nu_ssl_info *info = find_info(context, (enum nu_ssl_side)part->detail);
    result->kind = NU_OP_NONE;
    if (!info)
        return;
    struct nu_ssl_list_value list = nu_ssl_info_list(info, (enum nu_ssl_list)part->variant);
    if (list.count == 0)
        return;
    size_t len = joined_len(list);
    char *out = nu_op_room(context, result, len + 1);
    nu_op_give_text(result, nu_str_make(out, len));
    for (size_t i = 0; i < list.count; i++) {
        if (i)
            *out++ = ',';
        memcpy(out, list.items[i].ptr, list.items[i].len);
        out += list.items[i].len;
    }
    if (len == 0)
        result->kind = NU_OP_NONE;
}

static void give_time(const struct nu_format_part *part, const struct nu_format_context *context,
                      enum nu_ssl_time which, struct nu_op_result *result)
{
    struct nu_ssl_info *info = find_info(context, (enum nu_ssl_side)part->detail);
    int64_t seconds;
    result->kind = NU_OP_NONE;
    if (!info || !nu_ssl_info_time(info, which, &seconds) || seconds < 0)
        return;
    char *out = nu_op_room(context, result, nu_time_format_room(part->time));
    size_t len = nu_time_format_write(part->time, (uint64_t)seconds * 1000000, out);
    nu_op_give_text(result, nu_str_make(out, len));
}

void nu_op_ssl_valid_from(const struct nu_format_part *part,
                          const struct nu_format_context *context, struct nu_op_result *result)
{
    give_time(part, context, NU_SSL_PEER_VALID_FROM, result);
}

void nu_op_ssl_valid_until(const struct nu_format_part *part,
                           const struct nu_format_context *context, struct nu_op_result *result)
{
    give_time(part, context, NU_SSL_PEER_VALID_UNTIL, result);
}
