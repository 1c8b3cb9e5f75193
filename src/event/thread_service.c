/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the services of a list. */
#include "event/thread_service.h"

void nu_thread_services_start(struct nu_list *services, enum nu_thread_place place,
                              struct nu_loop *loop)
{
    struct nu_thread_service *service;
    nu_list_for_each(service, services, struct nu_thread_service, link)
    {
        if (service->place == place)
            service->start(service, loop);
    }
}

bool nu_thread_services_end(struct nu_list *services, enum nu_thread_place place)
{
    bool all = true;
    struct nu_thread_service *service;
    nu_list_for_each(service, services, struct nu_thread_service, link)
    {
        if (service->place == place && !service->end(service))
            all = false;
    }
    return all;
}

bool nu_thread_services_finish(struct nu_list *services, enum nu_thread_place place)
{
    bool all = true;
    struct nu_thread_service *service;
    nu_list_for_each(service, services, struct nu_thread_service, link)
    {
        if (service->place == place && !service->finish(service))
            all = false;
    }
    return all;
}
