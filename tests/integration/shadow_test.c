/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of requests, with scripted upstreams over real sockets: they get all of it, hold nobody up,
 * leave their owner's list by themselves, and leave nothing behind however they end.
 */
#include "client/shadow.h"
#include "harness/origin.h"
#include "upstream/lb/lb_aggregate.h"

#define ANSWER "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

struct mirrored {
    struct fixture base;
    struct nu_mirror_policy policy;
    struct nu_shadow_params params;
    struct nu_stream_info info;
    struct nu_arena arena;
    struct nu_headers headers;
    struct nu_list shadows;
};

static void mirrored_init(struct mirrored *m, const char *script)
{
    memset(m, 0, sizeof(*m));
    fixture_init(&m->base, script);
    m->policy.cluster = NU_STR("c");
    m->params = (struct nu_shadow_params){
        .policy = &m->policy, .info = &m->info, .timeout_ms = 1000, .lag_limit = 1000};
    nu_arena_init(&m->arena);
    nu_headers_init(&m->headers, &m->arena, 8);
    nu_headers_add(&m->headers, NU_STR(":authority"), NU_STR("a:80"));
    nu_headers_add(&m->headers, NU_STR(":path"), NU_STR("/"));
    nu_headers_add(&m->headers, NU_STR(":method"), NU_STR("POST"));
    nu_headers_add(&m->headers, NU_STR(":scheme"), NU_STR("http"));
    nu_list_init(&m->shadows);
}

static void mirrored_start(struct mirrored *m)
{
    fixture_start(&m->base);
    m->base.base.loop->clusters = &m->base.base.table;
}

/* Of a request with a body of `length` bytes. */
static void add(struct mirrored *m, const char *length)
{
    nu_headers_set(&m->headers, NU_STR("content-length"), nu_str_from(length));
    assert_true(nu_shadow_add(&m->shadows, m->base.base.loop, &m->params, &m->headers));
}

static uint32_t send_text(struct mirrored *m, const char *text, bool end)
{
    struct nu_buf data = {0};
    nu_buf_append(&data, nu_str_from(text));
    uint32_t given_up = nu_shadows_send_data(&m->shadows, &data, end);
    assert_int_equal(data.len, strlen(text));
    nu_buf_clear(&data);
    return given_up;
}

static struct nu_str received(const struct mirrored *m, size_t connection)
{
    return nu_strbuf_str(&m->base.upstream.connections[connection]->received);
}

static void mirrored_finish(struct mirrored *m)
{
    assert_stats(&m->base, "upstream_rq_active=0 upstream_rq_pending_active=0");
    nu_arena_finish(&m->arena);
    fixture_finish(&m->base);
}

static bool is_paused(void *arg)
{
    const struct upstream *upstream = arg;
    return upstream->count && upstream->connections[0]->paused;
}

TEST(a_shadow_gets_the_request_while_it_comes)
{
    struct mirrored m;
    mirrored_init(&m, "< hello | " ANSWER);
    mirrored_start(&m);
    add(&m, "11");
    nu_shadows_start(&m.shadows, false);
    assert_int_equal(send_text(&m, "hello", false), 0);
    wait_stat(&m.base, "upstream_rq_total", 1);
    assert_int_equal(send_text(&m, " world", true), 0);
    assert_true(nu_list_is_empty(&m.shadows));
    wait_stat(&m.base, "upstream_rq_200", 1);
    assert_true(
        nu_str_starts_with(received(&m, 0), NU_STR("POST / HTTP/1.1\r\nhost: a-shadow:80\r\n")));
    mirrored_finish(&m);
}

TEST(each_shadow_gets_every_byte_in_its_place)
{
    struct mirrored m;
    mirrored_init(&m, "< end | " ANSWER);
    mirrored_start(&m);
    add(&m, "9");
    add(&m, "9");
    nu_shadows_start(&m.shadows, false);
    send_text(&m, "one", false);
    wait_stat(&m.base, "upstream_rq_total", 2);
    send_text(&m, "two", false);
    send_text(&m, "end", true);
    wait_stat(&m.base, "upstream_rq_200", 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(nu_str_ends_with(received(&m, i), NU_STR("\r\n\r\nonetwoend")));
    mirrored_finish(&m);
}

TEST(trailers_end_a_shadow)
{
    struct mirrored m;
    mirrored_init(&m, "< 0\r\n\r\n | " ANSWER);
    mirrored_start(&m);
    assert_true(nu_shadow_add(&m.shadows, m.base.base.loop, &m.params, &m.headers));
    nu_shadows_start(&m.shadows, false);
    struct nu_headers trailers;
    nu_headers_init(&trailers, &m.arena, 1);
    nu_headers_add(&trailers, NU_STR("x-sum"), NU_STR("1"));
    nu_shadows_send_trailers(&m.shadows, &trailers);
    assert_true(nu_list_is_empty(&m.shadows));
    wait_stat(&m.base, "upstream_rq_200", 1);
    mirrored_finish(&m);
}

TEST(a_shadow_outlives_its_request)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause | " ANSWER);
    mirrored_start(&m);
    add(&m, "0");
    nu_shadows_start(&m.shadows, true);
    assert_true(nu_list_is_empty(&m.shadows));
    assert_true(harness_wait(m.base.base.loop, is_paused, &m.base.upstream));
    nu_arena_finish(&m.arena); /* what the request had is gone */
    nu_arena_init(&m.arena);
    assert_stats(&m.base, "upstream_rq_active=1");
    upstream_resume(&m.base.upstream);
    wait_stat(&m.base, "upstream_rq_200", 1);
    mirrored_finish(&m);
}

TEST(a_shadow_outlives_its_policy)
{
    struct mirrored m;
    char host[] = "copies";
    mirrored_init(&m, "< \r\n\r\n | " ANSWER);
    mirrored_start(&m);
    m.policy.host = nu_str_from(host);
    add(&m, "0");
    memset(host, 'x', sizeof(host) - 1); /* what the route had is gone */
    nu_shadows_start(&m.shadows, true);
    wait_stat(&m.base, "upstream_rq_200", 1);
    assert_true(nu_str_starts_with(received(&m, 0), NU_STR("POST / HTTP/1.1\r\nhost: copies\r\n")));
    mirrored_finish(&m);
}

TEST(a_shadow_that_is_at_work_at_the_end_leaves_nothing)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    mirrored_start(&m);
    add(&m, "0");
    nu_shadows_start(&m.shadows, true);
    wait_stat(&m.base, "upstream_rq_active", 1);
    nu_arena_finish(&m.arena);
    fixture_finish(&m.base); /* LeakSanitizer looks */
}

static void add_aggregate(struct mirrored *m, const char *name)
{
    static const struct nu_str names[] = {NU_STR_INIT("c")};
    static const struct nu_aggregate aggregate = {names, 1};
    struct cluster_fixture *f = &m->base.base;
    struct nu_cluster *cluster = nu_cluster_create(f->stats, nu_str_from(name), NU_STR(""));
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    cluster->aggregate = &aggregate;
    cluster->lb_class = &nu_lb_aggregate;
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
    assert_true(nu_cluster_manager_add(f->manager, cluster));
}

/* Whichever cluster of the worker goes first: its requests are told of the end. */
TEST(shadows_through_aggregates_that_are_at_work_at_the_end_leave_nothing)
{
    static const char *const names[] = {"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"};
    struct mirrored m;
    mirrored_init(&m, "< nothing");
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++)
        add_aggregate(&m, names[i]);
    mirrored_start(&m);
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        m.policy.cluster = nu_str_from(names[i]);
        add(&m, "4");
    }
    nu_shadows_start(&m.shadows, false);
    send_text(&m, "body", true);
    wait_stat(&m.base, "upstream_rq_active", NU_ARRAY_LEN(names));
    nu_arena_finish(&m.arena);
    fixture_finish(&m.base);
}

TEST(a_shadow_times_out)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    mirrored_start(&m);
    add(&m, "0");
    nu_shadows_start(&m.shadows, true);
    wait_stat(&m.base, "upstream_rq_total", 1);
    harness_advance(m.base.base.loop, 1000);
    wait_stat(&m.base, "upstream_rq_timeout", 1);
    wait_stat(&m.base, "upstream_rq_504", 1);
    mirrored_finish(&m);
}

TEST(a_shadow_that_is_over_leaves_its_owner)
{
    static const char *const scripts[] = {
        "< one | close",
        "< one | reset",
        "< one | > HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "< one | > SSH-2.0\r\n\r\n",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(scripts); i++) {
        struct mirrored m;
        mirrored_init(&m, scripts[i]);
        mirrored_start(&m);
        add(&m, "6");
        nu_shadows_start(&m.shadows, false);
        send_text(&m, "one", false);
        wait_stat(&m.base, "upstream_cx_destroy", 1);
        assert_true(nu_list_is_empty(&m.shadows));
        assert_int_equal(send_text(&m, "two", true), 0);
        mirrored_finish(&m);
    }
}

TEST(a_request_that_breaks_off_takes_its_shadows_along)
{
    struct mirrored m;
    mirrored_init(&m, "< one | pause");
    mirrored_start(&m);
    add(&m, "6");
    add(&m, "6");
    nu_shadows_start(&m.shadows, false);
    send_text(&m, "one", false);
    wait_stat(&m.base, "upstream_rq_total", 2);
    nu_shadows_cancel(&m.shadows);
    assert_true(nu_list_is_empty(&m.shadows));
    wait_stat(&m.base, "upstream_cx_destroy_local_with_active_rq", 2);
    mirrored_finish(&m);
}

TEST(a_shadow_that_never_began_goes)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    mirrored_start(&m);
    add(&m, "0");
    nu_shadows_cancel(&m.shadows);
    nu_loop_run_once(m.base.base.loop);
    assert_stats(&m.base, "upstream_rq_total=0");
    mirrored_finish(&m);
}

TEST(there_is_no_shadow_without_its_cluster)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    mirrored_start(&m);
    m.policy.cluster = NU_STR("other");
    assert_false(nu_shadow_add(&m.shadows, m.base.base.loop, &m.params, &m.headers));
    m.policy.cluster = (struct nu_str){0};
    m.policy.cluster_header = NU_STR("x-to");
    assert_false(nu_shadow_add(&m.shadows, m.base.base.loop, &m.params, &m.headers));
    assert_true(nu_list_is_empty(&m.shadows));
    mirrored_finish(&m);
}

/* Nobody reads its connection: what is kept for it is bounded, and the other one is not touched. */
TEST(a_shadow_that_takes_no_more_is_given_up)
{
    enum { PIECE = 65536, PIECES_MAX = 512 };
    static char piece[PIECE + 1];
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    m.base.base.cluster->options.buffer_limit_bytes = PIECE;
    m.params.lag_limit = PIECE;
    mirrored_start(&m);
    memset(piece, 'x', PIECE);
    add(&m, "1000000000");
    nu_shadows_start(&m.shadows, false);
    wait_stat(&m.base, "upstream_rq_total", 1);
    nu_loop_run_once(m.base.base.loop);
    nu_io_disable_read(&m.base.upstream.connections[0]->io);
    uint32_t given_up = 0;
    for (int i = 0; i < PIECES_MAX && !given_up; i++) {
        given_up = send_text(&m, piece, false);
        nu_loop_run_once(m.base.base.loop);
    }
    assert_int_equal(given_up, 1);
    assert_true(nu_list_is_empty(&m.shadows));
    wait_stat(&m.base, "upstream_cx_destroy_local_with_active_rq", 1);
    mirrored_finish(&m);
}

/* While there is no connection, the limit holds as well. */
TEST(a_shadow_without_a_connection_is_given_up_too)
{
    struct mirrored m;
    mirrored_init(&m, "< \r\n\r\n | pause");
    m.base.base.cluster->options.buffer_limit_bytes = 4;
    m.params.lag_limit = 4;
    mirrored_start(&m);
    add(&m, "100");
    nu_shadows_start(&m.shadows, false);
    assert_int_equal(send_text(&m, "12345", false), 0); /* above the mark from here on */
    assert_int_equal(send_text(&m, "1234", false), 0);
    assert_int_equal(send_text(&m, "1", false), 1);
    assert_true(nu_list_is_empty(&m.shadows));
    mirrored_finish(&m);
}

TEST_MAIN()
