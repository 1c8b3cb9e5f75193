/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of the operators that take some. The messages are Envoy's, word for word: people
 * search the web for them.
 */
#include <stdlib.h>
#include <unistd.h>

#include "format/format_internal.h"
#include "format/time_format.h"
#include "http/stream_info.h"

static bool fail(const struct nu_op_source *source, const char *message)
{
    nu_strbuf_add_cstr(source->error, message);
    return false;
}

/* --- Headers ---------------------------------------------------------------------------------- */

/* A header's name, with at most one colon, in front. Empty is allowed: it is never found. */
static bool is_header_name(struct nu_str name)
{
    if (name.len == 0)
        return true;
    if (name.ptr[0] == ':')
        name = nu_str_skip(name, 1);
    return nu_header_name_is_valid(name);
}

bool nu_args_header(const struct nu_op_source *source, struct nu_format_part *part)
{
    struct nu_str rest = source->args;
    struct nu_str names[2] = {{"", 0}, {"", 0}};
    for (int i = 0; i < 2 && rest.ptr; i++)
        names[i] = nu_str_split(&rest, '?');
    if (rest.ptr) {
        nu_strbuf_addf(source->error, "More than 1 alternative header specified in token: %.*s",
                       NU_STR_ARG(source->args));
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!is_header_name(names[i]))
            return fail(source, "Invalid header configuration. Format string contains invalid "
                                "characters.");
        struct nu_str name = nu_arena_dup(source->arena, names[i]);
        nu_header_name_lower(nu_unconst(name.ptr), name.len);
        part->header.name[i] = name;
        part->header.id[i] = nu_header_id_of(name);
    }
    return true;
}

/* A request's host is its :authority, whichever of the two is asked for. */
bool nu_args_request_header(const struct nu_op_source *source, struct nu_format_part *part)
{
    if (!nu_args_header(source, part))
        return false;
    for (int i = 0; i < 2; i++) {
        if (part->header.id[i] == NU_HEADER_HOST) {
            part->header.id[i] = NU_HEADER_AUTHORITY;
            part->header.name[i] = nu_header_name_of(NU_HEADER_AUTHORITY);
        }
    }
    return true;
}

/* An operator that exists only where its extension is configured. */
bool nu_args_header_extension(const struct nu_op_source *source, struct nu_format_part *part)
{
    if (!source->options->has_req_without_query) {
        nu_strbuf_addf(source->error, "Not supported field in StreamInfo: %.*s",
                       NU_STR_ARG(source->name));
        return false;
    }
    return nu_args_request_header(source, part);
}

bool nu_args_path(const struct nu_op_source *source, struct nu_format_part *part)
{
    struct nu_str rest = source->args;
    struct nu_str query = nu_str_split(&rest, ':');
    struct nu_str choice = rest.ptr ? nu_str_split(&rest, ':') : rest;
    if (query.len == 0 || nu_str_eq(query, NU_STR("WQ"))) {
        part->detail = NU_QUERY_WITH;
    } else if (nu_str_eq(query, NU_STR("NQ"))) {
        part->detail = NU_QUERY_WITHOUT;
    } else {
        nu_strbuf_addf(source->error, "Invalid PATH option: '%.*s', only 'WQ'/'NQ' are allowed",
                       NU_STR_ARG(query));
        return false;
    }
    if (choice.len == 0 || nu_str_eq(choice, NU_STR("ORIG_OR_PATH"))) {
        part->variant = NU_PATH_ORIGINAL_OR_CURRENT;
    } else if (nu_str_eq(choice, NU_STR("ORIG"))) {
        part->variant = NU_PATH_ORIGINAL;
    } else if (nu_str_eq(choice, NU_STR("PATH"))) {
        part->variant = NU_PATH_CURRENT;
    } else {
        nu_strbuf_addf(source->error,
                       "Invalid PATH option: '%.*s', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed",
                       NU_STR_ARG(choice));
        return false;
    }
    return true;
}

bool nu_args_query(const struct nu_op_source *source, struct nu_format_part *part)
{
    part->text = nu_arena_dup(source->arena, source->args);
    return true;
}

bool nu_args_grpc(const struct nu_op_source *source, struct nu_format_part *part)
{
    if (source->args.len == 0 || nu_str_eq(source->args, NU_STR("CAMEL_STRING")))
        part->variant = NU_GRPC_CAMEL;
    else if (nu_str_eq(source->args, NU_STR("SNAKE_STRING")))
        part->variant = NU_GRPC_SNAKE;
    else if (nu_str_eq(source->args, NU_STR("NUMBER")))
        part->variant = NU_GRPC_NUMBER;
    else
        return fail(source,
                    "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER.");
    return true;
}

bool nu_args_xfcc(const struct nu_op_source *source, struct nu_format_part *part)
{
    static const struct nu_str keys[] = {
        NU_STR_INIT("by"),  NU_STR_INIT("hash"), NU_STR_INIT("cert"),    NU_STR_INIT("chain"),
        NU_STR_INIT("uri"), NU_STR_INIT("dns"),  NU_STR_INIT("subject"),
    };
    if (source->args.len == 0)
        return fail(source, "XFCC_VALUE command requires a subcommand");
    for (size_t i = 0; i < NU_ARRAY_LEN(keys); i++) {
        if (nu_str_eq_nocase(source->args, keys[i])) {
            part->text = keys[i];
            return true;
        }
    }
    nu_strbuf_addf(source->error, "XFCC_VALUE command does not support subcommand: %.*s",
                   NU_STR_ARG(source->args));
    return false;
}

bool nu_args_cel(const struct nu_op_source *source, struct nu_format_part *part)
{
    (void)part;
    return fail(source, "CEL: known to Envoy, not implemented by nuncio");
}

/* --- Times ------------------------------------------------------------------------------------ */

/* Variant 1: local time. */
bool nu_args_time(const struct nu_op_source *source, struct nu_format_part *part)
{
    if (nu_time_format_has_newline(source->args))
        return fail(source, "Invalid header configuration. Format string contains newline.");
    struct nu_str text = source->args;
    if (text.len == 0)
        text = part->variant ? NU_STR("%Y-%m-%dT%H:%M:%E3S%z") : NU_STR("%Y-%m-%dT%H:%M:%E3SZ");
    part->time = nu_time_format_compile(source->arena, text, part->variant != 0);
    return true;
}

#define INFO(member) offsetof(struct nu_stream_info, member)
#define UPSTREAM(member) offsetof(struct nu_stream_info, upstream.member)

static const struct {
    struct nu_str name;
    size_t offset;
} time_points[] = {
    {NU_STR_INIT("DS_RX_BEG"), INFO(start_us)},
    {NU_STR_INIT("DS_RX_END"), INFO(rx_end_us)},
    {NU_STR_INIT("US_CX_BEG"), UPSTREAM(connect_start_us)},
    {NU_STR_INIT("US_CX_END"), UPSTREAM(connect_end_us)},
    {NU_STR_INIT("US_HS_END"), UPSTREAM(handshake_end_us)},
    {NU_STR_INIT("US_TX_BEG"), UPSTREAM(first_tx_us)},
    {NU_STR_INIT("US_TX_END"), UPSTREAM(last_tx_us)},
    {NU_STR_INIT("US_RX_BEG"), UPSTREAM(first_rx_us)},
    {NU_STR_INIT("US_RX_BODY_BEG"), UPSTREAM(first_rx_body_us)},
    {NU_STR_INIT("US_RX_END"), UPSTREAM(last_rx_us)},
    {NU_STR_INIT("DS_TX_BEG"), INFO(tx_first_us)},
    {NU_STR_INIT("DS_TX_END"), INFO(tx_last_us)},
};

static bool find_time_point(struct nu_str name, size_t *offset)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(time_points); i++) {
        if (nu_str_eq(time_points[i].name, name)) {
            *offset = time_points[i].offset;
            return true;
        }
    }
    return false;
}

static bool parse_unit(struct nu_str name, unsigned *unit)
{
    if (nu_str_eq(name, NU_STR("ms")))
        *unit = NU_ELAPSED_MS;
    else if (nu_str_eq(name, NU_STR("us")))
        *unit = NU_ELAPSED_US;
    else if (nu_str_eq(name, NU_STR("ns")))
        *unit = NU_ELAPSED_NS;
    else
        return false;
    return true;
}

/* BEGIN:END or BEGIN:END:UNIT. A time point may have any name: filters can record their own, and
 * one that nobody records is missing. */
bool nu_args_duration(const struct nu_op_source *source, struct nu_format_part *part)
{
    struct nu_str rest = source->args;
    struct nu_str begin = nu_str_split(&rest, ':');
    struct nu_str end = rest.ptr ? nu_str_split(&rest, ':') : nu_str_make(NULL, 0);
    struct nu_str unit = rest.ptr ? nu_str_split(&rest, ':') : NU_STR("ms");
    if (!end.ptr || rest.ptr) {
        nu_strbuf_addf(source->error, "Invalid common duration configuration: %.*s.",
                       NU_STR_ARG(source->args));
        return false;
    }
    if (!parse_unit(unit, &part->variant)) {
        nu_strbuf_addf(source->error, "Invalid common duration precision: %.*s.", NU_STR_ARG(unit));
        return false;
    }
    part->detail = NU_ELAPSED_NOT_NEGATIVE;
    if (!find_time_point(begin, &part->member.second) ||
        !find_time_point(end, &part->member.offset))
        part->fn = nu_op_missing;
    return true;
}

bool nu_args_details(const struct nu_op_source *source, struct nu_format_part *part)
{
    part->variant = nu_str_eq(source->args, NU_STR("ALLOW_WHITESPACES"));
    return true;
}

/* --- Metadata and filter state ---------------------------------------------------------------- */

static size_t count_parts(struct nu_str text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ':';
    return count;
}

/* NAMESPACE:KEY:KEY... */
static void parse_metadata_ref(const struct nu_op_source *source, struct nu_str text,
                               struct nu_metadata_ref *ref)
{
    struct nu_str rest = nu_arena_dup(source->arena, text);
    struct nu_str *path = nu_arena_alloc(source->arena, count_parts(text) * sizeof(*path));
    ref->space = nu_str_split(&rest, ':');
    ref->path = path;
    ref->count = 0;
    while (rest.ptr)
        path[ref->count++] = nu_str_split(&rest, ':');
}

bool nu_args_metadata(const struct nu_op_source *source, struct nu_format_part *part)
{
    parse_metadata_ref(source, source->args, &part->metadata);
    return true;
}

/* TYPE:NAMESPACE:KEY... */
bool nu_args_typed_metadata(const struct nu_op_source *source, struct nu_format_part *part)
{
    static const struct nu_str types[] = {
        [NU_METADATA_DYNAMIC] = NU_STR_INIT("DYNAMIC"),
        [NU_METADATA_CLUSTER] = NU_STR_INIT("CLUSTER"),
        [NU_METADATA_ROUTE] = NU_STR_INIT("ROUTE"),
        [NU_METADATA_UPSTREAM_HOST] = NU_STR_INIT("UPSTREAM_HOST"),
        [NU_METADATA_LISTENER] = NU_STR_INIT("LISTENER"),
        [NU_METADATA_VIRTUAL_HOST] = NU_STR_INIT("VIRTUAL_HOST"),
    };
    struct nu_str rest = source->args;
    struct nu_str type = nu_str_split(&rest, ':');
    for (unsigned i = 0; i < NU_ARRAY_LEN(types); i++) {
        if (nu_str_eq(type, types[i])) {
            part->variant = i;
            parse_metadata_ref(source, rest, &part->metadata);
            return true;
        }
    }
    nu_strbuf_addf(source->error, "%.*s is not supported type of metadata", NU_STR_ARG(type));
    return false;
}

static bool parse_state_form(struct nu_str name, unsigned *form)
{
    if (name.len == 0 || nu_str_eq(name, NU_STR("TYPED")))
        *form = NU_STATE_TYPED;
    else if (nu_str_eq(name, NU_STR("PLAIN")))
        *form = NU_STATE_PLAIN;
    else if (nu_str_eq(name, NU_STR("FIELD")))
        *form = NU_STATE_FIELD;
    else
        return false;
    return true;
}

/* KEY, KEY:FORM or KEY:FIELD:NAME. */
bool nu_args_filter_state(const struct nu_op_source *source, struct nu_format_part *part)
{
    struct nu_str rest = nu_arena_dup(source->arena, source->args);
    struct nu_str name = nu_str_split(&rest, ':');
    struct nu_str form = rest.ptr ? nu_str_split(&rest, ':') : rest;
    struct nu_str field = rest.ptr ? nu_str_split(&rest, ':') : rest;
    if (name.len == 0)
        return fail(source, "Invalid filter state configuration, key cannot be empty.");
    if (!parse_state_form(form, &part->variant))
        return fail(source, "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.");
    if ((part->variant == NU_STATE_FIELD) != (field.len != 0))
        return fail(source, "Invalid filter state serialize type, FIELD should be used with the "
                            "field name.");
    part->state.name = name;
    part->state.field = field;
    return true;
}

/* --- What does not change while the process runs ---------------------------------------------- */

static bool make_literal(const struct nu_op_source *source, struct nu_format_part *part,
                         const char *text)
{
    part->fn = NULL;
    part->text = nu_arena_dup(source->arena, nu_str_first(nu_str_from(text), part->max_len));
    return true;
}

bool nu_args_environment(const struct nu_op_source *source, struct nu_format_part *part)
{
    struct nu_str name = nu_arena_dup(source->arena, source->args);
    const char *value = getenv(name.ptr);
    if (value)
        return make_literal(source, part, value);
    part->max_len = SIZE_MAX;
    return make_literal(source, part, "-");
}

bool nu_args_hostname(const struct nu_op_source *source, struct nu_format_part *part)
{
    char name[256];
    bool has_name = gethostname(name, sizeof(name)) == 0;
    name[sizeof(name) - 1] = '\0';
    return make_literal(source, part, has_name ? name : "-");
}
