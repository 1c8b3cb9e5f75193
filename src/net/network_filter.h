/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network filter contract: what stands between a listener's connection and its bytes. The HTTP
 * connection manager is one, and the last of its chain; others look at the bytes before it.
 *
 * A filter is a static class, an immutable configuration and one instance per connection, which
 * begins with struct nu_network_filter and is carved, zeroed, from the connection's memory.
 * Everything happens on the connection's worker.
 */
#ifndef NU_NET_NETWORK_FILTER_H
#define NU_NET_NETWORK_FILTER_H

#include "net/connection.h"

struct nu_server_conn;
struct nu_network_filter;

enum nu_network_status {
    NU_NETWORK_CONTINUE, /* the next filter gets the bytes that are left */
    NU_NETWORK_STOP,     /* it does not, until this filter continues with later bytes */
};

struct nu_network_filter_class {
    const char *name;
    size_t instance_size;
    bool is_terminal; /* ends the chain: it uses the bytes up */

    /* The connection is open. It may be closed from here. */
    void (*open)(struct nu_network_filter *self);
    /* Bytes came into `data`, or the peer's end did. A terminal filter drains what it uses. */
    enum nu_network_status (*on_data)(struct nu_network_filter *self, struct nu_buf *data,
                                      bool end);
    /* The connection's output crossed a watermark. May be NULL. */
    void (*on_above_high)(struct nu_network_filter *self);
    void (*on_below_low)(struct nu_network_filter *self);
    /* The listener stops: an idle connection should go. Asked again every now and then. May be
     * NULL. */
    void (*on_drain)(struct nu_network_filter *self);
    /* The last call. */
    void (*close)(struct nu_network_filter *self, enum nu_close_reason reason);
};

/* The base of every instance. */
struct nu_network_filter {
    const struct nu_network_filter_class *cls;
    const void *config;          /* borrowed: the listener's */
    struct nu_server_conn *conn; /* borrowed */
};

/* One filter of a chain, as configured. */
struct nu_network_filter_entry {
    const struct nu_network_filter_class *cls;
    const void *config; /* borrowed */
    struct nu_str name;
};

#endif
