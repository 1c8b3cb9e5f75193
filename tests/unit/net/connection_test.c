/* SPDX-License-Identifier: Apache-2.0 */
/* A connection over a socketpair: back-pressure. */
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
    unsigned high;
    unsigned low;
    unsigned closed;
};

static struct fixture *fixture_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct fixture, conn);
}

static void on_data(struct nu_connection *conn)
{
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

static const struct nu_connection_ops ops = {
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
};

static void setup(struct fixture *f)
{
    int fds[2];
    *f = (struct fixture){0};
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
    teardown(&f);
}

TEST_MAIN()
