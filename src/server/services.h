/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the configuration runs on threads (event/thread_service.h): started on all of them before the
 * listeners open, ended when the last connection is gone. Main thread.
 */
#ifndef NU_SERVER_SERVICES_H
#define NU_SERVER_SERVICES_H

#include "event/thread_service.h"

struct nu_server;

/* Embedded in the server. */
struct nu_services {
    struct nu_list all;   /* of struct nu_thread_service: the configuration adds them */
    atomic_uint starting; /* workers on which they are not started yet */
    struct nu_task started;
    void (*on_started)(struct nu_server *server);
};

void nu_services_init(struct nu_services *services);
/* Starts them; on_started(server) follows when that is done everywhere, at once if there are none. */
void nu_services_start(struct nu_server *server, void (*on_started)(struct nu_server *server));
/* Begins to end them on all threads; true when they have ended. Until then it is to be called
 * again. */
bool nu_services_end(struct nu_server *server);
/* Gives up what is left on the main thread; workers do that as they end. False if a thread goes on. */
bool nu_services_finish(struct nu_server *server);

#endif
