/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting and the life of accepted connections. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "net/conn_record.h"
#include "net/inspection.h"
#include "net/listener_log.h"
#include "net/network_chain.h"
#include "runtime/runtime.h"

enum {
    MAX_ACCEPT_BURST = 64,
    THROTTLE_MS = 100,   /* how long accepting rests when there are no descriptors left */
    THROTTLE_LOG_S = 10, /* how often that is said */
};

static _Atomic uint64_t next_connection_id;

/* Connections of all listeners. */
static _Atomic uint32_t global_count;

/* --- Connections ------------------------------------------------------------------------------ */

static struct nu_server_conn *server_conn_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct nu_server_conn, conn);
}

static void on_data(struct nu_connection *base)
{
    nu_network_chain_data(server_conn_of(base));
}

static void on_above_high(struct nu_connection *base)
{
    struct nu_network_filter *last = nu_network_chain_last(server_conn_of(base));
    if (last && last->cls->on_above_high)
        last->cls->on_above_high(last);
}

static void on_below_low(struct nu_connection *base)
{
    struct nu_network_filter *last = nu_network_chain_last(server_conn_of(base));
    if (last && last->cls->on_below_low)
        last->cls->on_below_low(last);
}

static struct nu_connection_gauges gauges(const struct nu_connection *base)
{
    const struct nu_server_conn *conn = nu_container_of(base, const struct nu_server_conn, conn);
    struct nu_network_filter *last = nu_network_chain_last(nu_unconst(conn));
    if (!last || !last->cls->gauges)
        return (struct nu_connection_gauges){0};
    return last->cls->gauges(last);
}

static void free_server_conn(void *obj)
{
    struct nu_server_conn *conn = obj;
    struct nu_server_conn_extras *extras = conn->extras;
    if (nu_unlikely(extras != NULL)) {
        nu_conn_record_free(extras->record);
        if (extras->accepted) {
            struct nu_arena *arena = extras->accepted->arena;
            nu_arena_destroy(&arena);
        }
        nu_free(extras);
    }
    nu_free(conn);
}

static void count_down(struct nu_worker_listener *wl)
{
    atomic_fetch_sub_explicit(&wl->connection_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&wl->listener->open_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&global_count, 1, memory_order_relaxed);
}

static void write_log(struct nu_server_conn *conn)
{
    const struct nu_listener_config *config = conn->wl->listener->config;
    if (nu_likely(!config->log))
        return;
    struct nu_stream_info *info = nu_server_conn_info(conn);
    info->end_us = nu_loop_now_us(conn->conn.loop);
    config->log->write(config->logs, info, conn->conn.loop->runtime);
}

/* Before there is something to log: what can only be asked from a socket that is open. */
static void prepare_log(struct nu_server_conn *conn)
{
    if (nu_likely(!conn->wl->listener->config->log))
        return;
    nu_connection_info_direct_local(&nu_server_conn_record(conn)->connection);
}

static void on_closed(struct nu_connection *base, enum nu_close_reason reason)
{
    struct nu_server_conn *conn = server_conn_of(base);
    struct nu_worker_listener *wl = conn->wl;
    nu_network_chain_close(conn, reason);
    write_log(conn);
    if (nu_unlikely(conn->extras != NULL))
        nu_timer_cancel(&conn->extras->handshake);
    nu_list_remove(&conn->link);
    count_down(wl);
    nu_counter_inc(&wl->stats->downstream_cx_destroy);
    nu_gauge_dec(&wl->stats->downstream_cx_active);
    nu_gauge_dec(&wl->worker_stats->downstream_cx_active);
    nu_histogram_record(&wl->stats->downstream_cx_length_ms,
                        (nu_loop_now_us(base->loop) - conn->accepted_us) / 1000);
    nu_loop_defer_free(base->loop, free_server_conn, conn);
}

static void on_flush(struct nu_connection *base)
{
    nu_network_chain_write(server_conn_of(base));
}

static const struct nu_connection_ops connection_ops = {
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .gauges = gauges,
    .on_closed = on_closed,
};
/* Where filters see what goes out. */
static const struct nu_connection_ops filtered_ops = {
    .on_data = on_data,
    .on_flush = on_flush,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .gauges = gauges,
    .on_closed = on_closed,
};

/* A peer that came over IPv4 to an IPv6 socket is an IPv4 peer. */
static struct nu_address unmapped(struct nu_address address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (nu_likely(address.family != NU_ADDRESS_IPV6) || memcmp(address.ip, prefix, 12) != 0)
        return address;
    struct nu_address v4 = {.family = NU_ADDRESS_IPV4, .port = address.port};
    memcpy(v4.ip, address.ip + 12, 4);
    return v4;
}

static void count_accept(struct nu_worker_listener *wl)
{
    atomic_fetch_add_explicit(&wl->connection_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&wl->listener->open_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&global_count, 1, memory_order_relaxed);
    nu_counter_inc(&wl->stats->downstream_cx_total);
    nu_gauge_inc(&wl->stats->downstream_cx_active);
    nu_counter_inc(&wl->worker_stats->downstream_cx_total);
    nu_gauge_inc(&wl->worker_stats->downstream_cx_active);
}

/* What listener filters found goes along; bytes that they read are delivered first. */
static void take_findings(struct nu_server_conn *conn, struct nu_new_connection *fresh)
{
    if (nu_likely(!fresh->accepted))
        return;
    nu_server_conn_extras(conn)->accepted = fresh->accepted;
    conn->remote = fresh->accepted->remote;
    nu_buf_move_all(&conn->conn.in, &fresh->bytes);
}

static void on_handshake_timeout(struct nu_timer *timer)
{
    struct nu_server_conn *conn =
        nu_container_of(timer, struct nu_server_conn_extras, handshake)->conn;
    if (!conn->conn.transport_waits)
        return;
    nu_counter_inc(&conn->wl->stats->downstream_cx_transport_socket_connect_timeout);
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static void limit_handshake(struct nu_server_conn *conn, uint32_t timeout_ms)
{
    nu_timer_arm(conn->conn.loop, &nu_server_conn_extras(conn)->handshake, timeout_ms);
}

struct nu_server_conn_extras *nu_server_conn_extras(struct nu_server_conn *conn)
{
    if (!conn->extras) {
        conn->extras = nu_calloc(1, sizeof(*conn->extras));
        conn->extras->conn = conn;
        nu_timer_init(&conn->extras->handshake, on_handshake_timeout);
    }
    return conn->extras;
}

static void open_connection(struct nu_worker_listener *wl, struct nu_new_connection *fresh,
                            const struct nu_filter_chain_spec *chain)
{
    struct nu_server_conn *conn = nu_calloc(1, nu_network_chain_size(chain));
    nu_connection_init(&conn->conn, wl->loop, fresh->fd, &connection_ops,
                       wl->listener->config->buffer_limit_bytes);
    conn->wl = wl;
    conn->chain = chain;
    conn->remote = fresh->remote;
    conn->fd_index = fresh->fd_index;
    conn->id = atomic_fetch_add_explicit(&next_connection_id, 1, memory_order_relaxed);
    conn->accepted_us = nu_loop_now_us(wl->loop);
    take_findings(conn, fresh);
    nu_network_chain_init(conn);
    if (nu_unlikely(nu_network_chain_has_writers(conn)))
        conn->conn.ops = &filtered_ops;
    nu_list_add_last(&wl->connections, &conn->link);
    count_accept(wl);
    if (chain->transport.cls)
        chain->transport.cls->accept(&conn->conn, chain->transport.config);
    conn->conn.rx_bytes = conn->conn.in.len; /* what listener filters read for us */
    if (chain->handshake_timeout_ms && conn->conn.transport_waits)
        limit_handshake(conn, chain->handshake_timeout_ms);
    prepare_log(conn);
    nu_connection_start(&conn->conn);
    nu_network_chain_open(conn);
    if (conn->conn.in.len || conn->conn.transport_in)
        nu_connection_redeliver(&conn->conn);
}

static const struct nu_filter_chain_spec *find_chain(struct nu_worker_listener *wl,
                                                     const struct nu_new_connection *fresh)
{
    const struct nu_listener_config *config = wl->listener->config;
    const struct nu_accepted *accepted = fresh->accepted;
    struct nu_address local = wl->listener->bound[fresh->fd_index];
    if (accepted)
        local = accepted->local;
    else if (nu_address_is_ip(&local) && nu_address_is_any(&local))
        local = nu_socket_local_address(fresh->fd);
    struct nu_filter_chain_query query = {
        .destination = &local,
        .source = accepted ? &accepted->remote : &fresh->remote,
        .direct_source = &fresh->remote,
    };
    if (accepted) {
        query.server_name = accepted->server_name;
        query.transport_protocol = accepted->transport_protocol;
        query.application_protocols = accepted->application_protocols;
        query.application_protocol_count = accepted->application_protocol_count;
    }
    if (query.transport_protocol.len == 0)
        query.transport_protocol = NU_STR("raw_buffer");
    const struct nu_filter_chain_spec *chain = nu_filter_chain_map_find(config->chains, &query);
    return chain ? chain : config->default_chain;
}

/* A connection for which there is no chain is logged as well. */
static void log_refusal(struct nu_worker_listener *wl, const struct nu_new_connection *fresh)
{
    const struct nu_listener_config *config = wl->listener->config;
    if (nu_likely(!config->log))
        return;
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_connection_info connection = {
        .id = atomic_fetch_add_explicit(&next_connection_id, 1, memory_order_relaxed),
        .direct_remote = fresh->remote,
        .remote = fresh->accepted ? fresh->accepted->remote : fresh->remote,
        .local = nu_socket_local_address(fresh->fd),
        .local_known = true,
        .listener_name = config->name,
        .listener_metadata = config->metadata,
    };
    if (fresh->accepted)
        connection.requested_server_name = fresh->accepted->server_name;
    uint64_t now = nu_loop_now_us(wl->loop);
    struct nu_stream_info info = {
        .arena = &arena,
        .connection = &connection,
        .remote = connection.remote,
        .start_us = now,
        .end_us = now,
        .start_realtime_us = nu_loop_realtime_us(wl->loop),
        .response_code_details = NU_STR("filter_chain_not_found"),
    };
    nu_stream_info_set_flag(&info, NU_FLAG_NO_ROUTE_FOUND);
    config->log->write(config->logs, &info, wl->loop->runtime);
    nu_arena_finish(&arena);
}

void nu_listener_admit(struct nu_worker_listener *wl, struct nu_new_connection *fresh)
{
    const struct nu_filter_chain_spec *chain = wl->listener->config->only_chain;
    if (!chain)
        chain = find_chain(wl, fresh);
    if (nu_likely(chain != NULL)) {
        open_connection(wl, fresh, chain);
        return;
    }
    nu_counter_inc(&wl->stats->no_filter_chain_match);
    log_refusal(wl, fresh);
    if (fresh->bytes.len)
        nu_socket_reset_on_close(fresh->fd);
    nu_buf_clear(&fresh->bytes);
    nu_arena_destroy(&fresh->arena);
    close(fresh->fd);
}

/* Over a limit that the runtime sets, of the process or of the listener; counts it. */
static bool is_over_limit(struct nu_worker_listener *wl)
{
    const struct nu_runtime *runtime = wl->loop->runtime;
    const struct nu_listener_config *config = wl->listener->config;
    if (nu_likely(!runtime || nu_runtime_key_count(runtime) == 0))
        return false;
    if (!config->ignore_global_limit &&
        atomic_load_explicit(&global_count, memory_order_relaxed) >=
            nu_runtime_integer(runtime, NU_STR("overload.global_downstream_max_connections"),
                               UINT64_MAX)) {
        nu_counter_inc(&wl->stats->downstream_global_cx_overflow);
        return true;
    }
    if (config->limit_key.len == 0 ||
        atomic_load_explicit(&wl->listener->open_count, memory_order_relaxed) <
            nu_runtime_integer(runtime, config->limit_key, UINT64_MAX))
        return false;
    nu_counter_inc(&wl->stats->downstream_cx_overflow);
    return true;
}

static void add_connection(struct nu_worker_listener *wl, int fd, uint8_t fd_index,
                           const struct sockaddr *sa, socklen_t len)
{
    struct nu_new_connection fresh = {
        .fd = fd,
        .fd_index = fd_index,
        .remote = unmapped(nu_address_from_sockaddr(sa, len)),
    };
    if (nu_unlikely(is_over_limit(wl)))
        close(fd);
    else if (nu_unlikely(wl->listener->config->listener_filter_count))
        nu_inspection_begin(wl, fd, fd_index, &fresh.remote);
    else
        nu_listener_admit(wl, &fresh);
}

const struct nu_address *nu_server_conn_local(struct nu_server_conn *conn)
{
    const struct nu_address *bound = &conn->wl->listener->bound[conn->fd_index];
    if (nu_likely(bound->family == NU_ADDRESS_UNIX || !nu_address_is_any(bound)))
        return bound;
    struct nu_server_conn_extras *extras = nu_server_conn_extras(conn);
    if (extras->local.family == NU_ADDRESS_NONE)
        extras->local = nu_connection_local_address(&conn->conn);
    return &extras->local;
}

bool nu_server_conn_is_draining(const struct nu_server_conn *conn)
{
    const struct nu_listener *listener = conn->wl->listener;
    if (nu_likely(!nu_drain_is_on(&listener->drain) &&
                  !(listener->process_drain && nu_drain_is_on(listener->process_drain))))
        return false;
    uint64_t now = nu_loop_now_us(conn->conn.loop);
    return nu_drain_should_close(&listener->drain, now) ||
           (listener->process_drain && nu_drain_should_close(listener->process_drain, now));
}

/* --- Accepting -------------------------------------------------------------------------------- */

static void set_accepting(struct nu_worker_listener *wl, bool on)
{
    for (unsigned i = 0; i < wl->listener->config->address_count; i++) {
        if (on)
            nu_io_enable_read(&wl->accept_io[i]);
        else
            nu_io_disable_read(&wl->accept_io[i]);
    }
}

/* No descriptors: waiting connections stay in the kernel's queue while others end. */
static void throttle(struct nu_worker_listener *wl)
{
    if (wl->throttled)
        return;
    uint64_t now = nu_loop_now_us(wl->loop);
    if (!wl->throttle_logged_us || now - wl->throttle_logged_us > THROTTLE_LOG_S * 1000000ull) {
        wl->throttle_logged_us = now;
        nu_log(NU_LOG_CONN_HANDLER, NU_LOG_WARN,
               "listener %.*s: out of file descriptors (%s); accepting rests until some are free",
               NU_STR_ARG(wl->listener->config->name), strerror(errno));
    }
    nu_counter_inc(&wl->stats->downstream_cx_overflow);
    wl->throttled = true;
    set_accepting(wl, false);
    nu_timer_arm(wl->loop, &wl->throttle_timer, THROTTLE_MS);
}

static void on_throttle_end(struct nu_timer *timer)
{
    struct nu_worker_listener *wl =
        nu_container_of(timer, struct nu_worker_listener, throttle_timer);
    wl->throttled = false;
    if (wl->accepting)
        set_accepting(wl, true);
}

static bool is_passing_error(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* Returns whether another accept is worth while. */
static bool accept_one(struct nu_worker_listener *wl, int fd, uint8_t index)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    int accepted = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
        add_connection(wl, accepted, index, (struct sockaddr *)&sa, len);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        throttle(wl);
    return is_passing_error(errno);
}

static uint32_t max_burst(const struct nu_worker_listener *wl)
{
    uint32_t limit = wl->listener->config->max_accepts_per_event;
    return limit && limit < MAX_ACCEPT_BURST ? limit : MAX_ACCEPT_BURST;
}

static void on_acceptable(int fd, short what, void *arg)
{
    (void)what;
    struct nu_worker_listener *wl = arg;
    uint8_t index = 0;
    while (nu_io_fd(&wl->accept_io[index]) != fd)
        index++;
    uint32_t accepted = 0;
    while (accepted < wl->accept_burst.size && accept_one(wl, fd, index))
        accepted++;
    nu_histogram_record(&wl->stats->connections_accepted_per_socket_event, accepted);
    nu_accept_burst_learn(&wl->accept_burst, accepted, max_burst(wl));
}

struct nu_worker_listener *nu_worker_listener_create(struct nu_listener *listener,
                                                     struct nu_loop *loop, unsigned worker_index,
                                                     struct nu_stat_set *worker_set)
{
    struct nu_worker_listener *wl = nu_calloc(1, sizeof(*wl));
    wl->listener = listener;
    wl->loop = loop;
    wl->worker_set = worker_set;
    nu_accept_burst_init(&wl->accept_burst);
    nu_list_init(&wl->connections);
    nu_list_init(&wl->inspections);
    nu_timer_init(&wl->throttle_timer, on_throttle_end);
    unsigned count = listener->config->address_count;
    wl->accept_io = nu_calloc(count, sizeof(*wl->accept_io));
    for (unsigned i = 0; i < count; i++)
        nu_io_init(&wl->accept_io[i], loop, nu_listener_fd(listener, i, worker_index),
                   on_acceptable, wl);
    return wl;
}

void nu_worker_listener_start(struct nu_worker_listener *wl)
{
    wl->stats = nu_stat_set_block(wl->listener->stats);
    wl->worker_stats = nu_stat_set_block(wl->worker_set);
    wl->accepting = true;
    if (!wl->throttled)
        set_accepting(wl, true);
}

/* Connections that the kernel completed before the stop are ours to serve. */
static void accept_waiting(struct nu_worker_listener *wl)
{
    for (uint8_t i = 0; i < wl->listener->config->address_count; i++) {
        int fd = nu_io_fd(&wl->accept_io[i]);
        while (!wl->throttled && accept_one(wl, fd, i))
            continue;
    }
}

void nu_worker_listener_stop(struct nu_worker_listener *wl)
{
    if (!wl->accepting)
        return;
    wl->accepting = false;
    set_accepting(wl, false);
    accept_waiting(wl);
}

void nu_worker_listener_drain(struct nu_worker_listener *wl)
{
    struct nu_server_conn *conn;
    nu_list_for_each(conn, &wl->connections, struct nu_server_conn, link)
    {
        struct nu_network_filter *last = nu_network_chain_last(conn);
        if (last && last->cls->on_drain)
            last->cls->on_drain(last);
    }
}

void nu_worker_listener_destroy(struct nu_worker_listener **wl_ptr)
{
    struct nu_worker_listener *wl = *wl_ptr;
    if (!wl)
        return;
    *wl_ptr = NULL;
    nu_timer_cancel(&wl->throttle_timer);
    for (unsigned i = 0; i < wl->listener->config->address_count; i++)
        nu_io_finish(&wl->accept_io[i]);
    nu_inspections_end(wl);
    while (!nu_list_is_empty(&wl->connections)) {
        struct nu_server_conn *conn =
            nu_list_entry(wl->connections.next, struct nu_server_conn, link);
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
    }
    nu_free(wl->accept_io);
    nu_free(wl);
}
