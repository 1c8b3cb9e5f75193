/* SPDX-License-Identifier: Apache-2.0 */
/* A connection over a socketpair, under a fake clock: ends, holds, deliveries, read sizes. */
#include "harness/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connection.h"

enum { LIMIT = 16 * 1024 };

struct fixture {
    struct nu_connection conn;
    struct nu_loop *loop;
    int peer;
    bool keep;         /* on_data leaves the bytes */
    bool hold_on_data; /* on_data holds reading */
    unsigned deliveries;
    size_t seen; /* bytes in `in` at the last delivery */
    size_t total;
    unsigned closed;
    enum nu_close_reason reason;
};

static struct fixture *fixture_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct fixture, conn);
}

static void on_data(struct nu_connection *conn)
{
    struct fixture *f = fixture_of(conn);
    f->deliveries++;
    f->seen = conn->in.len;
    if (!f->keep) {
        f->total += conn->in.len;
        nu_buf_clear(&conn->in);
    }
    if (f->hold_on_data)
        nu_connection_hold_read(conn);
}

static void ignore(struct nu_connection *conn)
{
    (void)conn;
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    fixture_of(conn)->closed++;
    fixture_of(conn)->reason = reason;
}

static const struct nu_connection_ops ops = {
    .on_data = on_data,
    .on_above_high = ignore,
    .on_below_low = ignore,
    .on_closed = on_closed,
};

static void setup(struct fixture *f, uint32_t limit)
{
    int fds[2];
    *f = (struct fixture){0};
    nu_clock_fake_install(1000000, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    f->peer = fds[1];
    f->loop = nu_loop_create();
    nu_connection_init(&f->conn, f->loop, fds[0], &ops, limit);
    nu_connection_start(&f->conn);
}

static void teardown(struct fixture *f)
{
    nu_connection_close(&f->conn, NU_CLOSE_NOW);
    assert_int_equal(f->closed, 1);
    nu_loop_run_once(f->loop);
    nu_loop_destroy(&f->loop);
    if (f->peer >= 0)
        close(f->peer);
    nu_clock_fake_remove();
}

static void peer_sends(struct fixture *f, size_t n)
{
    static char bytes[65536];
    while (n) {
        ssize_t sent = write(f->peer, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
        if (sent < 0)
            assert_int_equal(errno, EAGAIN);
        else
            n -= (size_t)sent;
        nu_loop_run_once(f->loop);
    }
    nu_loop_run_once(f->loop);
}

static void peer_ends(struct fixture *f)
{
    close(f->peer);
    f->peer = -1;
    nu_loop_run_once(f->loop);
}

/* Adds more than the sockets hold, so that some of it stays in `out`. */
static void fill_socket(struct fixture *f)
{
    static char bytes[65536];
    for (int i = 0; i < 64 && !nu_io_is_write_enabled(&f->conn.io); i++) {
        nu_buf_append(&f->conn.out, nu_str_make(bytes, sizeof(bytes)));
        nu_connection_write(&f->conn);
        nu_loop_run_once(f->loop);
    }
    assert_true(f->conn.out.len > 0);
}

static void go_on(struct fixture *f, uint64_t ms)
{
    nu_clock_fake_advance(ms * 1000);
    nu_loop_run_once(f->loop);
    nu_timer_wheel_run(f->loop->timers);
    nu_loop_run_once(f->loop);
}

static ssize_t peer_reads(struct fixture *f)
{
    static char bytes[65536];
    return read(f->peer, bytes, sizeof(bytes));
}

TEST(the_peers_end_is_told_once)
{
    struct fixture f;
    setup(&f, LIMIT);
    peer_ends(&f);
    assert_int_equal(f.deliveries, 1);
    assert_true(f.conn.read_eof);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.deliveries, 1);
    teardown(&f);
}

TEST(a_reset_ends_the_connection)
{
    struct fixture f;
    setup(&f, LIMIT);
    /* A unix socket is reset when it is closed with unread bytes. */
    nu_buf_append(&f.conn.out, NU_STR("x"));
    nu_connection_write(&f.conn);
    nu_loop_run_once(f.loop);
    peer_ends(&f);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.closed, 1);
    assert_int_equal(f.reason, NU_CLOSED_RESET);
    teardown(&f);
}

TEST(our_end_comes_behind_what_is_to_be_written)
{
    struct fixture f;
    setup(&f, LIMIT);
    nu_buf_append(&f.conn.out, NU_STR("last words"));
    nu_connection_end_write(&f.conn);
    nu_loop_run_once(f.loop);
    assert_int_equal(peer_reads(&f), 10);
    assert_int_equal(peer_reads(&f), 0);
    peer_sends(&f, 3); /* the other direction goes on */
    assert_int_equal(f.total, 3);
    teardown(&f);
}

TEST(closing_flushes_and_then_closes)
{
    struct fixture f;
    setup(&f, LIMIT);
    nu_buf_append(&f.conn.out, NU_STR("last words"));
    nu_connection_close(&f.conn, NU_CLOSE_FLUSH);
    assert_int_equal(f.closed, 0);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.closed, 1);
    assert_int_equal(f.reason, NU_CLOSED_BY_US);
    assert_int_equal(peer_reads(&f), 10);
    assert_int_equal(peer_reads(&f), 0);
    teardown(&f);
}

TEST(closing_now_drops_what_was_to_be_written)
{
    struct fixture f;
    setup(&f, LIMIT);
    nu_buf_append(&f.conn.out, NU_STR("last words"));
    nu_connection_write(&f.conn);
    nu_connection_close(&f.conn, NU_CLOSE_NOW);
    assert_int_equal(f.closed, 1);
    assert_int_equal(peer_reads(&f), 0);
    teardown(&f);
}

TEST(lingering_waits_for_the_peers_end_and_reads_nothing_of_what_it_sends)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.conn.linger_ms = 1000;
    nu_connection_close(&f.conn, NU_CLOSE_LINGER);
    nu_loop_run_once(f.loop);
    peer_sends(&f, 5000);
    go_on(&f, 500);
    assert_int_equal(f.closed, 0);
    assert_int_equal(f.deliveries, 0);
    peer_ends(&f);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.closed, 1);
    assert_false(f.conn.linger_expired);
    teardown(&f);
}

TEST(lingering_ends_when_its_time_is_over)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.conn.linger_ms = 1000;
    nu_connection_close(&f.conn, NU_CLOSE_LINGER);
    nu_loop_run_once(f.loop);
    go_on(&f, 999);
    assert_int_equal(f.closed, 0);
    go_on(&f, 2);
    assert_int_equal(f.closed, 1);
    assert_true(f.conn.linger_expired);
    teardown(&f);
}

TEST(a_peer_that_takes_nothing_while_we_close_is_given_up)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.conn.linger_ms = 1000;
    fill_socket(&f);
    nu_connection_close(&f.conn, NU_CLOSE_FLUSH);
    nu_loop_run_once(f.loop);
    go_on(&f, 999);
    assert_int_equal(f.closed, 0);
    go_on(&f, 2);
    assert_int_equal(f.closed, 1);
    assert_true(f.conn.linger_expired);
    teardown(&f);
}

TEST(a_peer_that_reads_on_while_we_close_gets_all_of_it)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.conn.linger_ms = 1000;
    fill_socket(&f);
    uint64_t sent = f.conn.tx_bytes + f.conn.out.len;
    nu_connection_close(&f.conn, NU_CLOSE_FLUSH);
    uint64_t got = 0;
    for (ssize_t n; (n = peer_reads(&f)) != 0;) {
        got += n > 0 ? (uint64_t)n : 0;
        go_on(&f, 900);
    }
    assert_int_equal(got, sent);
    assert_false(f.conn.linger_expired);
    teardown(&f);
}

TEST(a_held_connection_reads_nothing_until_the_last_hold_goes)
{
    struct fixture f;
    setup(&f, LIMIT);
    nu_connection_hold_read(&f.conn);
    nu_connection_hold_read(&f.conn);
    peer_sends(&f, 100);
    nu_connection_release_read(&f.conn);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.deliveries, 0);
    nu_connection_release_read(&f.conn);
    nu_loop_run_once(f.loop);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.total, 100);
    teardown(&f);
}

TEST(bytes_that_were_left_are_delivered_again_when_the_hold_goes)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.keep = true;
    f.hold_on_data = true;
    peer_sends(&f, 100);
    assert_int_equal(f.deliveries, 1);
    f.keep = false;
    f.hold_on_data = false;
    nu_connection_release_read(&f.conn);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.total, 100);
    teardown(&f);
}

TEST(reading_stops_at_the_limit_and_goes_on_when_there_is_room)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.keep = true;
    static char bytes[65536];
    size_t sent = 0;
    for (ssize_t n; (n = write(f.peer, bytes, sizeof(bytes))) > 0;) {
        sent += (size_t)n;
        nu_loop_run_once(f.loop);
    }
    for (int i = 0; i < 20; i++)
        nu_loop_run_once(f.loop);
    assert_true(f.conn.in.len >= LIMIT && f.conn.in.len < LIMIT + 256 * 1024);
    assert_true(f.conn.in.len < sent);
    f.keep = false;
    nu_connection_redeliver(&f.conn);
    for (int i = 0; i < 40; i++)
        nu_loop_run_once(f.loop);
    assert_int_equal(f.total, sent);
    teardown(&f);
}

TEST(a_later_delivery_comes_once)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.keep = true;
    peer_sends(&f, 10);
    assert_int_equal(f.deliveries, 1);
    nu_connection_redeliver_later(&f.conn);
    nu_connection_redeliver_later(&f.conn);
    nu_loop_run_once(f.loop);
    nu_loop_run_once(f.loop);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.deliveries, 2);
    teardown(&f);
}

TEST(a_delivery_that_waits_goes_with_the_connection)
{
    struct fixture f;
    setup(&f, LIMIT);
    f.keep = true;
    peer_sends(&f, 10);
    nu_connection_redeliver_later(&f.conn);
    nu_connection_close(&f.conn, NU_CLOSE_NOW);
    nu_loop_run_once(f.loop);
    assert_int_equal(f.deliveries, 1);
    teardown(&f);
}

TEST(large_input_is_read_in_large_pieces)
{
    struct fixture f;
    setup(&f, 0);
    peer_sends(&f, 4 << 20);
    assert_int_equal(f.total, 4 << 20);
    assert_true(f.deliveries < (4 << 20) / 16384);
    unsigned step = f.conn.read_size;
    assert_true(step > 0);
    for (int i = 0; i < 20; i++)
        peer_sends(&f, 10); /* and small ones in small again */
    assert_true(f.conn.read_size < step);
    teardown(&f);
}

/* Its reads become larger while they are full, but the owner is to have no more at once. */
TEST(one_event_brings_no_more_than_the_limit_and_a_read)
{
    enum { MOST = LIMIT + 16 * 1024 };
    struct fixture f;
    static char bytes[65536];
    setup(&f, LIMIT);
    size_t sent = 0;
    for (ssize_t n; sent <= 2 * MOST && (n = write(f.peer, bytes, sizeof(bytes))) > 0;)
        sent += (size_t)n;
    assert_true(sent > MOST);
    nu_loop_run_turn(f.loop, 0);
    assert_true(f.total > 0 && f.total <= MOST);
    teardown(&f);
}

TEST_MAIN()
