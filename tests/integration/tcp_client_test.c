/* SPDX-License-Identifier: Apache-2.0 */
/* Connections for TCP sessions: connecting, failing, giving up, and what is counted then. */
#include "harness/cluster.h"
#include "harness/test.h"
#include "harness/upstream.h"
#include "upstream/cluster_build.h"
#include "upstream/pool/tcp_client.h"

struct user {
    struct nu_strbuf received;
    enum nu_reset_reason failure;
    struct nu_str failure_text;
    char text[160];
    unsigned connected;
    unsigned failed;
    unsigned closed;
    bool is_connected;
    bool has_failed;
    bool ended;
};

struct fixture {
    struct cluster_fixture cluster;
    struct upstream upstream;
    struct user user;
    struct user others[2];
};

static void on_connected(struct nu_tcp_client *client)
{
    struct user *user = client->owner;
    user->connected++;
    user->is_connected = true;
}

static void on_failed(struct nu_tcp_client *client, enum nu_reset_reason reason, struct nu_str text)
{
    struct user *user = client->owner;
    user->failed++;
    user->has_failed = true;
    user->failure = reason;
    if (text.len)
        memcpy(user->text, text.ptr, text.len);
    user->failure_text = nu_str_make(user->text, text.len);
}

static void on_data(struct nu_tcp_client *client)
{
    struct user *user = client->owner;
    char bytes[256];
    size_t n = nu_buf_copy_out(&client->conn.in, 0, bytes, sizeof(bytes));
    nu_strbuf_add(&user->received, nu_str_make(bytes, n));
    nu_buf_clear(&client->conn.in);
    user->ended = client->conn.read_eof;
}

static void on_water(struct nu_tcp_client *client)
{
    (void)client;
}

static void on_closed(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    struct user *user = client->owner;
    (void)reason;
    user->closed++;
}

static const struct nu_tcp_client_ops ops = {
    .on_connected = on_connected,
    .on_failed = on_failed,
    .on_data = on_data,
    .on_above_high = on_water,
    .on_below_low = on_water,
    .on_closed = on_closed,
};

static void setup(struct fixture *f, const char *script)
{
    memset(f, 0, sizeof(*f));
    cluster_fixture_init(&f->cluster);
    upstream_init(&f->upstream, f->cluster.loop, script);
}

static void start(struct fixture *f, const char *address)
{
    struct nu_host *host = address ? cluster_host(&f->cluster, address, 1) : NULL;
    cluster_fixture_start(&f->cluster, cluster_host_set(&host, address ? 1 : 0));
}

static struct nu_tcp_client *open_for(struct fixture *f, struct user *user, bool *overflow)
{
    struct nu_lb_context context = {0};
    return nu_tcp_client_open(cluster_local(&f->cluster), &context, NULL, &ops, user, overflow);
}

static struct nu_tcp_client *open_client(struct fixture *f, bool *overflow)
{
    return open_for(f, &f->user, overflow);
}

static void teardown(struct fixture *f)
{
    upstream_finish(&f->upstream);
    nu_strbuf_finish(&f->user.received);
    cluster_fixture_finish(&f->cluster);
}

TEST(bytes_pass_and_are_counted)
{
    struct fixture f;
    bool overflow;
    setup(&f, "< ping | > pong | shut");
    start(&f, f.upstream.address);
    struct nu_tcp_client *client = open_client(&f, &overflow);
    assert_non_null(client);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 1);
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.is_connected));
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 0);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_active"), 1);
    nu_buf_append(&client->conn.out, NU_STR("ping"));
    nu_connection_write(&client->conn);
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.ended));
    assert_int_equal(f.user.received.len, 4);
    nu_tcp_client_close(client, NU_CLOSE_NOW);
    assert_int_equal(f.user.closed, 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_rx_bytes_total"), 4);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_tx_bytes_total"), 4);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_active"), 0);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_active"), 0);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_destroy_local_with_active_rq"), 1);
    teardown(&f);
}

TEST(a_host_that_refuses_is_a_failure)
{
    struct fixture f;
    bool overflow;
    setup(&f, "");
    upstream_refuse(&f.upstream);
    start(&f, f.upstream.address);
    assert_non_null(open_client(&f, &overflow));
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.has_failed));
    assert_int_equal(f.user.failure, NU_RESET_REMOTE_CONNECTION_FAILURE);
    assert_true(
        nu_str_eq(f.user.failure_text, NU_STR("delayed connect error: Connection refused")));
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_connect_fail"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_failure_eject"), 1);
    assert_int_equal(f.user.closed, 0);
    teardown(&f);
}

TEST(a_client_that_is_given_up_is_no_failure)
{
    struct fixture f;
    bool overflow;
    setup(&f, "");
    start(&f, f.upstream.address);
    nu_tcp_client_close(open_client(&f, &overflow), NU_CLOSE_NOW);
    assert_int_equal(f.user.failed + f.user.closed + f.user.connected, 0);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_cancelled"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_connect_fail"), 0);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_active"), 0);
    teardown(&f);
}

TEST(without_a_host_there_is_no_client)
{
    struct fixture f;
    bool overflow;
    setup(&f, "");
    start(&f, NULL);
    assert_null(open_client(&f, &overflow));
    assert_false(overflow);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_none_healthy"), 1);
    teardown(&f);
}

TEST(the_breakers_bound_who_waits_and_who_is_connected)
{
    struct fixture f;
    bool overflow;
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.max[NU_BREAKER_PENDING] = 1;
    limits.max[NU_BREAKER_CONNECTIONS] = 1;
    setup(&f, "");
    nu_cluster_set_limits(f.cluster.cluster, NU_PRIORITY_DEFAULT, &limits);
    start(&f, f.upstream.address);
    assert_true(nu_tcp_client_allowed(cluster_local(&f.cluster)));
    assert_non_null(open_client(&f, &overflow));
    assert_false(nu_tcp_client_allowed(cluster_local(&f.cluster)));
    assert_null(open_client(&f, &overflow));
    assert_true(overflow);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_overflow"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_overflow"), 1);
    teardown(&f);
}

/* A host that may have one connection. */
static void start_limited(struct fixture *f)
{
    f->cluster.cluster->breakers[NU_PRIORITY_DEFAULT].max_host_connections = 1;
    start(f, f->upstream.address);
}

TEST(over_the_limit_of_the_host_clients_wait_in_turn)
{
    struct fixture f;
    bool overflow;
    setup(&f, "< ping");
    start_limited(&f);
    struct nu_tcp_client *first = open_client(&f, &overflow);
    struct nu_tcp_client *second = open_for(&f, &f.others[0], &overflow);
    struct nu_tcp_client *third = open_for(&f, &f.others[1], &overflow);
    assert_non_null(second);
    assert_non_null(third);
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.is_connected));
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_active"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 2);
    nu_tcp_client_close(first, NU_CLOSE_NOW);
    assert_true(harness_wait_flag(f.cluster.loop, &f.others[0].is_connected));
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_active"), 1);
    assert_false(f.others[1].is_connected);
    nu_tcp_client_close(second, NU_CLOSE_NOW);
    assert_true(harness_wait_flag(f.cluster.loop, &f.others[1].is_connected));
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_total"), 3);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 0);
    teardown(&f);
}

TEST(a_client_that_is_given_up_while_it_waits_never_connects)
{
    struct fixture f;
    bool overflow;
    setup(&f, "< ping");
    start_limited(&f);
    struct nu_tcp_client *first = open_client(&f, &overflow);
    nu_tcp_client_close(open_for(&f, &f.others[0], &overflow), NU_CLOSE_FLUSH);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_cancelled"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 1);
    nu_tcp_client_close(first, NU_CLOSE_NOW);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_total"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_active"), 0);
    assert_int_equal(f.others[0].failed + f.others[0].closed + f.others[0].connected, 0);
    teardown(&f);
}

TEST(clients_that_wait_fail_with_the_connection_before_them)
{
    struct fixture f;
    bool overflow;
    setup(&f, "");
    upstream_refuse(&f.upstream);
    start_limited(&f);
    assert_non_null(open_client(&f, &overflow));
    assert_non_null(open_for(&f, &f.others[0], &overflow));
    assert_true(harness_wait_flag(f.cluster.loop, &f.others[0].has_failed));
    assert_true(f.user.has_failed);
    assert_int_equal(f.others[0].failure, NU_RESET_REMOTE_CONNECTION_FAILURE);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_cx_total"), 1);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_failure_eject"), 2);
    assert_int_equal(cluster_stat(&f.cluster, "upstream_rq_pending_active"), 0);
    teardown(&f);
}

TEST(clients_that_wait_end_with_the_workers_table)
{
    struct fixture f;
    bool overflow;
    setup(&f, "< ping");
    start_limited(&f);
    open_client(&f, &overflow);
    open_for(&f, &f.others[0], &overflow);
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.is_connected));
    teardown(&f);
    assert_int_equal(f.user.closed, 1);
    assert_int_equal(f.others[0].failed, 1);
}

TEST(clients_end_with_the_workers_table)
{
    struct fixture f;
    bool overflow;
    setup(&f, "< ping");
    start(&f, f.upstream.address);
    open_client(&f, &overflow);
    assert_true(harness_wait_flag(f.cluster.loop, &f.user.is_connected));
    teardown(&f);
    assert_int_equal(f.user.closed, 1);
}

TEST_MAIN()
