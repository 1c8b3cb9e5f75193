/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration runs on threads besides connections: it begins with the thread, before there
 * is traffic, and ends with it, after the last connection. Who wants that embeds a service, adds it
 * to the configuration's list (struct nu_factory) and lives as long as the configuration; the
 * server calls it:
 *
 *     start (its clusters are ready, its listeners not open)  ...  end, end, ... finish
 *
 * The list is complete before a thread looks at it. The functions are called on the thread that they
 * are about, and know it by its number (base/thread.h).
 */
#ifndef NU_EVENT_THREAD_SERVICE_H
#define NU_EVENT_THREAD_SERVICE_H

#include "event/loop.h"

/* Where a service runs. */
enum nu_thread_place {
    NU_THREADS_WORKERS, /* on each of them */
    NU_THREADS_MAIN,
};

struct nu_thread_service {
    struct nu_list link;
    enum nu_thread_place place;
    void (*start)(struct nu_thread_service *service, struct nu_loop *loop);
    /* Begins to end what `start` began, or goes on with it; true when that is over. While it is
     * not, the loop runs and it is asked again. Also called when nothing was started. */
    bool (*end)(struct nu_thread_service *service);
    /* The loop will not run any more: what has not ended by now is given up. False if a thread of the
     * service's own goes on and cannot be ended, which only one of NU_THREADS_MAIN may have: what it
     * uses is left to it, the configuration with it, until the process ends. */
    bool (*finish)(struct nu_thread_service *service);
};

/* The same for all services of the list that run at such a place. */
void nu_thread_services_start(struct nu_list *services, enum nu_thread_place place,
                              struct nu_loop *loop);
/* True when all have ended. */
bool nu_thread_services_end(struct nu_list *services, enum nu_thread_place place);
/* False if one of them has a thread that goes on. */
bool nu_thread_services_finish(struct nu_list *services, enum nu_thread_place place);

#endif
