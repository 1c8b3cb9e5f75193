/* SPDX-License-Identifier: Apache-2.0 */
/* What requests of our own say and are sent by, as Envoy's client does it. */
#include "client/own_exchange.h"

#include "base/xxhash.h"
#include "client/http_client.h"
#include "match/hash_policy.h"
#include "upstream/discovery/forward_proxy.h"
#include "upstream/discovery/original_dst.h"
#include "upstream/lb/lb_hash.h"

enum {
    HEADER_ROOM = 16,
    RETRY_BODY_BYTES = 64 * 1024, /* of a request, kept for another try: Envoy's number */
};

void nu_own_exchange_init(struct nu_own_exchange *own, struct nu_arena *arena, struct nu_loop *loop,
                          struct nu_cluster_local *cluster, const struct nu_exchange_ops *ops)
{
    own->loop = loop;
    own->cluster = cluster;
    own->info.arena = arena;
    own->info.connection = &own->connection;
    own->info.start_us = nu_loop_now_us(loop);
    own->exchange.ops = ops;
    own->exchange.arena = arena;
    own->exchange.info = &own->info;
    nu_headers_init(&own->request, arena, HEADER_ROOM);
}

void nu_own_exchange_on_watermark(struct nu_exchange *exchange)
{
    (void)exchange;
}

void nu_own_exchange_add_time(const struct nu_own_exchange *own, struct nu_headers *answer)
{
    uint64_t end_us = own->exchange.request_end_us;
    if (end_us)
        nu_headers_set_number(answer, NU_HEADER_X_ENVOY_UPSTREAM_SERVICE_TIME,
                              (nu_loop_now_us(own->loop) - end_us) / 1000);
}

void nu_own_exchange_count_failure(const struct nu_own_exchange *own,
                                   const struct nu_exchange_failure *failure)
{
    const struct nu_http_client *client = nu_http_client_of(own->loop);
    if (!failure->breaks_grpc || !client || !client->stats)
        return;
    struct nu_router_stats *stats = nu_stat_set_block(client->stats);
    nu_counter_inc(&stats->rq_reset_after_downstream_response_started);
}

/* What balancers of the cluster may go by. */
static void fill_context(struct nu_own_exchange *own, bool hashes_authority,
                         struct nu_lb_context *context)
{
    const struct nu_cluster *cluster = own->cluster->cluster;
    if (nu_unlikely(cluster->original_dst != NULL))
        context->destination = nu_original_dst_find(own->cluster, &own->info, &own->request);
    if (nu_unlikely(cluster->forward_proxy != NULL))
        context->host_name = nu_forward_proxy_name(own->cluster, &own->info, &own->request);
    if (nu_likely(!cluster->lb_class->uses_hash))
        return;
    if (cluster->hash && cluster->hash->policy) {
        struct nu_made_cookie *cookies = NULL;
        context->has_hash = nu_hash_policy_eval(cluster->hash->policy, &own->request, &own->info,
                                                &cookies, &context->hash);
    } else if (hashes_authority) {
        context->has_hash = true;
        context->hash = nu_xxhash64(nu_headers_get_id(&own->request, NU_HEADER_AUTHORITY));
    }
}

/* How long the request may take and how often it is tried: it may ask for that itself, as one from
 * outside. */
static void set_limits(struct nu_own_exchange *own, const struct nu_own_exchange_params *params)
{
    const struct nu_route route = {.timeout_ms = params->timeout_ms};
    const struct nu_request_limits_input input = {.tells_upstream = true};
    own->limits = (struct nu_request_limits){.timeout_ms = params->timeout_ms};
    if (nu_unlikely(nu_headers_has_any(&own->request, &nu_request_control_headers)))
        nu_request_limits_read_all(&own->limits, &route, &own->request, &input);
    if (params->retry)
        own->limits.rules = params->retry;
    nu_request_limits_tell(&own->limits, &own->request, 0, true);
}

void nu_own_exchange_on_retry(struct nu_own_exchange *own)
{
    uint64_t end_us = own->exchange.request_end_us;
    uint64_t elapsed_us = end_us ? nu_loop_now_us(own->loop) - end_us : 0;
    nu_request_limits_tell(&own->limits, &own->request, elapsed_us / 1000, true);
}

static void complete_request(struct nu_own_exchange *own,
                             const struct nu_own_exchange_params *params)
{
    const struct nu_http_client *client = nu_http_client_of(own->loop);
    if (!nu_headers_has_id(&own->request, NU_HEADER_SCHEME))
        nu_headers_add_id(&own->request, NU_HEADER_SCHEME, NU_STR("http"));
    if (!params->is_anonymous && params->tells_address && client)
        nu_http_client_sign(client, &own->request);
    else if (!params->is_anonymous)
        nu_headers_set_id(&own->request, NU_HEADER_X_ENVOY_INTERNAL, NU_STR("true"));
    set_limits(own, params);
    nu_http_client_count(client);
}

enum nu_refusal nu_own_exchange_start(struct nu_own_exchange *own,
                                      const struct nu_own_exchange_params *params, bool ended)
{
    complete_request(own, params);
    struct nu_exchange_params *wanted = &own->exchange.params;
    *wanted = (struct nu_exchange_params){
        .cluster = own->cluster,
        .priority = NU_PRIORITY_DEFAULT,
        .timeout_ms = own->limits.timeout_ms,
        .timeout_status = own->limits.alt_response ? 204 : 504,
        .is_internal = !params->is_anonymous,
        .retry = own->limits.rules,
        .body_limit = RETRY_BODY_BYTES,
    };
    enum nu_refusal refusal = nu_refusal_of(own->cluster, own->exchange.arena);
    if (nu_unlikely(refusal != NU_NOT_REFUSED)) {
        nu_exchange_count_refused(wanted);
        return refusal;
    }
    fill_context(own, params->hashes_authority, &wanted->lb);
    nu_exchange_start(&own->exchange, &own->request, ended);
    return NU_NOT_REFUSED;
}
