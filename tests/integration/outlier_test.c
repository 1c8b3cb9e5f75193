/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exchanges and TCP sessions make of their hosts: which results outlier detection is told in
 * every way that they can end, and what becomes of the connections to a host that is put aside.
 */
#include "harness/origin.h"

#include "upstream/outlier/outlier.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

static void watch(struct fixture *f, bool splits_origins)
{
    struct nu_outlier_config config;
    nu_outlier_config_init(&config);
    config.splits_origins = splits_origins;
    config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 100;
    config.values[NU_OUTLIER_CONSECUTIVE_5XX] = 2;
    nu_outlier_create(f->base.cluster, f->base.loop, &config, NULL);
}

static const struct nu_host_outlier *outlier_of(const struct fixture *f)
{
    return f->params.cluster->hosts->hosts[0]->outlier;
}

/* "3 good, 1 bad; here 2 good, 0 bad": results of both origins. */
static struct nu_str results(const struct fixture *f, char text[64])
{
    const struct nu_outlier_counts *counts = outlier_of(f)->counts;
    int len = snprintf(text, 64, "%u good, %u bad; here %u good, %u bad",
                       (unsigned)counts[NU_OUTLIER_EXTERNAL].successes,
                       (unsigned)counts[NU_OUTLIER_EXTERNAL].failures,
                       (unsigned)counts[NU_OUTLIER_LOCAL].successes,
                       (unsigned)counts[NU_OUTLIER_LOCAL].failures);
    return nu_str_make(text, (size_t)len);
}

struct end_case {
    const char *name;
    const char *script; /* NULL: nobody listens */
    const char *content_type;
    const char *events;
    const char *split, *joined;
};

#define GRPC "application/grpc"
#define GRPC_HEAD(headers) "> HTTP/1.1 200 OK\r\n" headers "\r\n"

static const struct end_case end_cases[] = {
    {"200", HEAD_END OK_2, NULL, "200 [ok] end", "1 good, 0 bad; here 1 good, 0 bad",
     "1 good, 0 bad; here 0 good, 0 bad"},
    {"404", HEAD_END "> HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n", NULL, "404 end",
     "1 good, 0 bad; here 1 good, 0 bad", "1 good, 0 bad; here 0 good, 0 bad"},
    {"500", HEAD_END "> HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n", NULL, "500 end",
     "0 good, 1 bad; here 1 good, 0 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"100 is no answer", HEAD_END "> HTTP/1.1 103 x\r\n\r\n | " OK_2, NULL, "103 200 [ok] end",
     "1 good, 0 bad; here 1 good, 0 bad", "1 good, 0 bad; here 0 good, 0 bad"},
    {"refused", NULL, NULL,
     "failed: remote connection failure, delayed connect error: Connection refused",
     "0 good, 0 bad; here 0 good, 1 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"closed before the head", HEAD_END "close", NULL, "failed: connection termination",
     "0 good, 0 bad; here 1 good, 1 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"garbage", HEAD_END "> nonsense\r\n\r\n", NULL, "failed: protocol error",
     "0 good, 0 bad; here 1 good, 1 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"closed in the body", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab | close",
     NULL, "200 [ab] failed: protocol error (late)", "1 good, 0 bad; here 1 good, 1 bad",
     "1 good, 1 bad; here 0 good, 0 bad"},
    {"gRPC status of the headers", HEAD_END GRPC_HEAD("grpc-status: 14\r\ncontent-length: 0\r\n"),
     GRPC, "200 end", "0 good, 1 bad; here 1 good, 0 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"gRPC status that is none", HEAD_END GRPC_HEAD("grpc-status: x\r\ncontent-length: 0\r\n"),
     GRPC, "200 end", "0 good, 1 bad; here 1 good, 0 bad", "0 good, 1 bad; here 0 good, 0 bad"},
    {"gRPC status 5 stands for 404", HEAD_END GRPC_HEAD("grpc-status: 5\r\ncontent-length: 0\r\n"),
     GRPC, "200 end", "1 good, 0 bad; here 1 good, 0 bad", "1 good, 0 bad; here 0 good, 0 bad"},
    {"gRPC status of another request",
     HEAD_END GRPC_HEAD("grpc-status: 14\r\ncontent-length: 0\r\n"), "application/json", "200 end",
     "1 good, 0 bad; here 1 good, 0 bad", "1 good, 0 bad; here 0 good, 0 bad"},
};

static void run_end_case(const struct end_case *c, bool split)
{
    struct fixture f;
    struct exchange_client client;
    char text[64];
    print_message("  %s%s\n", c->name, split ? ", split" : "");
    fixture_init(&f, c->script ? c->script : "");
    if (!c->script)
        upstream_refuse(&f.upstream);
    watch(&f, split);
    fixture_start(&f);
    exchange_prepare(&client, "GET");
    if (c->content_type)
        nu_headers_add(&client.headers, NU_STR("content-type"), nu_str_from(c->content_type));
    exchange_begin(&client, &f.params, true);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), c->events);
    assert_str(results(&f, text), split ? c->split : c->joined);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(every_end_of_an_exchange_is_a_result)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(end_cases); i++) {
        run_end_case(&end_cases[i], true);
        run_end_case(&end_cases[i], false);
    }
}

/* The request is at the upstream, which keeps it waiting; then the time is up. */
static void time_out(struct fixture *f, bool split, uint32_t status)
{
    struct exchange_client client;
    fixture_init(f, HEAD_END "pause");
    watch(f, split);
    fixture_start(f);
    f->params.timeout_status = status;
    exchange_start(&client, &f->params, "GET", true);
    wait_stat(f, "upstream_rq_active", 1);
    harness_advance(f->base.loop, 15000);
    assert_str(nu_strbuf_str(&client.events), "failed: timeout");
    exchange_finish(&client);
}

TEST(timeout_is_a_failure_on_our_side)
{
    struct fixture f;
    char text[64];
    time_out(&f, true, 504);
    assert_str(results(&f, text), "0 good, 0 bad; here 1 good, 1 bad");
    fixture_finish(&f);
}

TEST(timeout_counts_as_what_it_is_answered_with)
{
    struct fixture f;
    char text[64];
    time_out(&f, false, 504);
    assert_str(results(&f, text), "0 good, 1 bad; here 0 good, 0 bad");
    fixture_finish(&f);
    time_out(&f, false, 204);
    assert_str(results(&f, text), "1 good, 0 bad; here 0 good, 0 bad");
    fixture_finish(&f);
}

TEST(exchange_that_is_given_up_is_no_result)
{
    struct fixture f;
    struct exchange_client client;
    char text[64];
    fixture_init(&f, HEAD_END "pause");
    watch(&f, true);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_stat(&f, "upstream_rq_active", 1);
    exchange_finish(&client);
    assert_str(results(&f, text), "0 good, 0 bad; here 1 good, 0 bad");
    fixture_finish(&f);
}

TEST(what_a_breaker_refuses_is_no_result)
{
    struct fixture f;
    struct exchange_client client;
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    char text[64];
    fixture_init(&f, "");
    limits.max[NU_BREAKER_PENDING] = 0;
    nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
    watch(&f, true);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    assert_str(nu_strbuf_str(&client.events), "failed: overflow");
    assert_str(results(&f, text), "0 good, 0 bad; here 0 good, 0 bad");
    exchange_finish(&client);
    fixture_finish(&f);
}

/* --- The host is put aside -------------------------------------------------------------------- */

static void expect_one(struct fixture *f, const char *events)
{
    struct exchange_client client;
    exchange_start(&client, &f->params, "GET", true);
    assert_true(exchange_wait(f->base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), events);
    exchange_finish(&client);
}

#define BAD "> HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n"

TEST(host_that_is_put_aside_loses_its_idle_connections)
{
    struct fixture f;
    fixture_init(&f, HEAD_END BAD " | again");
    watch(&f, false);
    fixture_start(&f);
    expect_one(&f, "500 end");
    assert_stats(&f, "upstream_cx_active=1");
    expect_one(&f, "500 end");
    assert_stats(&f, "outlier_detection.ejections_active=1 upstream_cx_active=0 "
                     "upstream_cx_destroy_local=1 membership_healthy=0");
    /* It is the only one, so there is panic: what it gets now is kept. */
    expect_one(&f, "500 end");
    assert_stats(&f, "lb_healthy_panic=1 upstream_cx_active=1 upstream_cx_total=2");
    fixture_finish(&f);
}

static bool is_paused(void *arg)
{
    const struct upstream *upstream = arg;
    return upstream->count && upstream->connections[0]->paused;
}

TEST(request_at_work_outlives_its_host_being_put_aside)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "pause | " OK_2 " | again");
    watch(&f, false);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    assert_true(harness_wait(f.base.loop, is_paused, &f.upstream));
    for (int i = 0; i < 2; i++)
        nu_outlier_report(f.params.cluster->hosts->hosts[0]->outlier, NU_OUTLIER_FAILED, 0, NULL);
    assert_stats(&f, "outlier_detection.ejections_active=1 membership_healthy=0");
    nu_loop_run_once(f.base.loop);
    assert_stats(&f, "upstream_cx_active=1");
    upstream_resume(&f.upstream);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_destroy_local=1");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST_MAIN()
