/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bootstrap to clusters and listeners. All of it is really built, also to validate; the
 * only thing left out is opening sockets.
 */
#include "server/server_internal.h"

#include "base/hash.h"
#include "config/bootstrap_extension.h"
#include "net/dns_from_proto.h"
#include "net/listener_from_proto.h"
#include "runtime/runtime.h"
#include "server/extensions.h"
#include "server/local_info.h"
#include "server/log_setup.h"
#include "server/node.h"
#include "server/stats_from_proto.h"
#include "tls/secrets.h"
#include "upstream/hosts/bind.h"
#include "upstream/cluster_from_proto.h"
#include "upstream/discovery/discovery.h"
#include "upstream/health/health_from_proto.h"
#include "xds/subscribe.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/extensions/regex_engines/v3/google_re2.pb-c.h"

/* One that could not be built counts: its own errors are in the list already. */
static bool has_cluster(const void *owner, struct nu_str name)
{
    const struct nu_server *server = owner;
    if (nu_cluster_manager_find(server->clusters, name))
        return true;
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    for (size_t i = 0; resources && i < resources->n_clusters; i++) {
        if (nu_str_eq(name, nu_str_from(resources->clusters[i]->name)))
            return true;
    }
    return false;
}

struct nu_factory nu_server_factory(struct nu_server *server)
{
    return (struct nu_factory){
        .ctx = &server->ctx,
        .arena = &server->arena,
        .stats = server->stats,
        .log_writer = server->log_writer,
        .outlier_log = server->outlier_log,
        .loop = server->loop,
        .dns = server->dns,
        .dns_caches = nu_cluster_manager_dns_caches(server->clusters),
        .host_keeper = nu_cluster_manager_host_keeper(server->clusters),
        .bind = server->bind,
        .init = &server->init,
        .late_init = &server->late_init,
        .tls_contexts = &server->tls_contexts,
        .shared = &server->shared,
        .services = &server->services.all,
        .main_calls_clusters = &server->main_calls_clusters,
        .secrets = server->secrets,
        .files = server->files,
        .extensions = &nu_built_in_extensions,
        .local = &server->local,
        .runtime = server->runtime,
        .is_failing = &server->listener_drain.health_failed,
        .plugin_dir = server->options->plugin_dir,
        .subscribe = nu_xds_subscribe,
        .rejects_unknown_dynamic = server->options->reject_unknown_dynamic_fields,
        .has_cluster = has_cluster,
        .owner = server,
    };
}

/* The resolver of clusters that name none. */
static void build_dns(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    struct nu_dns_settings settings = {
        .typed = server->bootstrap->typed_dns_resolver_config,
        .resolution = server->bootstrap->dns_resolution_config,
        .use_tcp = server->bootstrap->use_tcp_for_dns_lookups,
    };
    server->dns = nu_dns_cares_create(server->loop, server->stats,
                                      nu_dns_options_from_proto(&factory, &settings));
}

static void build_secrets(struct nu_server *server)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    for (size_t i = 0; resources && i < resources->n_secrets; i++)
        nu_tls_secrets_add_static(server->secrets, &server->ctx, resources->secrets[i]);
}

static void build_cluster(struct nu_server *server, struct nu_factory *factory,
                          const Envoy__Config__Cluster__V3__Cluster *proto)
{
    struct nu_health_checker *checker;
    struct nu_cluster *cluster = nu_cluster_from_proto(factory, proto);
    if (!cluster)
        return;
    if (!nu_health_from_proto(factory, cluster, proto, &checker)) {
        nu_cluster_destroy(&cluster);
        return;
    }
    if (nu_cluster_manager_add(server->clusters, cluster)) {
        if (checker)
            nu_health_checker_start(checker, &server->init);
        else
            nu_cluster_start_discovery(cluster, &server->init);
        return;
    }
    nu_config_error(&server->ctx, proto, "name", "cluster manager: duplicate cluster '%s'",
                    proto->name);
    nu_cluster_destroy(&cluster);
}

static void build_clusters(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    for (size_t i = 0; resources && i < resources->n_clusters; i++)
        build_cluster(server, &factory, resources->clusters[i]);
}

/* Before there are clusters: their host sets depend on it. */
static void set_local_cluster(struct nu_server *server)
{
    const struct nu_local_info *local = &server->local;
    const Envoy__Config__Bootstrap__V3__ClusterManager *manager =
        server->bootstrap->cluster_manager;
    const struct nu_locality here = {local->region, local->zone, local->sub_zone};
    nu_cluster_manager_set_local(server->clusters,
                                 nu_str_from(manager ? manager->local_cluster_name : ""),
                                 local->has_locality ? &here : NULL);
}

static void check_local_cluster(struct nu_server *server)
{
    const Envoy__Config__Bootstrap__V3__ClusterManager *manager =
        server->bootstrap->cluster_manager;
    if (manager && manager->local_cluster_name[0] &&
        !has_cluster(server, nu_str_from(manager->local_cluster_name)))
        nu_config_error(&server->ctx, manager, "local_cluster_name",
                        "local cluster '%s' must be defined", manager->local_cluster_name);
}

static void read_bind(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    const Envoy__Config__Bootstrap__V3__ClusterManager *manager =
        server->bootstrap->cluster_manager;
    if (manager)
        server->bind = nu_bind_from_proto(&factory, "Bootstrap", manager->upstream_bind_config);
}

/* Opened once for all clusters. */
static void open_outlier_log(struct nu_server *server)
{
    const Envoy__Config__Bootstrap__V3__ClusterManager *manager =
        server->bootstrap->cluster_manager;
    if (!manager || !manager->outlier_detection || !manager->outlier_detection->event_log_path[0])
        return;
    struct nu_strbuf error = {0};
    server->outlier_log =
        nu_log_writer_open(server->log_writer, manager->outlier_detection->event_log_path, &error);
    if (!server->outlier_log)
        nu_config_error(&server->ctx, manager->outlier_detection, "event_log_path", "%s",
                        error.data);
    nu_strbuf_finish(&error);
}

/* Which listeners have a name, and which an address. */
struct listener_index {
    struct nu_map names;
    struct nu_map addresses;
};

/* As in Envoy, whose listeners may come from elsewhere and be changed by name: the first one of the
 * bootstrap stays as it is. */
static bool is_name_taken(struct nu_server *server, struct listener_index *index,
                          Envoy__Config__Listener__V3__Listener *proto)
{
    if (!proto->name[0] || !nu_map_put(&index->names, nu_str_from(proto->name), proto))
        return false;
    nu_config_warn(&server->ctx, proto, "name",
                   "a listener before this one is called '%s', too: this one is left out",
                   proto->name);
    return true;
}

/* Sockets of two listeners could share a port (SO_REUSEPORT), but which of them a connection reaches
 * would be chance; and a socket file is the last one's. */
static void check_addresses(struct nu_server *server, struct listener_index *index,
                            const Envoy__Config__Listener__V3__Listener *proto,
                            const struct nu_listener_config *config)
{
    for (uint8_t i = 0; i < config->address_count; i++) {
        const struct nu_address *address = &config->addresses[i].address;
        char text[NU_ADDRESS_TEXT_MAX];
        size_t len = nu_address_format(address, text);
        if (nu_address_is_ip(address) && address->port == 0)
            continue;
        struct nu_str key = nu_arena_dup(&server->arena, nu_str_make(text, len));
        const void *before = nu_map_put(&index->addresses, key, nu_unconst(config));
        if (before && before != config)
            nu_config_error(
                &server->ctx, proto, i ? "additional_addresses" : "address",
                "error adding listener: '%.*s' has duplicate address '%.*s' as existing "
                "listener '%.*s'",
                NU_STR_ARG(config->name), NU_STR_ARG(key),
                NU_STR_ARG(((const struct nu_listener_config *)before)->name));
    }
}

static void build_listeners(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    struct listener_index index = {{0}, {0}};
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    size_t count = resources ? resources->n_listeners : 0;
    server->listener_configs =
        nu_arena_calloc(&server->arena, (count + 1) * sizeof(*server->listener_configs));
    for (size_t i = 0; i < count; i++) {
        if (is_name_taken(server, &index, resources->listeners[i]))
            continue;
        const struct nu_listener_config *config =
            nu_listener_config_from_proto(&factory, resources->listeners[i]);
        if (config)
            check_addresses(server, &index, resources->listeners[i], config);
        server->listener_configs[server->listener_count++] = config;
    }
    nu_map_finish(&index.names);
    nu_map_finish(&index.addresses);
}

/* Every regular expression is RE2's, so that no other engine can be asked for. */
static void check_regex_engine(struct nu_server *server)
{
    const Envoy__Config__Core__V3__TypedExtensionConfig *engine =
        server->bootstrap->default_regex_engine;
    if (!engine)
        return;
    if (engine->typed_config)
        nu_config_any_of(&server->ctx, engine, "typed_config", engine->typed_config,
                         &envoy__extensions__regex_engines__v3__google_re2__descriptor);
    else
        nu_config_error(&server->ctx, engine, "typed_config", "value is required");
}

/* One of the two ways in which sinks are given statistics, as in Envoy. */
static void check_stats_flush(struct nu_server *server)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap = server->bootstrap;
    bool on_admin = bootstrap->stats_flush_case ==
                    ENVOY__CONFIG__BOOTSTRAP__V3__BOOTSTRAP__STATS_FLUSH_STATS_FLUSH_ON_ADMIN;
    if (on_admin && bootstrap->stats_flush_interval)
        nu_config_error(&server->ctx, bootstrap, "stats_flush_interval",
                        "excludes stats_flush_on_admin: leave one of them out");
}

static const struct nu_bootstrap_extension *find_bootstrap_extension(const char *type)
{
    const struct nu_bootstrap_extension *const *list = nu_built_in_extensions.bootstrap_extensions;
    for (; *list; list++) {
        if (strcmp((*list)->type, type) == 0)
            return *list;
    }
    return NULL;
}

static void build_bootstrap_extension(struct nu_server *server,
                                      const Envoy__Config__Core__V3__TypedExtensionConfig *proto,
                                      bool settings)
{
    struct nu_factory factory = nu_server_factory(server);
    const ProtobufCMessage *message = nu_config_any(&server->ctx, proto->typed_config);
    if (!message)
        return;
    const struct nu_bootstrap_extension *extension =
        find_bootstrap_extension(message->descriptor->name);
    if (extension && extension->is_setting == settings)
        extension->create(&factory, proto, message);
    else if (!extension && settings)
        nu_config_error(&server->ctx, proto, "typed_config", "%s is no bootstrap extension",
                        message->descriptor->name);
}

/* Before what they say something about. */
static void build_bootstrap_extensions(struct nu_server *server)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap = server->bootstrap;
    for (size_t i = 0; i < bootstrap->n_bootstrap_extensions; i++)
        build_bootstrap_extension(server, bootstrap->bootstrap_extensions[i], true);
    for (size_t i = 0; i < bootstrap->n_bootstrap_extensions; i++)
        build_bootstrap_extension(server, bootstrap->bootstrap_extensions[i], false);
}

bool nu_server_build(struct nu_server *server)
{
    server->bootstrap = nu_config_load_bootstrap(&server->ctx, server->options->config_path,
                                                 server->options->config_yaml);
    if (!server->bootstrap)
        return false;
    server->local = nu_local_info_make(server->bootstrap->node, server->options);
    server->runtime = nu_runtime_from_proto(server->bootstrap->layered_runtime, &server->ctx);
    server->loop->runtime = server->runtime;
    nu_cluster_manager_set_runtime(server->clusters, server->runtime);
    nu_log_setup_from_proto(&server->ctx, server->bootstrap->application_log_config,
                            server->options);
    check_regex_engine(server);
    check_stats_flush(server);
    struct nu_factory factory = nu_server_factory(server);
    server->local.node = nu_node_make(server->bootstrap->node, &factory);
    nu_stats_from_proto(&factory, server->bootstrap->stats_config, server->options);
    nu_http_client_init(
        &server->http_client, &server->local.address,
        nu_stat_set_create(factory.stats, &nu_router_stats_table, NU_STR("http.async-client")));
    build_bootstrap_extensions(server);
    build_dns(server);
    build_secrets(server);
    open_outlier_log(server);
    read_bind(server);
    set_local_cluster(server);
    build_clusters(server);
    check_local_cluster(server);
    build_listeners(server);
    nu_server_build_admin(server);
    return nu_config_is_ok(&server->ctx);
}
