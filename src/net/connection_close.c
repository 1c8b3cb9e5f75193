/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a connection: at once, when everything is written, or when the peer has ended too, for
 * which it waits a while; and the end of one side alone.
 */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/connection_internal.h"
#include "net/race.h"
#include "net/socket.h"

static void on_linger_timeout(struct nu_timer *timer)
{
    struct nu_connection *conn = nu_container_of(timer, struct nu_connection_ending, linger)->conn;
    conn->linger_expired = true;
    nu_connection_finish(conn, NU_CLOSED_BY_US);
}

struct nu_connection_ending *nu_connection_ending_of(struct nu_connection *conn)
{
    if (!conn->ending) {
        conn->ending = nu_calloc(1, sizeof(*conn->ending));
        conn->ending->conn = conn;
        nu_timer_init(&conn->ending->linger, on_linger_timeout);
    }
    return conn->ending;
}

static void free_ending(struct nu_connection *conn)
{
    if (nu_likely(!conn->ending))
        return;
    nu_race_destroy(&conn->ending->race);
    nu_free(conn->ending->transport_failure);
    nu_free(conn->ending);
    conn->ending = NULL;
}

void nu_connection_finish(struct nu_connection *conn, enum nu_close_reason reason)
{
    nu_connection_set_state(conn, NU_CONNECTION_CLOSED);
    nu_connection_end_waiting(conn);
    nu_io_finish(&conn->io);
    nu_list_remove(&conn->flush_task.link);
    if (conn->ending) {
        nu_timer_cancel(&conn->ending->linger);
        nu_race_destroy(&conn->ending->race);
    }
    if (conn->transport->finish)
        conn->transport->finish(conn);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    nu_buf_clear(&conn->out);
    conn->ops->on_closed(conn, reason);
    nu_buf_clear(&conn->in);
    free_ending(conn);
}

void nu_connection_set_transport_failure(struct nu_connection *conn, struct nu_str reason)
{
    if (!conn->ending && !reason.len)
        return;
    struct nu_connection_ending *ending = nu_connection_ending_of(conn);
    nu_free(ending->transport_failure);
    ending->transport_failure = reason.len ? nu_strndup(reason.ptr, reason.len) : NULL;
}

const char *nu_connection_transport_failure(const struct nu_connection *conn)
{
    return conn->ending ? conn->ending->transport_failure : NULL;
}

void nu_connection_fail(struct nu_connection *conn, int error)
{
    conn->error = (int16_t)error;
    nu_connection_finish(conn,
                         error == ECONNRESET || error == EPIPE ? NU_CLOSED_RESET : NU_CLOSED_ERROR);
}

void nu_connection_finish_if_both_ended(struct nu_connection *conn, enum nu_close_reason reason)
{
    if (conn->state == NU_CONNECTION_OPEN && conn->read_eof && conn->write_shut &&
        conn->in.len == 0)
        nu_connection_finish(conn, reason);
}

void nu_connection_begin_linger(struct nu_connection *conn)
{
    if (conn->linger_ms == 0)
        return;
    nu_timer_arm(conn->loop, &nu_connection_ending_of(conn)->linger, conn->linger_ms);
    if (!conn->read_eof)
        nu_io_enable_read(&conn->io);
}

bool nu_connection_is_lingering(const struct nu_connection *conn)
{
    return conn->ending && nu_timer_is_armed(&conn->ending->linger);
}

void nu_connection_close(struct nu_connection *conn, enum nu_close_mode mode)
{
    if (conn->state == NU_CONNECTION_CLOSED)
        return;
    bool unopened =
        conn->state == NU_CONNECTION_CONNECTING || conn->state == NU_CONNECTION_SECURING;
    bool now = unopened || mode == NU_CLOSE_NOW || mode == NU_CLOSE_RESET;
    if (now) {
        if (mode == NU_CLOSE_RESET)
            nu_socket_reset_on_close(conn->fd);
        nu_connection_finish(conn, NU_CLOSED_BY_US);
        return;
    }
    if (conn->state == NU_CONNECTION_CLOSING)
        return;
    nu_connection_set_state(conn, NU_CONNECTION_CLOSING);
    conn->close_mode = (uint8_t)(mode & 3);
    nu_buf_clear(&conn->in);
    nu_connection_write(conn);
}

void nu_connection_end_write(struct nu_connection *conn)
{
    conn->write_ended = true;
    nu_connection_write(conn);
}
