/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling and applying header mutations. */
#include "route/header_edits.h"

#include "config/config.h"
#include "config/values.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "format/format_from_proto.h"
#include "http/joined.h"

/* Fields that Envoy calls deprecated and still obeys. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Envoy__Config__Core__V3__HeaderValueOption option_proto;

enum add_action {
    ACTION_APPEND,
    ACTION_ADD_IF_ABSENT,
    ACTION_OVERWRITE,
    ACTION_OVERWRITE_EXISTING
};

struct name {
    struct nu_str text; /* lower case */
    enum nu_header_id id;
};

struct add {
    struct name name;
    const struct nu_formatter *formatter; /* NULL: the value is `text` */
    struct nu_str text;
    uint8_t action; /* enum add_action */
    bool keep_empty;
};

struct nu_header_edits {
    struct name *removes;
    size_t remove_count;
    struct add *adds;
    size_t add_count;
};

/* --- Compiling -------------------------------------------------------------------------------- */

static struct name make_name(struct nu_arena *arena, const char *text)
{
    struct nu_str lower = nu_arena_dup(arena, nu_str_from(text));
    nu_header_name_lower(nu_unconst(lower.ptr), lower.len);
    enum nu_header_id id = nu_header_id_of(lower);
    return (struct name){id ? nu_header_name_of(id) : lower, id};
}

/* What routing itself depends on may not be touched. */
static bool is_protected(const struct name *name)
{
    return nu_str_starts_with(name->text, NU_STR(":")) || name->id == NU_HEADER_HOST;
}

static uint8_t action_of(const struct nu_match_factory *factory, const option_proto *proto)
{
    if (proto->append && proto->append_action != 0)
        nu_config_error(factory->ctx, proto, "append",
                        "Both append and append_action are set and it's not allowed");
    if (!nu_bool_or(proto->append, true))
        return ACTION_OVERWRITE;
    switch (proto->append_action) {
    case ENVOY__CONFIG__CORE__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__ADD_IF_ABSENT:
        return ACTION_ADD_IF_ABSENT;
    case ENVOY__CONFIG__CORE__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS_OR_ADD:
        return ACTION_OVERWRITE;
    case ENVOY__CONFIG__CORE__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS:
        return ACTION_OVERWRITE_EXISTING;
    default:
        return ACTION_APPEND;
    }
}

static void set_value(const struct nu_match_factory *factory, struct add *add,
                      const Envoy__Config__Core__V3__HeaderValue *proto)
{
    static const struct nu_format_options options = {.is_header = true};
    if (proto->raw_value.len)
        nu_config_warn(factory->ctx, proto, "raw_value",
                       "has no effect here, as in Envoy; use value");
    add->formatter = nu_formatter_from_text(factory->ctx, proto, "value", nu_str_from(proto->value),
                                            &options, factory->arena);
    if (!add->formatter)
        return;
    if (nu_formatter_is_plain(add->formatter, &add->text))
        add->formatter = NULL;
}

static void compile_add(const struct nu_match_factory *factory, struct add *add,
                        const option_proto *proto)
{
    if (!proto->header)
        return;
    add->name = make_name(factory->arena, proto->header->key);
    add->keep_empty = proto->keep_empty_value;
    add->action = action_of(factory, proto);
    if (is_protected(&add->name))
        nu_config_error(factory->ctx, proto->header, "key",
                        ":-prefixed or host headers may not be modified: '%s'", proto->header->key);
    set_value(factory, add, proto->header);
}

const struct nu_header_edits *
nu_header_edits_from_source(const struct nu_match_factory *factory,
                            const struct nu_header_edits_source *source)
{
    if (source->add_count == 0 && source->remove_count == 0)
        return NULL;
    struct nu_arena *arena = factory->arena;
    size_t errors = factory->ctx->errors.count;
    struct nu_header_edits *edits = nu_arena_calloc(arena, sizeof(*edits));
    edits->remove_count = source->remove_count;
    edits->removes = nu_arena_calloc(arena, source->remove_count * sizeof(*edits->removes));
    for (size_t i = 0; i < source->remove_count; i++) {
        edits->removes[i] = make_name(arena, source->removes[i]);
        if (is_protected(&edits->removes[i]))
            nu_config_error_at(factory->ctx, source->owner, source->remove_field, i,
                               ":-prefixed or host headers may not be removed: '%s'",
                               source->removes[i]);
    }
    edits->add_count = source->add_count;
    edits->adds = nu_arena_calloc(arena, source->add_count * sizeof(*edits->adds));
    for (size_t i = 0; i < source->add_count; i++)
        compile_add(factory, &edits->adds[i], source->adds[i]);
    return factory->ctx->errors.count == errors ? edits : NULL;
}

/* --- Applying --------------------------------------------------------------------------------- */

/* A value that was formatted and waits for its turn. */
struct pending {
    const struct add *add;
    struct nu_str value;
};

static bool has_name(const struct nu_headers *headers, const struct name *name)
{
    return name->id ? nu_headers_has_id(headers, name->id) : nu_headers_has(headers, name->text);
}

static void remove_name(struct nu_headers *headers, const struct name *name)
{
    if (name->id)
        nu_headers_remove_id(headers, name->id);
    else
        nu_headers_remove(headers, name->text);
}

static struct nu_str format_value(const struct add *add, struct nu_arena *arena,
                                  const struct nu_format_context *context)
{
    struct nu_strbuf text = {0};
    struct nu_str value = NU_STR("");
    nu_formatter_format(add->formatter, context, &text);
    if (nu_header_value_is_valid(nu_strbuf_str(&text)))
        value = nu_arena_dup(arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return value;
}

/* Whether an addition is to be made, and its value. */
static bool evaluate(const struct add *add, const struct nu_headers *headers,
                     const struct nu_format_context *context, struct nu_str *value)
{
    if (add->action == ACTION_ADD_IF_ABSENT && has_name(headers, &add->name))
        return false;
    if (add->action == ACTION_OVERWRITE_EXISTING && !has_name(headers, &add->name))
        return false;
    *value = add->formatter ? format_value(add, headers->arena, context) : add->text;
    return value->len > 0 || add->keep_empty;
}

static bool is_overwriting(const struct add *add)
{
    return add->action == ACTION_OVERWRITE || add->action == ACTION_OVERWRITE_EXISTING;
}

static void apply_adds(const struct nu_header_edits *edits, struct nu_headers *headers,
                       const struct nu_header_set *joined, const struct nu_format_context *context)
{
    struct pending few[8];
    struct pending *pending = few;
    size_t count = 0;
    if (edits->add_count > NU_ARRAY_LEN(few))
        pending = nu_arena_alloc(headers->arena, edits->add_count * sizeof(*pending));
    for (size_t i = 0; i < edits->add_count; i++) {
        pending[count].add = &edits->adds[i];
        count += evaluate(&edits->adds[i], headers, context, &pending[count].value);
    }
    for (size_t i = 0; i < count; i++) {
        const struct name *name = &pending[i].add->name;
        if (!is_overwriting(pending[i].add))
            continue;
        remove_name(headers, name);
        nu_headers_add_ref(headers, name->id, name->text, pending[i].value);
    }
    for (size_t i = 0; i < count; i++) {
        const struct name *name = &pending[i].add->name;
        if (!is_overwriting(pending[i].add))
            nu_headers_append_ref(headers, joined, name->id, name->text, pending[i].value);
    }
}

void nu_header_edits_apply(const struct nu_header_edits *edits, struct nu_headers *headers,
                           const struct nu_header_set *joined,
                           const struct nu_format_context *context)
{
    for (size_t i = 0; i < edits->remove_count; i++)
        remove_name(headers, &edits->removes[i]);
    if (edits->add_count)
        apply_adds(edits, headers, joined, context);
}
