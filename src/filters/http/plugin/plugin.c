/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One use of a plug-in: its class and the configuration that the plug-in makes of the `config`
 * member, and what a plug-in may ask while it does (nuncio/plugin.h).
 */
#include "filters/http/plugin/plugin.h"

#include <math.h>
#include <stdlib.h>

#include "config/print.h"
#include "filters/http/plugin/library.h"

#include "google/protobuf/struct.pb-c.h"
#include "nuncio/filters/http/plugin/v1/plugin.pb-c.h"

typedef Nuncio__Filters__Http__Plugin__V1__Plugin plugin_proto;

struct nu_plugin_config {
    struct nu_factory *factory;
    const plugin_proto *proto;
    struct nu_str json; /* NULL until somebody asks */
    bool failed;
};

/* --- What a plug-in reads --------------------------------------------------------------------- */

struct nu_str nu_plugin_config_json(struct nu_plugin_config *config)
{
    if (config->json.ptr)
        return config->json;
    config->json = NU_STR("{}");
    if (config->proto->config) {
        struct nu_strbuf text = {0};
        struct nu_json json;
        nu_json_init(&json, &text, false);
        nu_config_print(&json, &config->proto->config->base);
        config->json = nu_arena_dup(config->factory->arena, nu_strbuf_str(&text));
        nu_strbuf_finish(&text);
    }
    return config->json;
}

static const Google__Protobuf__Value *find_member(const Google__Protobuf__Struct *record,
                                                  struct nu_str path)
{
    const Google__Protobuf__Value *value = NULL;
    while (path.ptr) {
        struct nu_str key = nu_str_split(&path, '.');
        value = NULL;
        for (size_t i = 0; record && i < record->n_fields; i++) {
            if (nu_str_eq(nu_str_from(record->fields[i]->key), key))
                value = record->fields[i]->value;
        }
        bool is_record = value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
        record = is_record ? value->struct_value : NULL;
    }
    return value;
}

void nu_plugin_config_error(struct nu_plugin_config *config, const char *member,
                            const char *message)
{
    struct nu_factory *factory = config->factory;
    config->failed = true;
    if (!config->proto->config || !member) {
        nu_config_error(factory->ctx, config->proto, "config", "%s", message);
        return;
    }
    /* The place is that of the outermost object, the only one that has one. */
    struct nu_str rest = nu_str_from(member);
    struct nu_str first = nu_str_split(&rest, '.');
    const char *field = nu_arena_dup(factory->arena, first).ptr;
    if (rest.ptr)
        nu_config_error(factory->ctx, config->proto->config, field, "%.*s: %s", NU_STR_ARG(rest),
                        message);
    else
        nu_config_error(factory->ctx, config->proto->config, field, "%s", message);
}

/* The member's value if it is there; reports one of another kind, and says so in `*is_wrong`. */
static const Google__Protobuf__Value *read_member(struct nu_plugin_config *config,
                                                  const char *member,
                                                  Google__Protobuf__Value__KindCase kind,
                                                  const char *wanted, bool *is_wrong)
{
    const Google__Protobuf__Value *value = find_member(config->proto->config, nu_str_from(member));
    *is_wrong = value && value->kind_case != kind;
    if (*is_wrong)
        nu_plugin_config_error(config, member, wanted);
    return *is_wrong ? NULL : value;
}

bool nu_plugin_config_string(struct nu_plugin_config *config, const char *member,
                             struct nu_str *out)
{
    bool is_wrong;
    const Google__Protobuf__Value *value = read_member(
        config, member, GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE, "expected a string", &is_wrong);
    if (value)
        *out = nu_arena_dup(config->factory->arena, nu_str_from(value->string_value));
    return !is_wrong;
}

static bool parse_number(const char *text, double *out)
{
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number))
        return false;
    *out = number;
    return true;
}

bool nu_plugin_config_number(struct nu_plugin_config *config, const char *member, double *out)
{
    bool is_wrong;
    const Google__Protobuf__Value *text = find_member(config->proto->config, nu_str_from(member));
    /* YAML's fractions come as texts, as Envoy reads them. */
    if (text && text->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE &&
        parse_number(text->string_value, out))
        return true;
    const Google__Protobuf__Value *value = read_member(
        config, member, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE, "expected a number", &is_wrong);
    if (value)
        *out = value->number_value;
    return !is_wrong;
}

bool nu_plugin_config_bool(struct nu_plugin_config *config, const char *member, bool *out)
{
    bool is_wrong;
    const Google__Protobuf__Value *value = read_member(
        config, member, GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE, "expected a bool", &is_wrong);
    if (value)
        *out = value->bool_value;
    return !is_wrong;
}

void *nu_plugin_config_alloc(struct nu_plugin_config *config, size_t size)
{
    return nu_arena_calloc(config->factory->arena, size);
}

/* --- The factory ------------------------------------------------------------------------------ */

/* A configuration that config_destroy is owed. */
struct made {
    const struct nu_filter_class *cls;
    const void *config;
};

static void destroy_config(void *obj)
{
    const struct made *made = obj;
    made->cls->config_destroy(made->config);
}

static void own_config(struct nu_arena *arena, const struct nu_filter_class *cls,
                       const void *config)
{
    if (!config || !cls->config_destroy)
        return;
    struct made *made = nu_arena_alloc(arena, sizeof(*made));
    *made = (struct made){cls, config};
    nu_arena_on_free(arena, destroy_config, made);
}

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    struct nu_plugin_config config = {.factory = factory, .proto = (const void *)message};
    const plugin_proto *proto = config.proto;
    *out = NULL;
    *cls = nu_plugin_find_class(factory, proto);
    if (!*cls)
        return false;
    if (!(*cls)->config_create) {
        if (!proto->config || proto->config->n_fields == 0)
            return true;
        nu_config_error(factory->ctx, proto, "config", "filter '%s' takes no configuration",
                        (*cls)->name);
        return false;
    }
    *out = (*cls)->config_create(&config);
    own_config(factory->arena, *cls, *out);
    if (!*out && !config.failed)
        nu_plugin_config_error(&config, NULL, "the plug-in refused it without a reason");
    return *out && !config.failed;
}

const struct nu_filter_factory nu_plugin_factory = {
    .name = "nuncio.filters.http.plugin",
    .type = "nuncio.filters.http.plugin.v1.Plugin",
    .route_type = "nuncio.filters.http.plugin.v1.Plugin",
    .create = create,
    .create_route = create,
};
