/* SPDX-License-Identifier: Apache-2.0 */
/* Custom statistics: who shares one, under which names they are shown, and what they may take. The
 * texts are Envoy 1.36.4's for the same names. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "stats/custom.h"

static struct nu_stats *stats;
static struct nu_custom_scope *scope;

static void begin(void)
{
    stats = nu_stats_create();
    scope = nu_custom_scope_create(stats);
}

static void finish(void)
{
    nu_custom_scope_destroy(&scope);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

static struct nu_custom_stat *define_in(struct nu_custom_scope *owner, enum nu_custom_kind kind,
                                        const char *name)
{
    struct nu_custom_stat *stat = nu_custom_scope_define(owner, kind, nu_str_from(name));
    assert_non_null(stat);
    return stat;
}

static struct nu_custom_stat *define(enum nu_custom_kind kind, const char *name)
{
    return define_in(scope, kind, name);
}

TEST(custom_is_shown_at_0_when_defined)
{
    begin();
    define(NU_CUSTOM_COUNTER, "b");
    define(NU_CUSTOM_GAUGE, "a");
    define(NU_CUSTOM_HISTOGRAM, "h");
    check_render(stats, "",
                 "wasmcustom.a: 0\nwasmcustom.b: 0\n"
                 "wasmcustom.h: No recorded values\n");
    check_render(stats, "usedonly", "");
    finish();
}

TEST(custom_names_are_envoys)
{
    begin();
    static const char *const names[] = {"",      "dot..", ".lead", "a..b",
                                        "9nine", "a\nb",  "x=y;",  "a.b.c"};
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++)
        define(NU_CUSTOM_COUNTER, names[i]);
    check_render(stats, "",
                 "wasmcustom: 0\nwasmcustom..lead: 0\nwasmcustom.9nine: 0\nwasmcustom.a..b: 0\n"
                 "wasmcustom.a.b.c: 0\nwasmcustom.a_b: 0\nwasmcustom.dot: 0\nwasmcustom.x=y;: 0\n");
    check_render(stats, "format=prometheus",
                 "# TYPE envoy_wasmcustom counter\nenvoy_wasmcustom{} 0\n"
                 "# TYPE _lead counter\n_lead{} 0\n"
                 "# TYPE a__b counter\na__b{} 0\n"
                 "# TYPE a_b_c counter\na_b_c{} 0\n"
                 "# TYPE a_b counter\na_b{} 0\n"
                 "# TYPE dot counter\ndot{} 0\n"
                 "# TYPE x_y_ counter\nx_y_{} 0\n");
    finish();
}

TEST(custom_names_have_tags)
{
    stats = nu_stats_create();
    struct nu_stat_tag_rule rule = {.name = NU_STR("reporter"),
                                    .regex = NU_STR("(reporter=\\.=(.*?);\\.;)")};
    struct nu_stat_tags_config config = {true, &rule, 1};
    assert_int_equal(nu_stats_set_tags(stats, &config, NULL), NU_OK);
    scope = nu_custom_scope_create(stats);
    define(NU_CUSTOM_COUNTER, "req.reporter=.=source;.;x.count");
    define(NU_CUSTOM_COUNTER, "req.reporter=.=else;.;x.count");
    define(NU_CUSTOM_COUNTER, "x_rq_503");
    check_render(stats, "format=prometheus",
                 "# TYPE req_x_count counter\nreq_x_count{reporter=\"else\"} 0\n"
                 "req_x_count{reporter=\"source\"} 0\n"
                 "# TYPE x_rq counter\nx_rq{envoy_response_code=\"503\"} 0\n");
    finish();
}

TEST(custom_stands_among_the_others)
{
    struct sample sample = sample_open("wasmcustom");
    scope = nu_custom_scope_create(sample.stats);
    define(NU_CUSTOM_COUNTER, "cx_active.more");
    define(NU_CUSTOM_GAUGE, "cx_active");
    check_render(sample.stats, "filter=cx",
                 "wasmcustom.cx_active: 0\nwasmcustom.cx_active: 0\n"
                 "wasmcustom.cx_active.more: 0\n");
    nu_custom_scope_destroy(&scope);
    check_render(sample.stats, "filter=cx", "wasmcustom.cx_active: 0\n");
    sample_close(&sample);
}

TEST(custom_is_one_for_all_scopes)
{
    stats = nu_stats_create();
    struct nu_custom_scope *a = nu_custom_scope_create(stats);
    struct nu_custom_scope *b = nu_custom_scope_create(stats);
    struct nu_custom_stat *counter = define_in(a, NU_CUSTOM_COUNTER, "x");
    assert_ptr_equal(define_in(b, NU_CUSTOM_COUNTER, "x"), counter);
    assert_ptr_equal(define_in(a, NU_CUSTOM_COUNTER, "x."), counter);
    assert_ptr_not_equal(define_in(a, NU_CUSTOM_GAUGE, "x"), counter);
    nu_counter_add(nu_custom_stat_counter(counter), 5);
    nu_custom_scope_destroy(&a);
    check_render(stats, "", "wasmcustom.x: 5\n"); /* the gauge went with its scope */
    nu_custom_scope_destroy(&b);
    check_render(stats, "", "");
    finish();
}

TEST(custom_of_a_scope_that_ends_unseen)
{
    begin();
    nu_counter_inc(nu_custom_stat_counter(define(NU_CUSTOM_COUNTER, "x")));
    finish();
}

TEST(custom_counter_that_is_marked_is_used_at_0)
{
    begin();
    struct nu_custom_stat *stat = define(NU_CUSTOM_COUNTER, "x");
    nu_custom_stat_counter(stat);
    check_render(stats, "usedonly", "");
    nu_custom_stat_mark(stat);
    check_render(stats, "usedonly", "wasmcustom.x: 0\n");
    nu_counter_inc(nu_custom_stat_counter(stat));
    nu_stats_reset_counters(stats);
    check_render(stats, "usedonly", "wasmcustom.x: 0\n");
    finish();
}

TEST(custom_gauge_is_not_used_by_being_made_smaller)
{
    begin();
    struct nu_gauge *gauge = nu_custom_stat_gauge(define(NU_CUSTOM_GAUGE, "g"));
    nu_custom_gauge_add(gauge, 0);
    nu_custom_gauge_add(gauge, -1);
    check_render(stats, "usedonly", "");
    nu_custom_gauge_add(gauge, 2);
    check_render(stats, "usedonly", "wasmcustom.g: 1\n");
    finish();
}

TEST(custom_gauge_goes_round_below_0)
{
    begin();
    struct nu_gauge *gauge = nu_custom_stat_gauge(define(NU_CUSTOM_GAUGE, "g"));
    nu_custom_gauge_add(gauge, 1);
    nu_custom_gauge_add(gauge, -5);
    check_render(stats, "usedonly", "wasmcustom.g: 18446744073709551612\n");
    nu_custom_gauge_set(gauge, 6);
    check_render(stats, "", "wasmcustom.g: 6\n");
    finish();
}

TEST(custom_counter_starts_again_after_a_reset)
{
    begin();
    struct nu_custom_stat *stat = define(NU_CUSTOM_COUNTER, "x");
    struct nu_counter *counter = nu_custom_stat_counter(stat);
    uint64_t value = 99;
    nu_counter_add(counter, 5);
    nu_stats_reset_counters(stats);
    assert_int_equal(nu_custom_stat_sum(stat), 0);
    nu_counter_add(counter, 2);
    assert_int_equal(nu_custom_stat_sum(stat), 2);
    assert_true(nu_stats_value(stats, NU_STR("wasmcustom.x"), &value));
    assert_int_equal(value, 2);
    nu_stats_reset_counters(stats);
    check_render(stats, "usedonly", "wasmcustom.x: 0\n");
    finish();
}

TEST(custom_histogram_is_merged_at_a_flush)
{
    begin();
    struct nu_custom_stat *stat = define(NU_CUSTOM_HISTOGRAM, "h");
    for (uint64_t i = 0; i < 100; i++)
        nu_histogram_record(nu_custom_stat_histogram(stat), 7);
    nu_stats_flush(stats);
    char *text = render_sliced(stats, "format=prometheus", 100000);
    assert_non_null(strstr(text, "h_bucket{le=\"5\"} 0\nh_bucket{le=\"10\"} 100\n"));
    assert_non_null(strstr(text, "h_count{} 100\n"));
    nu_free(text);
    finish();
}

TEST(custom_scope_has_a_bound)
{
    begin();
    struct nu_custom_scope *other = nu_custom_scope_create(stats);
    char *name = nu_calloc(1, NU_CUSTOM_NAME_MAX + 2);
    memset(name, 'n', NU_CUSTOM_NAME_MAX + 1);
    assert_null(nu_custom_scope_define(scope, NU_CUSTOM_COUNTER, nu_str_from(name)));
    unsigned count = 0;
    do
        snprintf(name, 100, "%u", count++);
    while (count < 1000 && (name[strlen(name)] = '.') &&
           nu_custom_scope_define(scope, NU_CUSTOM_COUNTER, nu_str_make(name, NU_CUSTOM_NAME_MAX)));
    assert_in_range(count, 300, 350); /* of 16 KiB six times each, and 32 MiB */
    assert_non_null(define_in(other, NU_CUSTOM_COUNTER, "x"));
    size_t bytes = nu_stats_memory_bytes();
    assert_in_range(bytes, 1, NU_CUSTOM_SCOPE_BYTES_MAX);
    nu_free(name);
    nu_custom_scope_destroy(&other);
    finish();
}

/* --- Threads ---------------------------------------------------------------------------------- */

enum { WORKERS = 4, ROUNDS = 4000, NAMES = 50 };

struct worker {
    pthread_t thread;
    unsigned index;
    struct nu_custom_scope *scope;
    uint64_t seen;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    nu_thread_enter(worker->index, "worker");
    for (unsigned round = 0; round < ROUNDS; round++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", round % NAMES);
        struct nu_custom_stat *counter = define_in(worker->scope, NU_CUSTOM_COUNTER, name);
        nu_counter_inc(nu_custom_stat_counter(counter));
        worker->seen |= nu_custom_stat_sum(counter);
        nu_custom_gauge_add(nu_custom_stat_gauge(define_in(worker->scope, NU_CUSTOM_GAUGE, "g")),
                            2);
        nu_histogram_record(
            nu_custom_stat_histogram(define_in(worker->scope, NU_CUSTOM_HISTOGRAM, "h")), round);
    }
    nu_thread_leave();
    return NULL;
}

TEST(custom_is_defined_and_counted_by_threads_while_main_renders)
{
    begin();
    struct nu_custom_scope *other = nu_custom_scope_create(stats);
    struct worker workers[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.index = i + 1, .scope = i % 2 ? other : scope};
        assert_int_equal(nu_thread_start(&workers[i].thread, work, &workers[i]), 0);
    }
    for (unsigned turn = 0; turn < 20; turn++) {
        static const char *const queries[] = {"", "format=prometheus", "usedonly&format=json"};
        nu_stats_flush(stats);
        nu_free(render_sliced(stats, queries[turn % NU_ARRAY_LEN(queries)], 500));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    uint64_t sum = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];
        uint64_t value = 0;
        snprintf(name, sizeof(name), "wasmcustom.n%u", i);
        assert_true(nu_stats_value(stats, nu_str_from(name), &value));
        sum += value;
    }
    assert_int_equal(sum, WORKERS * ROUNDS);
    assert_true(nu_stats_value(stats, NU_STR("wasmcustom.g"), &sum));
    assert_int_equal(sum, 2 * WORKERS * ROUNDS);
    nu_custom_scope_destroy(&other);
    finish();
}

/* A reset by main while another thread asks for the sum. */
TEST(custom_sums_are_read_by_threads_while_main_resets)
{
    begin();
    struct worker worker = {.index = 1, .scope = scope};
    assert_int_equal(nu_thread_start(&worker.thread, work, &worker), 0);
    for (unsigned turn = 0; turn < 200; turn++)
        nu_stats_reset_counters(stats);
    pthread_join(worker.thread, NULL);
    assert_in_range(worker.seen, 0, ROUNDS * 2);
    finish();
}

TEST_MAIN()
