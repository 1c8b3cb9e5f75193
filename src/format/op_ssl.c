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

/* Names are whatever an authority signed: their control characters are written as in URLs, so that
 * none begins a line of a log, or a header. */
static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static size_t written_len(struct nu_str name)
{
    size_t len = name.len;
    for (size_t i = 0; i < name.len; i++)
        len += is_control(name.ptr[i]) ? 2 : 0;
    return len;
}

static char *write_name(char *out, struct nu_str name)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (nu_likely(!is_control(name.ptr[i]))) {
            *out++ = name.ptr[i];
            continue;
        }
        *out++ = '%';
        *out++ = digits[c / 16];
        *out++ = digits[c % 16];
    }
    return out;
}

static size_t joined_len(struct nu_ssl_list_value list)
{
    size_t len = list.count - 1; /* commas */
    for (size_t i = 0; i < list.count; i++)
        len += written_len(list.items[i]);
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
        out = write_name(out, list.items[i]);
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
