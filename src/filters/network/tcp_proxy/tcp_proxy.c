/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: one client's connection and one to a host, and bytes that go from the input of the one
 * to the output of the other, slices and all.
 *
 *     waiting (the client is not read from) -> connected -> closed
 *
 * Either side may end its half: the other is told behind the bytes that are on their way. A side
 * that takes no more bytes stops the reading of the other, so that a session holds a few buffers'
 * worth of bytes and no more. A client that goes leaves the host its last bytes: the host's
 * connection then writes them without a session.
 */
#include "filters/network/tcp_proxy/tcp_proxy.h"

#include "base/assert.h"
#include "base/random.h"
#include "base/xxhash.h"
#include "http/filter_state.h"
#include "http/proxy_data.h"
#include "net/conn_record.h"
#include "upstream/pool/tcp_client.h"

struct session {
    struct nu_network_filter base;
    const struct nu_tcp_proxy *config; /* borrowed */
    struct nu_tcp_proxy_stats *stats;
    struct nu_cluster_local *cluster; /* borrowed; NULL while none is chosen */
    const struct nu_value *criteria;  /* for its subsets; may be NULL */
    struct nu_tcp_client *client;     /* NULL while there is none */
    struct nu_timer idle_timer;       /* armed all the time while connected; see on_idle_timer */
    struct nu_timer duration_timer;
    struct nu_timer log_timer;
    struct nu_timer backoff_timer;
    struct nu_stream_info *info; /* borrowed: the connection's record */
    uint64_t active_us;          /* when bytes came last, from either side */
    uint64_t tx_seen;            /* bytes sent to both sides when the idle timer looked last */
    uint64_t counted_rx;         /* bytes that the statistics have */
    uint64_t counted_tx;
    uint32_t attempts;
    bool connected;
    bool had_pending; /* bytes waited to be sent when the idle timer looked last */
};

static struct session *session_of(struct nu_network_filter *filter)
{
    return nu_container_of(filter, struct session, base);
}

static struct nu_connection *socket_of(const struct session *session)
{
    return &session->base.conn->conn;
}

static struct nu_loop *loop_of(const struct session *session)
{
    return socket_of(session)->loop;
}

static void touch(struct session *session)
{
    session->active_us = nu_loop_now_us(loop_of(session));
}

static void count_bytes(struct session *session)
{
    const struct nu_connection *socket = socket_of(session);
    nu_counter_add(&session->stats->downstream_cx_rx_bytes_total,
                   socket->rx_bytes - session->counted_rx);
    nu_counter_add(&session->stats->downstream_cx_tx_bytes_total,
                   socket->tx_bytes - session->counted_tx);
    session->counted_rx = socket->rx_bytes;
    session->counted_tx = socket->tx_bytes;
}

static struct nu_connection_gauges gauges(const struct nu_network_filter *self)
{
    const struct session *session = nu_container_of(self, const struct session, base);
    return (struct nu_connection_gauges){&session->stats->downstream_cx_rx_bytes_buffered,
                                         &session->stats->downstream_cx_tx_bytes_buffered};
}

static void write_log(struct session *session, enum nu_access_log_type type)
{
    if (session->config->access_logs.count == 0)
        return;
    struct nu_format_context context = {
        .info = nu_server_conn_info(session->base.conn),
        .log_type = type,
    };
    nu_access_log_write(&session->config->access_logs, &context, loop_of(session)->runtime);
}

/* --- Choosing a cluster ----------------------------------------------------------------------- */

/* A filter before this one may have chosen. */
static bool find_override(const struct session *session, struct nu_str *name)
{
    const struct nu_filter_state_object *object =
        nu_stream_info_find_state(session->info, NU_STR(NU_TCP_PROXY_CLUSTER_KEY));
    struct nu_strbuf text = {0};
    if (!object || !object->object_class->to_text ||
        !object->object_class->to_text(object->object, &text))
        return false;
    *name = nu_arena_dup(session->info->arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return true;
}

static const struct nu_tcp_proxy_cluster *choose_by_weight(const struct nu_tcp_proxy *config)
{
    if (nu_likely(config->cluster_count == 1))
        return config->clusters;
    uint64_t at = nu_random_u64() % config->clusters[config->cluster_count - 1].weights;
    size_t i = 0;
    while (at >= config->clusters[i].weights)
        i++;
    return &config->clusters[i];
}

/* With what is asked of its hosts. */
static struct nu_str choose_name(struct session *session)
{
    struct nu_str name;
    session->criteria = session->config->criteria;
    if (nu_unlikely(session->info->filter_state != NULL) && find_override(session, &name))
        return name;
    const struct nu_tcp_proxy_cluster *chosen = choose_by_weight(session->config);
    session->criteria = chosen->criteria;
    return chosen->name;
}

static void describe_cluster(struct session *session)
{
    const struct nu_cluster *cluster = session->cluster->cluster;
    struct nu_upstream_info *upstream = &session->info->upstream;
    upstream->cluster = cluster->name;
    upstream->cluster_observability = cluster->observability_name;
    upstream->cluster_metadata = cluster->metadata;
}

/* Envoy chooses anew for each attempt. */
static bool choose_cluster(struct session *session)
{
    struct nu_str name = choose_name(session);
    session->cluster = nu_cluster_table_find(loop_of(session)->clusters, name);
    if (!session->cluster)
        return false;
    describe_cluster(session);
    return true;
}

/* --- Connecting ------------------------------------------------------------------------------- */

/* There will be no host. */
static void give_up(struct session *session, enum nu_response_flag flag)
{
    nu_stream_info_set_flag(session->info, flag);
    nu_connection_close(socket_of(session), NU_CLOSE_NOW);
}

static void unref_host(void *obj)
{
    nu_host_unref(obj);
}

/* Its name and metadata are shown until the session is over. */
static void describe_host(struct session *session, struct nu_host *host)
{
    struct nu_upstream_info *upstream = &session->info->upstream;
    nu_arena_on_free(session->info->arena, unref_host, nu_host_ref(host));
    upstream->host = *nu_host_address(host);
    upstream->host_name = host->hostname;
    upstream->host_metadata = &host->metadata;
    upstream->host_locality = &host->locality;
    upstream->host_locality_metadata = host->locality_metadata;
}

static void try_again(struct session *session);

static const struct nu_tcp_client_ops client_ops;

static bool hash_source_ip(const struct nu_address *address, uint64_t *hash)
{
    char text[NU_ADDRESS_TEXT_MAX];
    if (!nu_address_is_ip(address))
        return false;
    *hash = nu_xxhash64(nu_str_make(text, nu_address_format_ip(address, text)));
    return true;
}

static bool find_hash(const struct session *session, uint64_t *hash)
{
    switch (session->config->hash) {
    case NU_TCP_PROXY_HASH_NONE:
        break;
    case NU_TCP_PROXY_HASH_SOURCE_IP:
        return hash_source_ip(&session->info->connection->remote, hash);
    case NU_TCP_PROXY_HASH_FILTER_STATE:
        return nu_stream_info_hash_state(session->info, session->config->hash_key, hash);
    }
    return false;
}

/* A session on its way to a host. */
struct choice_context {
    struct nu_lb_context base;
    const struct session *session;
};

/* What balancers of the cluster may go by. What filters before this one say of subsets goes before
 * the configuration. */
static void complete_context(const struct session *session, struct nu_lb_context *context,
                             struct nu_cluster_local *cluster)
{
    const struct nu_lb_class *cls = cluster->cluster->lb_class;
    struct nu_stream_info *info = session->info;
    if (cluster->cluster->original_dst)
        context->destination = nu_original_dst_find(cluster, info, NULL);
    if (cluster->cluster->forward_proxy)
        context->host_name = nu_forward_proxy_name(cluster, info, NULL);
    if (cls->uses_hash)
        context->has_hash = find_hash(session, &context->hash);
    if (cls->uses_criteria)
        context->criteria = nu_lb_criteria_merge(
            session->criteria, nu_lb_criteria_of(info->dynamic_metadata), info->arena);
}

static void complete_for_aggregate(const struct nu_lb_context *context, struct nu_lb_context *inner,
                                   struct nu_cluster_local *cluster)
{
    complete_context(nu_container_of(context, const struct choice_context, base)->session, inner,
                     cluster);
}

static void try_to_connect(struct session *session)
{
    struct nu_upstream_info *upstream = &session->info->upstream;
    if (!choose_cluster(session)) {
        nu_counter_inc(&session->stats->downstream_cx_no_route);
        give_up(session, NU_FLAG_NO_CLUSTER_FOUND);
        return;
    }
    if (!nu_tcp_client_allowed(session->cluster)) {
        give_up(session, NU_FLAG_UPSTREAM_OVERFLOW);
        return;
    }
    if (session->attempts >= session->config->max_attempts) {
        nu_counter_inc(
            &nu_cluster_local_stats(session->cluster)->upstream_cx_connect_attempts_exceeded);
        give_up(session, NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED);
        return;
    }
    struct choice_context context = {{.complete = complete_for_aggregate}, session};
    complete_context(session, &context.base, session->cluster);
    struct nu_proxy_data whom = nu_proxy_data_of(session->info->connection);
    bool overflow;
    session->client =
        nu_tcp_client_open(session->cluster, &context.base, &whom, &client_ops, session, &overflow);
    if (!session->client && !overflow) {
        give_up(session, NU_FLAG_NO_HEALTHY_UPSTREAM);
        return;
    }
    upstream->attempt_count = ++session->attempts;
    if (!upstream->pool_start_us)
        upstream->pool_start_us = nu_loop_now_us(loop_of(session));
    if (overflow)
        try_again(session);
}

static void on_backoff_timer(struct nu_timer *timer)
{
    try_to_connect(nu_container_of(timer, struct session, backoff_timer));
}

/* A random pause, up to a bound that doubles with every attempt. */
static uint64_t backoff_ms(const struct session *session)
{
    const struct nu_tcp_proxy *config = session->config;
    uint64_t bound = config->backoff_ms;
    for (uint32_t i = 1; i < session->attempts && bound < config->max_backoff_ms; i++)
        bound *= 2;
    if (bound > config->max_backoff_ms)
        bound = config->max_backoff_ms;
    return nu_random_u64() % bound;
}

static void try_again(struct session *session)
{
    if (session->config->backoff_ms == 0)
        try_to_connect(session);
    else
        nu_timer_arm(loop_of(session), &session->backoff_timer, backoff_ms(session));
}

/* What comes behind the connection says nothing of the host, for nobody here reads it. */
static void report(const struct session *session, const struct nu_tcp_client *client,
                   enum nu_outlier_result result)
{
    nu_outlier_report(client->host->outlier, result, 0, loop_of(session)->runtime);
}

static void report_failure(const struct session *session, const struct nu_tcp_client *client,
                           enum nu_reset_reason reason)
{
    if (reason == NU_RESET_CONNECTION_TIMEOUT)
        report(session, client, NU_OUTLIER_TIMED_OUT);
    else if (reason != NU_RESET_LOCAL_CONNECTION_FAILURE)
        report(session, client, NU_OUTLIER_FAILED);
}

static void on_failed(struct nu_tcp_client *client, enum nu_reset_reason reason, struct nu_str text)
{
    struct session *session = client->owner;
    struct nu_upstream_info *upstream = &session->info->upstream;
    session->client = NULL;
    report_failure(session, client, reason);
    describe_host(session, client->host);
    upstream->transport_failure_reason =
        text.len ? nu_arena_dup(session->info->arena, text) : nu_str_make(NULL, 0);
    if (reason != NU_RESET_LOCAL_CONNECTION_FAILURE)
        nu_stream_info_set_flag(session->info, NU_FLAG_UPSTREAM_CONNECTION_FAILURE);
    try_again(session);
}

static void describe_connection(struct session *session)
{
    const struct nu_tcp_client *client = session->client;
    struct nu_upstream_info *upstream = &session->info->upstream;
    describe_host(session, client->host);
    upstream->local = client->local;
    upstream->remote = client->remote;
    upstream->connection_id = client->id;
    upstream->ssl = nu_connection_hold_ssl_info(&client->conn, session->info->arena);
    upstream->pool_ready_us = nu_loop_now_us(loop_of(session));
}

static void on_connected(struct nu_tcp_client *client)
{
    struct session *session = client->owner;
    session->connected = true;
    report(session, client, NU_OUTLIER_SERVED);
    touch(session);
    describe_connection(session);
    if (session->config->idle_timeout_ms)
        nu_timer_arm(loop_of(session), &session->idle_timer, session->config->idle_timeout_ms);
    if (session->config->log_connected)
        write_log(session, NU_LOG_TYPE_TCP_UPSTREAM_CONNECTED);
    nu_connection_release_read(socket_of(session));
}

/* --- Passing bytes on ------------------------------------------------------------------------- */

static void pass(struct nu_connection *to, struct nu_buf *data, bool end)
{
    nu_buf_collect(&to->out, data);
    if (end)
        nu_connection_end_write(to);
    else
        nu_connection_write(to);
}

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    struct session *session = session_of(self);
    if (!session->connected)
        return NU_NETWORK_STOP;
    touch(session);
    count_bytes(session);
    if (nu_unlikely(session->info->wire_bytes_received == 0))
        nu_server_conn_info(self->conn); /* takes down what a handshake has told */
    session->info->wire_bytes_received += data->len;
    session->info->upstream.wire_bytes_sent += data->len;
    pass(&session->client->conn, data, end);
    return NU_NETWORK_STOP;
}

static void on_client_data(struct nu_tcp_client *client)
{
    struct session *session = client->owner;
    struct nu_buf *data = &client->conn.in;
    touch(session);
    nu_tcp_client_count_bytes(client);
    session->info->wire_bytes_sent += data->len;
    session->info->upstream.wire_bytes_received += data->len;
    if (nu_connection_is_open(socket_of(session)))
        pass(socket_of(session), data, client->conn.read_eof);
    else
        nu_buf_clear(data);
}

/* The client takes no more for now: the host is not read from. */
static void on_above_high(struct nu_network_filter *self)
{
    struct session *session = session_of(self);
    if (!session->connected)
        return;
    nu_counter_inc(&session->client->cluster->stats->upstream_flow_control_paused_reading_total);
    nu_connection_hold_read(&session->client->conn);
}

static void on_below_low(struct nu_network_filter *self)
{
    struct session *session = session_of(self);
    if (!session->connected)
        return;
    nu_counter_inc(&session->client->cluster->stats->upstream_flow_control_resumed_reading_total);
    nu_connection_release_read(&session->client->conn);
}

/* The host takes no more for now: the client is not read from. */
static void on_client_above_high(struct nu_tcp_client *client)
{
    struct session *session = client->owner;
    nu_counter_inc(&session->stats->downstream_flow_control_paused_reading_total);
    nu_connection_hold_read(socket_of(session));
}

static void on_client_below_low(struct nu_tcp_client *client)
{
    struct session *session = client->owner;
    nu_counter_inc(&session->stats->downstream_flow_control_resumed_reading_total);
    nu_connection_release_read(socket_of(session));
}

/* --- Timers ----------------------------------------------------------------------------------- */

/* What was sent to both sides so far, and whether more waits. */
static uint64_t sent_bytes(const struct session *session)
{
    return socket_of(session)->tx_bytes + session->client->conn.tx_bytes;
}

static bool has_pending(const struct session *session)
{
    return socket_of(session)->out.len || session->client->conn.out.len;
}

/* Bytes that only trickle to a slow side keep a session alive too. */
static bool is_sending(struct session *session)
{
    uint64_t sent = sent_bytes(session);
    bool sending = session->had_pending && sent != session->tx_seen;
    session->tx_seen = sent;
    session->had_pending = has_pending(session);
    return sending;
}

/* Looks how long the session really was idle, so that passing bytes on costs no timer work. */
static void on_idle_timer(struct nu_timer *timer)
{
    struct session *session = nu_container_of(timer, struct session, idle_timer);
    uint64_t limit_ms = session->config->idle_timeout_ms;
    uint64_t idle_ms = (nu_loop_now_us(loop_of(session)) - session->active_us) / 1000;
    if (is_sending(session))
        idle_ms = 0;
    if (idle_ms < limit_ms) {
        nu_timer_arm(loop_of(session), timer, limit_ms - idle_ms);
        return;
    }
    nu_counter_inc(&session->stats->idle_timeout);
    nu_connection_close(socket_of(session), NU_CLOSE_NOW);
}

static void on_duration_timer(struct nu_timer *timer)
{
    struct session *session = nu_container_of(timer, struct session, duration_timer);
    nu_stream_info_set_flag(session->info, NU_FLAG_DURATION_TIMEOUT);
    nu_counter_inc(&session->stats->max_downstream_connection_duration);
    nu_connection_close(socket_of(session), NU_CLOSE_NOW);
}

static void on_log_timer(struct nu_timer *timer)
{
    struct session *session = nu_container_of(timer, struct session, log_timer);
    write_log(session, NU_LOG_TYPE_TCP_PERIODIC);
    nu_timer_arm(loop_of(session), timer, session->config->log_interval_ms);
}

static void init_timers(struct session *session)
{
    nu_timer_init(&session->idle_timer, on_idle_timer);
    nu_timer_init(&session->duration_timer, on_duration_timer);
    nu_timer_init(&session->log_timer, on_log_timer);
    nu_timer_init(&session->backoff_timer, on_backoff_timer);
}

static void start_timers(struct session *session)
{
    const struct nu_tcp_proxy *config = session->config;
    if (config->max_duration_ms) {
        uint64_t jitter_ms = config->jitter_ms ? nu_random_u64() % config->jitter_ms : 0;
        nu_timer_arm(loop_of(session), &session->duration_timer,
                     config->max_duration_ms + jitter_ms);
    }
    if (config->log_interval_ms)
        nu_timer_arm(loop_of(session), &session->log_timer, config->log_interval_ms);
}

static void stop_timers(struct session *session)
{
    nu_timer_cancel(&session->idle_timer);
    nu_timer_cancel(&session->duration_timer);
    nu_timer_cancel(&session->log_timer);
    nu_timer_cancel(&session->backoff_timer);
}

/* --- The end ---------------------------------------------------------------------------------- */

static uint32_t linger_ms(const struct session *session)
{
    uint64_t ms = session->config->idle_timeout_ms;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* The host's connection is gone: the client gets what is left, and its connection ends. */
static void on_client_closed(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    struct session *session = client->owner;
    struct nu_connection *socket = socket_of(session);
    (void)reason;
    session->client = NULL;
    session->connected = false;
    nu_timer_cancel(&session->idle_timer);
    socket->linger_ms = linger_ms(session);
    if (nu_connection_is_open(socket))
        nu_connection_close(socket, NU_CLOSE_FLUSH);
}

static const struct nu_tcp_client_ops client_ops = {
    .on_connected = on_connected,
    .on_failed = on_failed,
    .on_data = on_client_data,
    .on_above_high = on_client_above_high,
    .on_below_low = on_client_below_low,
    .on_closed = on_client_closed,
};

/* A client's last bytes for the host are written without a session; the owner is the statistics'
 * block. */
static void on_last_data(struct nu_tcp_client *client)
{
    nu_buf_clear(&client->conn.in);
}

static void on_last_water(struct nu_tcp_client *client)
{
    (void)client;
}

static void on_last_closed(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    struct nu_tcp_proxy_stats *stats = client->owner;
    (void)reason;
    nu_gauge_dec(&stats->upstream_flush_active);
    if (client->conn.linger_expired)
        nu_counter_inc(&stats->idle_timeout);
}

static const struct nu_tcp_client_ops last_bytes_ops = {
    .on_data = on_last_data,
    .on_above_high = on_last_water,
    .on_below_low = on_last_water,
    .on_closed = on_last_closed,
};

/* What closes behind a session that is over. */
static void on_orphan_closed(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    (void)client;
    (void)reason;
}

static const struct nu_tcp_client_ops orphan_ops = {
    .on_data = on_last_data,
    .on_above_high = on_last_water,
    .on_below_low = on_last_water,
    .on_closed = on_orphan_closed,
};

static void leave_last_bytes(struct session *session)
{
    struct nu_tcp_client *client = session->client;
    nu_counter_inc(&session->stats->upstream_flush_total);
    nu_gauge_inc(&session->stats->upstream_flush_active);
    client->ops = &last_bytes_ops;
    client->owner = session->stats;
    nu_tcp_client_close(client, NU_CLOSE_FLUSH);
}

static void close_client(struct session *session, enum nu_close_reason reason)
{
    struct nu_tcp_client *client = session->client;
    bool by_us = reason == NU_CLOSED_BY_US;
    client->conn.linger_ms = linger_ms(session);
    if (session->connected && !by_us && client->conn.out.len) {
        leave_last_bytes(session);
        return;
    }
    client->ops = &orphan_ops;
    nu_tcp_client_close(client, session->connected && !by_us ? NU_CLOSE_FLUSH : NU_CLOSE_NOW);
}

/* --- The network filter ----------------------------------------------------------------------- */

static void learn_addresses(struct session *session)
{
    if (session->config->access_logs.needs & NU_FORMAT_NEEDS_LOCAL_ADDRESS)
        nu_connection_info_direct_local(session->info->connection);
}

/* Sessions that another filter ends are sessions too. */
static void init_filter(struct nu_network_filter *self)
{
    struct session *session = session_of(self);
    session->config = self->config;
    session->stats = nu_stat_set_block(session->config->stats);
    session->info = nu_server_conn_info(self->conn);
    nu_counter_inc(&session->stats->downstream_cx_total);
    learn_addresses(session);
    init_timers(session);
    /* Until there is somebody to send to. */
    nu_connection_hold_read(socket_of(session));
}

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct session *session = session_of(self);
    start_timers(session);
    try_to_connect(session);
    return NU_NETWORK_STOP;
}

static void close_filter(struct nu_network_filter *self, enum nu_close_reason reason)
{
    struct session *session = session_of(self);
    stop_timers(session);
    count_bytes(session);
    if (session->client)
        close_client(session, reason);
    session->client = NULL;
    session->info->end_us = nu_loop_now_us(loop_of(session));
    write_log(session, NU_LOG_TYPE_TCP_CONNECTION_END);
}

const struct nu_network_filter_class nu_tcp_proxy_filter = {
    .name = "envoy.filters.network.tcp_proxy",
    .instance_size = sizeof(struct session),
    .is_terminal = true,
    .half_close = true,
    .init = init_filter,
    .open = open_filter,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .gauges = gauges,
    .on_below_low = on_below_low,
    .close = close_filter,
};
