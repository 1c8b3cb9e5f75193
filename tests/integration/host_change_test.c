/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts come and go while two workers send requests: no request fails, nothing leaks, and (under
 * the thread sanitizer) nobody touches what is another thread's. The main thread serves the
 * upstreams. Requests go to the cluster itself, by zones while the processes of each zone come and
 * go too, or through an aggregate.
 */
#include <pthread.h>

#include "base/thread.h"
#include "harness/exchange.h"
#include "harness/upstream.h"
#include "upstream/lb/lb_aggregate.h"

enum { WORKERS = 2, CLIENTS = 8, CHANGES = 1000 };

struct sender {
    struct exchange_client client;
    struct nu_turn_task again; /* the next request, once the last one's callbacks are over */
    struct worker *worker;
};

struct worker {
    pthread_t thread;
    const char *target; /* the cluster that requests are sent to */
    unsigned index;     /* of the thread */
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
        .cluster =
            nu_cluster_table_find(&sender->worker->table, nu_str_from(sender->worker->target)),
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

static void start_workers(struct cluster_fixture *f, struct worker *workers, const char *target,
                          _Atomic(bool) *stop)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.target = target};
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

static const char *const zones[2] = {"here", "there"};

static struct nu_host *zone_host(struct cluster_fixture *f, const char *address, uint32_t weight,
                                 const char *zone)
{
    struct nu_host_params params = {.weight = weight, .locality.zone = nu_str_from(zone)};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return nu_host_create(f->keeper, &params);
}

/* The hosts of the n-th change: the first upstream, the second, both, with or without weights, each
 * in a zone of its own; always new objects, so that every change ends some. */
static struct nu_host_set *make_hosts(struct cluster_fixture *f, const struct upstream *upstreams,
                                      unsigned n)
{
    struct nu_host *hosts[2];
    uint32_t count = 0;
    if (n % 3 != 1)
        hosts[count++] = zone_host(f, upstreams[0].address, 1 + n % 2, zones[0]);
    if (n % 3 != 0)
        hosts[count++] = zone_host(f, upstreams[1].address, 1, zones[1]);
    return cluster_host_set(hosts, count);
}

static void change_hosts(struct cluster_fixture *f, const struct upstream *upstreams, unsigned n)
{
    struct nu_host_set *set = make_hosts(f, upstreams, n);
    nu_cluster_manager_set_hosts(f->manager, f->cluster, set);
    nu_host_set_unref(set);
}

/* --- The processes like this one -------------------------------------------------------------- */

/* One in each zone, and at times one more in ours. */
static struct nu_host_set *make_processes(struct cluster_fixture *f, unsigned n)
{
    struct nu_host *hosts[3] = {zone_host(f, "127.0.0.1:1", 1, zones[0]),
                                zone_host(f, "127.0.0.1:2", 1, zones[1])};
    if (n % 2)
        hosts[2] = zone_host(f, "127.0.0.1:3", 1, zones[0]);
    return cluster_host_set(hosts, n % 2 ? 3 : 2);
}

static struct nu_cluster *add_processes(struct cluster_fixture *f)
{
    struct nu_cluster *cluster = nu_cluster_create(f->stats, NU_STR("processes"), NU_STR(""));
    struct nu_host_set *set = make_processes(f, 0);
    nu_cluster_set_first_hosts(cluster, set);
    nu_host_set_unref(set);
    assert_true(nu_cluster_manager_add(f->manager, cluster));
    return cluster;
}

static void change_processes(struct cluster_fixture *f, struct nu_cluster *cluster, unsigned n)
{
    struct nu_host_set *set = make_processes(f, n);
    nu_cluster_manager_set_hosts(f->manager, cluster, set);
    nu_host_set_unref(set);
}

/* --- Aggregate -------------------------------------------------------------------------------- */

static void add_aggregate(struct cluster_fixture *f)
{
    static const struct nu_str names[] = {NU_STR_INIT("nobody"), NU_STR_INIT("c")};
    static const struct nu_aggregate aggregate = {names, 2};
    struct nu_cluster *cluster = nu_cluster_create(f->stats, NU_STR("aggregate"), NU_STR(""));
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    cluster->aggregate = &aggregate;
    cluster->lb_class = &nu_lb_aggregate;
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
    assert_true(nu_cluster_manager_add(f->manager, cluster));
}

/* --- The runs --------------------------------------------------------------------------------- */

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

struct run {
    const char *target;
    bool has_zones;
    uint64_t by_zones; /* so many requests went by zones */
};

static void run_changes(struct run *run)
{
    static const char script[] =
        "< \r\n\r\n | > HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok | again";
    static const struct nu_locality here = {.zone = NU_STR_INIT("here")};
    struct cluster_fixture f;
    struct nu_cluster *processes = NULL;
    struct nu_lb_settings settings = nu_lb_settings_default;
    _Atomic(bool) stop = false;
    settings.zone.min_cluster_size = 1;
    cluster_fixture_init(&f);
    if (run->has_zones) {
        nu_cluster_manager_set_local(f.manager, NU_STR("processes"), &here);
        f.cluster->lb = &settings;
        processes = add_processes(&f);
    }
    add_aggregate(&f);
    for (int i = 0; i < 2; i++)
        upstream_init(&upstreams[i], f.loop, script);
    cluster_fixture_start(&f, make_hosts(&f, upstreams, 2));
    size_t with_hosts = nu_stats_memory_bytes();
    start_workers(&f, workers, run->target, &stop);
    for (unsigned n = 0; n < CHANGES; n++) {
        /* Each change meets requests on their way. */
        struct progress progress = {workers, n};
        assert_true(harness_wait(f.loop, all_sent, &progress));
        change_hosts(&f, upstreams, n);
        if (processes)
            change_processes(&f, processes, n);
    }
    change_hosts(&f, upstreams, 2);
    atomic_store(&stop, true);
    assert_true(harness_wait(f.loop, all_done, workers));
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_string_equal(workers[i].failure, "");
        assert_int_equal(workers[i].failures, 0);
    }
    /* Every host but the last few is gone: what is left over are blocks of counters of threads. */
    nu_loop_run_once(f.loop);
    assert_in_range(nu_stats_memory_bytes(), with_hosts, with_hosts + 64 * 1024);
    assert_int_equal(cluster_stat(&f, "membership_change"), CHANGES + 2);
    assert_int_equal(cluster_stat(&f, "upstream_cx_active"), 0);
    assert_int_equal(cluster_stat(&f, "upstream_rq_active"), 0);
    run->by_zones = cluster_stat(&f, "lb_zone_routing_all_directly") +
                    cluster_stat(&f, "lb_zone_routing_sampled") +
                    cluster_stat(&f, "lb_zone_routing_cross_zone");
    for (int i = 0; i < 2; i++)
        upstream_finish(&upstreams[i]);
    cluster_fixture_finish(&f);
}

TEST(no_request_fails_while_hosts_come_and_go)
{
    struct run run = {.target = "c"};
    run_changes(&run);
    assert_int_equal(run.by_zones, 0);
}

TEST(no_request_fails_while_zones_change)
{
    struct run run = {.target = "c", .has_zones = true};
    run_changes(&run);
    assert_true(run.by_zones > 0);
}

TEST(no_request_fails_through_an_aggregate)
{
    struct run run = {.target = "aggregate"};
    run_changes(&run);
}

TEST_MAIN()
