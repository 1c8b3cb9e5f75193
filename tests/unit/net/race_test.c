/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to several addresses: who is tried when, and who wins. On the fake clock. */
#include "harness/loop.h"
#include "harness/upstream.h"

#include "net/connection.h"

enum { SERVERS = 3 };

struct fixture {
    struct nu_connection conn;
    struct nu_loop *loop;
    struct upstream servers[SERVERS];
    struct nu_address addresses[SERVERS];
    unsigned sockets; /* that were opened */
    bool is_connected;
    bool is_closed;
    bool is_over; /* either */
    enum nu_close_reason reason;
};

static struct fixture *fixture_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct fixture, conn);
}

static void on_connected(struct nu_connection *conn)
{
    fixture_of(conn)->is_connected = fixture_of(conn)->is_over = true;
}

static void ignore(struct nu_connection *conn)
{
    (void)conn;
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    struct fixture *f = fixture_of(conn);
    f->is_closed = f->is_over = true;
    f->reason = reason;
}

static const struct nu_connection_ops ops = {
    .on_connected = on_connected,
    .on_data = ignore,
    .on_above_high = ignore,
    .on_below_low = ignore,
    .on_closed = on_closed,
};

static bool count_socket(int fd, const void *arg)
{
    (void)fd;
    ++*(unsigned *)nu_unconst(arg);
    return true;
}

/* One letter for each server: s(erves), r(efuses), b(lack hole). */
static void fixture_start(struct fixture *f, const char *servers)
{
    nu_clock_fake_install(1000000, 1700000000000000);
    *f = (struct fixture){.loop = nu_loop_create()};
    uint32_t count = (uint32_t)strlen(servers);
    for (uint32_t i = 0; i < count; i++) {
        upstream_init(&f->servers[i], f->loop, "pause");
        assert_int_equal(
            nu_address_parse_ip_port(nu_str_from(f->servers[i].address), &f->addresses[i]), NU_OK);
        if (servers[i] == 'r')
            upstream_refuse(&f->servers[i]);
        else if (servers[i] == 'b')
            upstream_blackhole(&f->servers[i]);
    }
    nu_connection_connect_any(&f->conn, f->loop, f->addresses, count, &ops, 0, count_socket,
                              &f->sockets);
}

static void fixture_finish(struct fixture *f, size_t servers)
{
    nu_connection_close(&f->conn, NU_CLOSE_NOW);
    for (size_t i = 0; i < servers; i++)
        upstream_finish(&f->servers[i]);
    nu_loop_run_once(f->loop);
    nu_loop_destroy(&f->loop);
    nu_clock_fake_remove();
}

static void assert_winner(struct fixture *f, size_t index)
{
    assert_true(harness_wait_flag(f->loop, &f->is_over));
    assert_true(f->is_connected);
    struct nu_address remote = nu_connection_remote_address(&f->conn);
    assert_int_equal(remote.port, f->addresses[index].port);
}

TEST(first_that_answers_is_the_only_one_tried)
{
    struct fixture f;
    fixture_start(&f, "ss");
    assert_winner(&f, 0);
    harness_advance(f.loop, 1000);
    assert_int_equal(f.sockets, 1);
    fixture_finish(&f, 2);
}

TEST(next_is_tried_at_once_when_one_has_failed)
{
    struct fixture f;
    fixture_start(&f, "rrs");
    assert_winner(&f, 2);
    assert_int_equal(f.sockets, 3);
    fixture_finish(&f, 3);
}

TEST(next_is_tried_after_300_ms_without_an_answer)
{
    struct fixture f;
    fixture_start(&f, "bbs");
    harness_advance(f.loop, 299);
    assert_int_equal(f.sockets, 1);
    harness_advance(f.loop, 2);
    assert_int_equal(f.sockets, 2);
    harness_advance(f.loop, 301);
    assert_int_equal(f.sockets, 3);
    assert_winner(&f, 2);
    fixture_finish(&f, 3);
}

TEST(race_is_lost_when_the_last_has_failed)
{
    struct fixture f;
    fixture_start(&f, "rr");
    assert_true(harness_wait_flag(f.loop, &f.is_over));
    assert_true(f.is_closed);
    assert_int_equal(f.reason, NU_CLOSED_CONNECT_FAIL);
    assert_int_equal(f.conn.error, ECONNREFUSED);
    fixture_finish(&f, 2);
}

TEST(race_waits_for_the_slow_ones_when_the_last_has_failed)
{
    struct fixture f;
    fixture_start(&f, "br");
    harness_advance(f.loop, 301);
    assert_int_equal(f.sockets, 2);
    harness_advance(f.loop, 5000);
    assert_false(f.is_over);
    fixture_finish(&f, 2);
    assert_true(f.is_closed);
}

TEST(close_ends_the_race)
{
    struct fixture f;
    fixture_start(&f, "bs");
    nu_connection_close(&f.conn, NU_CLOSE_NOW);
    assert_true(f.is_closed);
    harness_advance(f.loop, 1000);
    assert_int_equal(f.sockets, 1);
    fixture_finish(&f, 2);
}

TEST_MAIN()
