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
    enum nu_network_status on_write;
    const char *adds; /* to what goes out */
    bool closes_on_write;
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

/* "a<xy>": what goes out. */
static enum nu_network_status tell_write(struct nu_network_filter *self, struct nu_buf *data,
                                         bool end)
{
    const struct script *script = self->config;
    char bytes[64];
    size_t n = nu_buf_copy_out(data, 0, bytes, sizeof(bytes));
    nu_strbuf_addf(&story, "%s<%.*s%s>", script->name, (int)n, bytes, end ? "." : "");
    if (script->adds)
        nu_buf_append(data, nu_str_from(script->adds));
    if (script->closes_on_write)
        nu_connection_close(&self->conn->conn, NU_CLOSE_NOW);
    return script->on_write;
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
    .on_write = tell_write,
    .close = tell_close,
};
static unsigned above_high, below_low;

static void count_above(struct nu_network_filter *self)
{
    (void)self;
    above_high++;
}

static void count_below(struct nu_network_filter *self)
{
    (void)self;
    below_low++;
}

static const struct nu_network_filter_class last_class = {
    .name = "last",
    .instance_size = sizeof(struct teller),
    .is_terminal = true,
    .open = tell_open,
    .on_data = tell_data,
    .on_above_high = count_above,
    .on_below_low = count_below,
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

static void on_flush(struct nu_connection *base)
{
    struct nu_server_conn *conn = nu_container_of(base, struct nu_server_conn, conn);
    if (nu_network_chain_has_writers(conn))
        nu_network_chain_write(conn);
}

static const struct nu_connection_ops ops = {
    .on_data = on_data,
    .on_flush = on_flush,
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
    f->conn = nu_calloc(1, nu_network_chain_size(&f->spec));
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
    nu_free(f->conn->extras);
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
    return (void *)(f->conn + 1);
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

/* The last filter writes, and the turn ends. */
static void send_out(struct fixture *f, const char *bytes)
{
    nu_buf_append(&f->conn->conn.out, nu_str_from(bytes));
    nu_connection_write(&f->conn->conn);
    nu_loop_run_once(f->loop);
}

/* What came to the client so far since the last look; "." for the end. */
static void assert_received(struct fixture *f, const char *expected)
{
    char bytes[128];
    size_t n = 0;
    ssize_t got;
    while ((got = read(f->peer, bytes + n, sizeof(bytes) - n - 2)) > 0)
        n += (size_t)got;
    if (got == 0)
        bytes[n++] = '.';
    bytes[n] = '\0';
    assert_string_equal(bytes, expected);
}

/* One that is shown what goes out, and the last. */
static void setup_writers(struct fixture *f, const struct script *writer, const struct script *last)
{
    static struct nu_network_filter_entry entries[2];
    entries[0] = (struct nu_network_filter_entry)ENTRY(teller_class, *writer);
    entries[1] = (struct nu_network_filter_entry)ENTRY(last_class, *last);
    setup(f, entries, 2);
}

static void clear_story(void)
{
    nu_strbuf_clear(&story);
}

TEST(output_passes_the_filters_from_the_last_to_the_first)
{
    static const struct script a = {.name = "a", .adds = "1"}, b = {.name = "b", .adds = "2"},
                               c = {.name = "c"};
    const struct nu_network_filter_entry entries[] = {
        {.cls = &teller_class, .config = &a},
        {.cls = &silent_class},
        {.cls = &teller_class, .config = &b},
        {.cls = &last_class, .config = &c},
    };
    struct fixture f;
    setup(&f, entries, 4);
    clear_story();
    send_out(&f, "xy");
    assert_string_equal(story.data, "b<xy>a<xy2>");
    assert_received(&f, "xy21");
    send_out(&f, "z");
    assert_received(&f, "z21");
    teardown(&f);
}

TEST(output_that_a_filter_stops_is_shown_again_with_more)
{
    struct script a = {.name = "a"}, b = {.name = "b", .on_write = NU_NETWORK_STOP},
                  c = {.name = "c"};
    const struct nu_network_filter_entry entries[] = {
        {.cls = &teller_class, .config = &a},
        {.cls = &teller_class, .config = &b},
        {.cls = &last_class, .config = &c},
    };
    struct fixture f;
    setup(&f, entries, 3);
    clear_story();
    send_out(&f, "x");
    assert_received(&f, "");
    b.on_write = NU_NETWORK_CONTINUE;
    send_out(&f, "y");
    assert_string_equal(story.data, "b<x>b<xy>a<xy>");
    assert_received(&f, "xy");
    teardown(&f);
}

TEST(the_end_of_our_side_is_shown_once_and_waits_for_what_is_stopped)
{
    struct script a = {.name = "a", .on_write = NU_NETWORK_STOP}, b = {.name = "b"};
    struct fixture f;
    setup_writers(&f, &a, &b);
    clear_story();
    nu_connection_end_write(&f.conn->conn);
    nu_loop_run_once(f.loop);
    assert_received(&f, "");
    a.on_write = NU_NETWORK_CONTINUE;
    send_out(&f, "x");
    nu_connection_write(&f.conn->conn);
    nu_loop_run_once(f.loop);
    assert_string_equal(story.data, "a<.>a<x.>");
    assert_received(&f, "x.");
    teardown(&f);
}

TEST(a_close_drops_what_was_stopped_and_writes_the_rest)
{
    struct script a = {.name = "a"}, b = {.name = "b"};
    struct fixture f;
    setup_writers(&f, &a, &b);
    clear_story();
    nu_buf_append(&f.conn->conn.out, NU_STR("x"));
    nu_connection_close(&f.conn->conn, NU_CLOSE_FLUSH);
    nu_loop_run_once(f.loop);
    assert_string_equal(story.data, "a<x>a)b)");
    assert_received(&f, "x.");
    teardown(&f);
}

TEST(a_filter_may_close_the_connection_whose_output_it_sees)
{
    static const struct script a = {.name = "a"}, b = {.name = "b", .closes_on_write = true},
                               c = {.name = "c"};
    const struct nu_network_filter_entry entries[] = {
        {.cls = &teller_class, .config = &a},
        {.cls = &teller_class, .config = &b},
        {.cls = &last_class, .config = &c},
    };
    struct fixture f;
    setup(&f, entries, 3);
    clear_story();
    send_out(&f, "x");
    assert_string_equal(story.data, "b<x>a)b)c)");
    assert_received(&f, ".");
    teardown(&f);
}

TEST(output_that_is_stopped_is_bounded_like_output_that_is_not_read)
{
    struct script a = {.name = "a", .on_write = NU_NETWORK_STOP}, b = {.name = "b"};
    struct fixture f;
    above_high = below_low = 0;
    setup_writers(&f, &a, &b);
    f.conn->conn.buffer_limit = 4;
    send_out(&f, "1234");
    assert_int_equal(above_high, 0);
    send_out(&f, "5");
    send_out(&f, "6");
    assert_int_equal(above_high, 1);
    a.on_write = NU_NETWORK_CONTINUE;
    send_out(&f, "7");
    assert_int_equal(below_low, 1);
    assert_received(&f, "1234567");
    teardown(&f);
}

TEST(bytes_that_a_full_socket_leaves_are_not_shown_again)
{
    static const struct script a = {.name = "a"}, b = {.name = "b"};
    static char block[1024 * 1024];
    struct fixture f;
    setup_writers(&f, &a, &b);
    clear_story();
    memset(block, '-', sizeof(block));
    nu_buf_append(&f.conn->conn.out, nu_str_make(block, sizeof(block)));
    nu_connection_write(&f.conn->conn);
    nu_loop_run_once(f.loop);
    assert_true(f.conn->conn.out.len > 0);
    clear_story();
    send_out(&f, "x");
    assert_string_equal(story.data, "a<x>");
    for (size_t got = 0; got < sizeof(block) + 1;) {
        ssize_t n = read(f.peer, block, sizeof(block));
        assert_true(n > 0);
        got += (size_t)n;
        nu_loop_run_once(f.loop);
    }
    assert_string_equal(story.data, "a<x>");
    teardown(&f);
}

TEST_MAIN()
