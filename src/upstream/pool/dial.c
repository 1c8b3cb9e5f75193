/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to hosts. The statistics that move here, and when, are Envoy's. */
#include "upstream/pool/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "upstream/hosts/bind.h"

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

static bool keep_alive(int fd, const struct nu_cluster_options *options)
{
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

static bool set_up_socket(int fd, const void *arg)
{
    const struct nu_cluster_options *options = arg;
    return keep_alive(fd, options) &&
           (nu_likely(!options->bind) || !nu_bind_apply(options->bind, fd));
}

/* A connection to the only address of a host. */
struct dial {
    const struct nu_cluster_local *cluster;
    const struct nu_bind_source **unbound; /* what could not be bound, or NULL */
};

/* The source that the socket could not be bound to, with errno; NULL where it is. */
static const struct nu_bind_source *bind_counted(const struct nu_cluster_local *cluster, int fd)
{
    const struct nu_bind_config *bind = cluster->cluster->options.bind;
    if (nu_likely(!bind))
        return NULL;
    const struct nu_bind_source *failed = nu_bind_apply(bind, fd);
    if (failed)
        nu_counter_inc(&cluster->stats->bind_errors);
    return failed;
}

static bool set_up_only(int fd, const void *arg)
{
    const struct dial *dial = arg;
    if (!keep_alive(fd, &dial->cluster->cluster->options))
        return false;
    *dial->unbound = bind_counted(dial->cluster, fd);
    return !*dial->unbound;
}

/* Envoy counts a connection for each address that is tried. */
static bool set_up_one_of_many(int fd, const void *arg)
{
    const struct nu_cluster_local *cluster = arg;
    nu_counter_inc(&cluster->stats->upstream_cx_total);
    return keep_alive(fd, &cluster->cluster->options) && !bind_counted(cluster, fd);
}

static void tell_unbound(struct nu_connection *conn, const struct nu_bind_source *source)
{
    char address[NU_ADDRESS_TEXT_MAX];
    char text[NU_ADDRESS_TEXT_MAX + NU_DIAL_TEXT_MAX];
    int len = (int)nu_address_format(&source->address, address);
    len = snprintf(text, sizeof(text), "failed to bind to %.*s: %s", len, address,
                   strerror(conn->error));
    nu_connection_set_transport_failure(
        conn, nu_str_make(text, nu_min_size((size_t)len, sizeof(text) - 1)));
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
    const struct nu_bind_source *unbound = NULL;
    const struct dial dial = {cluster, &unbound};
    nu_counter_inc(&cluster->stats->upstream_cx_total);
    nu_connection_connect(conn, cluster->loop, nu_host_address(host), ops,
                          options->buffer_limit_bytes, set_up_only, &dial);
    if (nu_unlikely(unbound != NULL))
        tell_unbound(conn, unbound);
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
