/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The burst doubles when all of it was there a few times over, and shrinks to what was there. Each
 * time that it had grown in vain it takes twice as many times to grow again, up to a bound, and half
 * as many when it had not.
 */
#include "net/accept_burst.h"

enum { MAX_PATIENCE = 16 };

void nu_accept_burst_init(struct nu_accept_burst *burst)
{
    *burst = (struct nu_accept_burst){.size = 1, .patience = 1};
}

static void shrink(struct nu_accept_burst *burst, uint32_t accepted)
{
    burst->size = accepted > 1 ? accepted : 1;
    burst->full = 0;
    burst->is_on_trial = false;
    if (burst->patience < MAX_PATIENCE)
        burst->patience *= 2;
}

static void grow(struct nu_accept_burst *burst, uint32_t max)
{
    burst->is_on_trial = burst->size < max;
    burst->size = burst->size * 2 < max ? burst->size * 2 : max;
    burst->full = 0;
}

void nu_accept_burst_learn(struct nu_accept_burst *burst, uint32_t accepted, uint32_t max)
{
    if (accepted < burst->size) {
        shrink(burst, accepted);
        return;
    }
    if (burst->is_on_trial && burst->patience > 1)
        burst->patience /= 2;
    burst->is_on_trial = false;
    if (++burst->full >= burst->patience)
        grow(burst, max);
}
