/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's one object, and its phases, each in a file of its own:
 *
 *     build.c    configuration -> clusters, listeners; nothing is opened
 *     start.c    sockets, workers, waiting for what must be warm, opening
 *     signals.c  what each signal does
 *     listener_stop.c  closing sockets without losing connections
 *     services.c what runs on threads besides connections
 *     drain.c    letting requests finish before the end
 *     admin.c    what the admin interface sees and may do
 *     listener_drain.c  taking listeners out of traffic
 *     process_stats.c   figures about the process
 *     server.c   the order of all this, and the end
 *
 * Everything here is on the main thread.
 */
#ifndef NU_SERVER_SERVER_INTERNAL_H
#define NU_SERVER_SERVER_INTERNAL_H

#include "admin/admin.h"
#include "client/http_client.h"
#include "config/config.h"
#include "config/factory.h"
#include "config/init_manager.h"
#include "event/timer.h"
#include "server/inherit.h"
#include "server/listener_drain.h"
#include "server/listener_stop.h"
#include "server/notify.h"
#include "server/process_stats.h"
#include "server/server.h"
#include "server/services.h"
#include "server/watchdog.h"
#include "server/worker.h"

enum { NU_SERVER_SIGNALS = 4 };

struct nu_server {
    const struct nu_options *options; /* borrowed */
    struct nu_arena arena;            /* configuration */
    struct nu_config_ctx ctx;
    const struct Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap; /* in the arena */
    struct nu_local_info local;
    struct nu_stats *stats;
    struct nu_log_writer *log_writer;
    const struct nu_bind_config *bind; /* of clusters without one; in the arena; may be NULL */
    struct nu_log_file *outlier_log;   /* the log writer's; NULL without event_log_path */
    struct nu_loop *loop;
    struct nu_runtime *runtime;
    struct nu_dns_resolver *dns;
    struct nu_cluster_manager *clusters;
    struct nu_http_client http_client; /* what filters call clusters with */
    const struct nu_listener_config **listener_configs;
    struct nu_listener **listeners;
    struct nu_listener_stop *listener_stops;
    size_t listener_count;
    struct nu_worker **workers;
    unsigned worker_count;

    struct nu_init_manager init; /* what must be warm before the listeners open */
    struct nu_timer init_timer;  /* bounds the waiting */
    struct nu_task late_start;
    struct nu_init_manager late_init; /* what calls clusters, for which they must be ready */

    struct nu_services services;
    bool main_calls_clusters;              /* something on the main thread does: */
    struct nu_cluster_table main_clusters; /* which has these then */

    struct nu_drain drain;
    struct nu_timer drain_timer;
    uint32_t drain_limit_ms;
    uint32_t drain_looks;
    bool draining;

    struct nu_file_watcher *files;
    struct nu_tls_secrets *secrets;
    struct nu_map shared;        /* what extensions share while the configuration is built */
    struct nu_list tls_contexts; /* of struct nu_tls_context, which leave it by themselves */
    struct nu_admin *admin;      /* in the arena; NULL if there is none */
    struct nu_process_stats process_stats;
    bool is_open;               /* listeners take connections */
    void (*on_open)(void *arg); /* called when they begin to; NULL for nobody */
    void *on_open_arg;
    struct nu_listener_drain listener_drain;

    struct nu_notify notify;
    struct nu_watchdog watchdog;
    struct nu_inherited inherited; /* until the listeners took theirs */

    struct nu_signal *signals[NU_SERVER_SIGNALS];
    int exit_status;
};

/* Builds everything from the bootstrap; false with the reasons in server->ctx.errors. */
NU_MUST_USE bool nu_server_build(struct nu_server *server);
/* What a *_from_proto function is given, for objects as old as the server. */
struct nu_factory nu_server_factory(struct nu_server *server);

/* Binds the sockets, starts the workers, and begins to wait for what must be warm; the listeners
 * open from the loop. False after printing why. */
NU_MUST_USE bool nu_server_start(struct nu_server *server);
/* Calls fn(worker, arg) on every worker's thread. */
void nu_server_on_workers(struct nu_server *server, nu_worker_fn fn, void *arg);
void nu_server_on_init_timer(struct nu_timer *timer);
/* Ends the loop; the process exits with `status`. */
void nu_server_stop(struct nu_server *server, int status);

/* What /ready and server.state say. */
enum nu_server_state nu_server_state(const struct nu_server *server);
/* Makes the admin interface of the bootstrap; errors go to server->ctx. */
void nu_server_build_admin(struct nu_server *server);
/* Opens it. False after printing why. */
NU_MUST_USE bool nu_server_open_admin(struct nu_server *server);

void nu_server_watch_signals(struct nu_server *server);
void nu_server_ignore_signals(struct nu_server *server);

/*
 * Lets running requests finish: nobody new comes in, idle connections go, the others go with their
 * next response. Stops the server when none is left, or after `limit_ms`.
 */
void nu_server_drain(struct nu_server *server, uint32_t limit_ms);
void nu_server_on_drain_timer(struct nu_timer *timer);

#endif
