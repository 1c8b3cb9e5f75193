/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: where connections come from.
 *
 *     main thread:  nu_listener (settings, sockets, statistics)
 *     each worker:  nu_worker_listener (its share of the accepting, its connections)
 *     connection:   nu_server_conn (socket, network filters)
 *
 * The main thread opens the sockets, so that a bind error is a start-up error: one for each worker
 * where SO_REUSEPORT is used, else one that all share. A connection never leaves the worker that
 * accepted it.
 */
#ifndef NU_NET_LISTENER_H
#define NU_NET_LISTENER_H

#include "http/stream_info.h"
#include "net/accept_burst.h"
#include "net/drain.h"
#include "net/filter_chain_map.h"
#include "net/listener_filter.h"
#include "net/network_filter.h"
#include "net/socket.h"
#include "net/transport_socket.h"
#include "stats/listener_stats.h"
#include "stats/stats.h"

struct nu_conn_record;
struct nu_listener_log_class;
struct nu_metadata;

/* A chain of network filters for the connections that match it. */
struct nu_filter_chain_spec {
    struct nu_str name;
    struct nu_transport_socket transport;
    const struct nu_network_filter_entry *filters;
    uint8_t filter_count;
    const struct nu_metadata *metadata; /* may be NULL */
    uint32_t handshake_timeout_ms;      /* 0: none */
};

/* A listener's settings, immutable; texts and arrays are the configuration's. */
struct nu_listener_config {
    struct nu_str name;
    struct nu_str stat_name; /* stat_prefix, or the sanitised address */
    const struct nu_listen_params *addresses;
    uint8_t address_count;
    /* The chain that every connection gets; NULL where `chains` decides. */
    const struct nu_filter_chain_spec *only_chain;
    const struct nu_filter_chain_map *chains;         /* of struct nu_filter_chain_spec */
    const struct nu_filter_chain_spec *default_chain; /* where none matches; may be NULL */
    const struct nu_listener_filter_entry *listener_filters;
    uint8_t listener_filter_count;
    uint32_t listener_filters_timeout_ms; /* 0: none */
    bool continue_on_timeout;             /* of the listener filters */
    uint32_t buffer_limit_bytes;
    uint32_t max_accepts_per_event; /* 0: as many as come */
    enum nu_traffic_direction direction;
    bool drain_on_modify_only;
    bool ignore_global_limit; /* of connections */
    struct nu_str limit_key;  /* the runtime's, of how many connections it may have */
    const struct nu_listener_log_class *log; /* NULL: connections are not logged */
    const void *logs;                        /* for `log` */
    const struct nu_metadata *metadata;      /* may be NULL */
};

/* Which file a unix socket made, so that another process's in its place is left alone. */
struct nu_socket_file {
    uint64_t device;
    uint64_t inode; /* 0: none */
};

struct nu_listener {
    const struct nu_listener_config *config; /* borrowed */
    struct nu_stat_set *stats;               /* listener.NAME. */
    struct nu_drain drain;                   /* of this listener alone */
    const struct nu_drain *process_drain;    /* borrowed; may be NULL */
    int *fds;                     /* address_count times socket_count, owned; -1 where closed */
    unsigned socket_count;        /* per address: the workers' number, or 1 */
    struct nu_address *bound;     /* as bound, by address */
    _Atomic uint32_t open_count;  /* connections of all workers */
    struct nu_socket_file *files; /* by address: of unix sockets, as made here */
    bool *inherited;              /* by address: others have the socket as well; it is not ours to
                                 end */
};

/*
 * Opens and binds the sockets for `workers` workers; nobody can connect before nu_listener_open.
 * Returns NULL with the reason in `error`. `inherited` may be NULL; else it has for each address an
 * open listen socket to take over in place of a new one (socket activation), or -1. Main thread.
 */
struct nu_listener *nu_listener_create(const struct nu_listener_config *config, unsigned workers,
                                       struct nu_stats *stats, const struct nu_drain *process_drain,
                                       const int *inherited, struct nu_strbuf *error);
/* Lets connections in: the sockets listen from here on. False with the reason in `error`. Main
 * thread. */
NU_MUST_USE bool nu_listener_open(struct nu_listener *listener, struct nu_strbuf *error);
/*
 * The first half of closing without losses: nobody new can begin to connect, but whoever did still
 * gets through. The workers go on accepting for a moment, then stop, then the sockets are closed.
 * Inherited sockets stay as they are. Main thread.
 */
void nu_listener_refuse_new(struct nu_listener *listener);
/* Closes the sockets: nobody can connect any more. After the workers stopped accepting. Main
 * thread. */
void nu_listener_close(struct nu_listener *listener);
/* Closes the sockets and frees the listener, after every worker's part is gone. */
void nu_listener_destroy(struct nu_listener **listener);

/* The socket on which a worker accepts for one of the addresses. */
int nu_listener_fd(const struct nu_listener *listener, unsigned address, unsigned worker);

struct nu_worker_listener {
    struct nu_listener *listener; /* borrowed */
    struct nu_loop *loop;         /* borrowed */
    struct nu_listener_stats *stats;
    struct nu_listener_worker_stats *worker_stats; /* listener.NAME.worker_N. */
    struct nu_stat_set *worker_set;
    struct nu_io *accept_io; /* by address, owned */
    struct nu_list connections;
    struct nu_list inspections;        /* sockets that listener filters look at */
    _Atomic uint32_t connection_count; /* written by the worker alone */
    struct nu_accept_burst accept_burst;
    bool accepting;
    bool is_started;
    bool throttled; /* out of descriptors: accepting rests for a moment */
    uint64_t throttle_logged_us;
    struct nu_timer throttle_timer;
};

/* The worker's part of a listener; it accepts from nu_worker_listener_start on. Worker's thread, or
 * before it runs. */
struct nu_worker_listener *nu_worker_listener_create(struct nu_listener *listener,
                                                     struct nu_loop *loop, unsigned worker_index,
                                                     struct nu_stat_set *worker_set);
void nu_worker_listener_start(struct nu_worker_listener *wl);
/* Takes what waits in the sockets' queues, then stops accepting; connections go on. */
void nu_worker_listener_stop(struct nu_worker_listener *wl);
/* Tells the connections that the listener drains. */
void nu_worker_listener_drain(struct nu_worker_listener *wl);
/* Closes what is left and frees it. */
void nu_worker_listener_destroy(struct nu_worker_listener **wl);

/* One accepted connection with its network filters, which lie behind it in memory. */
struct nu_server_conn {
    struct nu_connection conn;
    struct nu_worker_listener *wl;            /* borrowed: outlives its connections */
    struct nu_list link;                      /* in wl->connections */
    const struct nu_filter_chain_spec *chain; /* borrowed: the configuration's */
    struct nu_server_conn_extras *extras;     /* owned; NULL for most */
    struct nu_address remote;
    uint64_t id;
    uint64_t accepted_us;
    uint8_t filter_count;
    uint8_t open_count; /* filters that were opened, from the first on */
    uint8_t fd_index;   /* of the listener's addresses */
};

/* What filters do to a connection's output, where they see it. */
struct nu_network_output {
    struct nu_buf held; /* a filter stopped it */
    uint64_t passed;    /* bytes that all filters have let go out */
    bool holds_end;     /* the end of our side was stopped as well */
    bool has_ended;     /* it has passed */
    bool is_full;       /* more is held than the connection may keep */
};

/* What few connections have. */
struct nu_server_conn_extras {
    struct nu_server_conn *conn;   /* borrowed: owns this */
    struct nu_conn_record *record; /* owned; NULL while nobody asked: net/conn_record.h */
    struct nu_accepted *accepted;  /* what listener filters found, or NULL; its arena is owned */
    struct nu_timer handshake;     /* armed where the handshake has a time limit */
    struct nu_network_output output;
    struct nu_address local; /* of a socket that listens on any address, once asked for */
};

/* Makes the extras on first use. */
struct nu_server_conn_extras *nu_server_conn_extras(struct nu_server_conn *conn);
/* What listener filters found, or NULL. */
static inline struct nu_accepted *nu_server_conn_accepted(const struct nu_server_conn *conn)
{
    return nu_likely(!conn->extras) ? NULL : conn->extras->accepted;
}

/* The local address, asked from the kernel only for a socket that listens on any address. */
const struct nu_address *nu_server_conn_local(struct nu_server_conn *conn);
/* Whether this connection is to be given up after the present response. */
bool nu_server_conn_is_draining(const struct nu_server_conn *conn);

#endif
