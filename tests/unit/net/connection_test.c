/* SPDX-License-Identifier: Apache-2.0 */
/* A connection over a socketpair: back-pressure, and the bytes that wait. */
#include "harness/test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connection.h"
#include "stats/value.h"

enum { LIMIT = 16 * 1024 };

struct fixture {
    struct nu_connection conn;
    struct nu_loop *loop;
    int peer;
    unsigned high;
    unsigned low;
    unsigned closed;
    bool keeps_input; /* the owner leaves what comes in `in` */
    bool counts;      /* the owner has gauges */
    struct nu_gauge in_gauge, out_gauge;
};

static struct fixture *fixture_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct fixture, conn);
}

static void on_data(struct nu_connection *conn)
{
    if (!fixture_of(conn)->keeps_input)
        nu_buf_clear(&conn->in);
}

static void on_above_high(struct nu_connection *conn)
{
    fixture_of(conn)->high++;
}

static void on_below_low(struct nu_connection *conn)
{
    fixture_of(conn)->low++;
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    (void)reason;
    fixture_of(conn)->closed++;
}

static struct nu_connection_gauges gauges(const struct nu_connection *conn)
{
    struct fixture *f = fixture_of(nu_unconst(conn));
    if (!f->counts)
        return (struct nu_connection_gauges){0};
    return (struct nu_connection_gauges){&f->in_gauge, &f->out_gauge};
}

static const struct nu_connection_ops ops = {
    .gauges = gauges,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
};

static void setup(struct fixture *f)
{
    int fds[2];
    *f = (struct fixture){.counts = true};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    f->peer = fds[1];
    f->loop = nu_loop_create();
    nu_connection_init(&f->conn, f->loop, fds[0], &ops, LIMIT);
    nu_connection_start(&f->conn);
}

static void teardown(struct fixture *f)
{
    nu_connection_close(&f->conn, NU_CLOSE_NOW);
    assert_int_equal(f->closed, 1);
    assert_int_equal(nu_gauge_get(&f->in_gauge), 0);
    assert_int_equal(nu_gauge_get(&f->out_gauge), 0);
    nu_loop_run_once(f->loop);
    nu_loop_destroy(&f->loop);
    close(f->peer);
}

/* Adds some bytes, which are written, as far as they can be, at the end of the turn. */
static void add_and_turn(struct fixture *f)
{
    static char bytes[4096];
    nu_buf_append(&f->conn.out, nu_str_make(bytes, sizeof(bytes)));
    nu_connection_write(&f->conn);
    nu_loop_run_once(f->loop);
}

static void fill_socket(struct fixture *f)
{
    while (!nu_io_is_write_enabled(&f->conn.io))
        add_and_turn(f);
}

TEST(bytes_added_while_the_socket_is_full_reach_the_high_watermark)
{
    struct fixture f;
    setup(&f);
    fill_socket(&f);
    for (unsigned i = 0; i <= LIMIT / 4096; i++)
        add_and_turn(&f);
    assert_true(f.conn.out.len > LIMIT);
    assert_int_equal(f.high, 1);
    assert_int_equal(f.low, 0);
    teardown(&f);
}

TEST(the_low_watermark_comes_once_when_the_peer_has_read)
{
    struct fixture f;
    static char sink[1 << 20];
    setup(&f);
    fill_socket(&f);
    for (unsigned i = 0; i <= LIMIT / 4096; i++)
        add_and_turn(&f);
    while (f.conn.out.len) {
        assert_true(read(f.peer, sink, sizeof(sink)) > 0);
        nu_loop_run_once(f.loop);
    }
    assert_int_equal(f.high, 1);
    assert_int_equal(f.low, 1);
    teardown(&f);
}

TEST(bytes_that_the_socket_does_not_take_are_counted_until_it_does)
{
    struct fixture f;
    static char sink[1 << 20];
    setup(&f);
    add_and_turn(&f);
    assert_int_equal(nu_gauge_get(&f.out_gauge), 0);
    fill_socket(&f);
    size_t waiting = f.conn.out.len;
    assert_true(waiting > 0);
    assert_int_equal(nu_gauge_get(&f.out_gauge), waiting);
    add_and_turn(&f);
    assert_int_equal(nu_gauge_get(&f.out_gauge), waiting + 4096);
    while (f.conn.out.len) {
        assert_true(read(f.peer, sink, sizeof(sink)) > 0);
        nu_loop_run_once(f.loop);
        assert_int_equal(nu_gauge_get(&f.out_gauge), f.conn.out.len);
    }
    teardown(&f);
}

TEST(bytes_that_wait_at_the_end_are_counted_no_more)
{
    struct fixture f;
    setup(&f);
    fill_socket(&f);
    assert_true(nu_gauge_get(&f.out_gauge) > 0);
    f.keeps_input = true;
    assert_int_equal(write(f.peer, "abc", 3), 3);
    while (!nu_gauge_get(&f.in_gauge))
        nu_loop_run_once(f.loop);
    teardown(&f);
}

TEST(bytes_that_the_owner_leaves_are_counted_until_it_takes_them)
{
    struct fixture f;
    setup(&f);
    f.keeps_input = true;
    assert_int_equal(write(f.peer, "abc", 3), 3);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_gauge_get(&f.in_gauge), 3);
    assert_int_equal(write(f.peer, "de", 2), 2);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_gauge_get(&f.in_gauge), 5);
    f.keeps_input = false;
    nu_connection_redeliver(&f.conn);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_gauge_get(&f.in_gauge), 0);
    teardown(&f);
}

TEST(an_owner_that_has_gauges_later_counts_what_waits_then)
{
    struct fixture f;
    setup(&f);
    f.keeps_input = true;
    f.counts = false;
    assert_int_equal(write(f.peer, "abc", 3), 3);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_gauge_get(&f.in_gauge), 0);
    f.counts = true;
    assert_int_equal(write(f.peer, "d", 1), 1);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_gauge_get(&f.in_gauge), 4);
    teardown(&f);
}

/* A handshake that the peer does not go on with. */
static ssize_t shaking_read(struct nu_connection *conn, const struct iovec *iov, int count)
{
    (void)conn;
    (void)iov;
    (void)count;
    errno = EAGAIN;
    return -1;
}

static ssize_t shaking_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    (void)conn;
    (void)iov;
    (void)count;
    return 0;
}

TEST(output_that_waits_for_a_handshake_is_bounded)
{
    static const struct nu_transport_class shaking = {
        .name = "shaking", .read = shaking_read, .write = shaking_write};
    struct fixture f;
    setup(&f);
    f.conn.transport = &shaking;
    f.conn.transport_waits = true;
    for (unsigned i = 0; i <= LIMIT / 4096; i++)
        add_and_turn(&f);
    assert_int_equal(f.high, 1);
    assert_int_equal(nu_gauge_get(&f.out_gauge), f.conn.out.len);
    teardown(&f);
}

/* Its first message does not fit into the socket at once. */
static ssize_t crowded_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    (void)iov;
    (void)count;
    conn->transport_out -= 50;
    return 0;
}

TEST(a_connection_that_waits_for_its_peer_does_not_wait_for_room)
{
    static const struct nu_transport_class crowded = {
        .name = "crowded", .buffers = true, .read = shaking_read, .write = crowded_write};
    struct fixture f;
    setup(&f);
    f.conn.transport = &crowded;
    f.conn.transport_waits = true;
    f.conn.transport_out = 100;
    nu_buf_append(&f.conn.out, NU_STR("bytes"));
    nu_connection_write(&f.conn);
    for (int turns = 0; turns < 3; turns++)
        nu_loop_run_turn(f.loop, 0);
    assert_int_equal(f.conn.transport_out, 0);
    assert_false(nu_io_is_write_enabled(&f.conn.io)); /* it would be told of room for ever */
    teardown(&f);
}

TEST_MAIN()
