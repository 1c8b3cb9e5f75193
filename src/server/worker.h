/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread with its loop, its clusters and its share of every listener. The main thread
 * creates it, hands it listeners, and talks to it by message afterwards.
 */
#ifndef NU_SERVER_WORKER_H
#define NU_SERVER_WORKER_H

#include "net/listener.h"
#include "upstream/cluster_manager.h"

struct nu_worker;

/* What the main thread is told, on the worker's thread. */
typedef void (*nu_worker_fn)(struct nu_worker *worker, void *arg);

/* A worker with its loop and clusters; its thread does not run yet. `index` counts from 0. */
struct nu_worker *nu_worker_create(unsigned index, struct nu_stats *stats,
                                   struct nu_cluster_manager *clusters, struct nu_runtime *runtime);
/* Gives the worker another snapshot of the runtime (a reference of its own). */
void nu_worker_set_runtime(struct nu_worker *worker, struct nu_runtime *runtime);
/* Adds the worker's part of a listener; it accepts from nu_worker_accept on. Before it runs. */
void nu_worker_add_listener(struct nu_worker *worker, struct nu_listener *listener);
/* Sets what runs on the worker besides connections; borrowed. Before it runs. */
void nu_worker_set_services(struct nu_worker *worker, struct nu_list *services);
/* Starts the thread; false with errno if the system refuses. */
NU_MUST_USE bool nu_worker_start(struct nu_worker *worker);

/* Calls fn(worker, arg) on the worker's thread. */
void nu_worker_run(struct nu_worker *worker, nu_worker_fn fn, void *arg);
/* For nu_worker_run: begin to accept, stop accepting, tell connections to drain; on the listener
 * that `arg`, a pointer to const struct nu_listener, is, or on all if it is NULL. */
void nu_worker_accept(struct nu_worker *worker, void *arg);
void nu_worker_stop_accepting(struct nu_worker *worker, void *arg);
void nu_worker_drain(struct nu_worker *worker, void *arg);

/* Starts the services. On the worker's thread. */
void nu_worker_start_services(struct nu_worker *worker);
/* For nu_worker_run: begins to end them, or goes on with it. */
void nu_worker_end_services(struct nu_worker *worker, void *arg);
/* Whether they have ended; read by the main thread. */
bool nu_worker_services_ended(const struct nu_worker *worker);

/* Connections of all listeners but admin's; read by the main thread while the worker runs. */
uint32_t nu_worker_connections(const struct nu_worker *worker);
/* The loop, to measure whether it turns. */
struct nu_loop *nu_worker_loop(struct nu_worker *worker);

/* Ends the thread, closing what is left, and waits for it. */
void nu_worker_join(struct nu_worker *worker);
void nu_worker_destroy(struct nu_worker **worker);

#endif
