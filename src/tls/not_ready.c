/* SPDX-License-Identifier: Apache-2.0 */
/* A transport that moves no byte. What a client has sent stays unread, so that closing the socket
 * resets the connection, as Envoy's does. */
#include "tls/not_ready.h"

#include <errno.h>

#include "net/connection.h"

static ssize_t fail(struct nu_connection *conn)
{
    nu_connection_set_transport_failure(conn, NU_STR("TLS error: Secret is not supplied by SDS"));
    errno = EPROTO;
    return -1;
}

static ssize_t refuse_read(struct nu_connection *conn, const struct iovec *iov, int count)
{
    (void)iov;
    (void)count;
    return fail(conn);
}

static ssize_t refuse_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    (void)iov;
    (void)count;
    return fail(conn);
}

static enum nu_transport_state refuse_handshake(struct nu_connection *conn)
{
    fail(conn);
    return NU_TRANSPORT_FAILED;
}

static const struct nu_transport_class not_ready_class = {
    .name = "tls, not ready",
    .read = refuse_read,
    .write = refuse_write,
    .handshake = refuse_handshake,
};

void nu_tls_refuse(struct nu_connection *conn)
{
    conn->transport = &not_ready_class;
    conn->transport_waits = true;
    /* Bytes that listener filters have read came from a peer that has spoken. */
    conn->transport_in = conn->in.len > 0;
}
