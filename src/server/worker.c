/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: thread, loop, listeners. */
#include "server/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "access_log/access_log.h"
#include "base/alloc.h"
#include "base/thread.h"
#include "event/thread_service.h"
#include "runtime/runtime.h"
#include "stats/server_stats.h"

struct listener_link {
    struct nu_list link;
    struct nu_worker_listener *wl; /* owned */
};

struct nu_worker {
    unsigned index;
    struct nu_loop *loop;   /* owned */
    struct nu_stats *stats; /* borrowed */
    struct nu_cluster_table clusters;
    struct nu_stat_set *cluster_set; /* thread_local_cluster_manager.worker_N. */
    struct nu_list listeners;        /* of struct listener_link */
    struct nu_list *services;        /* borrowed; NULL for none */
    atomic_bool services_ended;
    pthread_t thread;
    bool running;
};

static void count_clusters(struct nu_worker *worker)
{
    char prefix[56];
    snprintf(prefix, sizeof(prefix), "thread_local_cluster_manager.worker_%u", worker->index);
    worker->cluster_set =
        nu_stat_set_create(worker->stats, &nu_cluster_table_stats_table, nu_str_from(prefix));
    struct nu_cluster_table_stats *block = nu_stat_set_block(worker->cluster_set);
    nu_gauge_set(&block->clusters_inflated, (int64_t)worker->clusters.by_name.count);
}

struct nu_worker *nu_worker_create(unsigned index, struct nu_stats *stats,
                                   struct nu_cluster_manager *clusters, struct nu_runtime *runtime)
{
    struct nu_worker *worker = nu_calloc(1, sizeof(*worker));
    worker->index = index;
    worker->stats = stats;
    worker->loop = nu_loop_create();
    nu_list_init(&worker->listeners);
    nu_cluster_table_init(&worker->clusters, worker->loop);
    nu_cluster_manager_attach(clusters, &worker->clusters);
    count_clusters(worker);
    worker->loop->clusters = &worker->clusters;
    worker->loop->runtime = nu_runtime_ref(runtime);
    return worker;
}

void nu_worker_add_listener(struct nu_worker *worker, struct nu_listener *listener)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_addf(&prefix, "listener.%.*s.worker_%u", NU_STR_ARG(listener->config->stat_name),
                   worker->index);
    struct nu_stat_set *set =
        nu_stat_set_create(worker->stats, &nu_listener_worker_stats_table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    struct listener_link *link = nu_alloc(sizeof(*link));
    link->wl = nu_worker_listener_create(listener, worker->loop, worker->index, set);
    nu_list_add_last(&worker->listeners, &link->link);
}

static void finish_listeners(struct nu_worker *worker)
{
    struct listener_link *link;
    nu_list_for_each(link, &worker->listeners, struct listener_link, link)
    {
        nu_worker_listener_destroy(&link->wl);
        nu_list_remove(&link->link);
        nu_free(link);
    }
}

/* --- Services --------------------------------------------------------------------------------- */

void nu_worker_set_services(struct nu_worker *worker, struct nu_list *services)
{
    worker->services = services;
}

void nu_worker_start_services(struct nu_worker *worker)
{
    nu_thread_services_start(worker->services, NU_THREADS_WORKERS, worker->loop);
}

void nu_worker_end_services(struct nu_worker *worker, void *arg)
{
    (void)arg;
    bool ended = nu_thread_services_end(worker->services, NU_THREADS_WORKERS);
    atomic_store_explicit(&worker->services_ended, ended, memory_order_relaxed);
}

bool nu_worker_services_ended(const struct nu_worker *worker)
{
    return atomic_load_explicit(&worker->services_ended, memory_order_relaxed);
}

/* Connections are gone by now; the clusters are not. */
static void finish_services(struct nu_worker *worker)
{
    if (!worker->services)
        return;
    nu_loop_run_tasks(worker->loop);
    nu_worker_end_services(worker, NULL);
    nu_thread_services_finish(worker->services, NU_THREADS_WORKERS);
}

/* --- The thread ------------------------------------------------------------------------------- */

static void *worker_thread(void *arg)
{
    struct nu_worker *worker = arg;
    char name[16];
    snprintf(name, sizeof(name), "wrk:%u", worker->index);
    nu_thread_enter(worker->index + 1, name);
    nu_loop_run(worker->loop);
    finish_listeners(worker);
    finish_services(worker);
    nu_cluster_table_finish(&worker->clusters);
    nu_loop_run_once(worker->loop);
    nu_runtime_unref(&worker->loop->runtime);
    nu_loop_destroy(&worker->loop);
    nu_access_log_thread_finish();
    nu_thread_leave();
    return NULL;
}

bool nu_worker_start(struct nu_worker *worker)
{
    int code = nu_thread_start(&worker->thread, worker_thread, worker);
    errno = code;
    worker->running = code == 0;
    return code == 0;
}

struct call {
    struct nu_task task;
    struct nu_worker *worker;
    nu_worker_fn fn;
    void *arg;
};

static void on_call(struct nu_task *task)
{
    struct call *call = nu_container_of(task, struct call, task);
    call->fn(call->worker, call->arg);
    nu_free(call);
}

void nu_worker_run(struct nu_worker *worker, nu_worker_fn fn, void *arg)
{
    struct call *call = nu_alloc(sizeof(*call));
    *call = (struct call){.task = {.fn = on_call}, .worker = worker, .fn = fn, .arg = arg};
    nu_loop_post(worker->loop, &call->task);
}

static void take_runtime(struct nu_worker *worker, void *arg)
{
    nu_runtime_unref(&worker->loop->runtime);
    worker->loop->runtime = arg;
}

void nu_worker_set_runtime(struct nu_worker *worker, struct nu_runtime *runtime)
{
    nu_worker_run(worker, take_runtime, nu_runtime_ref(runtime));
}

static bool is_meant(const struct listener_link *link, const void *listener)
{
    return !listener || link->wl->listener == listener;
}

void nu_worker_accept(struct nu_worker *worker, void *arg)
{
    struct listener_link *link;
    nu_list_for_each(link, &worker->listeners, struct listener_link, link)
    {
        if (is_meant(link, arg))
            nu_worker_listener_start(link->wl);
    }
}

void nu_worker_stop_accepting(struct nu_worker *worker, void *arg)
{
    struct listener_link *link;
    nu_list_for_each(link, &worker->listeners, struct listener_link, link)
    {
        if (is_meant(link, arg))
            nu_worker_listener_stop(link->wl);
    }
}

void nu_worker_drain(struct nu_worker *worker, void *arg)
{
    struct listener_link *link;
    nu_list_for_each(link, &worker->listeners, struct listener_link, link)
    {
        if (is_meant(link, arg))
            nu_worker_listener_drain(link->wl);
    }
}

uint32_t nu_worker_connections(const struct nu_worker *worker)
{
    uint32_t count = 0;
    struct listener_link *link;
    nu_list_for_each(link, &worker->listeners, struct listener_link, link)
    {
        count += atomic_load_explicit(&link->wl->connection_count, memory_order_relaxed);
    }
    return count;
}

struct nu_loop *nu_worker_loop(struct nu_worker *worker)
{
    return worker->loop;
}

void nu_worker_join(struct nu_worker *worker)
{
    if (!worker->running)
        return;
    nu_loop_stop(worker->loop);
    pthread_join(worker->thread, NULL);
    worker->running = false;
}

void nu_worker_destroy(struct nu_worker **worker_ptr)
{
    struct nu_worker *worker = *worker_ptr;
    if (!worker)
        return;
    *worker_ptr = NULL;
    nu_worker_join(worker);
    if (worker->loop) {
        finish_listeners(worker);
        nu_cluster_table_finish(&worker->clusters);
        nu_runtime_unref(&worker->loop->runtime);
        nu_loop_destroy(&worker->loop);
    }
    nu_stat_set_destroy(&worker->cluster_set);
    nu_free(worker);
}
