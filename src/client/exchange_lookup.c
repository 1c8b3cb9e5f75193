/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forward proxy's cluster does not have the host of a request yet, for no filter has looked it up
 * before: the attempt waits until it is known. Its bytes are kept meanwhile, as for a connection.
 */
#include "client/exchange_internal.h"
#include "upstream/lb/lb_by_name.h"

struct nu_host_lookup {
    struct nu_dns_cache_wait wait;
    struct nu_attempt *attempt; /* borrowed: whose host it is */
};

static void on_result(struct nu_dns_cache_wait *wait, const struct nu_dns_result *result)
{
    struct nu_attempt *attempt = nu_container_of(wait, struct nu_host_lookup, wait)->attempt;
    struct nu_exchange *exchange = attempt->exchange;
    attempt->lookup = NULL;
    if (result && result->has_address) {
        nu_exchange_on_looked_up(exchange);
        return;
    }
    exchange->no_host =
        result ? nu_arena_dup(exchange->arena, result->details) : NU_STR("dns_cache_overflow");
    nu_exchange_fail_without_host(exchange);
}

bool nu_attempt_look_up(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_cluster_local *cluster = exchange->params.cluster;
    const struct nu_lb_context *context = &exchange->params.lb;
    if (nu_likely(context->host_name.len && nu_lb_by_name_has(cluster->lb, context->host_name))) {
        /* Of a host that is unwell the cache knows nothing bad, and says so (Envoy's words). */
        exchange->no_host = NU_STR("cares_success:Successful_completion");
        return false;
    }
    struct nu_host_lookup *lookup = nu_arena_calloc(exchange->arena, sizeof(*lookup));
    lookup->attempt = attempt;
    lookup->wait.on_result = on_result;
    if (!nu_forward_proxy_load(cluster, context, &lookup->wait, exchange->arena,
                               &exchange->no_host))
        return false;
    attempt->lookup = lookup;
    return true;
}

void nu_attempt_cancel_lookup(struct nu_attempt *attempt)
{
    nu_dns_cache_wait_cancel(&attempt->lookup->wait);
    attempt->lookup = NULL;
}
