/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that print a member of the stream info. Those of one kind share a function, and the
 * table gives each the offset of its member.
 */
#include "format/format_internal.h"
#include "http/authority.h"
#include "http/request_id.h"
#include "http/stream_info.h"

static const void *member(const struct nu_format_context *context, size_t offset)
{
    return (const char *)context->info + offset;
}

static uint64_t u64_member(const struct nu_format_context *context, size_t offset)
{
    return *(const uint64_t *)member(context, offset);
}

static struct nu_str text_member(const struct nu_format_context *context, size_t offset)
{
    return *(const struct nu_str *)member(context, offset);
}

/* A text that is missing when it is empty. */
static void give_unless_empty(struct nu_op_result *result, struct nu_str text)
{
    if (text.len)
        nu_op_give_text(result, text);
    else
        result->kind = NU_OP_NONE;
}

/* Gives `text` with every byte that fn(byte) accepts replaced by '_'. */
static void give_replaced(const struct nu_format_context *context, struct nu_op_result *result,
                          struct nu_str text, bool (*fn)(char c))
{
    size_t at = 0;
    while (at < text.len && !fn(text.ptr[at]))
        at++;
    if (at == text.len) {
        give_unless_empty(result, text);
        return;
    }
    char *copy = nu_op_room(context, result, text.len);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = fn(text.ptr[i]) ? '_' : text.ptr[i];
    nu_op_give_text(result, nu_str_make(copy, text.len));
}

static bool is_blank(char c)
{
    return c == ' ';
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

char *nu_op_room(const struct nu_format_context *context, struct nu_op_result *result, size_t n)
{
    return n <= NU_OP_SCRATCH ? result->scratch : nu_arena_alloc(context->info->arena, n);
}

/* What has no value here. */
void nu_op_missing(const struct nu_format_part *part, const struct nu_format_context *context,
                   struct nu_op_result *result)
{
    (void)part;
    (void)context;
    result->kind = NU_OP_NONE;
}

void nu_op_u64(const struct nu_format_part *part, const struct nu_format_context *context,
               struct nu_op_result *result)
{
    nu_op_give_number(result, (int64_t)u64_member(context, part->member.offset));
}

/* The second member where the first is 0. */
void nu_op_u64_or(const struct nu_format_part *part, const struct nu_format_context *context,
                  struct nu_op_result *result)
{
    uint64_t number = u64_member(context, part->member.offset);
    if (number == 0)
        number = u64_member(context, part->member.second);
    nu_op_give_number(result, (int64_t)number);
}

void nu_op_u32(const struct nu_format_part *part, const struct nu_format_context *context,
               struct nu_op_result *result)
{
    nu_op_give_number(result, *(const uint32_t *)member(context, part->member.offset));
}

void nu_op_text(const struct nu_format_part *part, const struct nu_format_context *context,
                struct nu_op_result *result)
{
    give_unless_empty(result, text_member(context, part->member.offset));
}

void nu_op_text_even_empty(const struct nu_format_part *part,
                           const struct nu_format_context *context, struct nu_op_result *result)
{
    nu_op_give_text(result, text_member(context, part->member.offset));
}

void nu_op_text_no_space(const struct nu_format_part *part, const struct nu_format_context *context,
                         struct nu_op_result *result)
{
    give_replaced(context, result, text_member(context, part->member.offset), is_blank);
}

static struct nu_str connection_text(const struct nu_format_part *part,
                                     const struct nu_format_context *context)
{
    const struct nu_connection_info *connection = context->info->connection;
    if (!connection)
        return nu_str_make(NULL, 0);
    return *(const struct nu_str *)(const void *)((const char *)connection + part->member.offset);
}

void nu_op_connection_text(const struct nu_format_part *part,
                           const struct nu_format_context *context, struct nu_op_result *result)
{
    give_unless_empty(result, connection_text(part, context));
}

void nu_op_connection_text_no_space(const struct nu_format_part *part,
                                    const struct nu_format_context *context,
                                    struct nu_op_result *result)
{
    give_replaced(context, result, connection_text(part, context), is_blank);
}

void nu_op_connection_id(const struct nu_format_part *part, const struct nu_format_context *context,
                         struct nu_op_result *result)
{
    (void)part;
    const struct nu_connection_info *connection = context->info->connection;
    nu_op_give_number(result, connection ? (int64_t)connection->id : 0);
}

static bool is_no_host_char(char c)
{
    return !nu_ascii_is_alpha(c) && !nu_ascii_is_digit(c) && c != '.' && c != '-' && c != '_';
}

/* A server name that is no host name is marked, and made harmless. */
void nu_op_server_name(const struct nu_format_part *part, const struct nu_format_context *context,
                       struct nu_op_result *result)
{
    static const struct nu_str mark = NU_STR_INIT("invalid:");
    struct nu_str name = connection_text(part, context);
    size_t at = 0;
    while (at < name.len && !is_no_host_char(name.ptr[at]))
        at++;
    if (at == name.len) {
        give_unless_empty(result, name);
        return;
    }
    char *copy = nu_op_room(context, result, mark.len + name.len);
    memcpy(copy, mark.ptr, mark.len);
    for (size_t i = 0; i < name.len; i++)
        copy[mark.len + i] = is_no_host_char(name.ptr[i]) ? '_' : name.ptr[i];
    nu_op_give_text(result, nu_str_make(copy, mark.len + name.len));
}

void nu_op_protocol(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    const enum nu_protocol *protocol = member(context, part->member.offset);
    give_unless_empty(result, nu_protocol_text(*protocol));
}

#define X(id, short_name, long_name) +sizeof(long_name)
_Static_assert(NU_RESPONSE_FLAGS(X) <= NU_OP_SCRATCH, "all flags at once fit the scratch space");
#undef X

static void add_flag(struct nu_op_result *result, enum nu_response_flag flag, bool is_long)
{
    struct nu_str name = is_long ? nu_response_flag_long(flag) : nu_response_flag_short(flag);
    if (result->text.len)
        result->scratch[result->text.len++] = ',';
    memcpy(result->scratch + result->text.len, name.ptr, name.len);
    result->text.len += name.len;
}

/* Variant 1: long names. First those whose order is known, then the others in that of the list. */
void nu_op_response_flags(const struct nu_format_part *part,
                          const struct nu_format_context *context, struct nu_op_result *result)
{
    const struct nu_stream_info *info = context->info;
    nu_response_flags rest = info->flags;
    if (nu_likely(rest == 0)) {
        nu_op_give_text(result, NU_STR("-"));
        return;
    }
    nu_op_give_text(result, nu_str_make(result->scratch, 0));
    for (unsigned i = 0; i < info->flag_order_count; i++) {
        add_flag(result, (enum nu_response_flag)info->flag_order[i], part->variant);
        rest &= ~((nu_response_flags)1 << info->flag_order[i]);
    }
    for (; rest; rest &= rest - 1)
        add_flag(result, (enum nu_response_flag)__builtin_ctzll(rest), part->variant);
}

/* Variant 1: white space is left as it is. A reply may have details that are empty. */
void nu_op_response_code_details(const struct nu_format_part *part,
                                 const struct nu_format_context *context,
                                 struct nu_op_result *result)
{
    struct nu_str details = context->info->response_code_details;
    if (details.ptr && details.len == 0)
        nu_op_give_text(result, details);
    else if (part->variant)
        give_unless_empty(result, details);
    else
        give_replaced(context, result, details, is_white);
}

void nu_op_duration(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    (void)part;
    nu_op_give_number(result, (int64_t)nu_stream_info_duration_us(context->info) / 1000);
}

/* From the second member to the first; `variant` is the unit, `detail` the sign. */
void nu_op_elapsed(const struct nu_format_part *part, const struct nu_format_context *context,
                   struct nu_op_result *result)
{
    uint64_t to = u64_member(context, part->member.offset);
    uint64_t from = u64_member(context, part->member.second);
    if (to == 0 || from == 0 || (part->detail == NU_ELAPSED_NOT_NEGATIVE && to < from)) {
        result->kind = NU_OP_NONE;
        return;
    }
    int64_t us = (int64_t)(to - from);
    switch ((enum nu_elapsed_unit)part->variant) {
    case NU_ELAPSED_MS:
        nu_op_give_number(result, us / 1000);
        break;
    case NU_ELAPSED_US:
        nu_op_give_number(result, us);
        break;
    case NU_ELAPSED_NS:
        nu_op_give_number(result, us * 1000);
        break;
    }
}

/* NULL if there is none. */
static const struct nu_address *find_address(const struct nu_stream_info *info,
                                             enum nu_address_source source)
{
    switch (source) {
    case NU_ADDR_REMOTE:
        return &info->remote;
    case NU_ADDR_DIRECT_REMOTE:
        return info->connection ? &info->connection->direct_remote : NULL;
    case NU_ADDR_LOCAL:
        return info->connection ? nu_connection_info_local(info->connection) : NULL;
    case NU_ADDR_DIRECT_LOCAL:
        return info->connection ? nu_connection_info_direct_local(info->connection) : NULL;
    case NU_ADDR_UPSTREAM_HOST:
        return &info->upstream.host;
    case NU_ADDR_UPSTREAM_LOCAL:
        return &info->upstream.local;
    case NU_ADDR_UPSTREAM_REMOTE:
        return &info->upstream.remote;
    }
    return NULL;
}

static void give_port(struct nu_op_result *result, const struct nu_address *address)
{
    if (nu_address_is_ip(address))
        nu_op_give_number(result, address->port);
    else
        result->kind = NU_OP_BLANK;
}

void nu_op_address(const struct nu_format_part *part, const struct nu_format_context *context,
                   struct nu_op_result *result)
{
    const struct nu_address *address =
        find_address(context->info, (enum nu_address_source)part->variant);
    if (!address || address->family == NU_ADDRESS_NONE) {
        result->kind = NU_OP_NONE;
        return;
    }
    if (part->detail == NU_ADDR_PORT) {
        give_port(result, address);
        return;
    }
    size_t len = part->detail == NU_ADDR_WITH_PORT ? nu_address_format(address, result->scratch)
                                                   : nu_address_format_ip(address, result->scratch);
    nu_op_give_text(result, nu_str_make(result->scratch, len));
}

/* The host's configured name, or its address. Detail: enum nu_address_form. */
void nu_op_host_name(const struct nu_format_part *part, const struct nu_format_context *context,
                     struct nu_op_result *result)
{
    const struct nu_upstream_info *upstream = &context->info->upstream;
    if (upstream->host.family == NU_ADDRESS_NONE) {
        result->kind = NU_OP_NONE;
        return;
    }
    struct nu_str name = upstream->host_name;
    if (name.len == 0)
        name = nu_str_make(result->scratch, nu_address_format(&upstream->host, result->scratch));
    nu_op_give_text(result,
                    part->detail == NU_ADDR_WITHOUT_PORT ? nu_authority_strip_port(name, 0) : name);
}

void nu_op_unique_id(const struct nu_format_part *part, const struct nu_format_context *context,
                     struct nu_op_result *result)
{
    (void)part;
    (void)context;
    nu_request_id_create(result->scratch);
    nu_op_give_text(result, nu_str_make(result->scratch, NU_REQUEST_ID_LEN));
}
