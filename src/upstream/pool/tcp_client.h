/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain connections to the hosts of a cluster, for those who pass bytes on and know no requests. A
 * connection serves one session and is never used again, so there is no pool: it is opened when
 * somebody asks, within the cluster's breakers, counted as a waiting request until it is there and
 * as a request from then on, as in Envoy.
 *
 *     waiting -> connecting -> open -> closed
 *
 * Where per_host_thresholds allow the host no further connection, a client waits until another one
 * of the worker with this host ends, or fails with it; a worker's first connection to a host is
 * always allowed.
 *
 * The client frees itself behind the last of its ops; its owner forgets it then. The worker that
 * opened it.
 */
#ifndef NU_UPSTREAM_TCP_CLIENT_H
#define NU_UPSTREAM_TCP_CLIENT_H

#include "codec/codec.h"
#include "event/timer.h"
#include "http/proxy_data.h"
#include "net/connection.h"
#include "upstream/cluster.h"

struct nu_tcp_client;

struct nu_tcp_client_ops {
    /* It is there: bytes may be sent, and will come. */
    void (*on_connected)(struct nu_tcp_client *client);
    /* It did not come up; the last call. `text` says more where there is more, and lives as long as
     * the call. Not called for a client that its owner closed. */
    void (*on_failed)(struct nu_tcp_client *client, enum nu_reset_reason reason,
                      struct nu_str text);
    /* As nu_connection_ops has them, of an open client. on_closed is the last call. */
    void (*on_data)(struct nu_tcp_client *client);
    void (*on_above_high)(struct nu_tcp_client *client);
    void (*on_below_low)(struct nu_tcp_client *client);
    void (*on_closed)(struct nu_tcp_client *client, enum nu_close_reason reason);
};

enum nu_tcp_client_state {
    NU_TCP_WAITING, /* to connect: there is no connection yet */
    NU_TCP_CONNECTING,
    NU_TCP_OPEN,
};

struct nu_tcp_client {
    struct nu_connection conn;
    const struct nu_tcp_client_ops *ops;
    void *owner;                      /* the owner's */
    struct nu_cluster_local *cluster; /* borrowed */
    struct nu_host *host;             /* one reference */
    struct nu_host_stats *host_stats;
    struct nu_proxy_data whom; /* whom it is for: views into what its owner gave */
    bool is_for_somebody;
    struct nu_list link;     /* in cluster->tcp_waiting or tcp_clients */
    struct nu_timer timer;   /* connect timeout */
    struct nu_address local; /* once it is there */
    struct nu_address remote;
    uint64_t id;
    uint64_t connect_start_us;
    uint64_t connect_end_us;
    uint64_t counted_rx; /* bytes that the statistics have */
    uint64_t counted_tx;
    uint8_t state; /* enum nu_tcp_client_state */
    bool timed_out;
    bool given_up; /* the owner closed it before it was there */
};

/* Whether the cluster's breaker lets one more connection be opened; counts it if it does not. */
bool nu_tcp_client_allowed(struct nu_cluster_local *cluster);

/*
 * Begins to connect, or to wait for that, to a host that the balancer chooses; the ops follow, never
 * from inside. `whom` is whom the connection is for, told to hosts that ask for it; what it points to
 * lives as long as the client connects; NULL for nobody. NULL where there is no host, or, with `*overflow` set, where too many wait for a connection already.
 */
struct nu_tcp_client *nu_tcp_client_open(struct nu_cluster_local *cluster,
                                         const struct nu_lb_context *context,
                                         const struct nu_proxy_data *whom,
                                         const struct nu_tcp_client_ops *ops, void *owner,
                                         bool *overflow);

/* Ends a client as nu_connection_close does; one that is not there yet is given up, and none of its
 * ops is called. */
void nu_tcp_client_close(struct nu_tcp_client *client, enum nu_close_mode mode);

/* Ends all clients of a worker's cluster, with their last ops. */
void nu_tcp_clients_destroy(struct nu_cluster_local *cluster);

/* Brings the cluster's statistics up to the bytes that passed. */
void nu_tcp_client_count_bytes(struct nu_tcp_client *client);

#endif
