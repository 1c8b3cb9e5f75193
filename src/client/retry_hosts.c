/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where retries go: other hosts, or other priorities, than those that were tried. Hosts are known
 * by their addresses, since they may be gone by then.
 */
#include "client/exchange_internal.h"

#include "http/metadata.h"

static const struct nu_str lb_space = NU_STR_INIT("envoy.lb");

static const struct nu_exchange *exchange_of(const struct nu_lb_context *context)
{
    return nu_container_of(context, const struct nu_exchange, params.lb);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static bool was_tried(const struct nu_tries *tries, const struct nu_host *host)
{
    for (uint32_t i = 0; i < tries->host_count; i++) {
        if (nu_address_eq(&tries->hosts[i].address, nu_host_address(host)))
            return true;
    }
    return false;
}

/* A host may have several values of a label, of which one is enough. */
static bool has_label(const struct nu_host *host, const struct nu_value_field *label)
{
    const struct nu_value *value =
        nu_metadata_find(nu_host_metadata(host), lb_space, &label->name, 1);
    if (!value)
        return false;
    if (value->type != NU_VALUE_LIST)
        return nu_value_eq(value, &label->value);
    for (uint32_t i = 0; i < value->count; i++) {
        if (nu_value_eq(&value->items[i], &label->value))
            return true;
    }
    return false;
}

static bool has_labels(const struct nu_host *host, const struct nu_metadata *wanted)
{
    const struct nu_value *labels = nu_metadata_find(wanted, lb_space, NULL, 0);
    if (!labels || labels->count == 0)
        return false;
    for (uint32_t i = 0; i < labels->count; i++) {
        if (!has_label(host, &labels->fields[i]))
            return false;
    }
    return true;
}

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    const struct nu_exchange *exchange = exchange_of(context);
    const struct nu_retry_policy *policy = exchange->params.retry->policy;
    if (policy->avoids_previous_hosts && was_tried(exchange->tries, host))
        return false;
    if (policy->avoids_canaries && nu_host_is_canary(host))
        return false;
    for (size_t i = 0; i < policy->avoided_count; i++) {
        if (has_labels(host, policy->avoided[i]))
            return false;
    }
    return true;
}

/* --- Priorities ------------------------------------------------------------------------------- */

static bool is_tried_priority(const struct nu_tries *tries, uint32_t priority)
{
    for (uint32_t i = tries->first_of_round; i < tries->host_count; i++) {
        if (tries->hosts[i].priority == priority)
            return true;
    }
    return false;
}

/* How healthy the priorities are that were not tried; returns the sum, at most 100. */
static uint32_t untried_health(const struct nu_tries *tries, const struct nu_cluster_local *cluster,
                               struct nu_priority_load *health)
{
    uint32_t sum = 0;
    uint32_t count = nu_cluster_priority_count(cluster);
    nu_cluster_priority_health(cluster, health);
    for (uint32_t i = 0; i < count; i++) {
        if (is_tried_priority(tries, i))
            health[i] = (struct nu_priority_load){0};
        sum += (uint32_t)(health[i].healthy + health[i].degraded);
    }
    return sum < 100 ? sum : 100;
}

static uint8_t take(uint32_t *left, uint32_t health, uint32_t sum)
{
    uint32_t share = health * 100 / sum;
    share = share < *left ? share : *left;
    *left -= share;
    return (uint8_t)share;
}

/* 100 percent by health, first ones first; rounds go on until nothing is left. */
static void give_out(struct nu_tries *tries, const struct nu_priority_load *health, uint32_t sum)
{
    uint32_t left = 100;
    while (left) {
        for (uint32_t i = 0; i < tries->load_count; i++)
            tries->loads[i].healthy =
                (uint8_t)(tries->loads[i].healthy + take(&left, health[i].healthy, sum));
        for (uint32_t i = 0; i < tries->load_count; i++)
            tries->loads[i].degraded =
                (uint8_t)(tries->loads[i].degraded + take(&left, health[i].degraded, sum));
    }
}

/* Where all were tried they are all good again. */
static bool compute_loads(struct nu_exchange *exchange)
{
    struct nu_tries *tries = exchange->tries;
    const struct nu_cluster_local *cluster = exchange->params.cluster;
    uint32_t count = nu_cluster_priority_count(cluster);
    struct nu_priority_load *health = nu_arena_alloc(exchange->arena, count * sizeof(*health));
    uint32_t sum = untried_health(tries, cluster, health);
    if (sum == 0) {
        tries->first_of_round = tries->host_count;
        sum = untried_health(tries, cluster, health);
    }
    tries->loads = NULL;
    if (sum == 0)
        return false;
    tries->loads = nu_arena_calloc(exchange->arena, count * sizeof(*tries->loads));
    tries->load_count = count;
    give_out(tries, health, sum);
    return true;
}

static const struct nu_priority_load *loads_of(const struct nu_lb_context *context, uint32_t count)
{
    const struct nu_tries *tries = exchange_of(context)->tries;
    return tries->load_count == count ? tries->loads : NULL;
}

/* --- Both ------------------------------------------------------------------------------------- */

void nu_tries_add_host(const struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_tries *tries = nu_tries_of(exchange);
    if (tries->host_count == tries->host_cap) {
        uint32_t cap = tries->host_cap ? tries->host_cap * 2 : 4;
        struct nu_tried_host *hosts = nu_arena_alloc(exchange->arena, cap * sizeof(*hosts));
        if (tries->host_count)
            memcpy(hosts, tries->hosts, tries->host_count * sizeof(*hosts));
        tries->hosts = hosts;
        tries->host_cap = cap;
    }
    tries->hosts[tries->host_count++] = (struct nu_tried_host){
        .address = *nu_host_address(attempt->host),
        .priority =
            nu_cluster_priority_of(exchange->params.cluster, attempt->cluster, attempt->host),
    };
}

/* Whether the next choice has loads of its own: after so many tries they are computed anew. */
static bool has_loads(struct nu_exchange *exchange, uint32_t frequency)
{
    struct nu_tries *tries = exchange->tries;
    uint32_t tried = tries->host_count - tries->first_of_round;
    if (tried < frequency)
        return false;
    return tried % frequency ? tries->loads != NULL : compute_loads(exchange);
}

void nu_tries_fill_context(struct nu_exchange *exchange)
{
    const struct nu_retry_policy *policy = exchange->params.retry->policy;
    struct nu_lb_context *context = &exchange->params.lb;
    uint32_t frequency = policy->priority_update_frequency;
    if (policy->avoids_previous_hosts || policy->avoids_canaries || policy->avoided_count) {
        context->accepts = accepts;
        context->max_attempts = policy->host_attempts;
    }
    if (frequency)
        context->loads = has_loads(exchange, frequency) ? loads_of : NULL;
}
