/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster whose outlier detection is tested: hosts 10.0.0.1 and following, results reported as
 * workers do, the fake clock.
 */
#ifndef NU_TESTS_HARNESS_OUTLIER_H
#define NU_TESTS_HARNESS_OUTLIER_H

#include "base/clock.h"
#include "base/random.h"
#include "harness/cluster.h"
#include "harness/config.h"
#include "runtime/runtime.h"
#include "upstream/outlier/outlier_internal.h"

enum { HOSTS_MAX = 16 };

struct fixture {
    struct cluster_fixture base;
    struct nu_outlier_config config;
    struct nu_host *hosts[HOSTS_MAX]; /* borrowed: the set's */
    uint32_t count;
    struct config_fixture runtime_text;
    struct nu_runtime *runtime;
};

/* Of `count` hosts any number may be aside. The test changes f->config, then calls start. */
static inline void setup(struct fixture *f, uint32_t count)
{
    memset(f, 0, sizeof(*f));
    nu_clock_fake_install(1000000000, 1700000000000000);
    nu_random_seed(1);
    cluster_fixture_init(&f->base);
    nu_outlier_config_init(&f->config);
    f->config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 100;
    f->count = count;
}

static inline void start(struct fixture *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.0.0.%u:80", i + 1);
        f->hosts[i] = cluster_host(&f->base, address, 1);
    }
    nu_outlier_create(f->base.cluster, f->base.loop, &f->config, NULL);
    struct nu_host *hosts[HOSTS_MAX];
    memcpy(hosts, f->hosts, sizeof(hosts));
    cluster_fixture_start(&f->base, cluster_host_set(hosts, f->count));
}

static inline void setup_and_start(struct fixture *f, uint32_t count)
{
    setup(f, count);
    start(f);
}

static inline void finish(struct fixture *f)
{
    if (f->runtime) {
        nu_runtime_unref(&f->runtime);
        config_close(&f->runtime_text);
    }
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

/* Settings of the runtime, as a flow mapping; the thread's and the main thread's. */
static inline void set_runtime(struct fixture *f, const char *values)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "layers: [{name: a, static_layer: {%s}}]", values);
    config_open(&f->runtime_text);
    const void *proto =
        config_yaml(&f->runtime_text, "envoy.config.bootstrap.v3.LayeredRuntime", yaml);
    f->runtime = nu_runtime_from_proto(proto, &f->runtime_text.ctx);
    f->base.loop->runtime = f->runtime;
}

static inline void report(struct fixture *f, uint32_t host, enum nu_outlier_result result,
                          uint32_t status)
{
    nu_outlier_report(f->hosts[host]->outlier, result, status, f->runtime);
}

/* So many answers of a status, and what the main thread makes of them. */
static inline void answer(struct fixture *f, uint32_t host, unsigned count, uint32_t status)
{
    for (unsigned i = 0; i < count; i++)
        report(f, host, NU_OUTLIER_ANSWERED, status);
    nu_loop_run_once(f->base.loop);
}

static inline void meet(struct fixture *f, uint32_t host, unsigned count,
                        enum nu_outlier_result result)
{
    for (unsigned i = 0; i < count; i++)
        report(f, host, result, 0);
    nu_loop_run_once(f->base.loop);
}

static inline bool is_aside(const struct fixture *f, uint32_t host)
{
    return nu_host_has_flag(f->hosts[host], NU_HOST_FAILED_OUTLIER_CHECK);
}

static inline void pass(struct fixture *f, uint64_t ms)
{
    harness_advance(f->base.loop, ms);
}

static inline uint64_t stat(const struct fixture *f, const char *name)
{
    char full[96];
    snprintf(full, sizeof(full), "outlier_detection.ejections_%s", name);
    return cluster_stat(&f->base, full);
}

static inline struct nu_outlier_rates rates(const struct fixture *f)
{
    return nu_outlier_rates(f->base.cluster->outlier, NU_OUTLIER_EXTERNAL);
}

static inline double rate(const struct fixture *f, uint32_t host)
{
    return nu_host_outlier_rate(f->hosts[host], NU_OUTLIER_EXTERNAL);
}

/* Passes intervals of 10 s until the host is back, and returns their number. */
static inline unsigned intervals_aside(struct fixture *f, uint32_t host)
{
    unsigned count = 0;
    while (is_aside(f, host) && count < 1000) {
        pass(f, 10000);
        count++;
    }
    return count;
}

#endif
