/* SPDX-License-Identifier: Apache-2.0 */
/* A side that does not take what the other one gives: who is held, and let go. */
#include "harness/origin.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

TEST(body_that_waits_for_a_connection_is_bounded)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "< 0\r\n\r\n | " OK_2);
    f.base.cluster->options.buffer_limit_bytes = 10;
    fixture_start(&f);
    exchange_start(&client, &f.params, "POST", false);
    exchange_send(&client, "0123456789", false);
    assert_int_equal(client.above_high, 0);
    exchange_send(&client, "0", false);
    assert_int_equal(client.above_high, 1);
    wait_stat(&f, "upstream_rq_active", 1);
    exchange_send(&client, "", true);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
    assert_true(client.below_low >= 1);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(held_response_comes_after_the_release)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END OK_2);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    nu_exchange_hold_response(&client.exchange);
    wait_stat(&f, "upstream_rq_active", 1);
    for (int turn = 0; turn < 50; turn++)
        nu_loop_run_once(f.base.loop);
    assert_int_equal(client.events.len, 0);
    nu_exchange_release_response(&client.exchange);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
    assert_stats(&f, "upstream_flow_control_paused_reading_total=1 "
                     "upstream_flow_control_resumed_reading_total=1");
    exchange_finish(&client);
    fixture_finish(&f);
}

struct held {
    struct fixture base;
    struct exchange_client client;
};

static bool is_let_go(void *arg)
{
    const struct held *h = arg;
    return h->client.below_low == h->client.above_high;
}

/* Sends until the owner is told to wait, while the upstream reads nothing. */
static void fill(struct held *h)
{
    enum { CHUNK = 64 * 1024, MOST = 64 * 1024 * 1024 };
    char *text = calloc(1, CHUNK + 1);
    memset(text, 'x', CHUNK);
    for (size_t sent = 0; sent < MOST && is_let_go(h); sent += CHUNK) {
        exchange_send(&h->client, text, false);
        nu_loop_run_once(h->base.base.loop);
    }
    free(text);
    assert_false(is_let_go(h));
}

TEST(upstream_that_does_not_read_holds_the_request_until_it_does)
{
    struct held h;
    fixture_init(&h.base, HEAD_END "pause");
    h.base.base.cluster->options.buffer_limit_bytes = 64 * 1024;
    fixture_start(&h.base);
    exchange_start(&h.client, &h.base.params, "POST", false);
    wait_stat(&h.base, "upstream_rq_active", 1);
    struct upstream_connection *connection = h.base.upstream.connections[0];
    nu_io_disable_read(&connection->io);
    fill(&h);
    assert_stats(&h.base, "upstream_flow_control_backed_up_total=1 "
                          "upstream_flow_control_drained_total=0");
    assert_true(cluster_stat(&h.base.base, "upstream_cx_tx_bytes_buffered") > 64 * 1024);
    nu_io_enable_read(&connection->io);
    assert_true(harness_wait(h.base.base.loop, is_let_go, &h));
    assert_stats(&h.base, "upstream_flow_control_backed_up_total=1 "
                          "upstream_flow_control_drained_total=1");
    wait_stat(&h.base, "upstream_cx_tx_bytes_buffered", 0);
    exchange_finish(&h.client);
    fixture_finish(&h.base);
}

TEST_MAIN()
