/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts: from the choice of a host to the last byte of its response. What is learned on the way
 * stands in the stream's info; what it means is the exchange's business.
 */
#include "client/exchange_internal.h"

#include "http/authority.h"
#include "http/proxy_data.h"
#include "upstream/lb/reported_weights.h"
#include "upstream/lb/lb_foresight.h"

static struct nu_attempt *attempt_of_decoder(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_attempt, decoder);
}

static struct nu_attempt *attempt_of_request(struct nu_pool_request *request)
{
    return nu_container_of(request, struct nu_attempt, pool_request);
}

static struct nu_upstream_info *info_of(const struct nu_attempt *attempt)
{
    return &attempt->decoder.info->upstream;
}

static uint64_t now_us(const struct nu_attempt *attempt)
{
    return nu_loop_now_us(nu_exchange_loop(attempt->exchange));
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Streams of HTTP/2 are counted when they are reset; in HTTP/1 the connection is what ends. */
static void count_reset(const struct nu_attempt *attempt, enum nu_reset_reason reason)
{
    struct nu_cluster_traffic_stats *stats = attempt->cluster->stats;
    if (nu_likely(info_of(attempt)->protocol != NU_PROTOCOL_HTTP2))
        return;
    switch (reason) {
    case NU_RESET_CONNECTION_TERMINATION:
    case NU_RESET_LOCAL_CONNECTION_FAILURE:
    case NU_RESET_REMOTE_CONNECTION_FAILURE:
    case NU_RESET_CONNECTION_TIMEOUT:
        nu_counter_inc(&stats->upstream_rq_pending_failure_eject);
        return;
    case NU_RESET_LOCAL:
    case NU_RESET_PROTOCOL_ERROR:
    case NU_RESET_OVERLOAD:
        nu_counter_inc(&stats->upstream_rq_tx_reset);
        return;
    case NU_RESET_REMOTE:
        nu_counter_inc(&stats->upstream_rq_rx_reset);
        return;
    case NU_RESET_LOCAL_REFUSED:
    case NU_RESET_REMOTE_REFUSED:
    case NU_RESET_OVERFLOW:
    case NU_RESET_CONNECT_ERROR:
    case NU_RESET_PREMATURE_HALF_CLOSE:
        return;
    }
}

void nu_attempt_release(struct nu_attempt *attempt)
{
    struct nu_stream_encoder *encoder = attempt->encoder;
    attempt->encoder = NULL;
    if (nu_unlikely(attempt->lookup != NULL))
        nu_attempt_cancel_lookup(attempt);
    if (!encoder && nu_unlikely(attempt->raw != NULL)) {
        nu_raw_upstream_cancel(attempt->raw);
        return;
    }
    if (!encoder) {
        nu_pool_cancel(&attempt->pool_request);
        return;
    }
    if (attempt->exchange->flags & NU_EXCHANGE_HOLDING)
        encoder->ops->release_read(encoder);
    count_reset(attempt, NU_RESET_LOCAL);
    encoder->ops->reset(encoder, NU_RESET_LOCAL);
}

void nu_attempt_drop(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    if (attempt->is_over)
        return;
    attempt->is_over = true;
    nu_attempt_stop_timers(attempt);
    nu_attempt_stop_meter(attempt);
    nu_attempt_release(attempt);
    if (attempt->is_above_high) {
        attempt->is_above_high = false;
        exchange->ops->on_below_low(exchange);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

static void on_timeout(struct nu_timer *timer)
{
    struct nu_attempt *attempt = nu_container_of(timer, struct nu_attempt_timers, timeout)->attempt;
    struct nu_exchange *exchange = attempt->exchange;
    if (nu_exchange_has_begun(exchange))
        return;
    if (exchange->params.retry->hedges) {
        nu_tries_hedge(attempt);
        return;
    }
    nu_counter_inc(&exchange->stats->upstream_rq_per_try_timeout);
    nu_counter_inc(&attempt->host_stats->rq_timeout);
    nu_exchange_on_try_over(attempt, NU_EXCHANGE_TRY_TIMEOUT);
}

static void on_idle(struct nu_timer *timer)
{
    struct nu_attempt *attempt = nu_container_of(timer, struct nu_attempt_timers, idle)->attempt;
    struct nu_exchange *exchange = attempt->exchange;
    nu_timer_cancel(&attempt->timers->timeout);
    if (exchange->params.retry->hedges) {
        nu_tries_hedge(attempt);
        return;
    }
    nu_counter_inc(&exchange->stats->upstream_rq_per_try_idle_timeout);
    nu_counter_inc(&attempt->host_stats->rq_timeout);
    nu_exchange_on_try_over(attempt, NU_EXCHANGE_TRY_IDLE);
}

static void on_max_duration(struct nu_timer *timer)
{
    struct nu_attempt *attempt =
        nu_container_of(timer, struct nu_attempt_timers, duration)->attempt;
    nu_counter_inc(&attempt->cluster->stats->upstream_rq_max_duration_reached);
    nu_exchange_on_try_over(attempt, NU_EXCHANGE_MAX_DURATION);
}

static struct nu_attempt_timers *timers_of(struct nu_attempt *attempt)
{
    if (attempt->timers)
        return attempt->timers;
    struct nu_attempt_timers *timers = nu_arena_alloc(attempt->exchange->arena, sizeof(*timers));
    timers->attempt = attempt;
    nu_timer_init(&timers->timeout, on_timeout);
    nu_timer_init(&timers->idle, on_idle);
    nu_timer_init(&timers->duration, on_max_duration);
    attempt->timers = timers;
    return timers;
}

void nu_attempt_arm_timers(struct nu_attempt *attempt)
{
    const struct nu_retry_rules *rules = attempt->exchange->params.retry;
    struct nu_loop *loop = nu_exchange_loop(attempt->exchange);
    if (rules->per_try_timeout_ms)
        nu_timer_arm(loop, &timers_of(attempt)->timeout, rules->per_try_timeout_ms);
    if (rules->per_try_idle_timeout_ms)
        nu_timer_arm(loop, &timers_of(attempt)->idle, rules->per_try_idle_timeout_ms);
}

/* The response goes on. */
static void move_idle(struct nu_attempt *attempt)
{
    if (nu_likely(!attempt->timers) || !nu_timer_is_armed(&attempt->timers->idle))
        return;
    nu_timer_arm(nu_exchange_loop(attempt->exchange), &attempt->timers->idle,
                 attempt->exchange->params.retry->per_try_idle_timeout_ms);
}

void nu_attempt_cancel_timers(struct nu_attempt *attempt)
{
    struct nu_attempt_timers *timers = attempt->timers;
    nu_timer_cancel(&timers->timeout);
    nu_timer_cancel(&timers->idle);
    nu_timer_cancel(&timers->duration);
}

/* --- The response ----------------------------------------------------------------------------- */

/* What the host says of its load beside the answer: once, in its headers or its trailers. */
static NU_NOINLINE void read_report(struct nu_attempt *attempt, const struct nu_headers *headers)
{
    uint32_t weight;
    struct nu_exchange *exchange = attempt->exchange;
    const struct nu_reported_weights *reported = attempt->cluster->cluster->reported;
    if (attempt->has_report || !reported)
        return;
    attempt->has_report =
        nu_load_report_weight(headers, nu_reported_metrics(reported), exchange->arena, &weight);
    if (attempt->has_report)
        nu_host_report_note(nu_host_report(attempt->host), weight, now_us(attempt));
}

static void on_headers(struct nu_stream_decoder *decoder, bool ended)
{
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    if (nu_unlikely(nu_headers_has_id(&attempt->response_headers,
                                      NU_HEADER_X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL)))
        nu_host_tell_unwell(attempt->host);
    if (nu_unlikely(nu_host_report(attempt->host) != NULL))
        read_report(attempt, &attempt->response_headers);
    move_idle(attempt);
    nu_exchange_on_headers(attempt, ended);
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool ended)
{
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    struct nu_upstream_info *info = info_of(attempt);
    uint64_t now = now_us(attempt);
    if (!info->first_rx_body_us)
        info->first_rx_body_us = now;
    if (ended)
        info->last_rx_us = now;
    move_idle(attempt);
    nu_exchange_on_data(attempt->exchange, data, ended);
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    info_of(attempt)->last_rx_us = now_us(attempt);
    if (nu_unlikely(nu_host_report(attempt->host) != NULL))
        read_report(attempt, trailers);
    nu_exchange_on_trailers(attempt->exchange, trailers);
}

static void on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    nu_exchange_on_1xx(attempt_of_decoder(decoder), headers);
}

static void on_metadata(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata)
{
    nu_exchange_on_metadata(attempt_of_decoder(decoder), metadata);
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    (void)details;
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    struct nu_exchange *exchange = attempt->exchange;
    attempt->encoder = NULL;
    if (!nu_exchange_is_active(exchange))
        return;
    count_reset(attempt, reason);
    if (reason == NU_RESET_PROTOCOL_ERROR && info_of(attempt)->protocol != NU_PROTOCOL_HTTP2)
        nu_counter_inc(&attempt->cluster->stats->upstream_cx_protocol_error);
    nu_exchange_on_reset(attempt, reason);
}

static void on_above_high(struct nu_stream_decoder *decoder)
{
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    attempt->is_above_high = true;
    if (nu_exchange_is_active(attempt->exchange))
        attempt->exchange->ops->on_above_high(attempt->exchange);
}

static void on_below_low(struct nu_stream_decoder *decoder)
{
    struct nu_attempt *attempt = attempt_of_decoder(decoder);
    attempt->is_above_high = false;
    if (nu_exchange_is_active(attempt->exchange))
        attempt->exchange->ops->on_below_low(attempt->exchange);
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_1xx = on_1xx,
    .on_metadata = on_metadata,
    .on_reset = on_reset,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

/* --- The connection --------------------------------------------------------------------------- */

static void note_connection(struct nu_attempt *attempt, const struct nu_upstream_conn *conn)
{
    struct nu_upstream_info *info = info_of(attempt);
    uint64_t now = now_us(attempt);
    info->local = conn->local;
    info->remote = conn->remote;
    if (nu_unlikely(nu_host_is_at_one_address(attempt->host)))
        info->host = conn->remote; /* where the host was when the connection was made */
    info->connection_id = conn->id;
    info->ssl = nu_connection_hold_ssl_info(&conn->conn, attempt->exchange->arena);
    info->protocol = conn->h2 ? NU_PROTOCOL_HTTP2 : NU_PROTOCOL_HTTP11;
    info->connect_start_us = conn->connect_start_us;
    info->connect_end_us = conn->connect_end_us;
    info->pool_ready_us = now;
    info->first_tx_us = now;
}

void nu_attempt_set_ready(struct nu_attempt *attempt, struct nu_stream_encoder *encoder)
{
    struct nu_exchange *exchange = attempt->exchange;
    const struct nu_retry_rules *rules = exchange->params.retry;
    uint64_t max_ms = attempt->cluster->cluster->options.max_stream_duration_ms;
    attempt->encoder = encoder;
    nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_total));
    nu_attempt_report(attempt, NU_OUTLIER_CONNECTED, 0);
    if (nu_unlikely(rules && rules->has_max_duration))
        max_ms = rules->max_duration_ms;
    if (nu_unlikely(max_ms))
        nu_timer_arm(nu_exchange_loop(exchange), &timers_of(attempt)->duration, max_ms);
    if (nu_exchange_is_request_over(exchange))
        nu_attempt_time(attempt);
    nu_exchange_on_ready(exchange);
}

static void on_ready(struct nu_pool_request *request, struct nu_stream_encoder *encoder,
                     const struct nu_upstream_conn *conn)
{
    struct nu_attempt *attempt = attempt_of_request(request);
    note_connection(attempt, conn);
    nu_attempt_set_ready(attempt, encoder);
}

static void on_failure(struct nu_pool_request *request, enum nu_reset_reason reason,
                       struct nu_str transport_failure)
{
    struct nu_attempt *attempt = attempt_of_request(request);
    info_of(attempt)->pool_ready_us = now_us(attempt);
    nu_exchange_on_no_connection(attempt, reason, transport_failure, request->had_connection);
}

static const struct nu_pool_request_ops pool_ops = {
    .on_ready = on_ready,
    .on_failure = on_failure,
};

/* --- The host --------------------------------------------------------------------------------- */

static void unref_host(void *obj)
{
    nu_host_unref(obj);
}

/* The stream shows the host's name and metadata until its end. */
static void hold_host(struct nu_attempt *attempt)
{
    struct nu_arena *arena = attempt->exchange->arena;
    if (nu_likely(!attempt->raw))
        nu_pool_hold_host(attempt->pool_request.pool, arena);
    else
        nu_arena_on_free(arena, unref_host, nu_host_ref(attempt->raw->client->host));
}

static void note_host(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    const struct nu_host *host = attempt->host;
    struct nu_upstream_info *info = info_of(attempt);
    info->host = *nu_host_address(host);
    info->host_name = host->hostname;
    info->host_metadata = &host->metadata;
    info->host_locality = &host->locality;
    info->host_locality_metadata = host->locality_metadata;
    hold_host(attempt);
    if (exchange->ops->on_host)
        exchange->ops->on_host(exchange, host);
}

/* The host that the request is for, where connections are opened for one. */
static struct nu_str server_name_of(const struct nu_exchange *exchange,
                                    const struct nu_cluster_options *options)
{
    const struct nu_headers *headers = exchange->request_headers;
    struct nu_str host = {0};
    if (options->auto_sni_header.len)
        host = nu_headers_get(headers, options->auto_sni_header);
    if (host.len == 0)
        host = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    return nu_authority_split(host).host;
}

/* An aggregate says that for the clusters that it stands for. */
static void name_purpose(const struct nu_exchange *exchange, struct nu_pool_purpose *purpose)
{
    const struct nu_cluster_options *options = &exchange->params.cluster->cluster->options;
    if (nu_likely(!options->auto_sni && !options->auto_san))
        return;
    purpose->server_name = server_name_of(exchange, options);
    purpose->asks_for_name = options->auto_sni;
    purpose->checks_name = options->auto_san;
}

static NU_NOINLINE struct nu_pool *find_own_pool(struct nu_exchange *exchange,
                                                 struct nu_cluster_local *cluster, uint32_t index)
{
    struct nu_stream_info *info = exchange->info;
    struct nu_pool_purpose purpose = {0};
    struct nu_proxy_data client;
    name_purpose(exchange, &purpose);
    if (nu_unlikely(nu_cluster_names_client(cluster->cluster, cluster->hosts->hosts[index])) &&
        info->connection) {
        client = nu_proxy_data_of(info->connection);
        purpose.client = &client;
    }
    if (nu_unlikely(cluster->cluster->options.pools_per_connection) && info->connection)
        purpose.connection = &info->connection->id;
    return nu_pool_get(cluster, index, exchange->params.priority, info->protocol, &purpose);
}

/* One for everybody, unless the client or the name sets its connections apart. */
static inline struct nu_pool *find_pool(struct nu_exchange *exchange,
                                        struct nu_cluster_local *cluster, uint32_t index)
{
    const struct nu_cluster_options *names = &exchange->params.cluster->cluster->options;
    const struct nu_cluster *of = cluster->cluster;
    if (nu_unlikely(names->auto_sni || names->auto_san || of->options.pools_per_connection ||
                    nu_cluster_names_client(of, cluster->hosts->hosts[index])))
        return find_own_pool(exchange, cluster, index);
    return nu_pool_get(cluster, index, exchange->params.priority, exchange->info->protocol, NULL);
}

/* The pool of a host. False if there is no host, or no more pools are allowed. */
static bool choose_pool(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_cluster_choice choice =
        nu_cluster_choose_host(exchange->params.cluster, &exchange->params.lb);
    if (nu_unlikely(choice.index == NU_LB_NONE)) {
        nu_counter_inc(&exchange->stats->upstream_cx_none_healthy);
        return false;
    }
    struct nu_pool *pool = find_pool(exchange, choice.cluster, (uint32_t)choice.index);
    if (nu_unlikely(!pool))
        return false;
    attempt->pool_request.pool = pool;
    attempt->cluster = choice.cluster;
    attempt->host = pool->host;
    attempt->host_stats = pool->host_stats;
    return true;
}

enum nu_attempt_start nu_attempt_choose(struct nu_attempt *attempt)
{
    bool overflow = false;
    if (nu_unlikely(attempt->exchange->params.cluster->cluster->forward_proxy != NULL) &&
        nu_attempt_look_up(attempt))
        return NU_ATTEMPT_LATER;
    bool chosen = nu_unlikely(attempt->exchange->params.raw != NULL)
                      ? nu_attempt_open_raw(attempt, &overflow)
                      : choose_pool(attempt);
    if (nu_unlikely(!chosen))
        return overflow ? NU_ATTEMPT_OVERFLOW : NU_ATTEMPT_NO_HOST;
    note_host(attempt);
    if (nu_exchange_has_tries(attempt->exchange))
        nu_tries_note_host(attempt);
    return NU_ATTEMPT_STARTED;
}

/* Opens connections where the next requests will go; a few, as Envoy does. */
static void open_ahead(struct nu_exchange *exchange)
{
    enum { OPEN_AT_ONCE = 3 };
    struct nu_cluster_local *cluster = exchange->params.cluster;
    for (int i = 0; i < OPEN_AT_ONCE && nu_pool_lacks_room(cluster); i++) {
        int32_t index = nu_lb_foresee(cluster->lb, &exchange->params.lb);
        struct nu_pool *pool =
            index == NU_LB_NONE ? NULL : find_pool(exchange, cluster, (uint32_t)index);
        if (!pool || !nu_pool_preconnect(pool))
            return;
    }
}

/* The attempt's own pool must not make room for others, nor go because it has no connection yet. */
static NU_NOINLINE void preconnect(const struct nu_attempt *attempt)
{
    struct nu_pool *pool = attempt->pool_request.pool;
    pool->is_wanted = true;
    open_ahead(attempt->exchange);
    pool->is_wanted = false;
}

/* --- Life ------------------------------------------------------------------------------------- */

void nu_attempt_init(struct nu_attempt *attempt, struct nu_exchange *exchange)
{
    attempt->exchange = exchange;
    attempt->older = NULL;
    attempt->host = NULL;
    attempt->encoder = NULL;
    attempt->raw = NULL;
    attempt->timers = NULL;
    attempt->meter = NULL;
    attempt->lookup = NULL;
    attempt->is_over = false;
    attempt->is_retried = false;
    attempt->is_above_high = false;
    attempt->is_late = false;
    attempt->awaits_grpc_status = false;
    attempt->has_report = false;
    nu_headers_init(&attempt->response_headers, exchange->arena, 24);
    attempt->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = exchange->arena,
        .headers = &attempt->response_headers,
        .info = exchange->info,
    };
    attempt->pool_request.ops = &pool_ops;
    attempt->pool_request.decoder = &attempt->decoder;
    attempt->pool_request.waiting = false;
}

void nu_attempt_renew(struct nu_attempt *attempt)
{
    attempt->encoder = NULL;
    attempt->raw = NULL;
    attempt->is_over = false;
    attempt->is_retried = false;
    attempt->is_above_high = false;
    attempt->is_late = false;
    attempt->awaits_grpc_status = false;
    attempt->has_report = false;
    attempt->pool_request.waiting = false;
    nu_headers_clear(&attempt->response_headers);
}

void nu_attempt_begin(struct nu_attempt *attempt)
{
    info_of(attempt)->pool_start_us = now_us(attempt);
    if (nu_unlikely(attempt->exchange->params.cluster->is_metered))
        nu_attempt_start_meter(attempt);
    if (nu_unlikely(attempt->raw != NULL))
        return;
    if (nu_unlikely(attempt->exchange->params.cluster->totals != NULL))
        preconnect(attempt);
    nu_pool_start(attempt->pool_request.pool, &attempt->pool_request);
}
