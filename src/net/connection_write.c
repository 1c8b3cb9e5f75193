/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's output: all of a turn goes out at once, watermarks tell the owner how full it is,
 * and what is written completely may be the end.
 */
#include <errno.h>

#include "net/connection_internal.h"
#include "net/socket_bytes.h"

enum { WRITE_IOVECS = 64 };

static void check_watermarks(struct nu_connection *conn)
{
    if (conn->buffer_limit == 0)
        return;
    if (!conn->above_high && nu_connection_is_out_full(conn)) {
        conn->above_high = true;
        conn->ops->on_above_high(conn);
    } else if (conn->above_high && conn->out.len <= conn->buffer_limit / 2) {
        conn->above_high = false;
        conn->ops->on_below_low(conn);
    }
}

/* Everything is written: what the mode of closing asks for comes next. */
static void on_all_written(struct nu_connection *conn)
{
    if (conn->state == NU_CONNECTION_CLOSING) {
        if (conn->close_mode == NU_CLOSE_LINGER && !conn->read_eof && conn->linger_ms)
            nu_connection_begin_linger(conn);
        else
            nu_connection_finish(conn, NU_CLOSED_BY_US);
        return;
    }
    if (conn->write_ended && !conn->write_shut) {
        conn->write_shut = true;
        shutdown(conn->fd, SHUT_WR);
    }
    if (conn->ops->on_drained)
        conn->ops->on_drained(conn);
    nu_connection_finish_if_both_ended(conn, NU_CLOSED_BY_US);
}

/* Whether the socket takes no more for now. */
static bool is_blocked(const struct nu_connection *conn, ssize_t n, size_t bytes)
{
    return n < 0 || (conn->transport->buffers ? conn->transport_out > 0 : (size_t)n < bytes);
}

static void wait_for_room(struct nu_connection *conn, bool progressed)
{
    nu_io_enable_write(&conn->io, nu_connection_on_writable, conn);
    nu_connection_recount_waiting(conn);
    if (conn->state == NU_CONNECTION_CLOSING && (progressed || !nu_connection_is_lingering(conn)))
        nu_connection_begin_linger(conn);
    check_watermarks(conn);
}

static NU_NOINLINE ssize_t write_pieces(struct nu_connection *conn, size_t *bytes)
{
    struct iovec iov[WRITE_IOVECS];
    int count = nu_buf_to_iovec(&conn->out, iov, WRITE_IOVECS, bytes);
    return conn->transport->write(conn, iov, count);
}

/* Writes once; `*bytes` is what was offered. */
static inline ssize_t write_once(struct nu_connection *conn, size_t *bytes)
{
    const struct nu_slice *first = conn->out.first;
    if (nu_unlikely(!first || first->next))
        return write_pieces(conn, bytes);
    struct iovec iov = {nu_unconst(first->ptr), first->len};
    *bytes = first->len;
    return conn->transport->write(conn, &iov, 1);
}

/* Takes note of what a write of `bytes` returned. False when there is no writing on: the connection
 * has to wait, or failed. */
static bool note_written(struct nu_connection *conn, ssize_t n, size_t bytes)
{
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno != EAGAIN) {
        nu_connection_fail(conn, errno);
        return false;
    }
    if (n > 0) {
        conn->tx_bytes += (uint64_t)n;
        nu_buf_drain_all_or(&conn->out, (size_t)n);
    }
    if (!is_blocked(conn, n, bytes))
        return true;
    wait_for_room(conn, n > 0);
    return false;
}

/* Writes until nothing is left. False when it has to wait, or when the connection failed. */
static bool write_out(struct nu_connection *conn)
{
    while (conn->out.len || conn->transport_out) {
        /* For the peer, not for room, of which it would be told all the time. */
        if (nu_unlikely(conn->transport_waits && !conn->transport_out)) {
            nu_io_disable_write(&conn->io);
            nu_connection_recount_waiting(conn);
            check_watermarks(conn);
            return false;
        }
        size_t bytes;
        ssize_t n = write_once(conn, &bytes);
        if (!note_written(conn, n, bytes))
            return false;
    }
    return true;
}

/* The transport's last words, once. Returns whether there are any. */
static bool end_transport(struct nu_connection *conn)
{
    bool ends = conn->state == NU_CONNECTION_CLOSING || conn->write_ended;
    if (nu_likely(!conn->transport->end) || !ends || conn->transport_ended)
        return false;
    conn->transport_ended = true;
    conn->transport->end(conn);
    return conn->transport_out > 0;
}

/* Writes until `out` is empty or the socket is full. */
static void flush(struct nu_connection *conn)
{
    do {
        if (!write_out(conn))
            return;
    } while (end_transport(conn));
    nu_io_disable_write(&conn->io);
    if (nu_unlikely(conn->ending != NULL))
        nu_connection_recount_waiting(conn);
    check_watermarks(conn);
    bool may_end = conn->state == NU_CONNECTION_OPEN || conn->state == NU_CONNECTION_CLOSING;
    if (may_end && conn->out.len == 0)
        on_all_written(conn);
}

/* The usual case: plain bytes of one piece are written at once, and nothing else is to be done. False
 * if it is another one. */
static inline bool write_at_once(struct nu_connection *conn)
{
    const struct nu_slice *piece = conn->out.first;
    if (nu_unlikely(conn->transport != &nu_raw_transport || conn->state != NU_CONNECTION_OPEN ||
                    conn->write_ended || conn->above_high || conn->ops->on_drained ||
                    conn->out.len == 0 || piece->next))
        return false;
    ssize_t n = nu_socket_write(conn->fd, piece->ptr, piece->len);
    if (nu_unlikely(n != (ssize_t)piece->len)) {
        if (note_written(conn, n, piece->len))
            flush(conn);
        return true;
    }
    conn->tx_bytes += (uint64_t)n;
    nu_buf_clear_slices(&conn->out);
    return true;
}

/* The flush task, which is done for this turn, waits for the next one with the delivery. */
static void await_next_turn(struct nu_connection *conn)
{
    conn->redeliver_later = false;
    conn->redeliver = true;
    nu_list_remove(&conn->flush_task.link);
    nu_loop_at_next_turn(conn->loop, &conn->flush_task);
}

/* Whether there is a connection left to write to. */
static inline bool prepare_out(struct nu_connection *conn)
{
    if (nu_unlikely(conn->ops->on_flush != NULL))
        conn->ops->on_flush(conn);
    return conn->state != NU_CONNECTION_CLOSED;
}

void nu_connection_on_flush_task(struct nu_turn_task *task)
{
    struct nu_connection *conn = nu_container_of(task, struct nu_connection, flush_task);
    if (nu_unlikely(conn->redeliver))
        nu_connection_redeliver_now(conn);
    bool may_write = conn->state != NU_CONNECTION_CONNECTING && conn->state != NU_CONNECTION_CLOSED;
    if (!may_write || !prepare_out(conn))
        return;
    if (nu_unlikely(nu_io_is_write_enabled(&conn->io)))
        wait_for_room(conn, false); /* what was added to `out` stays there */
    else if (!write_at_once(conn))
        flush(conn);
    if (nu_unlikely(conn->redeliver_later) && conn->state == NU_CONNECTION_OPEN)
        await_next_turn(conn);
}

void nu_connection_on_writable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_connection *conn = arg;
    if (conn->state == NU_CONNECTION_CONNECTING)
        nu_connection_end_connect(conn);
    else if (prepare_out(conn))
        flush(conn);
}
