/* SPDX-License-Identifier: Apache-2.0 */
/* Weights by what hosts report of their load. */
#include "harness/cluster.h"

#include "base/clock.h"
#include "http/headers.h"
#include "upstream/lb/load_report.h"
#include "upstream/lb/reported_weights.h"

/* --- Reports ---------------------------------------------------------------------------------- */

#define NOTHING UINT32_MAX

struct report_case {
    const char *header; /* "name: value" */
    const char *metric; /* that is asked for; NULL: none */
    double penalty;
    uint32_t weight; /* NOTHING: it says none */
};

#define METRICS "endpoint-load-metrics: "

static const struct report_case report_cases[] = {
    {METRICS "TEXT rps_fractional=1000,cpu_utilization=0.5", NULL, 0, 2000},
    {METRICS "TEXT rps_fractional:1000 , cpu_utilization: 0.5,", NULL, 0, 2000},
    {METRICS "TEXT rps_fractional=1e3,cpu_utilization=.5", NULL, 0, 2000},
    {METRICS "TEXT rps_fractional=100,eps=50,cpu_utilization=0.5", NULL, 2, 66},
    {METRICS "TEXT rps_fractional=100,eps=50", NULL, 1, 200},
    {METRICS "TEXT rps_fractional=100,eps=50", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,application_utilization=2,cpu_utilization=1", NULL, 0, 5},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,named_metrics.a=5", "named_metrics.a", 0, 2},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,named_metrics.b=5", "named_metrics.a", 0,
     10},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,named_metrics.b=5", "named_metrics.*", 0, 2},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,utilization.b=5", "named_metrics.*", 0, 10},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,mem_utilization=5", "mem_utilization", 0, 2},
    {METRICS "TEXT rps_fractional=0.1,cpu_utilization=1", NULL, 0, 0},
    {METRICS "TEXT rps_fractional=4294967294,cpu_utilization=1", NULL, 0, UINT32_MAX - 1},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,named_metrics.=5", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,foo=5", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1,eps=1,eps=1", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=0x1", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=1 2", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=inf", NULL, 0, NOTHING},
    {METRICS "TEXT rps_fractional=10,cpu_utilization=-1,application_utilization=1", NULL, 0,
     NOTHING},
    {METRICS "TEXT cpu_utilization=1", NULL, 0, NOTHING},
    {METRICS "JSON {\"rps_fractional\": 10, \"cpuUtilization\": \"2\"}", NULL, 0, 5},
    {METRICS "JSON {\"rpsFractional\": 10, \"utilization\": {\"a\": 2}}", "utilization.a", 0, 5},
    {METRICS "JSON {\"rpsFractional\": 10, \"cpu_utilization\": \"NaN\"}", NULL, 0, NOTHING},
    {METRICS "JSON {\"rps_fractional\": 10, \"cpu\": 2}", NULL, 0, NOTHING},
    {METRICS "JSON ", NULL, 0, NOTHING},
    {METRICS "BIN CQAAAAAAAOA/MQAAAAAAwHJA", NULL, 0, 600},
    {"endpoint-load-metrics-bin: CQAAAAAAAOA/MQAAAAAAwHJA", NULL, 0, 600},
    {"endpoint-load-metrics-bin: CQAAAAAAAOA_MQAAAAAAwHJA", NULL, 0, NOTHING},
    {"endpoint-load-metrics-bin: CQAAAAAAAOA/MQAAAAAAwHJ", NULL, 0, NOTHING},
    {"endpoint-load-metrics-bin: A", NULL, 0, NOTHING},
    {"endpoint-load-metrics-bin: ", NULL, 0, NOTHING},
    {METRICS "text rps_fractional=1000,cpu_utilization=0.5", NULL, 0, NOTHING},
    {METRICS "rps_fractional=1000,cpu_utilization=0.5", NULL, 0, NOTHING},
    {"x: y", NULL, 0, NOTHING},
};

static uint32_t weigh(const struct report_case *c)
{
    struct nu_arena arena;
    struct nu_headers headers;
    uint32_t weight = 0;
    const char *colon = strstr(c->header, ": ");
    struct nu_str asked = nu_str_from(c->metric ? c->metric : "");
    const struct nu_load_metrics metrics = {&asked, c->metric ? 1 : 0, c->penalty};
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 4);
    nu_headers_add(&headers, nu_str_make(c->header, (size_t)(colon - c->header)),
                   nu_str_from(colon + 2));
    bool found = nu_load_report_weight(&headers, &metrics, &arena, &weight);
    nu_arena_finish(&arena);
    return found ? weight : NOTHING;
}

TEST(report_gives_a_weight_or_says_nothing)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(report_cases); i++) {
        uint32_t weight = weigh(&report_cases[i]);
        if (weight != report_cases[i].weight)
            fail_msg("%s: %u, not %u", report_cases[i].header, weight, report_cases[i].weight);
    }
}

/* --- Weights ---------------------------------------------------------------------------------- */

enum { HOSTS = 4, SECOND_US = 1000000 };

struct fixture {
    struct cluster_fixture base;
    struct nu_host *hosts[HOSTS];
};

static void fixture_init(struct fixture *f)
{
    static const struct nu_reported_settings settings = {
        .blackout_ms = 10000, .expiration_ms = 60000, .period_ms = 1000};
    nu_clock_fake_install(SECOND_US, SECOND_US);
    cluster_fixture_init(&f->base);
    nu_reported_weights_create(f->base.cluster, f->base.loop, &settings);
    for (uint32_t i = 0; i < HOSTS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "1.0.0.%u:80", i + 1);
        f->hosts[i] = cluster_host(&f->base, address, 7);
    }
    cluster_fixture_start(&f->base, nu_host_set_create(f->hosts, HOSTS));
}

static void fixture_finish(struct fixture *f)
{
    for (uint32_t i = 0; i < HOSTS; i++)
        nu_host_unref(f->hosts[i]);
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

static void report(struct fixture *f, uint32_t host, uint32_t weight)
{
    nu_host_report_note(nu_host_report(f->hosts[host]), weight, nu_clock_monotonic_us());
}

static void assert_weights(const struct fixture *f, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t wanted[HOSTS] = {a, b, c, d};
    for (uint32_t i = 0; i < HOSTS; i++)
        assert_int_equal(nu_host_weight(f->hosts[i]), wanted[i]);
}

TEST(weights_hold_after_the_blackout_and_until_they_expire)
{
    struct fixture f;
    fixture_init(&f);
    assert_weights(&f, 7, 7, 7, 7);
    report(&f, 0, 100);
    report(&f, 1, 300);
    report(&f, 2, 200);
    harness_advance(f.base.loop, 1000);
    assert_weights(&f, 1, 1, 1, 1);
    for (int i = 0; i < 9; i++)
        harness_advance(f.base.loop, 1000);
    assert_weights(&f, 100, 300, 200, 200); /* the last has not reported: it gets the median */
    for (int i = 0; i < 40; i++)
        harness_advance(f.base.loop, 1000);
    report(&f, 1, 0);
    for (int i = 0; i < 11; i++)
        harness_advance(f.base.loop, 1000);
    assert_weights(&f, 1, 1, 1, 1); /* the only one that holds is 0, and no weight is */
    report(&f, 0, 50);
    harness_advance(f.base.loop, 1000);
    assert_weights(&f, 1, 1, 1, 1); /* the blackout begins anew */
    for (int i = 0; i < 10; i++)
        harness_advance(f.base.loop, 1000);
    assert_weights(&f, 50, 1, 50, 50);
    fixture_finish(&f);
}

TEST(workers_hear_of_weights_that_changed)
{
    struct fixture f;
    fixture_init(&f);
    const struct nu_host_set *before = cluster_local(&f.base)->hosts;
    harness_advance(f.base.loop, 1000); /* all from 7 to 1 */
    const struct nu_host_set *after = cluster_local(&f.base)->hosts;
    assert_true(after != before);
    report(&f, 0, 1);
    for (int i = 0; i < 20; i++)
        harness_advance(f.base.loop, 1000);
    assert_ptr_equal(cluster_local(&f.base)->hosts, after); /* nothing changed */
    assert_int_equal(cluster_stat(&f.base, "membership_change"), 1);
    fixture_finish(&f);
}

TEST(requests_follow_the_weights)
{
    static const struct nu_lb_context nothing;
    struct fixture f;
    unsigned chosen[HOSTS] = {0};
    fixture_init(&f);
    for (uint32_t i = 0; i < HOSTS; i++)
        report(&f, i, i + 1);
    for (int i = 0; i < 10; i++)
        harness_advance(f.base.loop, 1000);
    for (int i = 0; i < 1000; i++)
        chosen[nu_lb_choose(cluster_local(&f.base)->lb, &nothing)]++;
    for (uint32_t i = 0; i < HOSTS; i++)
        assert_in_range(chosen[i], 100 * (i + 1) - 1, 100 * (i + 1) + 1);
    fixture_finish(&f);
}

TEST_MAIN()
