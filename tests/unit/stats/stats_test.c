/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: sets, blocks, sums, reset, names. */
#include "harness/test.h"

#include "base/thread.h"
#include "stats/stats.h"

#define TEST_STATS(X, S) \
    X(S, COUNTER, rq_total, "Requests.") \
    X(S, GAUGE, rq_active, "Requests at work.") \
    X(S, GAUGE64, version, "A hash.") \
    X(S, LAZY_COUNTER, rare, "Seldom.") \
    X(S, CODES, rq, "Answers.") \
    X(S, TEXT, version_text, "A version.") \
    X(S, HISTOGRAM, rq_time, "Time.")

struct test_stats {
    TEST_STATS(NU_STAT_FIELD, )
};
NU_STAT_TABLE(test_stats, TEST_STATS, "test", "For tests.");

/* Does what follows as another thread would: blocks go by the thread's number. */
static void be_thread(unsigned index)
{
    nu_thread_index_ = index;
}

struct fixture {
    struct nu_stats *stats;
    struct nu_stat_set *set;
    struct test_stats *main, *worker;
};

static struct fixture setup(void)
{
    struct fixture f = {.stats = nu_stats_create()};
    f.set = nu_stat_set_create(f.stats, &test_stats_table, NU_STR("a.b"));
    f.main = nu_stat_set_block(f.set);
    be_thread(1);
    f.worker = nu_stat_set_block(f.set);
    be_thread(0);
    return f;
}

static void teardown(struct fixture *f)
{
    nu_stat_set_destroy(&f->set);
    nu_stats_destroy(&f->stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

static uint64_t value_of(const struct nu_stats *stats, const char *name)
{
    uint64_t value = UINT64_MAX - 1;
    assert_true(nu_stats_value(stats, nu_str_from(name), &value));
    return value;
}

static bool is_there(const struct nu_stats *stats, const char *name)
{
    uint64_t value;
    return nu_stats_value(stats, nu_str_from(name), &value);
}

TEST(each_thread_has_one_block_that_stays)
{
    struct fixture f = setup();
    assert_ptr_not_equal(f.main, f.worker);
    assert_ptr_equal(nu_stat_set_block(f.set), f.main);
    be_thread(1);
    assert_ptr_equal(nu_stat_set_block(f.set), f.worker);
    be_thread(0);
    teardown(&f);
}

TEST(a_counter_is_the_sum_of_all_threads)
{
    struct fixture f = setup();
    nu_counter_inc(&f.main->rq_total);
    nu_counter_add(&f.worker->rq_total, 41);
    assert_int_equal(value_of(f.stats, "a.b.rq_total"), 42);
    assert_int_equal(nu_stat_set_counter(f.set, offsetof(struct test_stats, rq_total)), 42);
    teardown(&f);
}

TEST(a_gauge_may_go_down_on_another_thread)
{
    struct fixture f = setup();
    nu_gauge_add(&f.main->rq_active, 5);
    nu_gauge_dec(&f.worker->rq_active);
    assert_int_equal(value_of(f.stats, "a.b.rq_active"), 4);
    assert_int_equal(nu_stat_set_gauge(f.set, offsetof(struct test_stats, rq_active)), 4);
    teardown(&f);
}

TEST(a_gauge_below_zero_reads_as_zero)
{
    struct fixture f = setup();
    nu_gauge_dec(&f.worker->rq_active);
    assert_int_equal(value_of(f.stats, "a.b.rq_active"), 0);
    teardown(&f);
}

TEST(a_64_bit_gauge_keeps_all_its_bits)
{
    struct fixture f = setup();
    nu_gauge_set(&f.main->version, (int64_t)UINT64_C(17241709254077376921));
    assert_true(value_of(f.stats, "a.b.version") == UINT64_C(17241709254077376921));
    teardown(&f);
}

TEST(response_codes_come_into_being_when_counted)
{
    struct fixture f = setup();
    assert_false(is_there(f.stats, "a.b.rq_200"));
    assert_false(is_there(f.stats, "a.b.rq_2xx"));
    nu_codes_inc(&f.main->rq, 200);
    nu_codes_inc(&f.worker->rq, 200);
    nu_codes_inc(&f.worker->rq, 299);
    nu_codes_inc(&f.worker->rq, 100);
    nu_codes_inc(&f.worker->rq, 599);
    assert_int_equal(value_of(f.stats, "a.b.rq_200"), 2);
    assert_int_equal(value_of(f.stats, "a.b.rq_299"), 1);
    assert_int_equal(value_of(f.stats, "a.b.rq_2xx"), 3);
    assert_int_equal(value_of(f.stats, "a.b.rq_1xx"), 1);
    assert_int_equal(value_of(f.stats, "a.b.rq_599"), 1);
    assert_false(is_there(f.stats, "a.b.rq_201"));
    assert_false(is_there(f.stats, "a.b.rq_unknown"));
    assert_false(is_there(f.stats, "a.b.rq"));
    teardown(&f);
}

TEST(codes_out_of_range_are_unknown)
{
    static const unsigned codes[] = {0, 99, 600, 999, UINT32_MAX};
    struct fixture f = setup();
    for (size_t i = 0; i < NU_ARRAY_LEN(codes); i++)
        nu_codes_inc(&f.worker->rq, codes[i]);
    assert_int_equal(value_of(f.stats, "a.b.rq_unknown"), NU_ARRAY_LEN(codes));
    teardown(&f);
}

TEST(reset_takes_counters_back_to_zero_and_keeps_them_used)
{
    struct fixture f = setup();
    nu_counter_add(&f.worker->rq_total, 7);
    nu_counter_inc(&f.worker->rare);
    nu_codes_inc(&f.worker->rq, 404);
    nu_gauge_set(&f.main->rq_active, 3);
    nu_stats_reset_counters(f.stats);
    assert_int_equal(value_of(f.stats, "a.b.rq_total"), 0);
    assert_int_equal(value_of(f.stats, "a.b.rare"), 0);
    assert_int_equal(value_of(f.stats, "a.b.rq_404"), 0);
    assert_int_equal(value_of(f.stats, "a.b.rq_4xx"), 0);
    assert_int_equal(value_of(f.stats, "a.b.rq_active"), 3);
    nu_counter_inc(&f.worker->rq_total);
    nu_codes_inc(&f.main->rq, 404);
    nu_codes_inc(&f.main->rq, 700);
    nu_stats_reset_counters(f.stats);
    nu_counter_add(&f.main->rq_total, 2);
    assert_int_equal(value_of(f.stats, "a.b.rq_total"), 2);
    assert_int_equal(value_of(f.stats, "a.b.rq_404"), 0);
    assert_int_equal(value_of(f.stats, "a.b.rq_unknown"), 0);
    teardown(&f);
}

TEST(the_same_table_and_prefix_is_the_same_set)
{
    struct fixture f = setup();
    struct nu_stat_set *again = nu_stat_set_create(f.stats, &test_stats_table, NU_STR("a.b"));
    assert_ptr_equal(again, f.set);
    nu_stat_set_destroy(&again);
    assert_null(again);
    nu_counter_inc(&f.main->rq_total);
    assert_int_equal(value_of(f.stats, "a.b.rq_total"), 1);
    teardown(&f);
}

TEST(a_set_that_is_gone_is_forgotten)
{
    struct fixture f = setup();
    nu_counter_inc(&f.worker->rq_total);
    nu_stat_set_destroy(&f.set);
    assert_false(is_there(f.stats, "a.b.rq_total"));
    f.set = nu_stat_set_create(f.stats, &test_stats_table, NU_STR("a.b"));
    assert_int_equal(value_of(f.stats, "a.b.rq_total"), 0);
    teardown(&f);
}

TEST(many_sets_come_and_go)
{
    enum { COUNT = 700 };
    static struct nu_stat_set *sets[COUNT];
    struct nu_stats *stats = nu_stats_create();
    for (unsigned i = 0; i < COUNT; i++) {
        char prefix[32];
        int len = snprintf(prefix, sizeof(prefix), "cluster.c%u", i * 7919 % COUNT);
        sets[i] = nu_stat_set_create(stats, &test_stats_table, nu_str_make(prefix, (size_t)len));
        struct test_stats *block = nu_stat_set_block(sets[i]);
        nu_counter_add(&block->rq_total, i * 7919 % COUNT);
    }
    for (unsigned i = 0; i < COUNT; i += 2)
        nu_stat_set_destroy(&sets[i]);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[48];
        snprintf(name, sizeof(name), "cluster.c%u.rq_total", i * 7919 % COUNT);
        assert_int_equal(is_there(stats, name), i % 2);
        if (i % 2)
            assert_int_equal(value_of(stats, name), i * 7919 % COUNT);
    }
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(a_set_may_have_no_prefix)
{
    struct nu_stats *stats = nu_stats_create();
    struct nu_stat_set *set = nu_stat_set_create(stats, &test_stats_table, NU_STR(""));
    struct test_stats *block = nu_stat_set_block(set);
    nu_counter_inc(&block->rq_total);
    assert_int_equal(value_of(stats, "rq_total"), 1);
    nu_stats_destroy(&stats);
}

TEST(a_private_set_is_not_found_by_name)
{
    struct nu_stats *stats = nu_stats_create();
    struct nu_stat_set *set = nu_stat_set_create_private(stats, &test_stats_table);
    struct test_stats *block = nu_stat_set_block(set);
    nu_counter_inc(&block->rq_total);
    assert_false(is_there(stats, "rq_total"));
    assert_int_equal(nu_stat_set_counter(set, offsetof(struct test_stats, rq_total)), 1);
    nu_stat_set_destroy(&set);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(names_are_sanitised_as_envoy_does)
{
    static const struct {
        const char *name, *sanitised;
    } cases[] = {
        {"plain", "plain"}, {".lead", ".lead"}, {"trail2..", "trail2"}, {"a://b", "a_b"},
        {"c:/d", "c_d"},    {"e::f", "e__f"},   {"g..h", "g..h"},       {"i:.", "i_"},
        {":j", "_j"},       {"k/l", "k/l"},     {"o:///p", "o_/p"},     {"", ""},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_strbuf out = {0};
        nu_stats_sanitize(&out, nu_str_from(cases[i].name));
        assert_str(nu_strbuf_str(&out), cases[i].sanitised);
        nu_strbuf_finish(&out);
    }
}

TEST_MAIN()
