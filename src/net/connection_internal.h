/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a connection share: connection.c makes and opens it, connection_read.c and
 * connection_write.c move its bytes, connection_waiting.c counts those that wait,
 * connection_close.c ends it.
 */
#ifndef NU_NET_CONNECTION_INTERNAL_H
#define NU_NET_CONNECTION_INTERNAL_H

#include "base/compiler.h"
#include "net/connection.h"
#include "stats/value.h"

struct nu_race;

/* What a connection has added to its gauges of bytes that wait. */
struct nu_connection_waiting {
    struct nu_connection_gauges gauges; /* none before bytes waited */
    uint64_t in, out;
};

/* What few connections need, at their beginning or end, or while bytes wait. */
struct nu_connection_ending {
    struct nu_timer linger;     /* the wait for the peer while closing: for its end, or for it to
                                   read on */
    struct nu_connection *conn; /* borrowed: owns this */
    char *transport_failure;    /* why the transport failed, or NULL; owned */
    struct nu_race *race;       /* between the addresses to connect to, or NULL; owned */
    struct nu_connection_waiting waiting;
};

/* --- connection.c ----------------------------------------------------------------------------- */

void nu_connection_set_state(struct nu_connection *conn, enum nu_connection_state state);
/* The socket is connected, or cannot be: goes on, or ends the connection. */
void nu_connection_end_connect(struct nu_connection *conn);
/* Goes on with the transport's handshake. */
void nu_connection_go_on_securing(struct nu_connection *conn);

/* --- connection_read.c ------------------------------------------------------------------------ */

void nu_connection_on_readable(int fd, short what, void *arg);
/* Hands bytes that wait in `in` to the owner again, and reads on. */
void nu_connection_redeliver_now(struct nu_connection *conn);

/* --- connection_write.c ----------------------------------------------------------------------- */

void nu_connection_on_writable(int fd, short what, void *arg);
void nu_connection_on_flush_task(struct nu_turn_task *task);

/* --- connection_waiting.c --------------------------------------------------------------------- */

/* Moves the gauges to what waits now. */
void nu_connection_recount_waiting(struct nu_connection *conn);
/* Takes back what the connection has added to them: it ends. */
void nu_connection_end_waiting(struct nu_connection *conn);

/* The same for a turn in which it is known that nothing is left to write: only a connection that has
 * bytes, or had some, looks closer. */
static inline void nu_connection_count_unread(struct nu_connection *conn)
{
    if (nu_unlikely(conn->in.len || conn->ending))
        nu_connection_recount_waiting(conn);
}

/* --- connection_close.c ----------------------------------------------------------------------- */

/* Its ending, made where there is none. */
struct nu_connection_ending *nu_connection_ending_of(struct nu_connection *conn);
/* The socket is gone from here on; the owner hears of it once. */
void nu_connection_finish(struct nu_connection *conn, enum nu_close_reason reason);
/* The same for an error of the socket. */
void nu_connection_fail(struct nu_connection *conn, int error);
/* Ends it if both sides have ended, and the owner has taken every byte. */
void nu_connection_finish_if_both_ended(struct nu_connection *conn, enum nu_close_reason reason);
/* Begins to wait for the peer while closing, or begins anew. */
void nu_connection_begin_linger(struct nu_connection *conn);
bool nu_connection_is_lingering(const struct nu_connection *conn);

#endif
