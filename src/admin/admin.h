/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin interface: Envoy's paths, words and status codes, on a listener of its own whose
 * connections live on the main thread's loop.
 *
 *     listener -> HTTP connection manager -> one terminal filter -> handler of the path
 *
 * A handler answers at once or gives a source of slices. Slices are made one per turn of the loop,
 * within a budget of time, and only while the client takes them: a huge answer or a slow reader
 * delays nobody and holds a bounded amount of memory.
 *
 * The object is made with the configuration and opened when the process starts. What only the
 * process can do (end, drain, change the runtime) it does through the ops that the server fills.
 * Everything here is on the main thread.
 */
#ifndef NU_ADMIN_ADMIN_H
#define NU_ADMIN_ADMIN_H

#include "base/address.h"
#include "config/factory.h"
#include "net/drain.h"

struct Envoy__Config__Bootstrap__V3__Bootstrap;
struct nu_admin;
struct nu_cluster_manager;
struct nu_json;
struct nu_list;
struct nu_listener;
struct nu_runtime_change;

enum nu_server_state {
    NU_SERVER_LIVE,
    NU_SERVER_DRAINING, /* it asked to get no more traffic */
    NU_SERVER_PRE_INITIALIZING,
    NU_SERVER_INITIALIZING, /* something must become warm before listeners open */
};

/* How /drain_listeners is asked to drain. */
struct nu_admin_drain {
    bool inbound_only;
    bool graceful;  /* over --drain-time-s, then stop */
    bool skip_exit; /* do not stop after that */
};

/* The process as the admin interface sees it; every function is given `owner`. */
struct nu_admin_ops {
    enum nu_server_state (*state)(void *owner);
    uint64_t (*uptime_s)(void *owner);
    unsigned (*concurrency)(void *owner);
    /* Members of command_line_options. */
    void (*print_options)(void *owner, struct nu_json *json);
    /* Brings gauges that nobody counts (uptime, memory) up to date, before they are shown. */
    void (*refresh_stats)(void *owner);
    /* Ends the process; what is on its way to clients is not waited for. */
    void (*quit)(void *owner);
    void (*fail_health)(void *owner, bool failed);
    void (*drain_listeners)(void *owner, const struct nu_admin_drain *how);
    void (*reopen_logs)(void *owner);
    struct nu_runtime *(*runtime)(void *owner); /* borrowed: the present snapshot */
    /* False if there is no admin layer. */
    bool (*modify_runtime)(void *owner, const struct nu_runtime_change *changes, size_t count);
    /* What the start waits for: NULL behind the last. */
    const char *(*unready_target)(void *owner, size_t index);
    /* The listeners in their order: NULL behind the last. */
    const struct nu_listener *(*listener)(void *owner, size_t index);
};

/* What the admin interface shows; all borrowed, alive until it is destroyed. */
struct nu_tls_secrets;

struct nu_admin_parts {
    const struct Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap;
    const struct nu_cluster_manager *clusters;
    const struct nu_list *tls_contexts;   /* tls/context.h */
    const struct nu_tls_secrets *secrets; /* NULL: there are none */
    const struct nu_admin_ops *ops;
    void *owner;
};

/*
 * The admin interface of the bootstrap, in factory->arena; no socket yet. NULL without an address
 * to listen on, or after adding errors.
 */
struct nu_admin *nu_admin_from_proto(struct nu_factory *factory,
                                     const struct nu_admin_parts *parts);
/* Binds, listens and accepts. False with the reason in `error`. */
NU_MUST_USE bool nu_admin_open(struct nu_admin *admin, struct nu_strbuf *error);
/* The address that it was bound to. */
const struct nu_address *nu_admin_address(const struct nu_admin *admin);
/* Whether its own connections are to be given up with their next answer (net/drain.h). */
void nu_admin_set_drain(struct nu_admin *admin, enum nu_drain_mode mode, uint64_t start_us,
                        uint64_t duration_us);
/* Closes the listener and its connections; NULL is allowed. The memory stays the arena's. */
void nu_admin_close(struct nu_admin *admin);

#endif
