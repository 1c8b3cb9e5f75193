/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a request for another try. */
#include "harness/tried.h"

/* --- The request's body ----------------------------------------------------------------------- */

static struct nu_str received(const struct tried *t, size_t connection)
{
    return nu_strbuf_str(&t->base.upstream.connections[connection]->received);
}

static void assert_ends_with(struct nu_str text, const char *end)
{
    struct nu_str wanted = nu_str_from(end);
    assert_true(text.len >= wanted.len);
    assert_str(nu_str_skip(text, text.len - wanted.len), end);
}

TEST(body_goes_out_again)
{
    struct tried t;
    tried_init(&t, "< 0123456789 | " OK_2, NU_RETRY_ON_RESET);
    upstream_script(&t.base.upstream, 0, "< 0123456789 | close");
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    exchange_send(&t.client, "56789", true);
    run(&t);
    assert_events(&t, AGAIN);
    assert_ends_with(received(&t, 1), "\r\n\r\n0123456789");
    assert_int_equal(t.client.exchange.tries->body.len, 0);
    tried_finish(&t);
}

TEST(retry_begins_with_what_came_and_takes_the_rest)
{
    struct tried t;
    tried_init(&t, "< 01234 | pause | < 56789 | " OK_2, NU_RETRY_ON_RESET);
    upstream_script(&t.base.upstream, 0, "< 012 | close");
    tried_start(&t, false);
    exchange_send(&t.client, "012", false);
    wait_pausing(&t);
    exchange_send(&t.client, "34", false);
    harness_advance(t.base.base.loop, PAUSE_MS);
    wait_held(&t);
    upstream_resume(&t.base.upstream);
    exchange_send(&t.client, "56789", true);
    run(&t);
    assert_events(&t, AGAIN);
    assert_ends_with(received(&t, 1), "\r\n\r\n0123456789");
    tried_finish(&t);
}

TEST(body_over_the_limit_goes_on_and_is_not_tried_again)
{
    struct tried t;
    tried_init(&t, "< 0123456789 | close", ALL);
    t.body_limit = 9;
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    assert_int_equal(t.client.exchange.tries->body.len, 5);
    exchange_send(&t.client, "56789", true);
    assert_int_equal(t.client.exchange.tries->body.len, 0);
    run(&t);
    assert_events(&t, "failed: connection termination");
    assert_stats(&t.base, "retry_or_shadow_abandoned=1 upstream_rq_retry=0");
    tried_finish(&t);
}

TEST(body_over_the_limit_between_two_tries_fails)
{
    struct tried t;
    tried_init(&t, "< 01234 | close", ALL);
    t.body_limit = 9;
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    wait_pausing(&t);
    exchange_send(&t.client, "56789", true);
    assert_events(&t, "failed: body limit");
    assert_stats(&t.base, "retry_or_shadow_abandoned=1 upstream_rq_retry=1");
    tried_finish(&t);
}

/* The bytes are kept by reference: a large body is in memory once. */
TEST(kept_body_shares_its_blocks)
{
    struct tried t;
    struct nu_buf data = {0};
    tried_init(&t, "< 0123456789 | " OK_2, ALL & ~(unsigned)NU_RETRY_ON_RETRIABLE_HEADERS);
    tried_start(&t, false);
    nu_buf_append(&data, NU_STR("0123456789"));
    const char *where = data.first->ptr;
    nu_exchange_send_data(&t.client.exchange, &data, true);
    assert_ptr_equal(t.client.exchange.tries->body.first->ptr, where);
    run(&t);
    tried_finish(&t);
}

static unsigned count_slices(const struct nu_buf *buf)
{
    unsigned count = 0;
    for (const struct nu_slice *slice = buf->first; slice; slice = slice->next)
        count++;
    return count;
}

/* A client that sends byte by byte must not make each of them hold a block. */
TEST(body_in_small_pieces_is_kept_in_few_blocks)
{
    enum { PIECES = 900 };
    struct tried t;
    tried_init(&t, "pause", ALL);
    upstream_refuse(&t.base.upstream);
    tried_start(&t, false);
    for (int i = 0; i < PIECES; i++)
        exchange_send(&t.client, "x", false);
    const struct nu_exchange *exchange = &t.client.exchange;
    assert_int_equal(exchange->tries->body.len, PIECES);
    assert_true(count_slices(&exchange->tries->body) < 5);
    assert_int_equal(exchange->pending.len, PIECES);
    assert_true(count_slices(&exchange->pending) < 5);
    tried_finish(&t);
}

TEST(owner_is_let_go_when_the_try_that_held_it_is_gone)
{
    enum { CHUNK = 64 * 1024, MOST = 64 * 1024 * 1024 };
    struct tried t;
    tried_init(&t, "pause | reset", NU_RETRY_ON_RESET);
    t.body_limit = NU_ROUTE_NO_LIMIT;
    t.base.base.cluster->options.buffer_limit_bytes = CHUNK;
    tried_open(&t);
    exchange_prepare(&t.client, "POST");
    exchange_begin(&t.client, &t.base.params, false);
    wait_held(&t);
    nu_io_disable_read(&t.base.upstream.connections[0]->io);
    char *text = calloc(1, CHUNK + 1);
    memset(text, 'x', CHUNK);
    for (size_t sent = 0; sent < MOST && t.client.above_high == t.client.below_low; sent += CHUNK) {
        exchange_send(&t.client, text, false);
        nu_loop_run_once(t.base.base.loop);
    }
    free(text);
    assert_int_equal(t.client.above_high, t.client.below_low + 1);
    upstream_resume(&t.base.upstream);
    wait_pausing(&t);
    assert_int_equal(t.client.above_high, t.client.below_low);
    tried_finish(&t);
}

TEST_MAIN()
