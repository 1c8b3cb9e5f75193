/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection manager's connection: codec, streams, idle and age limits, draining.
 *
 * A worker's idle connections stand in a list in the order in which they became idle, which is that
 * in which their time runs out. One timer looks at the first of them, so a request costs no timer
 * work.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "net/conn_record.h"
#include "stream/stream_internal.h"

/* What stays of a connection between requests, besides libevent's part: whoever makes it larger pays
 * for each of tens of thousands. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct nu_server_conn) + sizeof(struct nu_hcm_conn) -
                                              sizeof(struct event) <=
                                          360,
               "an idle connection is to be small");

static struct nu_hcm_conn *conn_of(struct nu_network_filter *filter)
{
    return nu_container_of(filter, struct nu_hcm_conn, base);
}

static struct nu_loop *loop_of(const struct nu_hcm_conn *conn)
{
    return conn->base.conn->conn.loop;
}

static struct nu_connection *socket_of(const struct nu_hcm_conn *conn)
{
    return nu_hcm_conn_socket(conn);
}

/* NULL between the requests of HTTP/1. */
static struct nu_codec *codec_of(struct nu_hcm_conn *conn)
{
    if (nu_unlikely(conn->h2 != NULL))
        return nu_h2_session_codec(conn->h2->session);
    return conn->codec ? &conn->codec->codec : NULL;
}

static bool is_busy(const struct nu_hcm_conn *conn)
{
    return conn->stream || (conn->h2 && conn->h2->streams);
}

/* A codec, which connections have while they need one. */
struct nu_hcm_codec {
    struct nu_h1_server server;
    struct nu_hcm_codec *next; /* while it is spare */
};

static void on_idle_timer(struct nu_timer *timer);

static struct nu_hcm_worker *worker_of(struct nu_hcm *hcm)
{
    unsigned index = nu_thread_index();
    struct nu_hcm_worker *worker = hcm->workers[index];
    if (nu_unlikely(!worker)) {
        worker = nu_calloc(1, sizeof(*worker));
        worker->stats = nu_stat_set_block(hcm->config.stats);
        worker->listener_stats = nu_stat_set_block(hcm->config.listener_stats);
        worker->http1_stats = nu_stat_set_block(hcm->config.http1_stats);
        nu_list_init(&worker->idle);
        nu_timer_init(&worker->idle_timer, on_idle_timer);
        hcm->workers[index] = worker;
    }
    return worker;
}

static void free_worker(struct nu_hcm_worker *worker)
{
    while (worker && worker->spare_codecs) {
        struct nu_hcm_codec *codec = worker->spare_codecs;
        worker->spare_codecs = codec->next;
        nu_free(codec);
    }
    nu_free(worker);
}

void nu_hcm_finish(struct nu_hcm *hcm)
{
    for (unsigned i = 0; i < NU_THREAD_MAX; i++)
        free_worker(hcm->workers[i]);
}

/* --- The codec's side ------------------------------------------------------------------------- */

/* The last request that the connection may carry. */
static void note_last_request(struct nu_hcm_conn *conn)
{
    conn->drain = NU_HCM_CLOSING;
    conn->stream->flags |= NU_STREAM_SAW_CLOSE;
    nu_counter_inc(&conn->worker->stats->downstream_cx_max_requests_reached);
}

static struct nu_stream_decoder *on_new_stream(void *user, struct nu_stream_encoder *encoder)
{
    struct nu_hcm_conn *conn = user;
    uint32_t max = nu_hcm_conn_config(conn)->max_requests_per_connection;
    nu_assert(!conn->stream);
    nu_list_remove(&conn->idle_link);
    /* The request's first bytes are there, mostly few in a block of which the rest is free. */
    struct nu_arena *arena = nu_arena_create_behind(socket_of(conn)->in.last->block);
    conn->stream = nu_hcm_stream_create(conn, encoder, arena);
    nu_counter_inc(&conn->worker->stats->downstream_rq_http1_total);
    conn->requests++;
    if (nu_unlikely(max && conn->requests >= max))
        note_last_request(conn);
    return &conn->stream->decoder;
}

static void on_error(void *user, struct nu_stream_decoder *decoder,
                     const struct nu_codec_error *error)
{
    struct nu_hcm_conn *conn = user;
    struct nu_hcm_stream *stream = nu_container_of(decoder, struct nu_hcm_stream, decoder);
    nu_counter_inc(&conn->worker->stats->downstream_cx_protocol_error);
    if (nu_str_eq(error->details, NU_STR("http1.unexpected_underscore")))
        nu_counter_inc(&conn->worker->http1_stats->requests_rejected_with_underscores_in_headers);
    conn->drain = NU_HCM_CLOSING;
    nu_hcm_stream_codec_error(stream, error);
}

static const struct nu_server_codec_callbacks codec_callbacks = {
    .on_new_stream = on_new_stream,
    .on_error = on_error,
};

/* A spare codec, or a new one, for the bytes that came. */
static struct nu_h1_server *take_codec(struct nu_hcm_conn *conn)
{
    struct nu_hcm_worker *worker = conn->worker;
    struct nu_hcm_codec *codec = worker->spare_codecs;
    if (nu_likely(codec != NULL)) {
        worker->spare_codecs = codec->next;
        worker->spare_count--;
    } else {
        codec = nu_alloc(sizeof(*codec));
    }
    nu_h1_server_init(&codec->server, socket_of(conn), &nu_hcm_conn_config(conn)->h1,
                      &codec_callbacks, conn);
    return &codec->server;
}

static void give_back_codec(struct nu_hcm_conn *conn)
{
    enum { SPARE_MAX = 256 };
    struct nu_hcm_worker *worker = conn->worker;
    struct nu_hcm_codec *codec = nu_container_of(conn->codec, struct nu_hcm_codec, server);
    conn->codec = NULL;
    if (nu_unlikely(worker->spare_count == SPARE_MAX)) {
        nu_free(codec);
        return;
    }
    codec->next = worker->spare_codecs;
    worker->spare_codecs = codec;
    worker->spare_count++;
}

/* Gives the codec back where nothing of a request is left in it, or nobody will ask for it. */
static void settle_codec(struct nu_hcm_conn *conn)
{
    if (conn->codec && !conn->is_in_codec &&
        (nu_h1_server_is_idle(conn->codec) || socket_of(conn)->state == NU_CONNECTION_CLOSED))
        give_back_codec(conn);
}

static void dispatch(struct nu_hcm_conn *conn)
{
    struct nu_codec *codec = codec_of(conn);
    if (!codec) {
        if (socket_of(conn)->in.len == 0)
            return;
        conn->codec = take_codec(conn);
        codec = &conn->codec->codec;
    }
    conn->is_in_codec = true;
    codec->ops->dispatch(codec);
    conn->is_in_codec = false;
    settle_codec(conn);
}

/* --- Ending ----------------------------------------------------------------------------------- */

void nu_hcm_conn_close(struct nu_hcm_conn *conn)
{
    struct nu_connection *socket = socket_of(conn);
    socket->linger_ms = nu_hcm_conn_config(conn)->delayed_close_timeout_ms;
    nu_connection_close(socket, conn->linger ? NU_CLOSE_LINGER : NU_CLOSE_FLUSH);
}

/* Counts what was received, and what was sent up to `tx_bytes`, since the last time. What the last
 * time took for sent and never was, because the connection broke, is taken back. */
static void count_bytes(struct nu_hcm_conn *conn, uint64_t tx_bytes)
{
    struct nu_http_stats *stats = conn->worker->stats;
    uint64_t rx_bytes = socket_of(conn)->rx_bytes;
    nu_counter_add(&stats->downstream_cx_rx_bytes_total, rx_bytes - conn->counted_rx);
    nu_counter_add(&stats->downstream_cx_tx_bytes_total, tx_bytes - conn->counted_tx);
    conn->counted_rx = rx_bytes;
    conn->counted_tx = tx_bytes;
}

void nu_hcm_conn_count_bytes(struct nu_hcm_conn *conn)
{
    struct nu_connection *socket = socket_of(conn);
    count_bytes(conn, socket->tx_bytes + socket->out.len);
}

void nu_hcm_conn_become_idle(struct nu_hcm_conn *conn)
{
    struct nu_hcm_worker *worker = conn->worker;
    uint64_t limit_ms = nu_hcm_conn_config(conn)->idle_timeout_ms;
    conn->idle_since_us = nu_loop_now_us(loop_of(conn));
    if (nu_unlikely(!limit_ms || conn->was_idle_long))
        return;
    nu_list_add_last(&worker->idle, &conn->idle_link);
    if (nu_unlikely(!nu_timer_is_armed(&worker->idle_timer)))
        nu_timer_arm(loop_of(conn), &worker->idle_timer, limit_ms);
}

void nu_hcm_conn_on_stream_end(struct nu_hcm_conn *conn, const struct nu_hcm_stream *stream)
{
    struct nu_connection *socket = socket_of(conn);
    if (nu_unlikely(conn->h2 != NULL)) {
        nu_hcm_h2_on_stream_end(conn, stream);
        return;
    }
    conn->stream = NULL;
    if (nu_unlikely(!nu_connection_is_open(socket)))
        return;
    nu_hcm_conn_become_idle(conn);
    count_bytes(conn, socket->tx_bytes + socket->out.len);
    if (conn->drain == NU_HCM_CLOSING || nu_h1_server_must_close(conn->codec))
        nu_hcm_conn_close(conn);
    else if (socket->in.len || socket->read_eof)
        nu_connection_redeliver(socket);
    else
        settle_codec(conn);
}

/* A connection without a request ends at once: whatever came now would be lost. */
static void end_conn(struct nu_hcm_conn *conn)
{
    if (conn->h2) {
        nu_hcm_h2_end(conn);
        return;
    }
    conn->drain = NU_HCM_CLOSING;
    conn->linger = false;
    if (!conn->stream && nu_connection_is_open(socket_of(conn)))
        nu_hcm_conn_close(conn);
}

/* A client that has just connected is about to send its request. */
static bool is_fresh(const struct nu_hcm_conn *conn)
{
    enum { FRESH_MS = 1000 };
    uint64_t age_us = nu_loop_now_us(loop_of(conn)) - conn->base.conn->accepted_us;
    return conn->requests == 0 && age_us < FRESH_MS * 1000;
}

/* A time after which the connection is given up: of its age, and then of its draining. Few
 * connections have one, so it is apart from them. */
struct nu_hcm_limit {
    struct nu_timer timer;
    struct nu_hcm_conn *conn; /* borrowed: owns this */
};

static void drop_limit(struct nu_hcm_conn *conn)
{
    if (!conn->limit)
        return;
    nu_timer_cancel(&conn->limit->timer);
    nu_free(conn->limit);
    conn->limit = NULL;
}

static void set_limit(struct nu_hcm_conn *conn, void (*fn)(struct nu_timer *), uint64_t ms)
{
    drop_limit(conn);
    conn->limit = nu_calloc(1, sizeof(*conn->limit));
    conn->limit->conn = conn;
    nu_timer_init(&conn->limit->timer, fn);
    nu_timer_arm(loop_of(conn), &conn->limit->timer, ms);
}

static void on_drain_timer(struct nu_timer *timer)
{
    end_conn(nu_container_of(timer, struct nu_hcm_limit, timer)->conn);
}

/* The process is about to end, and waits for its connections. One with a request, be it only the
 * first byte of it, is served to the end of the response. */
static void on_drain(struct nu_network_filter *self)
{
    struct nu_hcm_conn *conn = conn_of(self);
    if (!is_busy(conn))
        nu_connection_read_now(socket_of(conn));
    bool is_idle = !is_busy(conn) && socket_of(conn)->in.len == 0;
    if (conn->h2)
        nu_hcm_h2_end(conn);
    else if (!is_idle)
        conn->drain = NU_HCM_CLOSING;
    else if (!is_fresh(conn))
        end_conn(conn);
}

void nu_hcm_conn_start_drain(struct nu_hcm_conn *conn)
{
    if (conn->drain != NU_HCM_NOT_DRAINING)
        return;
    conn->drain = NU_HCM_DRAINING;
    if (conn->h2)
        nu_hcm_h2_warn(conn);
    set_limit(conn, on_drain_timer, nu_hcm_conn_config(conn)->drain_timeout_ms);
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void on_idle_long(struct nu_hcm_conn *conn)
{
    nu_list_remove(&conn->idle_link);
    conn->was_idle_long = true;
    nu_counter_inc(&conn->worker->stats->downstream_cx_idle_timeout);
    if (!conn->has_protocol)
        end_conn(conn);
    else
        nu_hcm_conn_start_drain(conn);
}

static void on_idle_timer(struct nu_timer *timer)
{
    struct nu_hcm_worker *worker = nu_container_of(timer, struct nu_hcm_worker, idle_timer);
    struct nu_hcm_conn *conn;
    while ((conn = nu_list_first(&worker->idle, struct nu_hcm_conn, idle_link))) {
        uint64_t limit_ms = nu_hcm_conn_config(conn)->idle_timeout_ms;
        uint64_t idle_ms = (nu_loop_now_us(loop_of(conn)) - conn->idle_since_us) / 1000;
        if (idle_ms < limit_ms) {
            nu_timer_arm(loop_of(conn), timer, limit_ms - idle_ms);
            return;
        }
        on_idle_long(conn);
    }
}

static void on_duration_timer(struct nu_timer *timer)
{
    struct nu_hcm_conn *conn = nu_container_of(timer, struct nu_hcm_limit, timer)->conn;
    nu_counter_inc(&conn->worker->stats->downstream_cx_max_duration_reached);
    if (!conn->has_protocol)
        end_conn(conn);
    else
        nu_hcm_conn_start_drain(conn);
}

/* --- The network filter ----------------------------------------------------------------------- */

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct nu_hcm_conn *conn = conn_of(self);
    struct nu_hcm *hcm = nu_unconst(self->config);
    conn->worker = worker_of(hcm);
    conn->worker->connection_count++;
    nu_list_init(&conn->idle_link);
    nu_hcm_conn_become_idle(conn);
    if (hcm->config.max_connection_duration_ms)
        set_limit(conn, on_duration_timer, hcm->config.max_connection_duration_ms);
    struct nu_http_stats *stats = conn->worker->stats;
    nu_counter_inc(&stats->downstream_cx_total);
    nu_gauge_inc(&stats->downstream_cx_active);
    if (socket_of(conn)->transport->is_secure) {
        nu_counter_inc(&stats->downstream_cx_ssl_total);
        nu_gauge_inc(&stats->downstream_cx_ssl_active);
    }
    return NU_NETWORK_CONTINUE;
}

/* The first bytes say which protocol it is, so only then is it counted. */
static NU_NOINLINE void note_protocol(struct nu_hcm_conn *conn)
{
    if (socket_of(conn)->in.len == 0)
        return;
    conn->has_protocol = true;
    if (nu_hcm_h2_is_spoken(conn)) {
        nu_server_conn_note_protocol(conn->base.conn, NU_PROTOCOL_HTTP2);
        nu_hcm_h2_open(conn);
        return;
    }
    nu_server_conn_note_protocol(conn->base.conn, NU_PROTOCOL_HTTP11);
    nu_counter_inc(&conn->worker->stats->downstream_cx_http1_total);
    nu_gauge_inc(&conn->worker->stats->downstream_cx_http1_active);
}

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    struct nu_hcm_conn *conn = conn_of(self);
    (void)data;
    if (nu_unlikely(!conn->has_protocol))
        note_protocol(conn);
    dispatch(conn);
    /* A client that ended its side ended its interest: whatever is on its way is dropped. */
    if (end && nu_connection_is_open(socket_of(conn)))
        nu_connection_close(socket_of(conn), is_busy(conn) ? NU_CLOSE_NOW : NU_CLOSE_FLUSH);
    return NU_NETWORK_STOP;
}

static void on_above_high(struct nu_network_filter *self)
{
    struct nu_hcm_conn *conn = conn_of(self);
    nu_counter_inc(&conn->worker->stats->downstream_flow_control_paused_reading_total);
    struct nu_codec *codec = codec_of(conn);
    if (codec)
        codec->ops->on_above_high(codec);
}

static void on_below_low(struct nu_network_filter *self)
{
    struct nu_hcm_conn *conn = conn_of(self);
    nu_counter_inc(&conn->worker->stats->downstream_flow_control_resumed_reading_total);
    struct nu_codec *codec = codec_of(conn);
    if (!codec) {
        if (socket_of(conn)->in.len)
            nu_connection_redeliver(socket_of(conn));
        return;
    }
    conn->is_in_codec = true;
    codec->ops->on_below_low(codec);
    conn->is_in_codec = false;
    settle_codec(conn);
}

static struct nu_connection_gauges gauges(const struct nu_network_filter *self)
{
    const struct nu_hcm_conn *conn = nu_container_of(self, const struct nu_hcm_conn, base);
    struct nu_http_stats *stats = conn->worker->stats;
    return (struct nu_connection_gauges){&stats->downstream_cx_rx_bytes_buffered,
                                         &stats->downstream_cx_tx_bytes_buffered};
}

static void count_close(struct nu_hcm_conn *conn, bool local, bool active)
{
    struct nu_http_stats *stats = conn->worker->stats;
    struct nu_connection *socket = socket_of(conn);
    nu_counter_inc(&stats->downstream_cx_destroy);
    nu_counter_inc(local ? &stats->downstream_cx_destroy_local
                         : &stats->downstream_cx_destroy_remote);
    if (active) {
        nu_counter_inc(&stats->downstream_cx_destroy_active_rq);
        nu_counter_inc(local ? &stats->downstream_cx_destroy_local_active_rq
                             : &stats->downstream_cx_destroy_remote_active_rq);
    }
    if (socket->linger_expired)
        nu_counter_inc(&stats->downstream_cx_delayed_close_timeout);
    nu_gauge_dec(&stats->downstream_cx_active);
    if (socket->transport->is_secure)
        nu_gauge_dec(&stats->downstream_cx_ssl_active);
    if (conn->has_protocol)
        nu_gauge_dec(conn->h2 ? &stats->downstream_cx_http2_active
                              : &stats->downstream_cx_http1_active);
    count_bytes(conn, socket->tx_bytes);
    nu_histogram_record(&stats->downstream_cx_length_ms,
                        (nu_loop_now_us(loop_of(conn)) - conn->base.conn->accepted_us) / 1000);
}

static void close_filter(struct nu_network_filter *self, enum nu_close_reason reason)
{
    struct nu_hcm_conn *conn = conn_of(self);
    bool local = reason == NU_CLOSED_BY_US && !socket_of(conn)->read_eof;
    nu_list_remove(&conn->idle_link);
    if (--conn->worker->connection_count == 0)
        nu_timer_cancel(&conn->worker->idle_timer);
    drop_limit(conn);
    count_close(conn, local, is_busy(conn));
    struct nu_codec *codec = codec_of(conn);
    if (codec)
        codec->ops->on_closed(codec, local ? NU_RESET_LOCAL : NU_RESET_CONNECTION_TERMINATION);
    if (conn->stream)
        nu_hcm_stream_end(conn->stream);
    settle_codec(conn);
    if (conn->h2)
        nu_loop_defer_free(loop_of(conn), nu_free, conn->h2);
}

const struct nu_network_filter_class nu_hcm_filter = {
    .name = "envoy.filters.network.http_connection_manager",
    .instance_size = sizeof(struct nu_hcm_conn),
    .is_terminal = true,
    .open = open_filter,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .gauges = gauges,
    .on_drain = on_drain,
    .close = close_filter,
};
