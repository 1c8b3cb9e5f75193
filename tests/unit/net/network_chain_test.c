/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of network filters: order, stopping, going on, the end. */
#include "harness/test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/network_chain.h"

/* Filters write down what they are told: "a(" open, "a:xy" bytes, "a." the end, "a)" close. */
static struct nu_strbuf story;

struct script {
    const char *name;
    enum nu_network_status on_open;
    enum nu_network_status on_data;
    bool takes;          /* the bytes away */
    bool closes_on_open; /* the connection */
};

struct teller {
    struct nu_network_filter base;
};

static enum nu_network_status tell_open(struct nu_network_filter *self)
{
    const struct script *script = self->config;
    nu_strbuf_addf(&story, "%s(", script->name);
    if (script->closes_on_open)
        nu_connection_close(&self->conn->conn, NU_CLOSE_NOW);
    return script->on_open;
}

static enum nu_network_status tell_data(struct nu_network_filter *self, struct nu_buf *data,
                                        bool end)
{
    const struct script *script = self->config;
    char bytes[64];
    size_t n = nu_buf_copy_out(data, 0, bytes, sizeof(bytes));
    nu_strbuf_addf(&story, "%s:%.*s%s", script->name, (int)n, bytes, end ? "." : "");
    if (script->takes)
        nu_buf_clear(data);
    return script->on_data;
}

static void tell_close(struct nu_network_filter *self, enum nu_close_reason reason)
{
    const struct script *script = self->config;
    (void)reason;
    nu_strbuf_addf(&story, "%s)", script->name);
}

static const struct nu_network_filter_class teller_class = {
    .name = "teller",
    .instance_size = sizeof(struct teller),
    .open = tell_open,
    .on_data = tell_data,
    .close = tell_close,
};
static const struct nu_network_filter_class last_class = {
    .name = "last",
    .instance_size = sizeof(struct teller),
    .is_terminal = true,
    .open = tell_open,
    .on_data = tell_data,
    .close = tell_close,
};
static const struct nu_network_filter_class half_closing_class = {
    .name = "half_closing",
    .instance_size = sizeof(struct teller),
    .is_terminal = true,
    .half_close = true,
    .on_data = tell_data,
};
static const struct nu_network_filter_class silent_class = {
    .name = "silent",
    .instance_size = sizeof(struct nu_network_filter),
};

struct fixture {
    struct nu_loop *loop;
    struct nu_server_conn *conn;
    struct nu_filter_chain_spec spec;
    int peer;
};

static void on_data(struct nu_connection *base)
{
    nu_network_chain_data(nu_container_of(base, struct nu_server_conn, conn));
}

static void on_water(struct nu_connection *base)
{
    (void)base;
}

static void on_closed(struct nu_connection *base, enum nu_close_reason reason)
{
    nu_network_chain_close(nu_container_of(base, struct nu_server_conn, conn), reason);
}

static const struct nu_connection_ops ops = {
    .on_data = on_data,
    .on_above_high = on_water,
    .on_below_low = on_water,
    .on_closed = on_closed,
};

static void setup(struct fixture *f, const struct nu_network_filter_entry *entries, uint8_t count)
{
    int fds[2];
    *f = (struct fixture){.spec = {.filters = entries, .filter_count = count}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    f->peer = fds[1];
    f->loop = nu_loop_create();
    f->conn = nu_calloc(1, nu_align_up(sizeof(*f->conn), 16) + nu_network_chain_size(&f->spec));
    nu_connection_init(&f->conn->conn, f->loop, fds[0], &ops, 0);
    f->conn->chain = &f->spec;
    nu_network_chain_init(f->conn);
    nu_connection_start(&f->conn->conn);
    nu_network_chain_open(f->conn);
}

static void feed(struct fixture *f, const char *bytes)
{
    assert_int_equal(write(f->peer, bytes, strlen(bytes)), strlen(bytes));
    nu_loop_run_once(f->loop);
}

static void teardown(struct fixture *f)
{
    nu_connection_close(&f->conn->conn, NU_CLOSE_NOW);
    close(f->peer);
    nu_loop_destroy(&f->loop);
    nu_free(f->conn);
    nu_strbuf_finish(&story);
    story = (struct nu_strbuf){0};
}

static void assert_story(const char *expected)
{
    assert_string_equal(story.data, expected);
    nu_strbuf_finish(&story);
    story = (struct nu_strbuf){0};
}

static struct nu_network_filter *first_of(struct fixture *f)
{
    return (void *)((char *)f->conn + nu_align_up(sizeof(*f->conn), 16));
}

#define ENTRY(class, script) \
    { \
        .cls = &(class), .config = &(script) \
    }

TEST(filters_are_opened_and_get_bytes_in_order)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_CONTINUE};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {
        ENTRY(teller_class, a), {.cls = &silent_class}, ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 3);
    feed(&f, "xy");
    feed(&f, "z");
    assert_story("a(b(a:xyb:xya:zb:z");
    teardown(&f);
}

TEST(bytes_of_a_filter_that_stops_are_shown_again_with_more)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    feed(&f, "x");
    feed(&f, "y");
    assert_story("a(b(a:xa:xy");
    nu_network_filter_continue(first_of(&f));
    assert_story("b:xy");
    teardown(&f);
}

TEST(a_filter_behind_one_that_stops_when_opened_waits)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_STOP, .on_data = NU_NETWORK_STOP};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    feed(&f, "x");
    assert_story("a(a:x");
    nu_network_filter_continue(first_of(&f));
    assert_story("b(b:x");
    teardown(&f);
}

TEST(bytes_open_a_filter_that_waits_if_the_one_before_lets_them_pass)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_STOP, .on_data = NU_NETWORK_CONTINUE};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    feed(&f, "x");
    assert_story("a(a:xb(b:x");
    teardown(&f);
}

TEST(a_filter_that_closes_the_connection_ends_the_chain)
{
    static const struct script a = {.name = "a",
                                    .on_open = NU_NETWORK_CONTINUE,
                                    .on_data = NU_NETWORK_CONTINUE,
                                    .closes_on_open = true};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    assert_story("a(a)");
    teardown(&f);
}

TEST(only_filters_that_were_opened_are_closed)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_STOP, .on_data = NU_NETWORK_STOP};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    nu_connection_close(&f.conn->conn, NU_CLOSE_NOW);
    assert_story("a(a)");
    teardown(&f);
}

TEST(the_clients_end_ends_a_connection_whose_last_filter_wants_both_sides)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a), ENTRY(last_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    shutdown(f.peer, SHUT_WR);
    nu_loop_run_once(f.loop);
    assert_story("a(b(a:.a)b)");
    assert_false(nu_connection_is_open(&f.conn->conn));
    teardown(&f);
}

TEST(the_clients_end_waits_for_a_last_filter_that_knows_half_closing)
{
    static const struct script a = {
        .name = "a", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP};
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {ENTRY(teller_class, a),
                                                      ENTRY(half_closing_class, b)};
    struct fixture f;
    setup(&f, entries, 2);
    feed(&f, "x");
    shutdown(f.peer, SHUT_WR);
    nu_loop_run_once(f.loop);
    assert_story("a(a:xa:x.");
    assert_true(nu_connection_is_open(&f.conn->conn));
    nu_network_filter_continue(first_of(&f));
    assert_story("b:x.");
    teardown(&f);
}

TEST(both_sides_ended_close_the_connection)
{
    static const struct script b = {
        .name = "b", .on_open = NU_NETWORK_CONTINUE, .on_data = NU_NETWORK_STOP, .takes = true};
    const struct nu_network_filter_entry entries[] = {ENTRY(half_closing_class, b)};
    struct fixture f;
    setup(&f, entries, 1);
    shutdown(f.peer, SHUT_WR);
    nu_loop_run_once(f.loop);
    assert_true(nu_connection_is_open(&f.conn->conn));
    nu_connection_end_write(&f.conn->conn);
    nu_loop_run_once(f.loop);
    assert_false(nu_connection_is_open(&f.conn->conn));
    teardown(&f);
}

TEST_MAIN()
