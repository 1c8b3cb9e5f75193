/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of connections whose context has no settings yet, because a secret is missing. The
 * connection's thread. */
#ifndef NU_TLS_NOT_READY_H
#define NU_TLS_NOT_READY_H

struct nu_connection;

/* Makes the connection fail: an accepted one when its peer speaks, the other kind when it has
 * connected. */
void nu_tls_refuse(struct nu_connection *conn);

#endif
