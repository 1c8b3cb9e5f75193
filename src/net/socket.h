/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listen sockets: made by the main thread before the workers run, so that a bind error is a
 * start-up error and sockets can be handed to a successor by index. With SO_REUSEPORT each worker
 * has a socket of its own; without it all workers share one.
 */
#ifndef NU_NET_SOCKET_H
#define NU_NET_SOCKET_H

#include "base/address.h"

/* One setsockopt of a listener or upstream, from core.v3.SocketOption. */
struct nu_socket_option {
    int level;
    int name;
    struct nu_str value; /* the bytes handed to setsockopt; borrowed from the configuration */
    enum nu_socket_option_when {
        NU_SOCKET_PREBIND,
        NU_SOCKET_BOUND,
        NU_SOCKET_LISTENING,
    } when;
    const char *description; /* for messages; may be NULL */
};

struct nu_listen_params {
    struct nu_address address;
    int backlog;         /* 0: the system's SOMAXCONN */
    unsigned unix_mode;  /* 0: what umask leaves */
    int fast_open_queue; /* TCP_FASTOPEN, 0: off */
    bool reuse_port;
    bool transparent;
    bool freebind;
    bool ipv4_compat; /* an IPv6 any-address also takes IPv4 */
    const struct nu_socket_option *options;
    size_t option_count;
};

/*
 * Opens and binds a socket: non-blocking, close-on-exec; TCP_NODELAY is set here, since accepted
 * sockets inherit it. Nobody can connect before nu_socket_listen. Returns the descriptor, or -1
 * with the reason in `error` ("cannot bind '0.0.0.0:80': Permission denied"). A stale unix socket
 * file, on which nobody listens, is replaced.
 */
int nu_socket_bind(const struct nu_listen_params *params, struct nu_strbuf *error);
/* Whether somebody listens on an IP address and port already. */
bool nu_socket_is_in_use(const struct nu_address *address);
/* Lets connections in. False with the reason in `error`. */
NU_MUST_USE bool nu_socket_listen(int fd, const struct nu_listen_params *params,
                                  struct nu_strbuf *error);

/*
 * Lets nobody new begin to connect: TCP's SYN packets are dropped from now on, while connections
 * whose handshake is under way still come up and can be accepted. A client that is turned away
 * tries again after a second, when the socket is closed or another process has it. Never fails:
 * where it has no effect (unix sockets), the caller's close comes a moment earlier than it should.
 */
void nu_socket_refuse_new(int fd);

/* Makes the coming close of a connection a TCP reset. */
void nu_socket_reset_on_close(int fd);

/* The address that a socket is bound to (with the port the kernel chose for port 0). */
struct nu_address nu_socket_local_address(int fd);

/* Applies the options of one phase; false with errno for the first that fails. */
NU_MUST_USE bool nu_socket_apply_options(int fd, const struct nu_socket_option *options,
                                         size_t count, enum nu_socket_option_when when);

#endif
