/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts come and go while two workers send requests: no request fails, nothing leaks, and (under
 * the thread sanitizer) nobody touches what is another thread's. The main thread serves the
 * upstreams.
 */
#include <pthread.h>

#include "base/thread.h"
#include "harness/exchange.h"
#include "harness/upstream.h"

enum { WORKERS = 2, CLIENTS = 8, CHANGES = 1000 };

struct sender {
    struct exchange_client client;
    struct nu_turn_task again; /* the next request, once the last one's callbacks are over */
    struct worker *worker;
};

struct worker {
    pthread_t thread;
    unsigned index; /* of the thread */
    struct nu_loop *loop;
    struct nu_cluster_table table;
    struct sender senders[CLIENTS];
    unsigned running;
    _Atomic unsigned requests;
    unsigned failures;
    char failure[128]; /* the first */
    _Atomic(bool) *stop;
    _Atomic bool done;
};

static void send_request(struct sender *sender);

static void on_event(struct exchange_client *client)
{
    struct sender *sender = nu_container_of(client, struct sender, client);
    if (client->over)
        nu_loop_at_turn_end(sender->worker->loop, &sender->again);
}

static void check_end(struct worker *worker, const struct exchange_client *client)
{
    struct nu_str events = nu_strbuf_str(&client->events);
    atomic_fetch_add(&worker->requests, 1);
    if (nu_str_eq(events, NU_STR("200 [ok] end")))
        return;
    if (worker->failures++ == 0)
        snprintf(worker->failure, sizeof(worker->failure), "%.*s", NU_STR_ARG(events));
}

static void on_again(struct nu_turn_task *task)
{
    struct sender *sender = nu_container_of(task, struct sender, again);
    struct worker *worker = sender->worker;
    check_end(worker, &sender->client);
    exchange_finish(&sender->client);
    if (!atomic_load(worker->stop))
        send_request(sender);
    else if (--worker->running == 0)
        nu_loop_stop(worker->loop);
}

static void send_request(struct sender *sender)
{
    struct nu_exchange_params params = {
        .cluster = nu_cluster_table_find(&sender->worker->table, NU_STR("c")),
        .timeout_status = 504,
    };
    exchange_start_with(&sender->client, &params, "GET", true, on_event);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    nu_thread_enter(worker->index, "worker");
    for (int i = 0; i < CLIENTS; i++) {
        worker->senders[i].worker = worker;
        nu_turn_task_init(&worker->senders[i].again, on_again);
        send_request(&worker->senders[i]);
    }
    nu_loop_run(worker->loop);
    nu_cluster_table_finish(&worker->table);
    nu_loop_run_once(worker->loop);
    nu_loop_destroy(&worker->loop);
    nu_thread_leave();
    atomic_store(&worker->done, true);
    return NULL;
}

static void start_workers(struct cluster_fixture *f, struct worker *workers, _Atomic(bool) *stop)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].index = i + 1;
        workers[i].stop = stop;
        workers[i].running = CLIENTS;
        workers[i].loop = nu_loop_create();
        nu_cluster_table_init(&workers[i].table, workers[i].loop);
        nu_cluster_manager_attach(f->manager, &workers[i].table);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
}

/* The hosts of the n-th change: the first upstream, the second, both, with or without weights;
 * always new objects, so that every change ends some. */
static struct nu_host_set *make_hosts(struct cluster_fixture *f, const struct upstream *upstreams,
                                      unsigned n)
{
    struct nu_host *hosts[2];
    uint32_t count = 0;
    if (n % 3 != 1)
        hosts[count++] = cluster_host(f, upstreams[0].address, 1 + n % 2);
    if (n % 3 != 0)
        hosts[count++] = cluster_host(f, upstreams[1].address, 1);
    return cluster_host_set(hosts, count);
}

static void change_hosts(struct cluster_fixture *f, const struct upstream *upstreams, unsigned n)
{
    struct nu_host_set *set = make_hosts(f, upstreams, n);
    nu_cluster_manager_set_hosts(f->manager, f->cluster, set);
    nu_host_set_unref(set);
}

struct progress {
    struct worker *workers;
    unsigned at_least;
};

static bool all_sent(void *arg)
{
    const struct progress *progress = arg;
    for (int i = 0; i < WORKERS; i++) {
        if (atomic_load(&progress->workers[i].requests) < progress->at_least)
            return false;
    }
    return true;
}

static bool all_done(void *arg)
{
    struct worker *workers = arg;
    return atomic_load(&workers[0].done) && atomic_load(&workers[1].done);
}

static struct upstream upstreams[2];
static struct worker workers[WORKERS];

TEST(no_request_fails_while_hosts_come_and_go)
{
    static const char script[] =
        "< \r\n\r\n | > HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok | again";
    struct cluster_fixture f;
    _Atomic(bool) stop = false;
    cluster_fixture_init(&f);
    for (int i = 0; i < 2; i++)
        upstream_init(&upstreams[i], f.loop, script);
    cluster_fixture_start(&f, make_hosts(&f, upstreams, 2));
    size_t with_hosts = nu_stats_memory_bytes();
    start_workers(&f, workers, &stop);
    for (unsigned n = 0; n < CHANGES; n++) {
        /* Each change meets requests on their way. */
        struct progress progress = {workers, n};
        assert_true(harness_wait(f.loop, all_sent, &progress));
        change_hosts(&f, upstreams, n);
    }
    change_hosts(&f, upstreams, 2);
    atomic_store(&stop, true);
    assert_true(harness_wait(f.loop, all_done, workers));
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_string_equal(workers[i].failure, "");
        assert_int_equal(workers[i].failures, 0);
    }
    /* Every host but the last two is gone: what is left over are blocks of counters of threads. */
    nu_loop_run_once(f.loop);
    assert_in_range(nu_stats_memory_bytes(), with_hosts, with_hosts + 64 * 1024);
    assert_int_equal(cluster_stat(&f, "membership_change"), CHANGES + 2);
    assert_int_equal(cluster_stat(&f, "upstream_cx_active"), 0);
    assert_int_equal(cluster_stat(&f, "upstream_rq_active"), 0);
    for (int i = 0; i < 2; i++)
        upstream_finish(&upstreams[i]);
    cluster_fixture_finish(&f);
}

TEST_MAIN()
