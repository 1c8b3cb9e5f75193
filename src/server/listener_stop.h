/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping one listener so that no connection is lost: clients that have begun to connect are still
 * served, and the sockets are closed only when no worker accepts on them any more.
 *
 *     runs -> refuses (nobody new begins to connect) -> stops (workers take the rest) -> closed
 *
 * Main thread.
 */
#ifndef NU_SERVER_LISTENER_STOP_H
#define NU_SERVER_LISTENER_STOP_H

#include "event/timer.h"

struct nu_server;

enum nu_listener_stop_state {
    NU_LISTENER_RUNS,
    NU_LISTENER_REFUSES,
    NU_LISTENER_STOPS,
    NU_LISTENER_CLOSED,
};

/* One for each listener, an array of the server's. */
struct nu_listener_stop {
    struct nu_server *server; /* borrowed */
    struct nu_timer timer;
    struct nu_task task;      /* from the last worker that stopped */
    _Atomic unsigned waiting; /* workers that may still accept */
    enum nu_listener_stop_state state;
};

/* Makes the array, once the listeners are there. */
void nu_listener_stops_init(struct nu_server *server);
/* Frees it; the workers are gone. */
void nu_listener_stops_finish(struct nu_server *server);

/* Begins to stop a listener; again does nothing. Its connections go on. */
void nu_server_stop_listener(struct nu_server *server, size_t index);
/* Whether every listener is closed. */
bool nu_server_listeners_closed(const struct nu_server *server);

#endif
