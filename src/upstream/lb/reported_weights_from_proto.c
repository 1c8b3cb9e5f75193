/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the policy client_side_weighted_round_robin. */
#include "config/values.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/reported_weights.h"

#include "envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.pb-c.h"

typedef Envoy__Extensions__LoadBalancingPolicies__ClientSideWeightedRoundRobin__V3__ClientSideWeightedRoundRobin
    policy_proto;

enum {
    DEFAULT_BLACKOUT_MS = 10 * 1000,
    DEFAULT_EXPIRATION_MS = 180 * 1000,
    DEFAULT_PERIOD_MS = 1000,
    PERIOD_MIN_MS = 100,
};

static void read_metrics(struct nu_factory *factory, struct nu_load_metrics *out,
                         const policy_proto *proto)
{
    size_t count = proto->n_metric_names_for_computing_utilization;
    struct nu_str *names = nu_arena_alloc(factory->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = nu_arena_dup(factory->arena,
                                nu_str_from(proto->metric_names_for_computing_utilization[i]));
    out->names = names;
    out->count = count;
    if (proto->error_utilization_penalty)
        out->error_penalty = (double)proto->error_utilization_penalty->value;
}

const struct nu_lb_class *nu_reported_weights_from_policy(struct nu_factory *factory,
                                                          struct nu_cluster *cluster,
                                                          struct nu_lb_settings *common,
                                                          const ProtobufCMessage *config)
{
    const policy_proto *proto = (const policy_proto *)config;
    struct nu_config_ctx *ctx = factory->ctx;
    struct nu_reported_settings settings = {
        .blackout_ms = nu_config_duration_ms(ctx, proto, "blackout_period", proto->blackout_period,
                                             DEFAULT_BLACKOUT_MS),
        .expiration_ms =
            nu_config_duration_ms(ctx, proto, "weight_expiration_period",
                                  proto->weight_expiration_period, DEFAULT_EXPIRATION_MS),
        .period_ms = nu_config_duration_ms(ctx, proto, "weight_update_period",
                                           proto->weight_update_period, DEFAULT_PERIOD_MS),
    };
    if (settings.period_ms < PERIOD_MIN_MS)
        settings.period_ms = PERIOD_MIN_MS;
    read_metrics(factory, &settings.metrics, proto);
    nu_slow_start_from_proto(factory, &common->slow_start, proto->slow_start_config);
    if (cluster->reported)
        nu_config_error(ctx, proto, NULL, "is there twice");
    else
        nu_reported_weights_create(cluster, factory->loop, &settings);
    return &nu_lb_round_robin;
}
