/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster of one host, which is a scripted upstream, on the fake clock: what tests of exchanges
 * and pools start from.
 */
#ifndef NU_TESTS_HARNESS_ORIGIN_H
#define NU_TESTS_HARNESS_ORIGIN_H

#include "harness/exchange.h"
#include "harness/upstream.h"

struct fixture {
    struct cluster_fixture base;
    struct upstream upstream;
    struct nu_exchange_params params;
};

/* The cluster has one host, the upstream; its options may be changed before fixture_start. */
static inline void fixture_init(struct fixture *f, const char *script)
{
    nu_clock_fake_install(1000000, 1700000000000000);
    memset(f, 0, sizeof(*f));
    cluster_fixture_init(&f->base);
    upstream_init(&f->upstream, f->base.loop, script);
}

static inline void fixture_start(struct fixture *f)
{
    struct nu_host *host = cluster_host(&f->base, f->upstream.address, 1);
    cluster_fixture_start(&f->base, cluster_host_set(&host, 1));
    f->params = (struct nu_exchange_params){
        .cluster = cluster_local(&f->base),
        .timeout_ms = 15000,
        .timeout_status = 504,
    };
}

static inline void fixture_finish(struct fixture *f)
{
    upstream_finish(&f->upstream);
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

/* Waits until the statistic has the value. */
struct stat_wait {
    const struct cluster_fixture *f;
    const char *name;
    uint64_t value;
};

static inline bool has_value(void *arg)
{
    const struct stat_wait *wait = arg;
    return cluster_stat(wait->f, wait->name) == wait->value;
}

static inline void wait_stat(struct fixture *f, const char *name, uint64_t value)
{
    struct stat_wait wait = {&f->base, name, value};
    if (!harness_wait(f->base.loop, has_value, &wait))
        fail_msg("%s is %lu, not %lu", name, (unsigned long)cluster_stat(&f->base, name),
                 (unsigned long)value);
}

/* "a=1 b=2": each statistic has its value, once the loop is done with the rest. */
static inline void assert_stats(struct fixture *f, const char *expected)
{
    struct nu_str rest = nu_str_from(expected);
    while (rest.len) {
        struct nu_str item = nu_str_split(&rest, ' ');
        struct nu_str name = nu_str_split(&item, '=');
        uint64_t value;
        char text[64];
        assert_int_equal(nu_str_to_u64(item, &value), NU_OK);
        snprintf(text, sizeof(text), "%.*s", NU_STR_ARG(name));
        wait_stat(f, text, value);
    }
}

#endif
