/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of loads. */
#include "upstream/hosts/priority_load.h"

#include "base/alloc.h"

/* --- Health ----------------------------------------------------------------------------------- */

/* Percent, with overprovisioning, but at most 100. */
static uint8_t health_percent(const struct nu_priority_state *state, uint64_t amount)
{
    uint64_t percent = state->overprovisioning_percent * amount / state->total;
    return (uint8_t)(percent < 100 ? percent : 100);
}

uint32_t nu_priority_health(const struct nu_priority_state *states, uint32_t count,
                            struct nu_priority_load *health)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        health[i] = (struct nu_priority_load){0};
        if (states[i].total) {
            health[i].healthy = health_percent(&states[i], states[i].healthy);
            health[i].degraded = health_percent(&states[i], states[i].degraded);
        }
        sum = nu_min_u32(100, sum + health[i].healthy + health[i].degraded);
    }
    return sum;
}

bool nu_priority_is_in_panic(const struct nu_priority_state *state, uint32_t panic_percent)
{
    double fit = state->counted_count ? 100.0 * state->fit_count / state->counted_count : 0;
    return fit < panic_percent;
}

/* --- Load ------------------------------------------------------------------------------------- */

/* Which of the two loads is given out. */
typedef uint8_t *load_fn(struct nu_priority_load *load);

static uint8_t *healthy_load(struct nu_priority_load *load)
{
    return &load->healthy;
}

static uint8_t *degraded_load(struct nu_priority_load *load)
{
    return &load->degraded;
}

/* Health on its way to become load. */
struct giver {
    struct nu_priority_load *health;
    struct nu_priority_load *loads;
    uint32_t count;
    uint32_t sum;  /* of the health */
    uint32_t left; /* of the load */
};

/* Gives out what is left by health. Returns the first that could take some, NULL for none. */
static uint8_t *give_out(struct giver *giver, load_fn *of)
{
    uint8_t *first = NULL;
    for (uint32_t i = 0; i < giver->count; i++) {
        uint32_t percent = *of(&giver->health[i]);
        uint8_t *load = of(&giver->loads[i]);
        if (!first && percent)
            first = load;
        *load = (uint8_t)nu_min_u32(giver->left, percent * 100 / giver->sum);
        giver->left -= *load;
    }
    return first;
}

static void load_by_health(struct giver *giver)
{
    uint8_t *healthy = give_out(giver, healthy_load);
    uint8_t *degraded = give_out(giver, degraded_load);
    /* What rounding left over. */
    uint8_t *rest = healthy ? healthy : degraded;
    *rest = (uint8_t)(*rest + giver->left);
}

/* Every priority is in panic. */
static void load_by_size(const struct nu_priority_state *states, uint32_t count,
                         struct nu_priority_load *loads)
{
    uint32_t left = 100;
    uint32_t first = 0;
    uint64_t hosts = 0;
    for (uint32_t i = count; i > 0; i--) {
        hosts += states[i - 1].host_count;
        first = states[i - 1].host_count ? i - 1 : first;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t load = (uint8_t)(hosts ? (uint64_t)states[i].host_count * 100 / hosts : 0);
        loads[i] = (struct nu_priority_load){.healthy = load};
        left -= load;
    }
    loads[first].healthy = (uint8_t)(loads[first].healthy + left);
}

static bool all_are_in_panic(const struct nu_priority_state *states, uint32_t count,
                             uint32_t panic_percent)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!nu_priority_is_in_panic(&states[i], panic_percent))
            return false;
    }
    return true;
}

uint32_t nu_priority_give_load(const struct nu_priority_state *states, uint32_t count,
                               uint32_t panic_percent, struct nu_priority_load *loads)
{
    struct nu_priority_load *health = nu_alloc(count * sizeof(*health));
    uint32_t sum = nu_priority_health(states, count, health);
    struct giver giver = {health, loads, count, sum, 100};
    if (sum)
        load_by_health(&giver);
    nu_free(health);
    if (panic_percent == 0 && sum == 0)
        loads[0].healthy = 100; /* somewhere; nobody is there to take it */
    else if (sum < 100 && all_are_in_panic(states, count, panic_percent))
        load_by_size(states, count, loads);
    return sum;
}
