/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many accepts the readiness of a listen socket is worth. One that finds nobody takes 3 us, since
 * the kernel makes a file before it looks; one too few a share of the next wait, 0.4 us at most, in
 * which the socket is ready again. So single connections are accepted one at a time, and a flood is
 * taken in gulps.
 *
 * Plain values, embedded in their owner; the thread's that accepts.
 */
#ifndef NU_NET_ACCEPT_BURST_H
#define NU_NET_ACCEPT_BURST_H

#include <stdbool.h>
#include <stdint.h>

struct nu_accept_burst {
    uint32_t size;     /* how many to try */
    uint32_t full;     /* readinesses since it last changed, all of which had so many */
    uint32_t patience; /* how many of those make it grow */
    bool is_on_trial;  /* it grew, and no readiness has shown yet whether rightly */
};

void nu_accept_burst_init(struct nu_accept_burst *burst);
/* A readiness had `accepted` connections, up to `size`. It grows to `max` at most. */
void nu_accept_burst_learn(struct nu_accept_burst *burst, uint32_t accepted, uint32_t max);

#endif
