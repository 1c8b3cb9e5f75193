/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport sockets: what a filter chain or a cluster is configured with to put a transport between
 * its connections and their sockets. Plain TCP is the absence of one.
 */
#ifndef NU_NET_TRANSPORT_SOCKET_H
#define NU_NET_TRANSPORT_SOCKET_H

#include "config/factory.h"
#include "net/connection.h"

struct Envoy__Config__Core__V3__TransportSocket;
struct nu_proxy_data;
struct nu_transport_socket;

/* What a connection that is about to be made is for. */
struct nu_transport_target {
    struct nu_str hostname; /* the host's; may be empty */
    struct nu_str alpn;     /* protocols in wire form (a length and bytes each), which are offered
                               where the configuration names none; may be empty */
    bool alpn_is_forced;    /* they are offered whatever the configuration names */
    struct nu_str server_name; /* asked for in place of the configured one; may be empty */
    struct nu_str peer_name;   /* must be among the names of the peer's certificate, beside what is
                                  configured; may be empty */
    const struct nu_address *address;   /* the host's */
    const struct nu_proxy_data *client; /* whom it is for, where that is told; NULL for nobody */
};

/* One kind of transport socket; static const. */
struct nu_transport_socket_class {
    const char *name;            /* canonical, such as "envoy.transport_sockets.tls" */
    const char *downstream_type; /* full name of the configuration's message for listeners */
    const char *upstream_type;   /* for clusters; may be the same */
    bool agrees_on_protocol;     /* both sides choose the application's protocol (ALPN) */
    bool is_secure;              /* nobody on the way reads or changes the bytes (TLS) */
    bool names_client;           /* an upstream is told whom a connection is for: each client has
                                    its own */
    /*
     * Makes the configuration, which lives until the factory's arena is freed; NULL after adding an
     * error. `scope` is the statistics' prefix: "listener.X" or "cluster.X". Main thread.
     */
    void *(*create)(struct nu_factory *factory, const ProtobufCMessage *config,
                    struct nu_str scope);
    /* Puts the transport on an accepted connection, before it reads. NULL if it has none for
     * them. */
    void (*accept)(struct nu_connection *conn, void *config);
    /* Puts it on a connection that has just begun to connect. */
    void (*connect)(struct nu_connection *conn, void *config,
                    const struct nu_transport_target *target);
    /* The transport socket that this one is in front of; NULL if it is the last. */
    const struct nu_transport_socket *(*inner)(const void *config);
};

/* A configured transport socket; cls is NULL for plain TCP. */
struct nu_transport_socket {
    const struct nu_transport_socket_class *cls;
    void *config; /* borrowed: the configuration's */
};

/* Whether it, or the one behind it, agrees with the peer on the application's protocol. */
bool nu_transport_socket_agrees_on_protocol(const struct nu_transport_socket *socket);

/* Whether it, or the one behind it, is secure. */
bool nu_transport_socket_is_secure(const struct nu_transport_socket *socket);

/* Plain TCP, by name. */
extern const struct nu_transport_socket_class nu_raw_buffer_socket;

/*
 * Reads a transport socket of a listener's chain (`is_upstream` false) or of a cluster; NULL is
 * plain TCP. False after adding an error. Main thread.
 */
NU_MUST_USE bool nu_transport_socket_from_proto(
    struct nu_factory *factory, const struct Envoy__Config__Core__V3__TransportSocket *proto,
    bool is_upstream, struct nu_str scope, struct nu_transport_socket *out);

#endif
