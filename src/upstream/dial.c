/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to hosts. The statistics that move here, and when, are Envoy's. */
#include "upstream/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

static _Atomic uint64_t next_id;

uint64_t nu_dial_next_id(void)
{
    return atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
}

static bool set_int(int fd, int level, int name, uint32_t value)
{
    int number = (int)value;
    return setsockopt(fd, level, name, &number, sizeof(number)) == 0;
}

static bool set_up_socket(int fd, const void *arg)
{
    const struct nu_cluster_options *options = arg;
    if (!options->tcp_keepalive)
        return true;
    if (!set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1))
        return false;
    if (options->keepalive_probes &&
        !set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keepalive_probes))
        return false;
    if (options->keepalive_time_s &&
        !set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keepalive_time_s))
        return false;
    return !options->keepalive_interval_s ||
           set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, options->keepalive_interval_s);
}

static void start_transport(struct nu_connection *conn, const struct nu_transport_socket *transport,
                            const struct nu_transport_target *target, struct nu_str hostname,
                            const struct nu_address *address)
{
    struct nu_transport_target named = *target;
    named.hostname = hostname;
    named.address = address;
    if (transport->cls)
        transport->cls->connect(conn, transport->config, &named);
}

void nu_dial_place(struct nu_connection *conn, const struct nu_dial_place *place,
                   const struct nu_transport_target *target, const struct nu_connection_ops *ops)
{
    nu_connection_connect(conn, place->loop, place->address, ops,
                          place->options->buffer_limit_bytes, set_up_socket, place->options);
    start_transport(conn, place->transport, target, place->hostname, place->address);
}

/* Envoy counts a connection for each address that is tried. */
static bool set_up_one_of_many(int fd, const void *arg)
{
    const struct nu_cluster_local *cluster = arg;
    nu_counter_inc(&cluster->stats->upstream_cx_total);
    return set_up_socket(fd, &cluster->cluster->options);
}

static void connect_to(struct nu_connection *conn, const struct nu_cluster_local *cluster,
                       const struct nu_host *host, const struct nu_connection_ops *ops)
{
    const struct nu_cluster_options *options = &cluster->cluster->options;
    const struct nu_host_addresses *any = nu_host_addresses(host);
    if (nu_unlikely(any && any->count > 1)) {
        nu_connection_connect_any(conn, cluster->loop, any->list, any->count, ops,
                                  options->buffer_limit_bytes, set_up_one_of_many, cluster);
        return;
    }
    nu_counter_inc(&cluster->stats->upstream_cx_total);
    nu_connection_connect(conn, cluster->loop, nu_host_address(host), ops,
                          options->buffer_limit_bytes, set_up_socket, options);
}

void nu_dial(struct nu_connection *conn, const struct nu_cluster_local *cluster,
             const struct nu_host *host, const struct nu_transport_target *target,
             const struct nu_connection_ops *ops)
{
    connect_to(conn, cluster, host, ops);
    start_transport(conn, nu_cluster_transport(cluster->cluster, host), target, host->hostname,
                    nu_host_address(host));
}

void nu_dial_count_open(const struct nu_dial_account *account)
{
    struct nu_cluster_traffic_stats *stats = account->cluster->stats;
    nu_gauge_inc(&stats->upstream_cx_active);
    nu_counter_inc(&account->host_stats->cx_total);
    nu_gauge_inc(&account->host_stats->cx_active);
    nu_cluster_breaker_add(account->cluster, account->priority, NU_BREAKER_CONNECTIONS);
}

static void count_destroy(struct nu_cluster_traffic_stats *stats, bool local, bool active)
{
    nu_counter_inc(&stats->upstream_cx_destroy);
    nu_counter_inc(local ? &stats->upstream_cx_destroy_local : &stats->upstream_cx_destroy_remote);
    if (active) {
        nu_counter_inc(&stats->upstream_cx_destroy_with_active_rq);
        nu_counter_inc(local ? &stats->upstream_cx_destroy_local_with_active_rq
                             : &stats->upstream_cx_destroy_remote_with_active_rq);
    }
}

void nu_dial_count_close(const struct nu_dial_account *account, const struct nu_dial_end *end)
{
    struct nu_cluster_traffic_stats *stats = account->cluster->stats;
    nu_gauge_dec(&stats->upstream_cx_active);
    nu_gauge_dec(&account->host_stats->cx_active);
    nu_cluster_breaker_sub(account->cluster, account->priority, NU_BREAKER_CONNECTIONS);
    nu_histogram_record(&stats->upstream_cx_length_ms, end->age_us / 1000);
    count_destroy(stats, end->local, end->active);
    if (end->unconnected) {
        nu_counter_inc(&stats->upstream_cx_connect_fail);
        nu_counter_inc(&account->host_stats->cx_connect_fail);
    }
}

struct nu_str nu_dial_failure_text(const struct nu_connection *conn, bool timed_out,
                                   char buffer[NU_DIAL_TEXT_MAX])
{
    if (nu_connection_transport_failure(conn))
        return nu_str_from(nu_connection_transport_failure(conn));
    if (timed_out || !conn->error)
        return nu_str_make(NULL, 0);
    int len =
        snprintf(buffer, NU_DIAL_TEXT_MAX, "delayed connect error: %s", strerror(conn->error));
    return nu_str_make(buffer, nu_min_size((size_t)len, NU_DIAL_TEXT_MAX - 1));
}
