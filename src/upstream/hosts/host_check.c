/* SPDX-License-Identifier: Apache-2.0 */
/* The places of hosts' health checks, and word from workers to who makes them. */
#include "upstream/hosts/host_check.h"

#include <string.h>

#include "base/alloc.h"
#include "upstream/hosts/host.h"

/* --- Places ----------------------------------------------------------------------------------- */

static const char *path_of(const struct nu_host_check_place *place)
{
    return place->address.family == NU_ADDRESS_UNIX && place->address.path ? place->address.path
                                                                           : "";
}

struct nu_host_check_place *nu_host_check_place_copy(const struct nu_host_check_place *place)
{
    if (!place)
        return NULL;
    const char *path = path_of(place);
    size_t path_size = strlen(path) + 1;
    struct nu_host_check_place *copy = nu_alloc(sizeof(*copy) + path_size + place->hostname.len);
    char *texts = (char *)(copy + 1);
    *copy = *place;
    memcpy(texts, path, path_size);
    if (place->address.family == NU_ADDRESS_UNIX)
        copy->address.path = texts;
    if (place->hostname.len)
        memcpy(texts + path_size, place->hostname.ptr, place->hostname.len);
    copy->hostname.ptr = texts + path_size;
    return copy;
}

bool nu_host_check_place_eq(const struct nu_host_check_place *a,
                            const struct nu_host_check_place *b)
{
    static const struct nu_host_check_place none;
    a = a ? a : &none;
    b = b ? b : &none;
    return a->is_off == b->is_off && a->port == b->port &&
           nu_address_eq(&a->address, &b->address) && nu_str_eq(a->hostname, b->hostname);
}

/* The host's address may change while it stays. */
struct nu_address nu_host_check_address(const struct nu_host *host)
{
    const struct nu_host_check_place *place = host->check_place;
    struct nu_address address = *nu_host_address(host);
    if (place && place->address.family != NU_ADDRESS_NONE)
        address = place->address;
    if (place && place->port)
        address.port = place->port;
    return address;
}

/* --- Word from workers ------------------------------------------------------------------------ */

struct unwell_message {
    struct nu_task task;
    struct nu_host *host; /* one reference */
};

static void on_unwell_message(struct nu_task *task)
{
    struct unwell_message *message = nu_container_of(task, struct unwell_message, task);
    struct nu_host *host = message->host;
    nu_free(message);
    if (host->monitor)
        host->monitor->on_unwell(host->monitor);
    nu_host_unref(host);
}

void nu_host_tell_unwell(const struct nu_host *host)
{
    struct unwell_message *message = nu_alloc(sizeof(*message));
    message->task.fn = on_unwell_message;
    message->host = nu_host_ref(nu_unconst(host));
    nu_loop_post(host->keeper->loop, &message->task);
}
