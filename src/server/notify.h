/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling a service manager what the process is doing, in systemd's protocol: datagrams of
 * "NAME=value" lines to the socket that $NOTIFY_SOCKET names. Without one everything does nothing.
 * Main thread.
 */
#ifndef NU_SERVER_NOTIFY_H
#define NU_SERVER_NOTIFY_H

#include <sys/socket.h>

#include "base/str.h"

struct nu_notify {
    int fd; /* owned; -1: nobody wants to know */
    struct sockaddr_storage address;
    socklen_t address_len;
};

/* Opens the way to `socket`, a path or, with '@' first, an abstract name; NULL for none. What
 * cannot be used is logged and then taken for none. */
void nu_notify_init(struct nu_notify *notify, const char *socket);
void nu_notify_finish(struct nu_notify *notify);

/* Sends lines. A manager that does not read them is not waited for. */
void nu_notify_send(const struct nu_notify *notify, const char *fmt, ...) NU_PRINTF(2, 3);

/*
 * The interval in microseconds at which the manager expects WATCHDOG=1, from $WATCHDOG_USEC and
 * $WATCHDOG_PID as given; 0 if it does not, or not from process `pid`.
 */
uint64_t nu_notify_watchdog_us(const char *usec, const char *watchdog_pid, int pid);

#endif
