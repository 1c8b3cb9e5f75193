/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads configuration files and says of each whether it loads, with all errors: what
 * tests/configs/walk.py is built on.
 *
 *     config_walk [--type MESSAGE] [--print] [--warnings] FILE...
 *     config_walk --resources FILE...
 *
 * Prints "ok TYPE FILE" or "refused TYPE FILE", and below it the errors, each behind a tab. --type
 * reads a message other than the bootstrap, --print writes what was read as JSON. --resources looks
 * for bootstraps, listeners, clusters, route tables and endpoints anywhere in the file, as in a
 * control plane's golden files, by "@type" or by what they hold, and judges each by itself; a file
 * without any is "none - FILE".
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/doc.h"
#include "config/print.h"

struct options {
    const ProtobufCMessageDescriptor *type;
    bool print;
    bool warnings;
    bool resources;
};

static void print_list(const char *mark, const struct nu_error_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct nu_strbuf line = {0};
        nu_error_format(&list->items[i], &line);
        printf("\t%s%s\n", mark, line.data);
        nu_strbuf_finish(&line);
    }
}

static void print_json(const ProtobufCMessage *message)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    nu_json_init(&json, &text, true);
    nu_config_print(&json, message);
    printf("%s\n", text.data);
    nu_strbuf_finish(&text);
}

static void report(const struct options *options, const struct nu_config_ctx *ctx, const char *type,
                   const char *path)
{
    printf("%s %s %s\n", nu_config_is_ok(ctx) ? "ok" : "refused", type, path);
    print_list("", &ctx->errors);
    if (options->warnings)
        print_list("warning: ", &ctx->warnings);
}

/* --- Whole files ------------------------------------------------------------------------------ */

static bool load(const struct options *options, const char *path)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const ProtobufCMessage *message = nu_config_load(&ctx, path, NULL, options->type);
    report(options, &ctx, options->type->short_name, path);
    if (options->print && message)
        print_json(message);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return message != NULL;
}

/* --- Resources inside files ------------------------------------------------------------------- */

struct search {
    const struct options *options;
    const char *path;
    unsigned found;
    unsigned refused;
};

static bool has(const struct nu_doc_node *map, const char *snake, const char *camel)
{
    return nu_doc_member(map, nu_str_from(snake)) || nu_doc_member(map, nu_str_from(camel));
}

/* The type of a resource that says it, or NULL. */
static const char *named_type(const struct nu_doc_node *map)
{
    static const char *const types[] = {"envoy.config.listener.v3.Listener",
                                        "envoy.config.cluster.v3.Cluster",
                                        "envoy.config.route.v3.RouteConfiguration",
                                        "envoy.config.endpoint.v3.ClusterLoadAssignment"};
    const struct nu_doc_node *type = nu_doc_member(map, NU_STR("@type"));
    if (!type || type->kind != NU_DOC_STRING)
        return NULL;
    for (size_t i = 0; i < NU_ARRAY_LEN(types); i++)
        if (nu_str_ends_with(type->text, nu_str_from(types[i])))
            return types[i];
    return NULL;
}

/* The type of a resource by members that only it has, or NULL. */
static const char *recognise(const struct nu_doc_node *map)
{
    if (map->kind != NU_DOC_MAP)
        return NULL;
    if (named_type(map))
        return named_type(map);
    if (has(map, "static_resources", "staticResources") ||
        has(map, "dynamic_resources", "dynamicResources"))
        return "envoy.config.bootstrap.v3.Bootstrap";
    if (has(map, "virtual_hosts", "virtualHosts"))
        return "envoy.config.route.v3.RouteConfiguration";
    if (has(map, "filter_chains", "filterChains") ||
        has(map, "default_filter_chain", "defaultFilterChain") ||
        has(map, "listener_filters", "listenerFilters"))
        return "envoy.config.listener.v3.Listener";
    if (has(map, "connect_timeout", "connectTimeout") ||
        has(map, "load_assignment", "loadAssignment") ||
        has(map, "eds_cluster_config", "edsClusterConfig"))
        return "envoy.config.cluster.v3.Cluster";
    if (has(map, "cluster_name", "clusterName") && has(map, "endpoints", "endpoints"))
        return "envoy.config.endpoint.v3.ClusterLoadAssignment";
    return NULL;
}

/* A resource may say its type; that is no field of it. */
static void drop_type(struct nu_doc_node *map)
{
    for (struct nu_doc_node **link = &map->first; *link; link = &(*link)->next) {
        if (nu_str_eq((*link)->key, NU_STR("@type"))) {
            *link = (*link)->next;
            return;
        }
    }
}

static void judge(struct search *s, struct nu_doc_node *map, const char *type)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    drop_type(map);
    const ProtobufCMessageDescriptor *descriptor = nu_config_find_type(nu_str_from(type));
    const ProtobufCMessage *message = nu_config_convert(&ctx, map, descriptor);
    if (message)
        nu_config_validate(&ctx, message);
    nu_error_list_sort(&ctx.errors);
    report(s->options, &ctx, descriptor->short_name, s->path);
    s->found++;
    s->refused += !nu_config_is_ok(&ctx);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

static void search_node(struct search *s, struct nu_doc_node *node)
{
    const char *type = recognise(node);
    if (type) {
        judge(s, node, type);
        return;
    }
    for (struct nu_doc_node *child = node->first; child; child = child->next)
        search_node(s, child);
}

static bool read_file(const char *path, struct nu_strbuf *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    for (size_t n; (n = fread(nu_strbuf_reserve(out, 65536), 1, 65536, file)) > 0;)
        nu_strbuf_commit(out, n);
    fclose(file);
    return true;
}

static bool load_resources(const struct options *options, const char *path)
{
    struct search s = {.options = options, .path = path};
    struct nu_config_ctx ctx;
    struct nu_strbuf text = {0};
    nu_config_ctx_init(&ctx, NULL);
    struct nu_doc_input in = {&ctx.scratch, path, {0}, &ctx.errors, &ctx.warnings};
    bool was_read = read_file(path, &text);
    in.text = nu_strbuf_str(&text);
    bool is_json = nu_str_ends_with_nocase(nu_str_from(path), NU_STR(".json"));
    struct nu_doc_node *root = is_json ? nu_doc_parse_json(&in) : nu_doc_parse_yaml(&in);
    if (!was_read || !root)
        report(options, &ctx, "-", path);
    else
        search_node(&s, root);
    if (root && !s.found)
        printf("none - %s\n", path);
    nu_config_ctx_finish(&ctx);
    nu_strbuf_finish(&text);
    return root && !s.refused;
}

int main(int argc, char **argv)
{
    struct options options = {
        .type = nu_config_find_type(NU_STR("envoy.config.bootstrap.v3.Bootstrap"))};
    bool all_ok = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            options.print = true;
        else if (strcmp(argv[i], "--warnings") == 0)
            options.warnings = true;
        else if (strcmp(argv[i], "--resources") == 0)
            options.resources = true;
        else if (strcmp(argv[i], "--type") == 0 && i + 1 < argc)
            options.type = nu_config_find_type(nu_str_from(argv[++i]));
        else
            all_ok &=
                options.resources ? load_resources(&options, argv[i]) : load(&options, argv[i]);
        if (!options.type) {
            fprintf(stderr, "no such message: %s\n", argv[i]);
            return 2;
        }
    }
    return all_ok ? 0 : 1;
}
