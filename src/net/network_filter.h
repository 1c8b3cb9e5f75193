/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network filter contract: what stands between a listener's connection and its bytes. The last
 * filter of a chain is terminal, as the HTTP connection manager and tcp_proxy are: it uses the bytes
 * up. Those before it look at the connection and at its bytes, and may keep both to themselves for a
 * while, or end the connection.
 *
 * A filter is a static class, an immutable configuration and one instance per connection, which
 * begins with struct nu_network_filter and is carved, zeroed, from the connection's memory.
 * Everything happens on the connection's worker.
 *
 *     connection is there:  init of all, then open of the first, the second ... until one stops
 *     bytes came:           on_data of the first, the second ... until one stops; a filter that was
 *                           not opened yet is, just before its turn
 *     nu_network_filter_continue: goes on behind the filter that stopped
 *
 * All filters see the same bytes: one that stops leaves them where they are, and is shown them again
 * together with what comes next.
 *
 *     bytes go out:         on_write of the last but one, the one before it ... until one stops
 *
 * What the terminal filter writes passes the others on its way, at the end of the turn. What one of
 * them stops waits, and is shown again to all of them together with what comes next.
 */
#ifndef NU_NET_NETWORK_FILTER_H
#define NU_NET_NETWORK_FILTER_H

#include "net/connection.h"

struct nu_server_conn;
struct nu_network_filter;

enum nu_network_status {
    NU_NETWORK_CONTINUE, /* it is the next filter's turn */
    NU_NETWORK_STOP,     /* it is not: before this filter continues, or later bytes come */
};

struct nu_network_filter_class {
    const char *name;
    size_t instance_size; /* of a struct without members of more than 8 bytes' alignment */
    bool is_terminal;     /* ends the chain: it uses the bytes up */
    bool half_close; /* terminal: the client may end its side and go on reading; else the connection
                         ends when it does, whichever filter holds the bytes */

    /* The connection is there, and no filter is open yet: what a filter does for connections that
     * never get as far as it. It may not close it. A filter that has this is closed too if it was
     * not opened. NULL does nothing. */
    void (*init)(struct nu_network_filter *self);
    /* The connection is open. It may be closed from here. NULL continues. */
    enum nu_network_status (*open)(struct nu_network_filter *self);
    /* Bytes came into `data`, or the peer's end did. A terminal filter drains what it uses. NULL
     * continues. */
    enum nu_network_status (*on_data)(struct nu_network_filter *self, struct nu_buf *data,
                                      bool end);
    /* Bytes of the terminal filter are on their way out, or the end of our side is (`end`); they may
     * be changed. Not called for a filter that is not open. NULL continues. */
    enum nu_network_status (*on_write)(struct nu_network_filter *self, struct nu_buf *data,
                                       bool end);
    /* The connection's output crossed a watermark. Terminal filters; may be NULL. */
    void (*on_above_high)(struct nu_network_filter *self);
    void (*on_below_low)(struct nu_network_filter *self);
    /* Where the connection counts bytes that wait, from `open` on. Terminal filters; may be NULL. */
    struct nu_connection_gauges (*gauges)(const struct nu_network_filter *self);
    /* The listener stops: an idle connection should go. Asked again every now and then. Terminal
     * filters; may be NULL. */
    void (*on_drain)(struct nu_network_filter *self);
    /* The last call. NULL does nothing. */
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

/* The filter stopped and goes on: the filters behind it are opened and get the bytes that wait. The
 * connection may be closed when this returns. */
void nu_network_filter_continue(struct nu_network_filter *self);

/* The bytes that a filter has stopped, for as long as it does: those that came, and those on their way
 * out, or NULL if there never were any. They may be changed in place, not from the callbacks that are
 * about them; then nu_network_filter_measure must follow, at the turn's end. */
struct nu_buf *nu_network_filter_input(struct nu_network_filter *self);
struct nu_buf *nu_network_filter_output(struct nu_network_filter *self);
/* Holds back or lets go the sides that send, by how much is kept now. */
void nu_network_filter_measure(struct nu_network_filter *self);

#endif
