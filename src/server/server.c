/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server. Order matters in both directions: sockets are bound before workers exist, they listen
 * when the clusters are warm, and at the end workers are gone before anything that they use.
 */
#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config.h"
#include "event/signal.h"
#include "net/listener_from_proto.h"
#include "runtime/runtime.h"
#include "server/extensions.h"
#include "server/worker.h"
#include "stats/server_stats.h"
#include "upstream/cluster_from_proto.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

typedef Envoy__Config__Bootstrap__V3__Bootstrap bootstrap_proto;

struct nu_server {
    const struct nu_options *options; /* borrowed */
    struct nu_arena arena;            /* configuration */
    struct nu_config_ctx ctx;
    const bootstrap_proto *bootstrap; /* in the arena */
    struct nu_local_info local;
    struct nu_stats *stats;
    struct nu_log_writer *log_writer;
    struct nu_loop *loop;
    struct nu_runtime *runtime;
    struct nu_cluster_manager *clusters;
    const struct nu_listener_config **listener_configs;
    struct nu_listener **listeners;
    size_t listener_count;
    struct nu_worker **workers;
    unsigned worker_count;
    struct nu_drain drain;
    struct nu_signal *signals[4];
    struct nu_timer drain_timer;
    bool draining;
    int exit_status;
};

/* --- Building --------------------------------------------------------------------------------- */

static void print_errors(const struct nu_error_list *errors)
{
    struct nu_strbuf text = {0};
    nu_error_list_format(errors, &text);
    fprintf(stderr, "%.*s", NU_STR_ARG(nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
}

/* The first address of the machine that is not a loopback one: what Envoy calls the local address. */
static struct nu_address find_own_address(void)
{
    struct nu_address found = {0};
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0)
        return found;
    for (struct ifaddrs *item = list; item; item = item->ifa_next) {
        if (!item->ifa_addr || item->ifa_addr->sa_family != AF_INET)
            continue;
        struct nu_address address =
            nu_address_from_sockaddr(item->ifa_addr, sizeof(struct sockaddr_in));
        if (!nu_address_is_loopback(&address)) {
            found = address;
            break;
        }
    }
    freeifaddrs(list);
    return found;
}

static struct nu_str either(const char *configured, const char *option)
{
    if (configured && *configured)
        return nu_str_from(configured);
    return nu_str_from(option);
}

static void fill_local_info(struct nu_server *server)
{
    const Envoy__Config__Core__V3__Node *node = server->bootstrap->node;
    const struct nu_options *options = server->options;
    server->local.node_id = either(node ? node->id : NULL, options->service_node);
    server->local.cluster = either(node ? node->cluster : NULL, options->service_cluster);
    const char *zone = node && node->locality ? node->locality->zone : NULL;
    server->local.zone = either(zone, options->service_zone);
    server->local.address = find_own_address();
}

static bool has_cluster(const void *owner, struct nu_str name)
{
    const struct nu_server *server = owner;
    return nu_cluster_manager_find(server->clusters, name) != NULL;
}

static struct nu_factory make_factory(struct nu_server *server)
{
    return (struct nu_factory){
        .ctx = &server->ctx,
        .arena = &server->arena,
        .stats = server->stats,
        .log_writer = server->log_writer,
        .loop = server->loop,
        .extensions = &nu_built_in_extensions,
        .local = &server->local,
        .runtime = server->runtime,
        .has_cluster = has_cluster,
        .owner = server,
    };
}

static void build_clusters(struct nu_server *server)
{
    struct nu_factory factory = make_factory(server);
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    for (size_t i = 0; resources && i < resources->n_clusters; i++) {
        struct nu_cluster *cluster = nu_cluster_from_proto(&factory, resources->clusters[i]);
        if (cluster && !nu_cluster_manager_add(server->clusters, cluster)) {
            nu_config_error(&server->ctx, resources->clusters[i], "name",
                            "cluster manager: duplicate cluster '%s'",
                            resources->clusters[i]->name);
            nu_cluster_destroy(&cluster);
        }
    }
}

static void build_listeners(struct nu_server *server)
{
    struct nu_factory factory = make_factory(server);
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        server->bootstrap->static_resources;
    server->listener_count = resources ? resources->n_listeners : 0;
    server->listener_configs = nu_arena_calloc(
        &server->arena, (server->listener_count + 1) * sizeof(*server->listener_configs));
    for (size_t i = 0; i < server->listener_count; i++)
        server->listener_configs[i] =
            nu_listener_config_from_proto(&factory, resources->listeners[i]);
}

static bool build(struct nu_server *server)
{
    server->bootstrap = nu_config_load_bootstrap(&server->ctx, server->options->config_path,
                                                 server->options->config_yaml);
    if (!server->bootstrap)
        return false;
    fill_local_info(server);
    server->runtime = nu_runtime_from_proto(server->bootstrap->layered_runtime, &server->ctx);
    build_clusters(server);
    build_listeners(server);
    return nu_config_is_ok(&server->ctx);
}

struct nu_server *nu_server_create(const struct nu_options *options)
{
    struct nu_server *server = nu_calloc(1, sizeof(*server));
    server->options = options;
    nu_arena_init(&server->arena);
    nu_config_ctx_init(&server->ctx, &server->arena);
    server->ctx.allow_unknown = options->allow_unknown_static_fields;
    server->stats = nu_stats_create();
    server->log_writer = nu_log_writer_create(options->file_flush_interval_ms);
    server->loop = nu_loop_create();
    server->clusters = nu_cluster_manager_create(server->stats, server->loop);
    if (build(server))
        return server;
    nu_error_list_sort(&server->ctx.errors);
    print_errors(&server->ctx.errors);
    nu_server_destroy(&server);
    return NULL;
}

/* --- Running ---------------------------------------------------------------------------------- */

static bool bind_listeners(struct nu_server *server)
{
    server->listeners = nu_calloc(server->listener_count + 1, sizeof(*server->listeners));
    for (size_t i = 0; i < server->listener_count; i++) {
        struct nu_strbuf error = {0};
        server->listeners[i] = nu_listener_create(server->listener_configs[i], server->worker_count,
                                                  server->stats, &server->drain, NULL, &error);
        if (!server->listeners[i]) {
            fprintf(stderr, "nuncio: listener %.*s: %s\n",
                    NU_STR_ARG(server->listener_configs[i]->name), error.data);
            nu_strbuf_finish(&error);
            return false;
        }
    }
    return true;
}

static bool start_workers(struct nu_server *server)
{
    server->workers = nu_calloc(server->worker_count, sizeof(*server->workers));
    for (unsigned i = 0; i < server->worker_count; i++) {
        server->workers[i] = nu_worker_create(i, server->stats, server->clusters, server->runtime);
        for (size_t l = 0; l < server->listener_count; l++)
            nu_worker_add_listener(server->workers[i], server->listeners[l]);
        if (!nu_worker_start(server->workers[i])) {
            fprintf(stderr, "nuncio: cannot start worker %u: %s\n", i, strerror(errno));
            return false;
        }
    }
    return true;
}

static void on_all_workers(struct nu_server *server, nu_worker_fn fn, void *arg)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        nu_worker_run(server->workers[i], fn, arg);
}

static bool open_listeners(struct nu_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        struct nu_strbuf error = {0};
        if (!nu_listener_open(server->listeners[i], &error)) {
            fprintf(stderr, "nuncio: %s\n", error.data);
            nu_strbuf_finish(&error);
            return false;
        }
    }
    on_all_workers(server, nu_worker_accept, NULL);
    return true;
}

static uint32_t count_connections(const struct nu_server *server)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < server->worker_count; i++)
        count += nu_worker_connections(server->workers[i]);
    return count;
}

static void stop(struct nu_server *server)
{
    nu_loop_stop(server->loop);
}

enum { DRAIN_LOOK_MS = 20 };

static void on_drain_timer(struct nu_timer *timer)
{
    struct nu_server *server = nu_container_of(timer, struct nu_server, drain_timer);
    uint64_t now = nu_loop_now_us(server->loop);
    uint64_t since = now - atomic_load(&server->drain.start_us);
    if (count_connections(server) == 0 || since >= server->options->sigterm_drain_ms * 1000ull) {
        stop(server);
        return;
    }
    nu_timer_arm(server->loop, timer, DRAIN_LOOK_MS);
}

/* Lets running requests finish: nobody new comes in, idle connections go, the others go with their
 * next response. */
static void begin_drain(struct nu_server *server)
{
    server->draining = true;
    nu_drain_set(&server->drain, NU_DRAIN_IMMEDIATE, nu_loop_now_us(server->loop), 0);
    on_all_workers(server, nu_worker_stop_accepting, NULL);
    on_all_workers(server, nu_worker_drain, NULL);
    nu_timer_arm(server->loop, &server->drain_timer, DRAIN_LOOK_MS);
}

static void on_signal(int number, void *arg)
{
    struct nu_server *server = arg;
    if (number == SIGUSR1) {
        nu_log_writer_reopen(server->log_writer);
        return;
    }
    if (number == SIGHUP) {
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "caught SIGHUP: nothing to do");
        return;
    }
    bool abrupt = number == SIGINT || server->draining || server->options->sigterm_drain_ms == 0;
    nu_log(NU_LOG_MAIN, NU_LOG_WARN, "caught %s: %s", number == SIGINT ? "SIGINT" : "SIGTERM",
           abrupt ? "ending now" : "draining");
    if (abrupt)
        stop(server);
    else
        begin_drain(server);
}

static void watch_signals(struct nu_server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < NU_ARRAY_LEN(numbers); i++)
        server->signals[i] = nu_signal_create(server->loop, numbers[i], on_signal, server);
}

int nu_server_run(struct nu_server *server)
{
    server->worker_count = server->options->concurrency;
    nu_timer_init(&server->drain_timer, on_drain_timer);
    watch_signals(server);
    if (!nu_log_writer_start(server->log_writer)) {
        fprintf(stderr, "nuncio: cannot start the log thread: %s\n", strerror(errno));
        return 1;
    }
    if (!bind_listeners(server) || !start_workers(server) || !open_listeners(server))
        return 1;
    nu_log(NU_LOG_MAIN, NU_LOG_INFO, "all clusters initialized. starting main dispatch loop");
    nu_loop_run(server->loop);
    return server->exit_status;
}

/* --- Ending ----------------------------------------------------------------------------------- */

static void destroy_workers(struct nu_server *server)
{
    for (unsigned i = 0; server->workers && i < server->worker_count; i++) {
        if (server->workers[i])
            nu_worker_join(server->workers[i]);
    }
    for (unsigned i = 0; server->workers && i < server->worker_count; i++)
        nu_worker_destroy(&server->workers[i]);
    nu_free(server->workers);
}

static void destroy_listeners(struct nu_server *server)
{
    for (size_t i = 0; server->listeners && i < server->listener_count; i++) {
        nu_listener_destroy(&server->listeners[i]);
    }
    nu_free(server->listeners);
}

void nu_server_destroy(struct nu_server **server_ptr)
{
    struct nu_server *server = *server_ptr;
    if (!server)
        return;
    *server_ptr = NULL;
    destroy_workers(server);
    destroy_listeners(server);
    for (size_t i = 0; i < NU_ARRAY_LEN(server->signals); i++)
        nu_signal_destroy(&server->signals[i]);
    nu_timer_cancel(&server->drain_timer);
    nu_cluster_manager_destroy(&server->clusters);
    nu_runtime_unref(&server->runtime);
    nu_loop_destroy(&server->loop);
    nu_log_set_file(NULL);
    nu_log_writer_destroy(&server->log_writer);
    nu_stats_destroy(&server->stats);
    nu_config_ctx_finish(&server->ctx);
    nu_arena_finish(&server->arena);
    nu_free(server);
}
