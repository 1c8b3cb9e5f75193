/* SPDX-License-Identifier: Apache-2.0 */
/* Our lists against the names that a real Envoy shows for the same bootstrap. */
#include "fixture.h"

#include "base/hash.h"
#include "stats/cluster_stats.h"
#include "stats/http_stats.h"
#include "stats/listener_stats.h"
#include "stats/server_stats.h"

enum kind { COUNTER, GAUGE, HISTOGRAM, TEXT_READOUT };

struct name {
    enum kind kind;
    const char *name;
    const char *reason; /* why we leave it out */
};

static const struct name at_start[] = {
#define X(kind, name) {kind, name, NULL},
#define LATER(kind, name)
#include "envoy_names.inc"
#undef X
#undef LATER
};

static const struct name with_traffic[] = {
#define X(kind, name)
#define LATER(kind, name) {kind, name, NULL},
#include "envoy_names.inc"
#undef X
#undef LATER
};

/* What Envoy shows and we do not. */
static const struct name left_out[] = {
    {COUNTER, "tcmalloc.released_by_timer", "we do not use tcmalloc"},
    {COUNTER, "envoy.overload_actions.reset_high_memory_stream.count",
     "an overload action that we do not have"},
    {HISTOGRAM, "overload.refresh_interval_delay",
     "of the overload manager, which has its statistics to itself"},
};

static const struct name besides[] = {
    {COUNTER, "filesystem.write_dropped", "Envoy drops no line, whatever memory they take"},
};

static const struct {
    const struct nu_stat_table *table;
    const char *prefix;
} sets_of_the_bootstrap[] = {
    {&nu_server_stats_table, "server"},
    {&nu_compilation_stats_table, "server.compilation_settings"},
    {&nu_watchdog_stats_table, "server.main_thread"},
    {&nu_watchdog_stats_table, "server.worker_0"},
    {&nu_watchdog_stats_table, "main_thread"},
    {&nu_watchdog_stats_table, "workers"},
    {&nu_listener_manager_stats_table, "listener_manager"},
    {&nu_cluster_manager_stats_table, "cluster_manager"},
    {&nu_cluster_table_stats_table, "thread_local_cluster_manager.main_thread"},
    {&nu_cluster_table_stats_table, "thread_local_cluster_manager.worker_0"},
    {&nu_runtime_stats_table, "runtime"},
    {&nu_filesystem_stats_table, "filesystem"},
    {&nu_listener_stats_table, "listener.127.0.0.1_0"},
    {&nu_listener_config_stats_table, "listener.127.0.0.1_0"},
    {&nu_listener_worker_stats_table, "listener.127.0.0.1_0.worker_0"},
    {&nu_listener_http_stats_table, "listener.127.0.0.1_0.http.ingress_http"},
    {&nu_listener_stats_table, "listener.admin"},
    {&nu_listener_worker_stats_table, "listener.admin.main_thread"},
    {&nu_listener_http_stats_table, "listener.admin.http.admin"},
    {&nu_http_stats_table, "http.admin"},
    {&nu_http_stats_table, "http.ingress_http"},
    {&nu_router_stats_table, "http.ingress_http"},
    {&nu_router_stats_table, "http.async-client"},
    {&nu_tracing_stats_table, "http.ingress_http.tracing"},
    {&nu_http1_stats_table, "http1"},
    {&nu_cluster_traffic_stats_table, "cluster.origin"},
    {&nu_cluster_lb_stats_table, "cluster.origin"},
    {&nu_cluster_membership_stats_table, "cluster.origin"},
    {&nu_cluster_update_stats_table, "cluster.origin"},
    {&nu_circuit_breaker_stats_table, "cluster.origin.circuit_breakers.default"},
    {&nu_circuit_breaker_stats_table, "cluster.origin.circuit_breakers.high"},
    {&nu_transport_socket_match_stats_table, "cluster.origin.default"},
};

static struct nu_stats *start(void)
{
    struct nu_stats *stats = nu_stats_create();
    for (size_t i = 0; i < NU_ARRAY_LEN(sets_of_the_bootstrap); i++)
        nu_stat_set_create(stats, sets_of_the_bootstrap[i].table,
                           nu_str_from(sets_of_the_bootstrap[i].prefix));
    return stats;
}

/* What two requests to the cluster do. */
static void serve(struct nu_stats *stats)
{
    static const unsigned codes[] = {200, 404};
    nu_stat_set_create(stats, &nu_http1_stats_table, NU_STR("cluster.origin.http1"));
    struct nu_cluster_traffic_stats *traffic = nu_stat_set_block(
        nu_stat_set_create(stats, &nu_cluster_traffic_stats_table, NU_STR("cluster.origin")));
    struct nu_response_stats *external = nu_stat_set_block(
        nu_stat_set_create(stats, &nu_response_stats_table, NU_STR("cluster.origin.external")));
    for (size_t i = 0; i < NU_ARRAY_LEN(codes); i++) {
        nu_codes_inc(&traffic->upstream_rq, codes[i]);
        nu_histogram_record(&traffic->upstream_rq_time, 3);
        nu_codes_inc(&external->upstream_rq, codes[i]);
        nu_counter_inc(&external->upstream_rq_completed);
        nu_histogram_record(&external->upstream_rq_time, 3);
    }
    nu_stats_flush(stats);
}

/* The names of a kind that we show, as a set; the text they lie in is for the caller to free. */
static char *shown_names(struct nu_stats *stats, enum kind kind, struct nu_map *names)
{
    static const char *const queries[] = {"type=Counters", "type=Gauges", "type=Histograms",
                                          "type=TextReadouts"};
    char *text = render_sliced(stats, queries[kind], 1000);
    for (struct nu_str rest = nu_str_from(text); rest.len;) {
        struct nu_str line = nu_str_split(&rest, '\n');
        nu_map_put(names, nu_str_split(&line, ':'), names);
    }
    return text;
}

static bool is_left_out(const struct name *name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(left_out); i++) {
        if (left_out[i].kind == name->kind && strcmp(left_out[i].name, name->name) == 0)
            return true;
    }
    return false;
}

/* Takes Envoy's names out of ours, and says which of them we lack; returns how many. */
static unsigned strike(struct nu_map *ours, enum kind kind, const struct name *theirs, size_t count)
{
    unsigned missing = 0;
    for (size_t i = 0; i < count; i++) {
        if (theirs[i].kind != kind || nu_map_remove(ours, nu_str_from(theirs[i].name)) ||
            is_left_out(&theirs[i]))
            continue;
        print_error("there should be %s\n", theirs[i].name);
        missing++;
    }
    return missing;
}

static void check_names(struct nu_stats *stats, bool has_traffic)
{
    for (unsigned kind = COUNTER; kind <= TEXT_READOUT; kind++) {
        struct nu_map ours = {0};
        char *text = shown_names(stats, (enum kind)kind, &ours);
        unsigned wrong = strike(&ours, (enum kind)kind, at_start, NU_ARRAY_LEN(at_start));
        wrong += strike(&ours, (enum kind)kind, besides, NU_ARRAY_LEN(besides));
        if (has_traffic)
            wrong += strike(&ours, (enum kind)kind, with_traffic, NU_ARRAY_LEN(with_traffic));
        nu_map_for_each(entry, &ours)
        {
            print_error("we have %.*s, Envoy does not\n", NU_STR_ARG(entry->key));
            wrong++;
        }
        assert_int_equal(wrong, 0);
        nu_map_finish(&ours);
        nu_free(text);
    }
}

TEST(the_names_at_start_are_envoys)
{
    struct nu_stats *stats = start();
    check_names(stats, false);
    nu_stats_destroy(&stats);
}

TEST(the_names_after_requests_are_envoys)
{
    struct nu_stats *stats = start();
    serve(stats);
    check_names(stats, true);
    nu_stats_destroy(&stats);
}

TEST(what_is_left_out_is_not_ours_and_has_a_reason)
{
    struct nu_stats *stats = start();
    for (size_t i = 0; i < NU_ARRAY_LEN(left_out); i++) {
        struct nu_map ours = {0};
        char *text = shown_names(stats, left_out[i].kind, &ours);
        assert_null(nu_map_get(&ours, nu_str_from(left_out[i].name)));
        assert_true(strlen(left_out[i].reason) > 10);
        nu_map_finish(&ours);
        nu_free(text);
    }
    nu_stats_destroy(&stats);
}

TEST_MAIN()
