/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as the transport of a connection. OpenSSL never sees the socket: it reads from a buffer that
 * one large read filled, and writes to a buffer that one write empties, so that many records cost
 * one system call and a handshake never waits inside OpenSSL.
 *
 *     socket -> cipher_in  -> SSL -> the connection's `in`
 *     socket <- cipher_out <- SSL <- the connection's `out`
 *
 * The connection's thread.
 */
#ifndef NU_TLS_TRANSPORT_H
#define NU_TLS_TRANSPORT_H

#include "net/transport_socket.h"
#include "tls/context.h"

/* Makes what all connections need; once, before the first of them. Main thread. */
void nu_tls_transport_prepare(void);

/* Makes an accepted connection speak TLS. Before nu_connection_start. */
void nu_tls_accept(struct nu_connection *conn, struct nu_tls_context *context);
/*
 * Makes a connection that is about to connect speak TLS: it counts as connected when the handshake
 * is done. The target's texts are used where the context says so, or names none.
 */
void nu_tls_connect(struct nu_connection *conn, struct nu_tls_context *context,
                    const struct nu_transport_target *target);

/* The name that the peer's certificate must have because of what the connection is for; empty for
 * none. From inside OpenSSL's callbacks. */
struct nu_str nu_tls_peer_name_of(const SSL *ssl);

/* The socket below, from inside OpenSSL's callbacks. */
int nu_tls_socket_of(const SSL *ssl);

/* The verdict on the peer's certificate, from inside OpenSSL's callback: the failure's text. */
void nu_tls_transport_note_verify_failure(SSL *ssl, int verify_error);

#endif
