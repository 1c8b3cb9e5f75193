/* SPDX-License-Identifier: Apache-2.0 */
/* Turns by weight, with slow start. */
#include "upstream/lb/lb_turn.h"

#include <math.h>

#include "upstream/cluster.h"

/* --- Slow start ------------------------------------------------------------------------------- */

static uint64_t fit_since_us(const struct nu_host *host)
{
    return atomic_load_explicit(&host->fit_since_us, memory_order_relaxed);
}

/* How long a host has been fit, in milliseconds, up to the window; UINT64_MAX beyond. */
static uint64_t fit_for_ms(const struct nu_lb *lb, const struct nu_host *host)
{
    uint64_t window_ms = lb->settings->slow_start.window_ms;
    uint64_t now_us = nu_loop_now_us(lb->local->loop);
    uint64_t since_us = fit_since_us(host);
    uint64_t ms = now_us > since_us ? (now_us - since_us) / 1000 : 0;
    return ms < window_ms ? ms : UINT64_MAX;
}

bool nu_lb_has_slow_start(const struct nu_lb *lb)
{
    if (nu_likely(lb->settings->slow_start.window_ms == 0))
        return false;
    for (uint32_t i = 0; i < lb->hosts->count; i++) {
        const struct nu_host *host = lb->hosts->hosts[i];
        if (nu_host_health(host) == NU_HOST_HEALTHY && fit_for_ms(lb, host) != UINT64_MAX)
            return true;
    }
    return false;
}

/* The runtime may hold nonsense. */
static double aggression_of(const struct nu_lb *lb)
{
    double aggression =
        nu_runtime_number_get(&lb->settings->slow_start.aggression, lb->local->loop->runtime);
    return aggression > 0 ? aggression : 1;
}

/* The part of its weight that a host has by now. */
static double slow_start_factor(const struct nu_lb *lb, const struct nu_host *host)
{
    const struct nu_lb_slow_start *settings = &lb->settings->slow_start;
    if (nu_likely(settings->window_ms == 0) || nu_host_health(host) != NU_HOST_HEALTHY)
        return 1;
    uint64_t ms = fit_for_ms(lb, host);
    if (ms == UINT64_MAX)
        return 1;
    double passed = (double)(ms ? ms : 1) / (double)settings->window_ms;
    double factor = pow(passed, 1 / aggression_of(lb));
    return factor > settings->min_weight ? factor : settings->min_weight;
}

/* --- Turns ------------------------------------------------------------------------------------ */

struct weighed {
    const struct nu_lb *lb;
    const struct nu_host_list *list;
    nu_lb_weight_fn *weight;
};

static double weight_of(void *arg, uint32_t item)
{
    const struct weighed *weighed = arg;
    const struct nu_lb *lb = weighed->lb;
    const struct nu_host *host = lb->hosts->hosts[nu_host_list_at(weighed->list, item)];
    return weighed->weight(lb, host) * slow_start_factor(lb, host);
}

uint32_t nu_lb_turn_pick(struct nu_lb *lb, const struct nu_host_list *list, struct nu_edf *turn,
                         nu_lb_weight_fn *weight)
{
    struct weighed weighed = {lb, list, weight};
    if (nu_unlikely(!turn->heap))
        nu_edf_init(turn, list->count, weight_of, &weighed);
    return nu_edf_pick(turn, weight_of, &weighed);
}
