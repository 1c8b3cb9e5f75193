/* SPDX-License-Identifier: Apache-2.0 */
/* Connections for TCP sessions. The statistics that move here, and when, are Envoy's. */
#include "upstream/pool/tcp_client.h"

#include "base/alloc.h"
#include "base/log.h"
#include "upstream/pool/dial.h"

static struct nu_tcp_client *client_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct nu_tcp_client, conn);
}

static struct nu_cluster_traffic_stats *stats_of(const struct nu_tcp_client *client)
{
    return client->cluster->stats;
}

static struct nu_dial_account account_of(const struct nu_tcp_client *client)
{
    return (struct nu_dial_account){client->cluster, client->host_stats, NU_PRIORITY_DEFAULT};
}

static bool breaker_allows(const struct nu_cluster_local *cluster, enum nu_breaker_kind kind)
{
    return nu_breaker_allows(&cluster->cluster->breakers[NU_PRIORITY_DEFAULT].of[kind]);
}

void nu_tcp_client_count_bytes(struct nu_tcp_client *client)
{
    struct nu_cluster_traffic_stats *stats = stats_of(client);
    nu_counter_add(&stats->upstream_cx_rx_bytes_total, client->conn.rx_bytes - client->counted_rx);
    nu_counter_add(&stats->upstream_cx_tx_bytes_total, client->conn.tx_bytes - client->counted_tx);
    client->counted_rx = client->conn.rx_bytes;
    client->counted_tx = client->conn.tx_bytes;
}

static struct nu_connection_gauges gauges(const struct nu_connection *base)
{
    const struct nu_tcp_client *client = nu_container_of(base, const struct nu_tcp_client, conn);
    struct nu_cluster_traffic_stats *stats = stats_of(client);
    return (struct nu_connection_gauges){&stats->upstream_cx_rx_bytes_buffered,
                                         &stats->upstream_cx_tx_bytes_buffered};
}

/* --- Waiting for the connection counts as a pending request, having it as a request ----------- */

static void count_pending(struct nu_tcp_client *client)
{
    nu_counter_inc(&stats_of(client)->upstream_rq_pending_total);
    nu_gauge_inc(&stats_of(client)->upstream_rq_pending_active);
    nu_cluster_breaker_add(client->cluster, NU_PRIORITY_DEFAULT, NU_BREAKER_PENDING);
}

static void count_pending_end(struct nu_tcp_client *client)
{
    nu_gauge_dec(&stats_of(client)->upstream_rq_pending_active);
    nu_cluster_breaker_sub(client->cluster, NU_PRIORITY_DEFAULT, NU_BREAKER_PENDING);
}

static void count_active(struct nu_tcp_client *client)
{
    nu_counter_inc(&stats_of(client)->upstream_rq_total);
    nu_gauge_inc(&stats_of(client)->upstream_rq_active);
    nu_counter_inc(&client->host_stats->rq_total);
    nu_gauge_inc(&client->host_stats->rq_active);
    nu_cluster_local_add_active(client->cluster, client->host);
    nu_cluster_breaker_add(client->cluster, NU_PRIORITY_DEFAULT, NU_BREAKER_REQUESTS);
}

static void count_active_end(struct nu_tcp_client *client)
{
    nu_gauge_dec(&stats_of(client)->upstream_rq_active);
    nu_gauge_dec(&client->host_stats->rq_active);
    nu_cluster_local_sub_active(client->cluster, client->host);
    nu_cluster_breaker_sub(client->cluster, NU_PRIORITY_DEFAULT, NU_BREAKER_REQUESTS);
}

/* --- The connection --------------------------------------------------------------------------- */

static void on_connected(struct nu_connection *base)
{
    struct nu_tcp_client *client = client_of(base);
    nu_timer_cancel(&client->timer);
    client->state = NU_TCP_OPEN;
    client->connect_end_us = nu_loop_now_us(base->loop);
    client->local = nu_connection_local_address(base);
    client->remote = nu_dial_remote(base, client->host);
    nu_histogram_record(&stats_of(client)->upstream_cx_connect_ms,
                        (client->connect_end_us - client->connect_start_us) / 1000);
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connected to %.*s", (unsigned long long)client->id,
           NU_STR_ARG(nu_host_address_text(client->host)));
    count_pending_end(client);
    count_active(client);
    client->ops->on_connected(client);
}

static void on_data(struct nu_connection *base)
{
    struct nu_tcp_client *client = client_of(base);
    client->ops->on_data(client);
}

static void on_above_high(struct nu_connection *base)
{
    struct nu_tcp_client *client = client_of(base);
    nu_counter_inc(&stats_of(client)->upstream_flow_control_backed_up_total);
    client->ops->on_above_high(client);
}

static void on_below_low(struct nu_connection *base)
{
    struct nu_tcp_client *client = client_of(base);
    nu_counter_inc(&stats_of(client)->upstream_flow_control_drained_total);
    client->ops->on_below_low(client);
}

static void free_client(void *obj)
{
    struct nu_tcp_client *client = obj;
    nu_host_unref(client->host);
    nu_free(client);
}

/* --- Waiting for a connection to the host to end ---------------------------------------------- */

static void connect_waiting(struct nu_cluster_local *cluster, const struct nu_host *host);

static struct nu_tcp_client *find_waiting(const struct nu_cluster_local *cluster,
                                          const struct nu_host *host)
{
    struct nu_tcp_client *client;
    nu_list_for_each(client, &cluster->tcp_waiting, struct nu_tcp_client, link)
    {
        if (client->host == host)
            return client;
    }
    return NULL;
}

/* Moves those who wait for a host to a list of their own. */
static void take_waiting(struct nu_cluster_local *cluster, const struct nu_host *host,
                         struct nu_list *taken)
{
    struct nu_tcp_client *client;
    nu_list_init(taken);
    nu_list_for_each(client, &cluster->tcp_waiting, struct nu_tcp_client, link)
    {
        if (client->host != host)
            continue;
        nu_list_remove(&client->link);
        nu_list_add_last(taken, &client->link);
    }
}

/* It waits no more and never had a connection. */
static void end_waiting(struct nu_tcp_client *client)
{
    nu_list_remove(&client->link);
    count_pending_end(client);
    nu_loop_defer_free(client->cluster->loop, free_client, client);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void count_close(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    struct nu_dial_account account = account_of(client);
    struct nu_dial_end end = {
        .age_us = nu_loop_now_us(client->conn.loop) - client->connect_start_us,
        .local = reason == NU_CLOSED_BY_US,
        .active = client->state == NU_TCP_OPEN,
        .unconnected = client->state == NU_TCP_CONNECTING && !client->given_up,
    };
    nu_tcp_client_count_bytes(client);
    nu_dial_count_close(&account, &end);
}

static void tell_failure(struct nu_tcp_client *client, enum nu_reset_reason reset,
                         struct nu_str text)
{
    nu_counter_inc(&stats_of(client)->upstream_rq_pending_failure_eject);
    client->ops->on_failed(client, reset, text);
}

/* Whoever waits for the host fails as well, as in Envoy, so that all can choose again; those who
 * choose the same host once more wait anew. */
static void fail(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    char buffer[NU_DIAL_TEXT_MAX];
    struct nu_list waited;
    struct nu_str text = nu_dial_failure_text(&client->conn, client->timed_out, buffer);
    enum nu_reset_reason reset = client->timed_out           ? NU_RESET_CONNECTION_TIMEOUT
                                 : reason == NU_CLOSED_BY_US ? NU_RESET_LOCAL_CONNECTION_FAILURE
                                                             : NU_RESET_REMOTE_CONNECTION_FAILURE;
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connect to %.*s failed: %.*s",
           (unsigned long long)client->id, NU_STR_ARG(nu_host_address_text(client->host)),
           NU_STR_ARG(text));
    take_waiting(client->cluster, client->host, &waited);
    tell_failure(client, reset, text);
    while (!nu_list_is_empty(&waited)) {
        struct nu_tcp_client *next = nu_list_first(&waited, struct nu_tcp_client, link);
        end_waiting(next);
        tell_failure(next, reset, text);
    }
}

static void tell_end(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    if (client->state == NU_TCP_OPEN) {
        count_active_end(client);
        client->ops->on_closed(client, reason);
        return;
    }
    count_pending_end(client);
    if (client->given_up)
        nu_counter_inc(&stats_of(client)->upstream_rq_cancelled);
    else
        fail(client, reason);
}

static void on_closed(struct nu_connection *base, enum nu_close_reason reason)
{
    struct nu_tcp_client *client = client_of(base);
    nu_timer_cancel(&client->timer);
    nu_list_remove(&client->link);
    count_close(client, reason);
    nu_loop_defer_free(base->loop, free_client, client);
    tell_end(client, reason);
    connect_waiting(client->cluster, client->host);
}

static const struct nu_connection_ops connection_ops = {
    .on_connected = on_connected,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .gauges = gauges,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
};

static void on_timeout(struct nu_timer *timer)
{
    struct nu_tcp_client *client = nu_container_of(timer, struct nu_tcp_client, timer);
    client->timed_out = true;
    nu_counter_inc(&stats_of(client)->upstream_cx_connect_timeout);
    nu_connection_close(&client->conn, NU_CLOSE_NOW);
}

/* --- Opening ---------------------------------------------------------------------------------- */

bool nu_tcp_client_allowed(struct nu_cluster_local *cluster)
{
    if (breaker_allows(cluster, NU_BREAKER_CONNECTIONS))
        return true;
    nu_counter_inc(&nu_cluster_local_stats(cluster)->upstream_cx_overflow);
    return false;
}

static struct nu_tcp_client *create_client(struct nu_cluster_local *cluster, struct nu_host *host,
                                           const struct nu_proxy_data *whom,
                                           const struct nu_tcp_client_ops *ops, void *owner)
{
    struct nu_tcp_client *client = nu_calloc(1, sizeof(*client));
    client->ops = ops;
    client->owner = owner;
    client->cluster = cluster;
    client->host = nu_host_ref(host);
    client->host_stats = nu_stat_set_block(host->stats);
    client->is_for_somebody = whom != NULL;
    if (whom)
        client->whom = *whom;
    nu_timer_init(&client->timer, on_timeout);
    nu_list_add_last(&cluster->tcp_waiting, &client->link);
    count_pending(client);
    return client;
}

static void start_connecting(struct nu_tcp_client *client)
{
    struct nu_cluster_local *cluster = client->cluster;
    nu_list_remove(&client->link);
    nu_list_add_last(&cluster->tcp_clients, &client->link);
    client->state = NU_TCP_CONNECTING;
    client->id = nu_dial_next_id();
    client->connect_start_us = nu_loop_now_us(cluster->loop);
    struct nu_dial_account account = account_of(client);
    nu_dial_count_open(&account);
    struct nu_transport_target target = {.client = client->is_for_somebody ? &client->whom : NULL};
    nu_dial(&client->conn, cluster, client->host, &target, &connection_ops);
    nu_timer_arm(cluster->loop, &client->timer, cluster->cluster->options.connect_timeout_ms);
}

static bool has_connections(const struct nu_cluster_local *cluster, const struct nu_host *host)
{
    struct nu_tcp_client *client;
    nu_list_for_each(client, &cluster->tcp_clients, struct nu_tcp_client, link)
    {
        if (client->host == host)
            return true;
    }
    return false;
}

/* Those who wait longest connect, if the host may have more connections, but never more than a few
 * at once. */
static void connect_waiting(struct nu_cluster_local *cluster, const struct nu_host *host)
{
    enum { OPEN_AT_ONCE = 3 };
    struct nu_tcp_client *client;
    for (int i = 0; i < OPEN_AT_ONCE && (client = find_waiting(cluster, host)); i++) {
        bool allowed = nu_cluster_allows_connection(cluster, NU_PRIORITY_DEFAULT, host);
        if (!allowed)
            nu_counter_inc(&cluster->stats->upstream_cx_overflow);
        if (!allowed && has_connections(cluster, host))
            return;
        start_connecting(client);
        if (!allowed)
            return;
    }
}

static bool limits_hosts(const struct nu_cluster_local *cluster)
{
    return cluster->cluster->breakers[NU_PRIORITY_DEFAULT].max_host_connections !=
           NU_HOST_CONNECTIONS_MAX;
}

struct nu_tcp_client *nu_tcp_client_open(struct nu_cluster_local *cluster,
                                         const struct nu_lb_context *context,
                                         const struct nu_proxy_data *whom,
                                         const struct nu_tcp_client_ops *ops, void *owner,
                                         bool *overflow)
{
    struct nu_cluster_traffic_stats *stats = nu_cluster_local_stats(cluster);
    struct nu_cluster_choice choice = nu_cluster_choose_host(cluster, context);
    *overflow = false;
    if (choice.index == NU_LB_NONE) {
        nu_counter_inc(&stats->upstream_cx_none_healthy);
        return NULL;
    }
    cluster = choice.cluster;
    if (!breaker_allows(cluster, NU_BREAKER_PENDING)) {
        nu_counter_inc(&cluster->stats->upstream_rq_pending_overflow);
        *overflow = true;
        return NULL;
    }
    struct nu_tcp_client *client =
        create_client(cluster, cluster->hosts->hosts[choice.index], whom, ops, owner);
    if (nu_unlikely(limits_hosts(cluster)))
        connect_waiting(cluster, client->host);
    else
        start_connecting(client);
    return client;
}

void nu_tcp_client_close(struct nu_tcp_client *client, enum nu_close_mode mode)
{
    if (client->state == NU_TCP_WAITING) {
        nu_counter_inc(&stats_of(client)->upstream_rq_cancelled);
        end_waiting(client);
        return;
    }
    client->given_up = client->state == NU_TCP_CONNECTING;
    nu_connection_close(&client->conn, mode);
}

/* Those who wait first, so that none of them connects when others end. */
void nu_tcp_clients_destroy(struct nu_cluster_local *cluster)
{
    while (!nu_list_is_empty(&cluster->tcp_waiting)) {
        struct nu_tcp_client *client =
            nu_list_first(&cluster->tcp_waiting, struct nu_tcp_client, link);
        end_waiting(client);
        tell_failure(client, NU_RESET_LOCAL_CONNECTION_FAILURE, nu_str_make(NULL, 0));
    }
    while (!nu_list_is_empty(&cluster->tcp_clients))
        nu_connection_close(&nu_list_first(&cluster->tcp_clients, struct nu_tcp_client, link)->conn,
                            NU_CLOSE_NOW);
}
