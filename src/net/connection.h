/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream socket on one loop: bytes in, bytes out, back-pressure, an orderly end. Used for both
 * sides, accepted and connected. It knows nothing of protocols: whoever embeds it (a listener's
 * connection, a pool's client) fills the ops and is told what happens.
 *
 *     socket -> in  -> ops->on_data takes from `in` what it can use
 *     out -> socket    the owner appends to `out` and calls nu_connection_write
 *
 * Output is gathered: nu_connection_write marks the connection, and the end of the loop's turn
 * writes everything with one system call. Reading is adaptive: a connection whose reads fill the
 * block gets larger ones, up to 256 KiB at once, and idle connections hold no block at all. One event
 * brings up to 1 MiB, or the buffer limit where that is less, and a read; when it was much, it is
 * written before the next connection is read.
 *
 * States: CONNECTING -> SECURING -> OPEN -> CLOSING (flushing, or lingering for the peer's end) ->
 * CLOSED; SECURING only where a transport has a handshake, and for accepted connections never:
 * there the handshake is done by reading.
 * ops->on_closed is called exactly once, last; the memory may be freed (deferred) from there on.
 */
#ifndef NU_NET_CONNECTION_H
#define NU_NET_CONNECTION_H

#include "base/address.h"
#include "base/buf.h"
#include "event/io.h"
#include "event/timer.h"

struct nu_arena;
struct nu_connection;
struct nu_connection_ending;
struct nu_gauge;
struct nu_ssl_info;

enum nu_connection_state {
    NU_CONNECTION_CONNECTING,
    NU_CONNECTION_SECURING, /* connected, the transport shakes hands */
    NU_CONNECTION_OPEN,
    NU_CONNECTION_CLOSING,
    NU_CONNECTION_CLOSED,
};

/* Who ended the connection, and how. */
enum nu_close_reason {
    NU_CLOSED_BY_US,
    NU_CLOSED_BY_PEER,      /* orderly end */
    NU_CLOSED_RESET,        /* the peer reset it */
    NU_CLOSED_CONNECT_FAIL, /* never came up */
    NU_CLOSED_ERROR,        /* another socket error */
};

enum nu_close_mode {
    NU_CLOSE_NOW,    /* what is still in `out` is dropped */
    NU_CLOSE_FLUSH,  /* write what is in `out`, then close */
    NU_CLOSE_LINGER, /* write, then wait up to linger_ms for the peer to end first, so that one that
                        is still sending reads our answer before it sees a reset */
    NU_CLOSE_RESET,  /* at once, with a TCP reset */
};

/* Where a connection counts bytes that wait: those that its owner left in `in`, and those that the
 * socket did not take. Borrowed until on_closed; all NULL counts nothing. */
struct nu_connection_gauges {
    struct nu_gauge *in, *out;
};

struct nu_connection_ops {
    /* A connect came up. NULL on accepted connections. */
    void (*on_connected)(struct nu_connection *conn);
    /* `in` has new bytes, or `read_eof` was just set. Whatever is left in `in` stays there; reading
     * stops while it is over the buffer limit. */
    void (*on_data)(struct nu_connection *conn);
    /* `out` is about to be written: what was added to it since may be changed or taken out, and so
     * may our side's end; the connection may be closed. May be NULL. */
    void (*on_flush)(struct nu_connection *conn);
    /* `out` went over the buffer limit after a write, or drained to half of it. */
    void (*on_above_high)(struct nu_connection *conn);
    void (*on_below_low)(struct nu_connection *conn);
    /* `out` was written completely. May be NULL. */
    void (*on_drained)(struct nu_connection *conn);
    /* Asked when bytes wait for the first time, and again while the answer is none. May be NULL. */
    struct nu_connection_gauges (*gauges)(const struct nu_connection *conn);
    /* The end; nothing is called after it. */
    void (*on_closed)(struct nu_connection *conn, enum nu_close_reason reason);
};

enum nu_transport_state {
    NU_TRANSPORT_READY,
    NU_TRANSPORT_WAITS, /* for the peer */
    NU_TRANSPORT_FAILED,
};

/*
 * What moves bytes between a connection and its socket: plain reads and writes, or TLS. `read`
 * fills the iovecs and returns the bytes, 0 at the peer's end, or -1 with errno; EAGAIN means not
 * now. `write` returns the bytes that it took, or -1.
 *
 * A transport that holds bytes of its own says so in the connection: transport_in when a read would
 * give more although the socket is empty, transport_out for what waits to be sent (write is then
 * called with no iovecs as well), transport_waits while nothing can be taken before the peer has
 * spoken.
 */
struct nu_transport_class {
    const char *name;
    bool is_secure; /* hides the bytes from others */
    bool buffers;   /* keeps what the socket does not take: a short write does not mean a full
                     socket */
    ssize_t (*read)(struct nu_connection *conn, const struct iovec *iov, int count);
    ssize_t (*write)(struct nu_connection *conn, const struct iovec *iov, int count);
    /* Goes on with the handshake of a connected socket; NULL if there is none. */
    enum nu_transport_state (*handshake)(struct nu_connection *conn);
    /* Sends these bytes before anything of its own, as they are; takes them. NULL where they can
     * stand in front of the owner's. */
    void (*send_first)(struct nu_connection *conn, struct nu_buf *bytes);
    /* Our side ends: a last message may be put into transport_out. NULL if there is none. */
    void (*end)(struct nu_connection *conn);
    /* What the transport knows of its two ends; borrowed until `finish`, which on_closed comes
     * after: whoever asks later holds a reference. NULL where nothing is known. */
    struct nu_ssl_info *(*ssl_info)(const struct nu_connection *conn);
    /* The application's protocol that both sides agreed on (ALPN), empty for none; valid until
     * `finish`. NULL where there is no such choice. */
    struct nu_str (*application_protocol)(const struct nu_connection *conn);
    /* Frees the transport's state; NULL if it has none. */
    void (*finish)(struct nu_connection *conn);
};

extern const struct nu_transport_class nu_raw_transport;

struct nu_connection {
    struct nu_io io;
    struct nu_loop *loop; /* borrowed */
    const struct nu_connection_ops *ops;
    const struct nu_transport_class *transport;
    void *transport_state; /* owned by the transport */
    struct nu_buf in;
    struct nu_buf out;
    struct nu_turn_task flush_task;
    struct nu_connection_ending *ending; /* owned; NULL unless it has a reason */
    uint64_t rx_bytes;                   /* read from the socket since the start */
    uint64_t tx_bytes;
    uint32_t buffer_limit; /* bytes; 0 means none */
    uint32_t linger_ms; /* how long CLOSING waits for the peer; 0: LINGER closes as FLUSH does, and
                           FLUSH waits for ever */
    uint32_t transport_out; /* bytes that the transport has yet to send; at most UINT32_MAX is
                               said */
    int fd;
    int16_t error;       /* errno of the failure that ended it, or 0 */
    uint16_t read_holds; /* reading is off while not 0 */
    /* An idle connection is to be small, so the rest are bits. */
    uint8_t state : 3;           /* enum nu_connection_state; changed by set_state alone */
    uint8_t read_size : 3;       /* step of the adaptive read size */
    uint8_t close_mode : 2;      /* enum nu_close_mode, once CLOSING */
    bool read_eof : 1;           /* the peer ended its side */
    bool write_ended : 1;        /* we ended our side, once `out` is written */
    bool write_shut : 1;         /* and the peer was told */
    bool above_high : 1;         /* on_above_high was called, on_below_low not yet */
    bool short_reads : 1;        /* the last read was much smaller than its room */
    bool last_read_was_full : 1; /* more may wait in the socket */
    bool linger_expired : 1;     /* the peer neither ended its side nor read on while we waited */
    bool needs_more : 1; /* the owner can use none of `in` before more of it comes: reading goes
                                on above the buffer limit, and the owner bounds it */
    bool redeliver : 1;  /* on_data is due at the end of the turn */
    bool redeliver_later : 1; /* on_data is due in the next turn */
    bool transport_in : 1;    /* the transport has input that no event will tell of */
    bool transport_waits : 1; /* for the peer: nothing can be written before */
    bool transport_ended : 1; /* it was told that our side ends */
};

/* Takes over an accepted, non-blocking socket. Reading starts with nu_connection_start. */
void nu_connection_init(struct nu_connection *conn, struct nu_loop *loop, int fd,
                        const struct nu_connection_ops *ops, uint32_t buffer_limit);
/* Registers for reading. */
void nu_connection_start(struct nu_connection *conn);

/*
 * Begins to connect a new socket to `remote`; ops->on_connected or ops->on_closed (with
 * CONNECT_FAIL) follows, never from inside this call. The socket has TCP_NODELAY. `setup` may be
 * NULL; it is called with the fresh socket to set options, and a false from it fails the
 * connection. Whoever says why, by nu_connection_set_transport_failure when this has returned, makes
 * that end BY_US.
 */
void nu_connection_connect(struct nu_connection *conn, struct nu_loop *loop,
                           const struct nu_address *remote, const struct nu_connection_ops *ops,
                           uint32_t buffer_limit, bool (*setup)(int fd, const void *arg),
                           const void *setup_arg);
/* The same with several addresses, of which the first that answers is taken (net/race.h). They are
 * copied, but for paths; `setup_arg` is borrowed until it is connected. */
void nu_connection_connect_any(struct nu_connection *conn, struct nu_loop *loop,
                               const struct nu_address *remotes, uint32_t count,
                               const struct nu_connection_ops *ops, uint32_t buffer_limit,
                               bool (*setup)(int fd, const void *arg), const void *setup_arg);

static inline bool nu_connection_is_open(const struct nu_connection *conn)
{
    return conn->state == NU_CONNECTION_OPEN;
}

/* Writes what is in `out` at the end of the turn. */
static inline void nu_connection_write(struct nu_connection *conn)
{
    nu_loop_at_turn_end(conn->loop, &conn->flush_task);
}

/* Holds reading, or lets one hold go; holds count. Bytes that were read already stay in `in`, and
 * the release delivers them through on_data at the end of the turn. */
void nu_connection_hold_read(struct nu_connection *conn);
void nu_connection_release_read(struct nu_connection *conn);

/* Reads what waits in the socket now, as when it becomes readable: before a connection is given up
 * as idle, so that a request that has arrived is not lost. May end the connection. */
void nu_connection_read_now(struct nu_connection *conn);

/* The owner has used up, or shortened, what it had left in `in` outside of on_data: reading goes on if
 * it had stopped for that. */
void nu_connection_read_on(struct nu_connection *conn);

/* Calls on_data again at the end of the turn, for bytes that the owner left in `in`. */
void nu_connection_redeliver(struct nu_connection *conn);
/* The same, but in the next turn, when others were served and `out` was written. */
void nu_connection_redeliver_later(struct nu_connection *conn);

/* Whether `out` holds more than the buffer limit, told about yet or not. */
static inline bool nu_connection_is_out_full(const struct nu_connection *conn)
{
    return conn->buffer_limit && conn->out.len > conn->buffer_limit;
}

/* Ends the connection. A second call may only make it harsher. on_closed is called from inside for
 * NOW and RESET, later for FLUSH and LINGER unless nothing is left to write. */
void nu_connection_close(struct nu_connection *conn, enum nu_close_mode mode);
/* Ends our side only (FIN) once `out` is written. A connection of which both sides have ended, and
 * of which the owner has taken every byte, closes by itself: by the side that ended last. */
void nu_connection_end_write(struct nu_connection *conn);

/* For transports: why the connection is about to fail; copied, readable in on_closed. */
void nu_connection_set_transport_failure(struct nu_connection *conn, struct nu_str reason);
/* What was set, or NULL. */
const char *nu_connection_transport_failure(const struct nu_connection *conn);

/* Bytes that a connection which is not up yet sends before all others, the transport's too. Takes
 * them. */
void nu_connection_send_first(struct nu_connection *conn, struct nu_buf *bytes);

/* What the transport knows of its two ends, held until `arena` is freed; NULL for plain
 * bytes, and once the connection is closed. */
struct nu_ssl_info *nu_connection_hold_ssl_info(const struct nu_connection *conn,
                                                struct nu_arena *arena);

/* Our own address and the peer's, asked from the kernel. */
struct nu_address nu_connection_local_address(const struct nu_connection *conn);
struct nu_address nu_connection_remote_address(const struct nu_connection *conn);

#endif
