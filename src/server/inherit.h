/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket activation: listen sockets that a service manager opened and handed over, in systemd's
 * protocol ($LISTEN_PID, $LISTEN_FDS, $LISTEN_FDNAMES, descriptors from 3 on). A listener takes the
 * socket that is bound to its address. Main thread, before the workers.
 */
#ifndef NU_SERVER_INHERIT_H
#define NU_SERVER_INHERIT_H

#include "base/address.h"

enum { NU_INHERIT_FIRST_FD = 3 };

struct nu_inherited_socket {
    int fd;     /* owned until it is taken; -1 afterwards */
    char *name; /* owned; from $LISTEN_FDNAMES, or "" */
    char *path; /* owned: of a unix socket, '@' first for an abstract one; else NULL */
    struct nu_address address; /* as bound; its path is `path` */
};

struct nu_inherited {
    struct nu_inherited_socket *sockets; /* owned */
    size_t count;
};

/* What the variables say: how many descriptors are for process `pid`; 0 for none, or if anything is
 * malformed. */
unsigned nu_inherit_count(const char *listen_pid, const char *listen_fds, int pid);
/* Name `index` of "a:b:c", or the empty text. */
struct nu_str nu_inherit_name(const char *names, unsigned index);

/* Takes over the sockets that the environment names, and clears its variables. What is no listening
 * stream socket is logged and closed. */
void nu_inherited_init(struct nu_inherited *inherited);
/* The socket that is bound to `address`, now the caller's, or -1. */
int nu_inherited_take(struct nu_inherited *inherited, const struct nu_address *address);
/* Logs and closes those that nobody took. */
void nu_inherited_finish(struct nu_inherited *inherited);

#endif
