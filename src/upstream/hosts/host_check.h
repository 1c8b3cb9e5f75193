/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host has of health checks: where they go, and who makes them. The checks themselves are
 * upstream/health's.
 */
#ifndef NU_UPSTREAM_HOST_CHECK_H
#define NU_UPSTREAM_HOST_CHECK_H

#include <stdatomic.h>

#include "base/address.h"
#include "event/loop.h"

struct nu_host;

/* Where a host's health is checked, and as whom, if not where it serves. */
struct nu_host_check_place {
    bool is_off;               /* it is not checked, and healthy as far as checks go */
    uint16_t port;             /* 0: that of the address */
    struct nu_address address; /* family NONE: the host's */
    struct nu_str hostname;    /* empty: what the check says */
};

/* A copy in one piece of memory, to be freed by nu_free; NULL of NULL. */
struct nu_host_check_place *nu_host_check_place_copy(const struct nu_host_check_place *place);
/* Whether checks go to the same place; either may be NULL. */
bool nu_host_check_place_eq(const struct nu_host_check_place *a,
                            const struct nu_host_check_place *b);

/* Where checks of the host go today. */
struct nu_address nu_host_check_address(const struct nu_host *host);

/* Who checks a host's health; embedded in its owner, main thread. */
struct nu_host_monitor {
    /* A response to a client said that the host is to be taken out at once. */
    void (*on_unwell)(struct nu_host_monitor *monitor);
};

/* Hosts whose monitors are to be told, each at most once; a reference is held to them. One a process,
 * owned by its nu_host_keeper. */
struct nu_unwell_inbox {
    struct nu_loop *loop;           /* borrowed: the main thread's */
    struct nu_task task;            /* on its way while there are hosts */
    _Atomic(struct nu_host *) head; /* newest first */
};

void nu_unwell_inbox_init(struct nu_unwell_inbox *inbox, struct nu_loop *loop);
/* Drops what is in it. Main thread, when no worker runs. */
void nu_unwell_inbox_finish(struct nu_unwell_inbox *inbox);

/* Tells the host's monitor, if it has one by then, that it is unwell. Any numbered thread. */
void nu_host_tell_unwell(const struct nu_host *host);

#endif
