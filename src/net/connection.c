/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections over raw persistent libevent events: how one is made and comes up. A request on a warm
 * connection costs one read (connection_read.c) and one gathered write (connection_write.c); nothing
 * is registered or unregistered on the way. connection_close.c ends it.
 */
#include "net/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "http/ssl_info.h"
#include "net/connection_internal.h"
#include "net/race.h"
#include "net/socket_bytes.h"

static ssize_t raw_read(struct nu_connection *conn, const struct iovec *iov, int count)
{
    if (nu_likely(count == 1))
        return nu_socket_read(conn->fd, iov->iov_base, iov->iov_len);
    return readv(conn->fd, iov, count);
}

static ssize_t raw_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    return nu_socket_write_pieces(conn->fd, iov, count);
}

const struct nu_transport_class nu_raw_transport = {
    .name = "raw_buffer",
    .read = raw_read,
    .write = raw_write,
};

void nu_connection_set_state(struct nu_connection *conn, enum nu_connection_state state)
{
    static const uint8_t legal[] = {
        [NU_CONNECTION_CONNECTING] =
            1 << NU_CONNECTION_SECURING | 1 << NU_CONNECTION_OPEN | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_SECURING] = 1 << NU_CONNECTION_OPEN | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_OPEN] = 1 << NU_CONNECTION_CLOSING | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_CLOSING] = 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_CLOSED] = 0,
    };
    nu_assert(legal[conn->state] >> state & 1);
    conn->state = (uint8_t)(state & 7);
}

static void init_fields(struct nu_connection *conn, struct nu_loop *loop, int fd,
                        const struct nu_connection_ops *ops, uint32_t buffer_limit)
{
    memset(conn, 0, sizeof(*conn));
    conn->loop = loop;
    conn->fd = fd;
    conn->ops = ops;
    conn->buffer_limit = buffer_limit;
    conn->transport = &nu_raw_transport;
    nu_turn_task_init(&conn->flush_task, nu_connection_on_flush_task);
    nu_io_init(&conn->io, loop, fd, nu_connection_on_readable, conn);
}

void nu_connection_init(struct nu_connection *conn, struct nu_loop *loop, int fd,
                        const struct nu_connection_ops *ops, uint32_t buffer_limit)
{
    init_fields(conn, loop, fd, ops, buffer_limit);
    conn->state = NU_CONNECTION_OPEN;
}

void nu_connection_start(struct nu_connection *conn)
{
    if (conn->read_holds == 0)
        nu_io_enable_read(&conn->io);
}

/* A connect that failed before it began is reported like any other, at the end of the turn. Who
 * has given a reason for it meanwhile is the one that failed. */
static void on_connect_failed_task(struct nu_turn_task *task)
{
    struct nu_connection *conn = nu_container_of(task, struct nu_connection, flush_task);
    nu_connection_finish(conn, nu_connection_transport_failure(conn) ? NU_CLOSED_BY_US
                                                                     : NU_CLOSED_CONNECT_FAIL);
}

static int open_socket(const struct nu_address *remote)
{
    int domain = remote->family == NU_ADDRESS_IPV4   ? AF_INET
                 : remote->family == NU_ADDRESS_IPV6 ? AF_INET6
                                                     : AF_UNIX;
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && domain != AF_UNIX) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return fd;
}

int nu_connection_begin_connect(const struct nu_address *remote,
                                bool (*setup)(int fd, const void *arg), const void *setup_arg)
{
    struct sockaddr_storage sa;
    socklen_t len = 0;
    int error = 0;
    int fd = open_socket(remote);
    if (fd < 0)
        return -1;
    if (setup && !setup(fd, setup_arg))
        error = errno ? errno : EINVAL;
    else if (nu_address_to_sockaddr(remote, &sa, &len) != NU_OK)
        error = ENAMETOOLONG;
    else if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
        error = errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

void nu_connection_connect(struct nu_connection *conn, struct nu_loop *loop,
                           const struct nu_address *remote, const struct nu_connection_ops *ops,
                           uint32_t buffer_limit, bool (*setup)(int fd, const void *arg),
                           const void *setup_arg)
{
    int fd = nu_connection_begin_connect(remote, setup, setup_arg);
    int error = fd < 0 ? errno : 0;
    init_fields(conn, loop, fd, ops, buffer_limit);
    conn->state = NU_CONNECTION_CONNECTING;
    if (error) {
        conn->error = (int16_t)error;
        conn->flush_task.fn = on_connect_failed_task;
        nu_loop_at_turn_end(loop, &conn->flush_task);
        return;
    }
    nu_io_enable_write(&conn->io, nu_connection_on_writable, conn);
}

void nu_connection_connect_any(struct nu_connection *conn, struct nu_loop *loop,
                               const struct nu_address *remotes, uint32_t count,
                               const struct nu_connection_ops *ops, uint32_t buffer_limit,
                               bool (*setup)(int fd, const void *arg), const void *setup_arg)
{
    init_fields(conn, loop, -1, ops, buffer_limit);
    conn->state = NU_CONNECTION_CONNECTING;
    nu_connection_ending_of(conn)->race =
        nu_race_create(conn, loop, remotes, count, setup, setup_arg);
}

static void on_open(struct nu_connection *conn)
{
    nu_connection_set_state(conn, NU_CONNECTION_OPEN);
    if (conn->transport_in)
        nu_connection_redeliver(conn);
    if (conn->out.len)
        nu_connection_write(conn);
    conn->ops->on_connected(conn);
}

void nu_connection_go_on_securing(struct nu_connection *conn)
{
    switch (conn->transport->handshake(conn)) {
    case NU_TRANSPORT_READY:
        on_open(conn);
        return;
    case NU_TRANSPORT_WAITS:
        return;
    case NU_TRANSPORT_FAILED:
        conn->error = (int16_t)errno;
        nu_connection_finish(conn, NU_CLOSED_CONNECT_FAIL);
        return;
    }
}

static void on_connected(struct nu_connection *conn)
{
    nu_connection_start(conn);
    if (nu_likely(!conn->transport->handshake)) {
        on_open(conn);
        return;
    }
    nu_connection_set_state(conn, NU_CONNECTION_SECURING);
    nu_connection_go_on_securing(conn);
}

void nu_connection_lose_race(struct nu_connection *conn, int error)
{
    conn->error = (int16_t)error;
    nu_connection_finish(conn, NU_CLOSED_CONNECT_FAIL);
}

void nu_connection_win_race(struct nu_connection *conn, int fd)
{
    nu_race_destroy(&conn->ending->race);
    conn->fd = fd;
    nu_io_init(&conn->io, conn->loop, fd, nu_connection_on_readable, conn);
    on_connected(conn);
}

void nu_connection_end_connect(struct nu_connection *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        conn->error = (int16_t)error;
        nu_connection_finish(conn, NU_CLOSED_CONNECT_FAIL);
        return;
    }
    nu_io_disable_write(&conn->io);
    on_connected(conn);
}

void nu_connection_send_first(struct nu_connection *conn, struct nu_buf *bytes)
{
    if (conn->transport->send_first)
        conn->transport->send_first(conn, bytes);
    else
        nu_buf_move_all(&conn->out, bytes);
}

struct nu_ssl_info *nu_connection_hold_ssl_info(const struct nu_connection *conn,
                                                struct nu_arena *arena)
{
    if (!conn->transport->ssl_info || conn->state == NU_CONNECTION_CLOSED)
        return NULL;
    return nu_ssl_info_hold(conn->transport->ssl_info(conn), arena);
}

struct nu_address nu_connection_local_address(const struct nu_connection *conn)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (conn->fd < 0 || getsockname(conn->fd, (struct sockaddr *)&sa, &len) != 0)
        return (struct nu_address){0};
    return nu_address_from_sockaddr((struct sockaddr *)&sa, len);
}

struct nu_address nu_connection_remote_address(const struct nu_connection *conn)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (conn->fd < 0 || getpeername(conn->fd, (struct sockaddr *)&sa, &len) != 0)
        return (struct nu_address){0};
    return nu_address_from_sockaddr((struct sockaddr *)&sa, len);
}
