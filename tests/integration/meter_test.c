/* SPDX-License-Identifier: Apache-2.0 */
/* What track_cluster_stats asks for, over real sockets and on the fake clock. */
#include "client/retry.h"
#include "harness/origin.h"
#include "stats/render.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

static const struct nu_retry_policy policy = {0};

/* One exchange with the script; the time passes while the upstream waits. */
static void exchange_for(struct fixture *f, const char *script, uint64_t ms,
                         const struct nu_retry_rules *rules)
{
    struct exchange_client client;
    fixture_init(f, script);
    nu_cluster_track(f->base.cluster, true, true);
    fixture_start(f);
    f->params.timeout_ms = 1000;
    f->params.retry = rules;
    exchange_start(&client, &f->params, "GET", true);
    wait_stat(f, "upstream_rq_active", 1);
    harness_advance(f->base.loop, ms);
    upstream_resume(&f->upstream);
    assert_true(exchange_wait(f->base.loop, &client));
    exchange_finish(&client);
}

/* The line of a histogram in /stats; the caller's to free. */
static struct nu_strbuf print_histogram(struct fixture *f, const char *name)
{
    struct nu_stats_options options = {0};
    struct nu_strbuf out = {0};
    char filter[128];
    snprintf(filter, sizeof(filter), "cluster.c.%s$", name);
    assert_int_equal(nu_stats_options_set(&options, NU_STR("filter"), nu_str_from(filter), &out),
                     NU_OK);
    nu_stats_flush(f->base.stats);
    struct nu_stats_render *render = nu_stats_render_create(f->base.stats, &options);
    while (nu_stats_render_next(render, &out, 1 << 16))
        ;
    nu_stats_render_destroy(&render);
    return out;
}

/* What the only sample of a histogram was, by its bin; below 0: there is none. */
static void assert_sample(struct fixture *f, const char *name, int expected)
{
    struct nu_strbuf out = print_histogram(f, name);
    const char *least = strstr(out.data, "P0(");
    double sample = -1;
    if (least)
        assert_int_equal(sscanf(least, "P0(%*[^,],%lf)", &sample), 1);
    if ((int)sample != expected)
        fail_msg("not %d: %.*s", expected, (int)out.len, out.data);
    nu_strbuf_finish(&out);
}

#define BUDGET "upstream_rq_timeout_budget_percent_used"
#define TRY_BUDGET "upstream_rq_timeout_budget_per_try_percent_used"

TEST(a_response_takes_its_part_of_both_timeouts)
{
    struct fixture f;
    static const struct nu_retry_rules rules = {.policy = &policy, .per_try_timeout_ms = 500};
    exchange_for(&f, HEAD_END "pause | " OK_2, 250, &rules);
    assert_sample(&f, BUDGET, 25);
    assert_sample(&f, TRY_BUDGET, 50);
    fixture_finish(&f);
}

TEST(the_time_over_all_is_not_the_trys)
{
    struct fixture f;
    exchange_for(&f, HEAD_END "pause", 1000, NULL);
    assert_sample(&f, BUDGET, 100);
    assert_sample(&f, TRY_BUDGET, -1);
    fixture_finish(&f);
}

TEST(a_try_that_takes_too_long_ends_both)
{
    struct fixture f;
    static const struct nu_retry_rules rules = {.policy = &policy, .per_try_timeout_ms = 500};
    exchange_for(&f, HEAD_END "pause", 500, &rules);
    assert_sample(&f, BUDGET, 50);
    assert_sample(&f, TRY_BUDGET, 100);
    fixture_finish(&f);
}

TEST(a_broken_response_has_no_budget_of_the_request)
{
    struct fixture f;
    exchange_for(&f, HEAD_END "pause | close", 250, NULL);
    assert_sample(&f, BUDGET, -1);
    assert_sample(&f, TRY_BUDGET, 0);
    fixture_finish(&f);
}

TEST(sizes_are_those_of_names_values_and_bodies)
{
    struct fixture f;
    exchange_for(&f, HEAD_END "pause | " OK_2, 1, NULL);
    /* :method GET, :path /, :scheme http, :authority a */
    assert_sample(&f, "upstream_rq_headers_size", 38);
    assert_sample(&f, "upstream_rq_headers_count", 4);
    assert_sample(&f, "upstream_rq_body_size", 0);
    /* :status 200, content-length 2 */
    assert_sample(&f, "upstream_rs_headers_size", 25);
    assert_sample(&f, "upstream_rs_headers_count", 2);
    assert_sample(&f, "upstream_rs_body_size", 2);
    fixture_finish(&f);
}

TEST(without_a_response_there_are_no_sizes_of_one)
{
    struct fixture f;
    exchange_for(&f, HEAD_END "pause | close", 1, NULL);
    assert_sample(&f, "upstream_rq_headers_count", 4);
    assert_sample(&f, "upstream_rs_headers_count", -1);
    assert_sample(&f, "upstream_rs_body_size", -1);
    fixture_finish(&f);
}

TEST_MAIN()
