/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /config_dump: what is loaded, in the words of envoy.admin.v3.ConfigDump. A dump is a row of
 * sections (bootstrap, clusters, ...), most of which hold a list of items; `resource` asks for the
 * items of one list alone, `name_regex` for those with matching names, `mask` for some of the
 * fields.
 *
 * The walk goes item by item and, inside an item, value by value, so that it can pause anywhere.
 */
#include "admin/admin_internal.h"
#include "admin/endpoints.h"
#include "base/regex.h"
#include "config/field_mask.h"
#include "config/print.h"
#include "tls/secrets.h"
#include "upstream/cluster_manager.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/config/endpoint/v3/endpoint.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb-c.h"

struct dump;

/* One message of a list, with its name. */
struct item {
    const ProtobufCMessage *message; /* NULL: there is none any more */
    struct nu_str name;
    struct nu_str version; /* of what comes from outside */
    const char *updated;   /* when; NULL: not known, and no version either */
};

/* A list that has something in it; `next` is called with *cursor = 0 first. */
struct list {
    const char *field;      /* of the section: "static_clusters" */
    const char *item_type;  /* "ClustersConfigDump.StaticCluster" */
    const char *item_field; /* of the item: "cluster" */
    const ProtobufCMessageDescriptor *descriptor;
    struct item (*next)(struct dump *dump, size_t *cursor);
    bool is_dated; /* items say when they were last updated */
    bool is_named; /* items have their names beside the message */
};

struct section {
    const char *type;               /* "ClustersConfigDump" */
    const char *const *scalars;     /* fields that are no list and never set; NULL-terminated */
    const char *const *empty_lists; /* lists that never hold anything; NULL-terminated */
    const struct list *list;        /* NULL: none */
    const struct list *second;      /* behind the former; NULL: none */
    bool is_bootstrap;
    bool on_demand; /* with include_eds only */
};

struct dump {
    struct nu_admin *admin;
    struct nu_arena *arena;              /* the request's */
    struct nu_regex *name_regex;         /* owned; NULL for all */
    const struct nu_field_mask *mask;    /* of what is printed; NULL for all */
    const struct section *const *chosen; /* NULL-terminated */
    const struct list *resource;         /* the one list that is asked for, or NULL */
    bool is_nothing;                     /* a list that is always empty was asked for */
    struct nu_json json;
    struct nu_config_printer *printer; /* owned; of the item at work */
    struct nu_arena *scratch;          /* owned; the item at work, if it had to be made */
    size_t cursor;                     /* in the list */
    bool in_second;                    /* the section's second list is at work */
    enum {
        BEGIN_SECTION,
        NEXT_ITEM,
        IN_ITEM,
    } step;
    bool has_configs; /* "configs" was opened */
    bool has_items;   /* the section's list was opened */
};

/* --- What there is ---------------------------------------------------------------------------- */

static const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *
resources_of(const struct dump *dump)
{
    return dump->admin->bootstrap->static_resources;
}

static struct item next_cluster(struct dump *dump, size_t *cursor)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources = resources_of(dump);
    if (!resources || *cursor >= resources->n_clusters)
        return (struct item){0};
    const Envoy__Config__Cluster__V3__Cluster *cluster = resources->clusters[(*cursor)++];
    return (struct item){.message = &cluster->base, .name = nu_str_from(cluster->name)};
}

static struct item next_listener(struct dump *dump, size_t *cursor)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources = resources_of(dump);
    if (!resources || *cursor >= resources->n_listeners)
        return (struct item){0};
    const Envoy__Config__Listener__V3__Listener *listener = resources->listeners[(*cursor)++];
    return (struct item){.message = &listener->base, .name = nu_str_from(listener->name)};
}

static struct item next_route_config(struct dump *dump, size_t *cursor)
{
    const struct nu_admin *admin = dump->admin;
    if (*cursor >= admin->route_config_count)
        return (struct item){0};
    const Envoy__Config__Route__V3__RouteConfiguration *routes = admin->route_configs[(*cursor)++];
    return (struct item){.message = &routes->base, .name = nu_str_from(routes->name)};
}

/* The hosts as they are now, whatever they came from. */
static struct item next_endpoints(struct dump *dump, size_t *cursor)
{
    const struct nu_cluster *cluster = nu_cluster_manager_next(dump->admin->parts.clusters, cursor);
    if (!cluster)
        return (struct item){0};
    nu_arena_destroy(&dump->scratch);
    dump->scratch = nu_arena_create();
    return (struct item){.message = nu_admin_make_endpoints(cluster, dump->scratch),
                         .name = cluster->name};
}

/* A secret may be renewed before it is printed whole, so what is printed is a copy. */
static const ProtobufCMessage *copy_message(struct dump *dump, const ProtobufCMessage *message)
{
    struct nu_config_ctx ctx;
    nu_arena_destroy(&dump->scratch);
    dump->scratch = nu_arena_create();
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = nu_arena_alloc(dump->scratch, size + 1);
    protobuf_c_message_pack(message, bytes);
    nu_config_ctx_init(&ctx, dump->scratch);
    const ProtobufCMessage *copy =
        nu_config_read(&ctx, "secret", nu_str_make((const char *)bytes, size), NU_CONFIG_BINARY,
                       message->descriptor);
    nu_config_ctx_finish(&ctx);
    return copy;
}

static struct item next_secret(struct dump *dump, bool is_static, size_t *cursor)
{
    const struct nu_tls_secrets *secrets = dump->admin->parts.secrets;
    struct nu_tls_secret_view view;
    if (!secrets || !nu_tls_secrets_next(secrets, is_static, cursor, &view))
        return (struct item){0};
    struct item item = {.message = copy_message(dump, view.message)};
    item.name = nu_arena_dup(dump->scratch, view.name);
    item.version = nu_arena_dup(dump->scratch, view.version);
    if (!is_static)
        item.updated = nu_admin_format_time(view.updated_us, dump->scratch);
    return item;
}

static struct item next_static_secret(struct dump *dump, size_t *cursor)
{
    return next_secret(dump, true, cursor);
}

static struct item next_dynamic_secret(struct dump *dump, size_t *cursor)
{
    return next_secret(dump, false, cursor);
}

static const struct list clusters_list = {
    "static_clusters",
    "ClustersConfigDump.StaticCluster",
    "cluster",
    &envoy__config__cluster__v3__cluster__descriptor,
    next_cluster,
    true,
    false,
};
static const struct list endpoints_list = {
    "static_endpoint_configs",
    "EndpointsConfigDump.StaticEndpointConfig",
    "endpoint_config",
    &envoy__config__endpoint__v3__cluster_load_assignment__descriptor,
    next_endpoints,
    false,
    false,
};
static const struct list listeners_list = {
    "static_listeners",
    "ListenersConfigDump.StaticListener",
    "listener",
    &envoy__config__listener__v3__listener__descriptor,
    next_listener,
    true,
    false,
};
static const struct list routes_list = {
    "static_route_configs",
    "RoutesConfigDump.StaticRouteConfig",
    "route_config",
    &envoy__config__route__v3__route_configuration__descriptor,
    next_route_config,
    true,
    false,
};
static const struct list static_secrets_list = {
    .field = "static_secrets",
    .item_type = "SecretsConfigDump.StaticSecret",
    .item_field = "secret",
    .descriptor = &envoy__extensions__transport_sockets__tls__v3__secret__descriptor,
    .next = next_static_secret,
    .is_named = true,
};
static const struct list dynamic_secrets_list = {
    .field = "dynamic_active_secrets",
    .item_type = "SecretsConfigDump.DynamicSecret",
    .item_field = "secret",
    .descriptor = &envoy__extensions__transport_sockets__tls__v3__secret__descriptor,
    .next = next_dynamic_secret,
    .is_named = true,
};

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_NAMES ((const char *const[]){NULL})

static const struct section bootstrap_section = {
    .type = "BootstrapConfigDump",
    .scalars = NAMES("bootstrap", "last_updated"),
    .empty_lists = NO_NAMES,
    .is_bootstrap = true,
};
static const struct section clusters_section = {
    .type = "ClustersConfigDump",
    .scalars = NAMES("version_info"),
    .empty_lists = NAMES("dynamic_active_clusters", "dynamic_warming_clusters"),
    .list = &clusters_list,
};
static const struct section endpoints_section = {
    .type = "EndpointsConfigDump",
    .scalars = NO_NAMES,
    .empty_lists = NAMES("dynamic_endpoint_configs"),
    .list = &endpoints_list,
    .on_demand = true,
};
static const struct section listeners_section = {
    .type = "ListenersConfigDump",
    .scalars = NAMES("version_info"),
    .empty_lists = NAMES("dynamic_listeners"),
    .list = &listeners_list,
};
static const struct section scoped_routes_section = {
    .type = "ScopedRoutesConfigDump",
    .scalars = NO_NAMES,
    .empty_lists = NAMES("inline_scoped_route_configs", "dynamic_scoped_route_configs"),
};
static const struct section routes_section = {
    .type = "RoutesConfigDump",
    .scalars = NO_NAMES,
    .empty_lists = NAMES("dynamic_route_configs"),
    .list = &routes_list,
};
static const struct section secrets_section = {
    .type = "SecretsConfigDump",
    .scalars = NO_NAMES,
    .empty_lists = NAMES("dynamic_warming_secrets"),
    .list = &static_secrets_list,
    .second = &dynamic_secrets_list,
};

static const struct section *const all_sections[] = {
    &bootstrap_section,     &clusters_section, &endpoints_section, &listeners_section,
    &scoped_routes_section, &routes_section,   &secrets_section,
};

/* --- Reading the request ---------------------------------------------------------------------- */

static bool has_name(const char *const *names, struct nu_str name)
{
    for (; *names; names++) {
        if (nu_str_eq(name, nu_str_from(*names)))
            return true;
    }
    return false;
}

static bool is_first_name(struct nu_str path, const char *name)
{
    return nu_str_eq(nu_str_split(&path, '.'), nu_str_from(name));
}

/* A path below an item or a section, whose member `field` holds a message: what is behind the
 * name goes into the mask of that message. */
static bool add_inner(struct nu_field_mask *mask, struct nu_str path, const char *field,
                      const ProtobufCMessageDescriptor *descriptor, struct nu_arena *arena)
{
    struct nu_str name = nu_str_split(&path, '.');
    struct nu_field_mask *child = mask->children;
    while (child && !nu_str_eq(child->name, name))
        child = child->next;
    if (!child) {
        child = nu_arena_calloc(arena, sizeof(*child));
        child->name = nu_str_from(field);
        child->next = mask->children;
        mask->children = child;
    }
    if (path.ptr)
        return nu_field_mask_add(child, path, descriptor, arena);
    child->is_whole = true;
    return true;
}

/* A member without members of its own, known to be valid. */
static bool add_leaf(struct nu_field_mask *mask, struct nu_str path, struct nu_arena *arena)
{
    struct nu_field_mask *child = nu_arena_calloc(arena, sizeof(*child));
    child->name = nu_str_split(&path, '.');
    child->is_whole = true;
    child->next = mask->children;
    mask->children = child;
    return true;
}

static bool add_item_path(const struct list *list, struct nu_field_mask *mask, struct nu_str path,
                          struct nu_arena *arena)
{
    if (is_first_name(path, list->item_field))
        return add_inner(mask, path, list->item_field, list->descriptor, arena);
    bool is_known =
        is_first_name(path, "last_updated") ||
        (list->is_named && (is_first_name(path, "name") || is_first_name(path, "version_info")));
    return is_known && add_leaf(mask, path, arena);
}

static bool is_list(const struct list *list, struct nu_str field)
{
    return list && nu_str_eq(field, nu_str_from(list->field));
}

static bool add_section_path(const struct section *section, struct nu_field_mask *mask,
                             struct nu_str path, struct nu_arena *arena)
{
    if (section->is_bootstrap && is_first_name(path, "bootstrap"))
        return add_inner(mask, path, "bootstrap",
                         &envoy__config__bootstrap__v3__bootstrap__descriptor, arena);
    if (section->is_bootstrap && is_first_name(path, "last_updated"))
        return add_leaf(mask, path, arena);
    bool is_known = has_name(section->scalars, path) || has_name(section->empty_lists, path) ||
                    is_list(section->list, path) || is_list(section->second, path);
    return is_known && add_leaf(mask, path, arena);
}

/* Splits a mask at its commas; false if one of its paths does not fit. */
static bool read_item_mask(const struct list *list, struct nu_field_mask *mask, struct nu_str text,
                           struct nu_arena *arena)
{
    while (text.ptr) {
        if (!add_item_path(list, mask, nu_str_split(&text, ','), arena))
            return false;
    }
    return true;
}

static bool read_section_mask(const struct section *section, struct nu_field_mask *mask,
                              struct nu_str text, struct nu_arena *arena)
{
    while (text.ptr) {
        if (!add_section_path(section, mask, nu_str_split(&text, ','), arena))
            return false;
    }
    return true;
}

static bool is_included(const struct nu_admin_request *request, const struct section *section)
{
    return !section->on_demand || nu_admin_has_param(request, "include_eds");
}

/* All sections, or those that every path of the mask fits. The paths of one fit no other that has
 * anything to show, so one mask serves all. */
static bool choose_sections(const struct nu_admin_request *request, struct dump *dump,
                            struct nu_str mask_text, struct nu_admin_response *response)
{
    size_t count = 0;
    const struct section **chosen =
        nu_arena_calloc(dump->arena, (NU_ARRAY_LEN(all_sections) + 1) * sizeof(*chosen));
    for (size_t i = 0; i < NU_ARRAY_LEN(all_sections); i++) {
        struct nu_field_mask *mask = nu_arena_calloc(dump->arena, sizeof(*mask));
        if (!is_included(request, all_sections[i]))
            continue;
        if (mask_text.len && !read_section_mask(all_sections[i], mask, mask_text, dump->arena))
            continue;
        if (mask_text.len)
            dump->mask = mask;
        chosen[count++] = all_sections[i];
    }
    dump->chosen = chosen;
    if (count)
        return true;
    response->status = 400;
    nu_strbuf_addf(&response->body,
                   "FieldMask %.*s could not be successfully applied to any configs.",
                   NU_STR_ARG(mask_text));
    return false;
}

static bool fail_item_mask(struct nu_str text, struct nu_admin_response *response)
{
    response->status = 400;
    nu_strbuf_add_cstr(&response->body, "FieldMask ");
    while (text.ptr) {
        struct nu_str path = nu_str_split(&text, ',');
        nu_strbuf_addf(&response->body, "paths: \"%.*s\"\n", NU_STR_ARG(path));
    }
    nu_strbuf_add_cstr(&response->body, " could not be successfully used.");
    return false;
}

static bool fail_resource(struct nu_admin_response *response, uint32_t status, const char *format,
                          struct nu_str name)
{
    response->status = status;
    for (; *format; format++) {
        if (*format == '%')
            nu_strbuf_add(&response->body, name);
        else
            nu_strbuf_add_char(&response->body, *format);
    }
    return false;
}

static bool take_list(struct dump *dump, const struct list *list, struct nu_str mask_text,
                      struct nu_admin_response *response)
{
    dump->resource = list;
    if (mask_text.len == 0)
        return true;
    struct nu_field_mask *mask = nu_arena_calloc(dump->arena, sizeof(*mask));
    if (!read_item_mask(list, mask, mask_text, dump->arena))
        return fail_item_mask(mask_text, response);
    dump->mask = mask;
    return true;
}

static bool choose_resource(const struct nu_admin_request *request, struct dump *dump,
                            struct nu_str name, struct nu_str mask_text,
                            struct nu_admin_response *response)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(all_sections); i++) {
        const struct section *section = all_sections[i];
        if (!is_included(request, section))
            continue;
        if (is_list(section->list, name))
            return take_list(dump, section->list, mask_text, response);
        if (is_list(section->second, name))
            return take_list(dump, section->second, mask_text, response);
        if (has_name(section->scalars, name))
            return fail_resource(response, 400,
                                 "% is not a repeated field. Use ?mask=% to get only this field",
                                 name);
        if (has_name(section->empty_lists, name)) {
            dump->is_nothing = true;
            return true;
        }
    }
    return fail_resource(response, 404, "% not found in config dump", name);
}

static bool read_regex(struct dump *dump, struct nu_str text, struct nu_admin_response *response)
{
    struct nu_strbuf reason = {0};
    if (text.len == 0)
        return true;
    dump->name_regex = nu_regex_create(text, &reason);
    if (!dump->name_regex) {
        response->status = 400;
        nu_strbuf_addf(&response->body,
                       "INVALID_ARGUMENT: Error while parsing name_regex from %.*s: %.*s",
                       NU_STR_ARG(text), NU_STR_ARG(nu_strbuf_str(&reason)));
    }
    nu_strbuf_finish(&reason);
    return dump->name_regex != NULL;
}

static bool read_request(const struct nu_admin_request *request, struct dump *dump,
                         struct nu_admin_response *response)
{
    struct nu_str resource = nu_admin_param(request, "resource");
    struct nu_str mask = nu_admin_param(request, "mask");
    if (!read_regex(dump, nu_admin_param(request, "name_regex"), response))
        return false;
    return resource.len ? choose_resource(request, dump, resource, mask, response)
                        : choose_sections(request, dump, mask, response);
}

/* --- Printing --------------------------------------------------------------------------------- */

static void print_text(struct nu_json *json, const char *key, struct nu_str value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_string(json, value);
}

static void begin_config(struct dump *dump, const char *type)
{
    struct nu_strbuf url = {0};
    if (!dump->has_configs) {
        nu_json_key(&dump->json, NU_STR("configs"));
        nu_json_array_begin(&dump->json);
        dump->has_configs = true;
    }
    nu_json_object_begin(&dump->json);
    nu_strbuf_addf(&url, "type.googleapis.com/envoy.admin.v3.%s", type);
    print_text(&dump->json, "@type", nu_strbuf_str(&url));
    nu_strbuf_finish(&url);
}

static bool wants(const struct nu_field_mask *mask, const char *field)
{
    const struct nu_field_mask *inner;
    return nu_field_mask_wants(mask, field, &inner);
}

/* Begins the message `field` of an item or section, if it is wanted; says whether. */
static bool begin_message(struct dump *dump, const char *field, const ProtobufCMessage *message,
                          bool with_type, const struct nu_field_mask *mask)
{
    struct nu_config_print_options options = {.with_type = with_type};
    if (!nu_field_mask_wants(mask, field, &options.mask))
        return false;
    nu_json_key(&dump->json, nu_str_from(field));
    dump->printer = nu_config_printer_create(message, &options);
    return true;
}

static bool is_named(const struct dump *dump, const struct item *item)
{
    return !dump->name_regex || nu_regex_full_match(dump->name_regex, item->name);
}

/* What stands beside the message. */
static void print_about(struct dump *dump, const struct item *item,
                        const struct nu_field_mask *mask)
{
    if (wants(mask, "name"))
        print_text(&dump->json, "name", item->name);
    if (item->updated && item->version.len && wants(mask, "version_info"))
        print_text(&dump->json, "version_info", item->version);
    if (item->updated && wants(mask, "last_updated"))
        print_text(&dump->json, "last_updated", nu_str_from(item->updated));
}

static void begin_item(struct dump *dump, const struct list *list, const struct item *item)
{
    /* Without `resource` a mask names lists, not what is in their items. */
    const struct nu_field_mask *mask = dump->resource ? dump->mask : NULL;
    if (dump->resource) {
        begin_config(dump, list->item_type);
    } else {
        if (!dump->has_items) {
            nu_json_key(&dump->json, nu_str_from(list->field));
            nu_json_array_begin(&dump->json);
        }
        nu_json_object_begin(&dump->json);
    }
    dump->has_items = true;
    if (list->is_named)
        print_about(dump, item, mask);
    begin_message(dump, list->item_field, item->message, true, mask);
    dump->step = IN_ITEM;
}

static const struct list *list_at_work(const struct dump *dump)
{
    if (dump->resource)
        return dump->resource;
    return dump->in_second ? (*dump->chosen)->second : (*dump->chosen)->list;
}

static void end_item(struct dump *dump)
{
    const struct section *section = dump->resource ? NULL : *dump->chosen;
    bool is_bootstrap = section && section->is_bootstrap;
    bool is_dated = is_bootstrap || list_at_work(dump)->is_dated;
    const struct nu_field_mask *mask = dump->resource || is_bootstrap ? dump->mask : NULL;
    if (is_dated && wants(mask, "last_updated"))
        print_text(&dump->json, "last_updated", nu_str_from(dump->admin->created));
    if (!is_bootstrap)
        nu_json_object_end(&dump->json);
    dump->step = NEXT_ITEM;
}

/* Ends the section's first list, and begins the other one; false if there is none. */
static bool go_to_second(struct dump *dump)
{
    if (dump->resource || dump->in_second || !(*dump->chosen)->second)
        return false;
    if (dump->has_items)
        nu_json_array_end(&dump->json);
    dump->has_items = false;
    dump->in_second = true;
    dump->cursor = 0;
    return true;
}

/* Goes on to the next item whose name is asked for; false behind the last. One look a step. */
static bool next_item(struct dump *dump)
{
    const struct list *list = list_at_work(dump);
    if (!list)
        return false;
    if (!dump->resource && !wants(dump->mask, list->field))
        return go_to_second(dump);
    struct item item = list->next(dump, &dump->cursor);
    if (!item.message)
        return go_to_second(dump);
    if (is_named(dump, &item))
        begin_item(dump, list, &item);
    return true;
}

static void begin_section(struct dump *dump)
{
    const struct section *section = *dump->chosen;
    begin_config(dump, section->type);
    dump->cursor = 0;
    dump->has_items = false;
    dump->in_second = false;
    dump->step = NEXT_ITEM;
    if (section->is_bootstrap) {
        begin_message(dump, "bootstrap", &dump->admin->bootstrap->base, false, dump->mask);
        dump->step = IN_ITEM;
    }
}

static void end_section(struct dump *dump)
{
    if (dump->has_items)
        nu_json_array_end(&dump->json);
    nu_json_object_end(&dump->json);
    dump->chosen++;
    dump->step = BEGIN_SECTION;
}

static void end_dump(struct dump *dump)
{
    if (dump->has_configs)
        nu_json_array_end(&dump->json);
    nu_json_object_end(&dump->json);
    nu_strbuf_add_char(dump->json.out, '\n');
}

static bool is_over(const struct dump *dump)
{
    return dump->is_nothing || (!dump->resource && !*dump->chosen);
}

/* One step; false at the end. */
static bool step(struct dump *dump)
{
    if (is_over(dump))
        return false;
    switch (dump->step) {
    case BEGIN_SECTION:
        if (dump->resource)
            dump->step = NEXT_ITEM;
        else
            begin_section(dump);
        return true;
    case NEXT_ITEM:
        if (next_item(dump))
            return true;
        if (dump->resource)
            return false;
        end_section(dump);
        return true;
    case IN_ITEM:
        if (dump->printer && nu_config_printer_next(dump->printer, &dump->json))
            return true;
        nu_config_printer_destroy(&dump->printer);
        end_item(dump);
        return true;
    }
    return false;
}

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    enum { STEP_WORK = 16 }; /* what a step costs that prints nothing, in bytes of output */
    struct dump *dump = state;
    dump->json.out = out;
    for (size_t work = 0; work < bytes;) {
        size_t before = out->len;
        if (!step(dump)) {
            end_dump(dump);
            return false;
        }
        work += nu_max_size(out->len - before, STEP_WORK);
    }
    return true;
}

static void finish(void *state)
{
    struct dump *dump = state;
    nu_config_printer_destroy(&dump->printer);
    nu_arena_destroy(&dump->scratch);
    nu_regex_destroy(&dump->name_regex);
}

static const struct nu_admin_source dump_source = {
    .next = next_slice,
    .finish = finish,
};

void nu_admin_config_dump(const struct nu_admin_request *request,
                          struct nu_admin_response *response)
{
    struct dump *dump = nu_arena_calloc(request->arena, sizeof(*dump));
    dump->admin = request->admin;
    dump->arena = request->arena;
    if (!read_request(request, dump, response)) {
        response->content_type = NU_ADMIN_PLAIN;
        finish(dump);
        return;
    }
    response->content_type = NU_ADMIN_JSON;
    nu_json_init(&dump->json, &response->body, true);
    nu_json_object_begin(&dump->json);
    response->source = &dump_source;
    response->state = dump;
}
