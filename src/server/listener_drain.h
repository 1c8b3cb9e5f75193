/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking listeners out of traffic while the process goes on, as the admin interface asks:
 * /healthcheck/fail has every connection given up with its next response, /drain_listeners ends the
 * accepting, at once or after a graceful period in which ever more connections are given up. Main
 * thread.
 */
#ifndef NU_SERVER_LISTENER_DRAIN_H
#define NU_SERVER_LISTENER_DRAIN_H

#include "admin/admin.h"
#include "event/timer.h"

struct nu_server;

struct nu_listener_drain {
    struct nu_server *server;
    struct nu_timer timer; /* the end of the graceful period */
    uint64_t start_us;
    _Atomic bool health_failed; /* asked by workers, too */
    bool graceful;              /* the graceful period began */
    struct nu_admin_drain how;  /* of the graceful period */
};

void nu_listener_drain_init(struct nu_listener_drain *drain, struct nu_server *server);
void nu_listener_drain_finish(struct nu_listener_drain *drain);

void nu_listener_drain_fail_health(struct nu_listener_drain *drain, bool failed);
void nu_listener_drain_begin(struct nu_listener_drain *drain, const struct nu_admin_drain *how);

#endif
