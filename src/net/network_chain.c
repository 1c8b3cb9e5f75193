/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running network filters: Envoy's order and Envoy's rules for stopping.
 *
 * Most chains are one filter long, so the filters are found by stepping from one to the next.
 *
 * Of a connection's output those bytes that the filters have let pass stand first; how many that are
 * follows from how many have passed in all, and how many were sent.
 */
#include "net/network_chain.h"

#include "base/compiler.h"

/* Instances are made of pointers and of numbers no larger, and follow one another as close as these may:
 * each connection has them for as long as it is open. */
static size_t place_of(size_t bytes)
{
    return nu_align_up(bytes, _Alignof(uint64_t));
}

static struct nu_network_filter *first_filter(struct nu_server_conn *conn)
{
    return (struct nu_network_filter *)(void *)((char *)conn + place_of(sizeof(*conn)));
}

static struct nu_network_filter *next_filter(struct nu_network_filter *filter)
{
    return (struct nu_network_filter *)(void *)((char *)filter +
                                                place_of(filter->cls->instance_size));
}

static struct nu_network_filter *filter_at(struct nu_server_conn *conn, uint8_t index)
{
    struct nu_network_filter *filter = first_filter(conn);
    while (index--)
        filter = next_filter(filter);
    return filter;
}

static struct nu_network_filter *last_filter(struct nu_server_conn *conn)
{
    return filter_at(conn, (uint8_t)(conn->filter_count - 1));
}

static bool is_last(const struct nu_network_filter *filter)
{
    return filter->cls->is_terminal;
}

size_t nu_network_chain_size(const struct nu_filter_chain_spec *spec)
{
    size_t size = place_of(sizeof(struct nu_server_conn));
    for (uint8_t i = 0; i < spec->filter_count; i++)
        size += place_of(spec->filters[i].cls->instance_size);
    return size;
}

void nu_network_chain_init(struct nu_server_conn *conn)
{
    const struct nu_filter_chain_spec *spec = conn->chain;
    struct nu_network_filter *filter = first_filter(conn);
    conn->filter_count = spec->filter_count;
    for (uint8_t i = 0; i < spec->filter_count; i++) {
        filter->cls = spec->filters[i].cls;
        filter->config = spec->filters[i].config;
        filter->conn = conn;
        filter = next_filter(filter);
    }
}

static uint8_t index_of(const struct nu_network_filter *filter)
{
    uint8_t index = 0;
    for (struct nu_network_filter *at = first_filter(filter->conn); at != filter;
         at = next_filter(at))
        index++;
    return index;
}

/* Whether the next filter has its turn. */
static bool open_filter(struct nu_network_filter *filter)
{
    struct nu_server_conn *conn = filter->conn;
    if (nu_likely(conn->open_count > index_of(filter)))
        return true;
    conn->open_count++;
    return !filter->cls->open || (filter->cls->open(filter) == NU_NETWORK_CONTINUE &&
                                  nu_connection_is_open(&filter->conn->conn));
}

static bool has_data(const struct nu_connection *conn)
{
    return (conn->in.len || conn->read_eof) && !conn->read_holds;
}

static bool show_data(struct nu_network_filter *filter)
{
    struct nu_connection *conn = &filter->conn->conn;
    if (!filter->cls->on_data)
        return true;
    return filter->cls->on_data(filter, &conn->in, conn->read_eof) == NU_NETWORK_CONTINUE &&
           nu_connection_is_open(conn);
}

/* Filters that want the end of the client's side to be the connection's end never see it while one
 * before them keeps the bytes. */
static void end_if_unheard(struct nu_server_conn *conn)
{
    const struct nu_network_filter *last = last_filter(conn);
    if (conn->conn.read_eof && nu_connection_is_open(&conn->conn) && !last->cls->half_close)
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* Each filter from `filter` on is opened, then gets the bytes. */
static void run(struct nu_network_filter *filter)
{
    struct nu_server_conn *conn = filter->conn;
    for (;;) {
        bool goes_on = open_filter(filter) && (!has_data(&conn->conn) || show_data(filter));
        if (is_last(filter))
            return;
        if (!goes_on)
            break;
        filter = next_filter(filter);
    }
    end_if_unheard(conn);
}

static void init_filters(struct nu_server_conn *conn)
{
    struct nu_network_filter *filter = first_filter(conn);
    for (uint8_t i = 0; i < conn->filter_count; i++) {
        if (filter->cls->init)
            filter->cls->init(filter);
        filter = next_filter(filter);
    }
}

void nu_network_chain_open(struct nu_server_conn *conn)
{
    struct nu_network_filter *filter = first_filter(conn);
    init_filters(conn);
    while (open_filter(filter) && !is_last(filter))
        filter = next_filter(filter);
}

void nu_network_chain_data(struct nu_server_conn *conn)
{
    run(first_filter(conn));
}

void nu_network_filter_continue(struct nu_network_filter *self)
{
    struct nu_connection *conn = &self->conn->conn;
    if (is_last(self) || !nu_connection_is_open(conn))
        return;
    run(next_filter(self));
    nu_connection_read_on(conn);
}

/* --- What goes out ---------------------------------------------------------------------------- */

bool nu_network_chain_has_writers(struct nu_server_conn *conn)
{
    for (uint8_t i = 0; i < conn->filter_count; i++) {
        if (conn->chain->filters[i].cls->on_write)
            return true;
    }
    return false;
}

/* From the last filter to the first. False if one of them stops, or closes the connection. */
static bool show_output(struct nu_server_conn *conn, struct nu_buf *data, bool end)
{
    for (uint8_t i = conn->open_count; i-- > 0;) {
        struct nu_network_filter *filter = filter_at(conn, i);
        if (filter->cls->on_write &&
            (filter->cls->on_write(filter, data, end) != NU_NETWORK_CONTINUE ||
             conn->conn.state == NU_CONNECTION_CLOSED))
            return false;
    }
    return true;
}

/* What filters keep counts as output that the client does not take. */
static void tell_fullness(struct nu_server_conn *conn, struct nu_network_output *output)
{
    struct nu_network_filter *last = nu_network_chain_last(conn);
    uint32_t limit = conn->conn.buffer_limit;
    bool is_full = limit && output->held.len > limit;
    if (!last || is_full == output->is_full)
        return;
    output->is_full = is_full;
    if (is_full && last->cls->on_above_high)
        last->cls->on_above_high(last);
    else if (!is_full && last->cls->on_below_low)
        last->cls->on_below_low(last);
}

/* What follows `passed` in the output, with what was held before. */
static void show_fresh(struct nu_server_conn *conn, struct nu_network_output *output,
                       struct nu_buf *passed, bool end)
{
    struct nu_connection *base = &conn->conn;
    nu_buf_prepend_all(&base->out, &output->held);
    bool goes_on = show_output(conn, &base->out, end);
    if (base->state == NU_CONNECTION_CLOSED) {
        nu_buf_clear(passed);
        return;
    }
    output->holds_end = end && !goes_on;
    output->has_ended = base->write_ended = end && goes_on;
    if (!goes_on)
        nu_buf_move_all(&output->held, &base->out);
    output->passed += base->out.len;
    nu_buf_prepend_all(&base->out, passed);
    tell_fullness(conn, output);
}

void nu_network_chain_write(struct nu_server_conn *conn)
{
    struct nu_network_output *output = &nu_server_conn_extras(conn)->output;
    struct nu_connection *base = &conn->conn;
    struct nu_buf passed = {0};
    size_t waiting = (size_t)(output->passed - base->tx_bytes);
    bool end_is_new = base->write_ended && !output->has_ended;
    if (base->out.len == waiting && !end_is_new)
        return;
    nu_buf_move(&passed, &base->out, waiting);
    show_fresh(conn, output, &passed, base->write_ended || output->holds_end);
}

struct nu_buf *nu_network_filter_input(struct nu_network_filter *self)
{
    return &self->conn->conn.in;
}

struct nu_buf *nu_network_filter_output(struct nu_network_filter *self)
{
    return self->conn->extras ? &self->conn->extras->output.held : NULL;
}

void nu_network_filter_measure(struct nu_network_filter *self)
{
    struct nu_server_conn *conn = self->conn;
    if (!nu_connection_is_open(&conn->conn))
        return;
    if (conn->extras)
        tell_fullness(conn, &conn->extras->output);
    nu_connection_read_on(&conn->conn);
}

/* --- The end ---------------------------------------------------------------------------------- */

void nu_network_chain_close(struct nu_server_conn *conn, enum nu_close_reason reason)
{
    struct nu_network_filter *filter = first_filter(conn);
    for (uint8_t i = 0; i < conn->filter_count; i++) {
        struct nu_network_filter *next = next_filter(filter);
        bool was_told = i < conn->open_count || filter->cls->init;
        if (was_told && filter->cls->close)
            filter->cls->close(filter, reason);
        filter = next;
    }
    if (nu_unlikely(conn->extras != NULL))
        nu_buf_clear(&conn->extras->output.held);
}

struct nu_network_filter *nu_network_chain_last(struct nu_server_conn *conn)
{
    return conn->open_count == conn->filter_count ? last_filter(conn) : NULL;
}

/* --- A chain without filters ------------------------------------------------------------------ */

static enum nu_network_status close_at_once(struct nu_network_filter *self)
{
    struct nu_stat_set *set = nu_unconst(self->config);
    struct nu_listener_config_stats *stats = nu_stat_set_block(set);
    nu_counter_inc(&stats->network_extension_config_missing);
    nu_connection_close(&self->conn->conn, NU_CLOSE_NOW);
    return NU_NETWORK_STOP;
}

const struct nu_network_filter_class nu_no_filters_class = {
    .name = "nuncio.no_filters",
    .instance_size = sizeof(struct nu_network_filter),
    .is_terminal = true,
    .open = close_at_once,
};
