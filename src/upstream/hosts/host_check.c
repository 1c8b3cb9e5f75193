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

/* From here on a worker may put the host there again. */
static struct nu_host *take(struct nu_host **chain)
{
    struct nu_host *host = *chain;
    *chain = host->next_unwell;
    atomic_store(&host->is_told_unwell, false);
    return host;
}

static void on_unwell(struct nu_task *task)
{
    struct nu_unwell_inbox *inbox = nu_container_of(task, struct nu_unwell_inbox, task);
    struct nu_host *chain = atomic_exchange(&inbox->head, NULL);
    while (chain) {
        struct nu_host *host = take(&chain);
        if (host->monitor)
            host->monitor->on_unwell(host->monitor);
        nu_host_unref(host);
    }
}

void nu_unwell_inbox_init(struct nu_unwell_inbox *inbox, struct nu_loop *loop)
{
    *inbox = (struct nu_unwell_inbox){.loop = loop, .task = {.fn = on_unwell}};
}

void nu_unwell_inbox_finish(struct nu_unwell_inbox *inbox)
{
    struct nu_host *chain = atomic_exchange(&inbox->head, NULL);
    while (chain)
        nu_host_unref(take(&chain));
}

/* A host that is unwell says so with each of its responses: it is in the inbox once. The first one
 * in an empty inbox sends the message. */
void nu_host_tell_unwell(const struct nu_host *told)
{
    struct nu_host *host = nu_unconst(told);
    struct nu_unwell_inbox *inbox = &host->keeper->unwell;
    if (atomic_exchange(&host->is_told_unwell, true))
        return;
    nu_host_ref(host);
    struct nu_host *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    do {
        host->next_unwell = head;
    } while (!atomic_compare_exchange_weak(&inbox->head, &head, host));
    if (!head)
        nu_loop_post(inbox->loop, &inbox->task);
}
