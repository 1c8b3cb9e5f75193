/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that count while the main thread renders, flushes and resets; for the thread
 * sanitizer. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WORKERS = 3, TURNS = 25, SETS = 5 };

struct worker {
    pthread_t thread;
    unsigned index;
    struct nu_stat_set **sets;
    _Atomic bool *is_over;
    unsigned rounds;
};

static void count(struct sample_stats *block, unsigned round)
{
    nu_counter_inc(&block->ant_total);
    nu_counter_add(&block->zebra_total, 2);
    nu_gauge_add(&block->cx_active, round % 2 ? -1 : 1);
    nu_codes_inc(&block->upstream_rq, 100 + round % 600);
    nu_histogram_record(&block->size, round * 3);
    nu_histogram_record(&block->rare_time, round % 7);
    if (round > 500)
        nu_counter_inc(&block->rare);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    nu_thread_enter(worker->index, "worker");
    struct sample_stats *blocks[SETS] = {0};
    while (worker->rounds % 32 || worker->rounds < 1000 || !atomic_load(worker->is_over)) {
        unsigned round = worker->rounds++;
        unsigned set = round / 32 % SETS;
        if (!blocks[set])
            blocks[set] = nu_stat_set_block(worker->sets[set]);
        count(blocks[set], round);
    }
    nu_thread_leave();
    return NULL;
}

static void read_all(struct nu_stats *stats, unsigned turn)
{
    static const char *const queries[] = {"", "format=json", "format=prometheus", "usedonly",
                                          "format=prometheus&usedonly&text_readouts"};
    nu_stats_flush(stats);
    nu_free(render_sliced(stats, queries[turn % NU_ARRAY_LEN(queries)], 5000));
}

static uint64_t total(struct nu_stats *stats, const char *name)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SETS; i++) {
        char full[32];
        snprintf(full, sizeof(full), "cluster.c%u.%s", i, name);
        uint64_t value = 0;
        assert_true(nu_stats_value(stats, nu_str_from(full), &value));
        sum += value;
    }
    return sum;
}

static void start_workers(struct worker *workers, struct nu_stat_set **sets, _Atomic bool *is_over)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.index = i + 1, .sets = sets, .is_over = is_over};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

/* Returns how many rounds all workers did. */
static uint64_t join_workers(struct worker *workers)
{
    uint64_t rounds = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        rounds += workers[i].rounds;
    }
    return rounds;
}

static void make_sets(struct nu_stats *stats, struct nu_stat_set **sets)
{
    for (unsigned i = 0; i < SETS; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "cluster.c%u", i);
        sets[i] = nu_stat_set_create(stats, &sample_stats_table, nu_str_from(prefix));
    }
}

static void run(bool with_resets)
{
    struct nu_stats *stats = nu_stats_create();
    struct nu_stat_set *sets[SETS];
    struct worker workers[WORKERS];
    _Atomic bool is_over = false;
    make_sets(stats, sets);
    start_workers(workers, sets, &is_over);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        read_all(stats, turn);
        if (with_resets)
            nu_stats_reset_counters(stats);
        struct nu_stat_set *other = nu_stat_set_create(stats, &sample_stats_table, NU_STR("a.b"));
        nu_stat_set_destroy(&other);
    }
    atomic_store(&is_over, true);
    uint64_t rounds = join_workers(workers);
    if (with_resets)
        nu_stats_reset_counters(stats);
    assert_int_equal(total(stats, "ant_total"), with_resets ? 0 : rounds);
    assert_int_equal(total(stats, "zebra_total"), with_resets ? 0 : 2 * rounds);
    assert_int_equal(total(stats, "cx_active"), 0);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(nothing_is_lost_while_others_read)
{
    run(false);
}

TEST(counters_may_be_reset_while_others_count)
{
    run(true);
}

TEST_MAIN()
