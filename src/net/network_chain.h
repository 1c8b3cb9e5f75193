/* SPDX-License-Identifier: Apache-2.0 */
/* The network filters of one connection, run in order. They lie behind the connection in memory. The
 * connection's worker. */
#ifndef NU_NET_NETWORK_CHAIN_H
#define NU_NET_NETWORK_CHAIN_H

#include "net/listener.h"

/* How much memory a connection takes together with its chain's filters, which lie behind it. */
size_t nu_network_chain_size(const struct nu_filter_chain_spec *spec);
/* Makes the filters of conn->chain, none of which is open. */
void nu_network_chain_init(struct nu_server_conn *conn);
/* Initialises them, then opens them up to one that stops. The connection may be closed when this returns. */
void nu_network_chain_open(struct nu_server_conn *conn);
/* Bytes came, or the peer's end. */
void nu_network_chain_data(struct nu_server_conn *conn);
/* Whether some filter of a chain that was initialised sees what goes out; the connection needs
 * nu_network_chain_write then. */
bool nu_network_chain_has_writers(struct nu_server_conn *conn);
/* The connection's output is about to be written: shows what is new of it to the filters, and keeps
 * what they stop. The connection may be closed when this returns. */
void nu_network_chain_write(struct nu_server_conn *conn);
/* The connection is gone. */
void nu_network_chain_close(struct nu_server_conn *conn, enum nu_close_reason reason);
/* The last filter; NULL if it is not open. */
struct nu_network_filter *nu_network_chain_last(struct nu_server_conn *conn);

/* What stands in a chain that has no filters: it closes the connection. Its configuration is the
 * listener's set of struct nu_listener_config_stats. */
extern const struct nu_network_filter_class nu_no_filters_class;

#endif
