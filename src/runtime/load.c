/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values into entries. A static layer is a struct whose nested structs give dotted keys, unless one
 * looks like a fraction; a value of the admin layer is a YAML text. What kinds a value has follows
 * Envoy, whose rules differ for numbers, numbers in strings, and booleans.
 */
#include "runtime/runtime_internal.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/value.h"
#include "config/config.h"
#include "config/doc.h"
#include "config/struct.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "runtime/text_format.h"

/* One static layer on its way into a snapshot. */
struct walk {
    struct nu_runtime *runtime;
    struct nu_runtime_layer *layer;
    struct nu_config_ctx *ctx;
    const Envoy__Config__Bootstrap__V3__RuntimeLayer *proto; /* for messages */
};

static void set_number(struct nu_runtime_entry *entry, double number)
{
    entry->has_double = true;
    entry->number = number;
    if (number >= INT_MIN && number < INT_MAX && number == floor(number)) {
        entry->has_bool = true;
        entry->boolean = number != 0;
    }
    if (number >= 0 && number <= (double)UINT64_MAX) {
        entry->has_integer = true;
        entry->integer = number < (double)UINT64_MAX ? (uint64_t)number : UINT64_MAX;
    }
}

/* A number as C's strtod reads it, hexadecimal ones included, with blanks around it. */
static bool parse_number(struct nu_str text, double *out)
{
    char copy[512];
    text = nu_str_trim(text);
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    *out = strtod(copy, &end);
    return end == copy + text.len;
}

static void set_string(struct nu_runtime_entry *entry, struct nu_str text)
{
    double number;
    if (parse_number(text, &number))
        set_number(entry, number);
}

static uint32_t denominator_of(const struct nu_value *value)
{
    if (value->type != NU_VALUE_STRING)
        return 0;
    struct nu_str name = nu_value_text(value);
    if (nu_str_eq(name, NU_STR("HUNDRED")))
        return 100;
    if (nu_str_eq(name, NU_STR("TEN_THOUSAND")))
        return 10000;
    return nu_str_eq(name, NU_STR("MILLION")) ? 1000000 : 0;
}

/* A numerator that is no number counts as 0, a negative one as more than everything. */
static uint32_t numerator_of(const struct nu_value *value)
{
    if (value->type != NU_VALUE_NUMBER || isnan(value->number))
        return 0;
    if (value->number < 0 || value->number > UINT32_MAX)
        return UINT32_MAX;
    return (uint32_t)value->number;
}

/* A struct with other fields, or with a denominator that has no such name, is no fraction. */
static void set_struct(struct nu_runtime_entry *entry, const struct nu_value *record)
{
    struct nu_fraction fraction = {.denominator = 100};
    for (uint32_t i = 0; i < record->count; i++) {
        const struct nu_value_field *field = &record->fields[i];
        if (nu_str_eq(field->name, NU_STR("numerator")))
            fraction.numerator = numerator_of(&field->value);
        else if (nu_str_eq(field->name, NU_STR("denominator")))
            fraction.denominator = denominator_of(&field->value);
        else
            return;
    }
    entry->has_fraction = fraction.denominator != 0;
    entry->fraction = fraction;
}

static void set_value(struct nu_runtime_entry *entry, const struct nu_value *value)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
    case NU_VALUE_LIST:
        break;
    case NU_VALUE_BOOL:
        entry->has_bool = true;
        entry->boolean = value->boolean;
        break;
    case NU_VALUE_NUMBER:
        set_number(entry, value->number);
        break;
    case NU_VALUE_STRING:
        set_string(entry, nu_value_text(value));
        break;
    case NU_VALUE_STRUCT:
        set_struct(entry, value);
        break;
    }
}

/* --- Static layers ---------------------------------------------------------------------------- */

/* Envoy's switches between old and new behaviour: they come and go with its versions. */
static bool is_feature_guard(struct nu_str key)
{
    return nu_str_starts_with(key, NU_STR("envoy.reloadable_features.")) ||
           nu_str_starts_with(key, NU_STR("envoy.restart_features.")) ||
           nu_str_starts_with(key, NU_STR("envoy.features.")) ||
           nu_str_starts_with(key, NU_STR("envoy.deprecated_features"));
}

static void put_static(struct walk *w, struct nu_str key, const struct nu_value *value)
{
    if (is_feature_guard(key))
        nu_config_warn(w->ctx, w->proto, "static_layer",
                       "%.*s has no effect: what it guards is as in an Envoy 1.36 without it",
                       NU_STR_ARG(key));
    struct nu_strbuf text = {0};
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_BOOL:
        nu_strbuf_add_cstr(&text, value->boolean ? "true" : "false");
        break;
    case NU_VALUE_NUMBER:
        nu_strbuf_addf(&text, "%g", value->number);
        break;
    case NU_VALUE_STRING:
        nu_strbuf_add(&text, nu_value_text(value));
        break;
    default:
        nu_text_format_struct(value, &text);
    }
    set_value(nu_runtime_layer_put(w->runtime, w->layer, key, nu_strbuf_str(&text)), value);
    nu_strbuf_finish(&text);
}

/* Whether a struct is a value of its own rather than a level of keys. */
static bool is_fraction(const struct nu_value *record)
{
    return record->count == 0 || nu_value_get(record, NU_STR("numerator")) ||
           nu_value_get(record, NU_STR("denominator"));
}

static void walk_value(struct walk *w, struct nu_str key, const struct nu_value *value);

static void walk_fields(struct walk *w, struct nu_str prefix, const struct nu_value *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct nu_value_field *field = &record->fields[i];
        struct nu_strbuf key = {0};
        nu_strbuf_add(&key, prefix);
        if (prefix.len)
            nu_strbuf_add_char(&key, '.');
        nu_strbuf_add(&key, field->name);
        walk_value(w, nu_strbuf_str(&key), &field->value);
        nu_strbuf_finish(&key);
    }
}

static void walk_value(struct walk *w, struct nu_str key, const struct nu_value *value)
{
    if (value->type == NU_VALUE_NULL || value->type == NU_VALUE_LIST)
        nu_config_error(w->ctx, w->proto, "static_layer", "Invalid runtime entry value for %.*s",
                        NU_STR_ARG(key));
    else if (value->type == NU_VALUE_STRUCT && !is_fraction(value))
        walk_fields(w, key, value);
    else
        put_static(w, key, value);
}

static void load_static(struct walk *w)
{
    struct nu_arena scratch;
    nu_arena_init(&scratch);
    struct nu_value record = nu_struct_from_proto(w->proto->static_layer, &scratch);
    walk_fields(w, nu_str_make(NULL, 0), &record);
    nu_arena_finish(&scratch);
}

static void check_layer(struct nu_runtime *runtime, size_t index, struct walk *w)
{
    for (size_t i = 0; i < index; i++) {
        const struct nu_runtime_layer *other = &runtime->layers[i];
        if (nu_str_eq(other->name, w->layer->name))
            nu_config_error(w->ctx, w->proto, "name", "Duplicate layer name: %.*s",
                            NU_STR_ARG(other->name));
        if (other->is_admin && w->layer->is_admin)
            nu_config_error(w->ctx, w->proto, "admin_layer",
                            "Too many admin layers specified in LayeredRuntime, at most one may "
                            "be specified");
    }
}

static void load_layer(struct nu_runtime *runtime, size_t index,
                       const Envoy__Config__Bootstrap__V3__RuntimeLayer *proto,
                       struct nu_config_ctx *ctx)
{
    struct nu_runtime_layer *layer = &runtime->layers[index];
    struct walk w = {runtime, layer, ctx, proto};
    layer->name = nu_arena_dup(&runtime->arena, nu_str_from(proto->name));
    layer->is_admin = proto->layer_specifier_case ==
                      ENVOY__CONFIG__BOOTSTRAP__V3__RUNTIME_LAYER__LAYER_SPECIFIER_ADMIN_LAYER;
    check_layer(runtime, index, &w);
    if (proto->layer_specifier_case ==
        ENVOY__CONFIG__BOOTSTRAP__V3__RUNTIME_LAYER__LAYER_SPECIFIER_STATIC_LAYER)
        load_static(&w);
}

struct nu_runtime *nu_runtime_from_proto(const Envoy__Config__Bootstrap__V3__LayeredRuntime *proto,
                                         struct nu_config_ctx *ctx)
{
    if (!proto)
        return nu_runtime_create(0);
    if (proto->n_layers == 0) {
        struct nu_runtime *runtime = nu_runtime_create(1);
        runtime->layers[0].is_admin = true;
        return runtime;
    }
    struct nu_runtime *runtime = nu_runtime_create(proto->n_layers);
    for (size_t i = 0; i < proto->n_layers; i++)
        load_layer(runtime, i, proto->layers[i], ctx);
    nu_runtime_merge(runtime);
    return runtime;
}

/* --- The admin layer -------------------------------------------------------------------------- */

static struct nu_value value_of_node(const struct nu_doc_node *node, struct nu_arena *arena)
{
    struct nu_value value = nu_value_null();
    switch ((enum nu_doc_kind)node->kind) {
    case NU_DOC_NULL:
        break;
    case NU_DOC_BOOL:
        return nu_value_bool(node->boolean);
    case NU_DOC_NUMBER:
        return nu_value_number(parse_number(node->text, &value.number) ? value.number : 0);
    case NU_DOC_STRING:
        return nu_value_string(node->text);
    case NU_DOC_LIST:
        return nu_value_list();
    case NU_DOC_MAP:
        value = nu_value_struct();
        for (const struct nu_doc_node *field = node->first; field; field = field->next)
            nu_value_set(&value, arena, field->key, value_of_node(field, arena));
        break;
    }
    return value;
}

/* A text that is no YAML is a string. */
static struct nu_value parse_yaml(struct nu_str text, struct nu_arena *arena)
{
    struct nu_error_list errors = {0};
    struct nu_error_list warnings = {0};
    struct nu_doc_input in = {
        .arena = arena,
        .source = "runtime_modify",
        .text = text,
        .errors = &errors,
        .warnings = &warnings,
    };
    const struct nu_doc_node *node = nu_doc_parse_yaml(&in);
    struct nu_value value = node ? value_of_node(node, arena) : nu_value_string(text);
    nu_error_list_finish(&errors);
    nu_error_list_finish(&warnings);
    return value;
}

static void apply_change(struct nu_runtime *runtime, struct nu_runtime_layer *layer,
                         const struct nu_runtime_change *change)
{
    if (change->value.len == 0) {
        nu_map_remove(&layer->entries, change->key);
        return;
    }
    struct nu_arena scratch;
    nu_arena_init(&scratch);
    struct nu_value value = parse_yaml(change->value, &scratch);
    set_value(nu_runtime_layer_put(runtime, layer, change->key, change->value), &value);
    nu_arena_finish(&scratch);
}

static void copy_layer(struct nu_runtime *runtime, struct nu_runtime_layer *to,
                       const struct nu_runtime_layer *from)
{
    to->name = nu_arena_dup(&runtime->arena, from->name);
    to->is_admin = from->is_admin;
    nu_map_for_each(slot, &from->entries)
    {
        const struct nu_runtime_entry *entry = slot->value;
        struct nu_runtime_entry *copy = nu_runtime_layer_put(runtime, to, entry->key, entry->text);
        struct nu_str key = copy->key;
        struct nu_str text = copy->text;
        *copy = *entry;
        copy->key = key;
        copy->text = text;
    }
}

struct nu_runtime *nu_runtime_modify(const struct nu_runtime *runtime,
                                     const struct nu_runtime_change *changes, size_t count)
{
    if (!nu_runtime_has_admin_layer(runtime))
        return NULL;
    struct nu_runtime *changed = nu_runtime_create(runtime->layer_count);
    for (size_t i = 0; i < runtime->layer_count; i++) {
        struct nu_runtime_layer *layer = &changed->layers[i];
        copy_layer(changed, layer, &runtime->layers[i]);
        for (size_t k = 0; layer->is_admin && k < count; k++)
            apply_change(changed, layer, &changes[k]);
    }
    nu_runtime_merge(changed);
    return changed;
}
