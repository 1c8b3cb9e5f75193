/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening connections to hosts: what is the same whatever is spoken on them. Used by the HTTP pools
 * and by TCP sessions. The cluster's worker.
 */
#ifndef NU_UPSTREAM_DIAL_H
#define NU_UPSTREAM_DIAL_H

#include "net/connection.h"
#include "upstream/cluster.h"

/* Of whom a connection is counted. Everything is borrowed. */
struct nu_dial_account {
    struct nu_cluster_local *cluster; /* whose statistics exist */
    struct nu_host_stats *host_stats;
    enum nu_priority priority;
};

/* The next connection's number. Any thread. */
uint64_t nu_dial_next_id(void);

/* Where a connection goes, and by which means. Everything is borrowed for the call. */
struct nu_dial_place {
    struct nu_loop *loop;
    const struct nu_cluster_options *options; /* of its socket; outlives the connection */
    const struct nu_address *address;
    struct nu_str hostname; /* may be empty */
    const struct nu_transport_socket *transport;
};

/* Begins to connect, with the cluster's socket options; ops->on_connected or ops->on_closed
 * follows, never from inside. `target` says what the connection is for; the place's name and address
 * are added to it. Any thread that has the loop. */
void nu_dial_place(struct nu_connection *conn, const struct nu_dial_place *place,
                   const struct nu_transport_target *target, const struct nu_connection_ops *ops);
/* Counts a connection and begins to connect to a host, with the cluster's socket options and transport; ops->on_connected
 * or ops->on_closed follows, never from inside. `target` says what the connection is for; the host's
 * name and address are added to it. */
void nu_dial(struct nu_connection *conn, const struct nu_cluster_local *cluster,
             const struct nu_host *host, const struct nu_transport_target *target,
             const struct nu_connection_ops *ops);

/* The address that a connection to the host was made to. */
static inline struct nu_address nu_dial_remote(const struct nu_connection *conn,
                                               const struct nu_host *host)
{
    return nu_unlikely(nu_host_addresses(host) != NULL) ? nu_connection_remote_address(conn)
                                                        : host->address;
}

/* The connection is counted from here to nu_dial_count_close, by its breaker too. */
void nu_dial_count_open(const struct nu_dial_account *account);

/* How a connection ended. */
struct nu_dial_end {
    uint64_t age_us;
    bool local;       /* by us */
    bool active;      /* with something at work */
    bool unconnected; /* it never came up */
};

void nu_dial_count_close(const struct nu_dial_account *account, const struct nu_dial_end *end);

enum { NU_DIAL_TEXT_MAX = 160 };

/* Why a connection did not come up: "delayed connect error: Connection refused", as Envoy words it,
 * or what TLS says; empty after a timeout. May be in `buffer`. */
struct nu_str nu_dial_failure_text(const struct nu_connection *conn, bool timed_out,
                                   char buffer[NU_DIAL_TEXT_MAX]);

#endif
