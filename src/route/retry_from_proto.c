/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling retry policies. */
#include "config/values.h"
#include "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb-c.h"
#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb-c.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb-c.h"
#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb-c.h"
#include "http/metadata_from_proto.h"
#include "route/build_internal.h"
#include "route/retry_policy.h"

enum { DEFAULT_MAX_RESET_INTERVAL_MS = 300 * 1000 };

typedef Envoy__Config__Route__V3__RetryPolicy policy_proto;
typedef Envoy__Extensions__Retry__Host__OmitHostMetadata__V3__OmitHostMetadataConfig omit_proto;
typedef Envoy__Extensions__Retry__Priority__PreviousPriorities__V3__PreviousPrioritiesConfig
    priorities_proto;

static void build_conditions(struct nu_route_build *build, struct nu_retry_policy *policy,
                             const policy_proto *proto)
{
    bool unknown;
    struct nu_str words = nu_str_from(proto->retry_on);
    /* Envoy passes over words that it does not know. */
    policy->conditions =
        nu_retry_on_parse(words, &unknown) | nu_retry_grpc_on_parse(words, &unknown);
    policy->max_retries = nu_u32_or(proto->num_retries, 1);
    uint32_t *codes =
        nu_arena_alloc(build->match.arena, proto->n_retriable_status_codes * sizeof(*codes));
    for (size_t i = 0; i < proto->n_retriable_status_codes; i++)
        codes[i] = proto->retriable_status_codes[i];
    policy->status_codes = codes;
    policy->status_code_count = proto->n_retriable_status_codes;
}

static void build_headers(struct nu_route_build *build, struct nu_retry_policy *policy,
                          const policy_proto *proto)
{
    struct nu_header_matcher_list responses = {0}, requests = {0};
    bool ok = nu_header_matcher_list_from_protos(&build->match, proto->retriable_headers,
                                                 proto->n_retriable_headers, &responses) &&
              nu_header_matcher_list_from_protos(&build->match, proto->retriable_request_headers,
                                                 proto->n_retriable_request_headers, &requests);
    if (!ok)
        return;
    policy->headers = responses.items;
    policy->header_count = responses.count;
    policy->request_headers = requests.items;
    policy->request_header_count = requests.count;
}

/* --- Times ------------------------------------------------------------------------------------ */

/* What is shorter than a millisecond is one. */
static uint64_t interval_ms(struct nu_route_build *build, const void *owner, const char *field,
                            const Google__Protobuf__Duration *proto)
{
    if (!proto)
        return 0;
    uint64_t ms = nu_config_duration_ms(build->match.ctx, owner, field, proto, 0);
    return ms ? ms : 1;
}

static void build_back_off(struct nu_route_build *build, struct nu_retry_policy *policy,
                           const Envoy__Config__Route__V3__RetryPolicy__RetryBackOff *proto)
{
    if (!proto)
        return;
    policy->base_interval_ms = interval_ms(build, proto, "base_interval", proto->base_interval);
    policy->max_interval_ms = interval_ms(build, proto, "max_interval", proto->max_interval);
    if (proto->max_interval && policy->max_interval_ms < policy->base_interval_ms)
        nu_config_error(build->match.ctx, proto, "max_interval",
                        "retry_policy.max_interval must greater than or equal to the "
                        "base_interval");
}

static void
build_reset_headers(struct nu_route_build *build, struct nu_retry_policy *policy,
                    const Envoy__Config__Route__V3__RetryPolicy__RateLimitedRetryBackOff *proto)
{
    if (!proto)
        return;
    struct nu_retry_reset_header *headers =
        nu_arena_alloc(build->match.arena, proto->n_reset_headers * sizeof(*headers));
    for (size_t i = 0; i < proto->n_reset_headers; i++) {
        const Envoy__Config__Route__V3__RetryPolicy__ResetHeader *header = proto->reset_headers[i];
        headers[i].name = nu_build_header_name(build, header->name);
        headers[i].is_unix_timestamp =
            header->format ==
            ENVOY__CONFIG__ROUTE__V3__RETRY_POLICY__RESET_HEADER_FORMAT__UNIX_TIMESTAMP;
    }
    policy->reset_headers = headers;
    policy->reset_header_count = proto->n_reset_headers;
    policy->max_reset_interval_ms =
        nu_config_duration_ms(build->match.ctx, proto, "max_interval", proto->max_interval,
                              DEFAULT_MAX_RESET_INTERVAL_MS);
}

static void build_times(struct nu_route_build *build, struct nu_retry_policy *policy,
                        const policy_proto *proto)
{
    struct nu_config_ctx *ctx = build->match.ctx;
    policy->per_try_timeout_ms =
        nu_config_duration_ms(ctx, proto, "per_try_timeout", proto->per_try_timeout, 0);
    policy->per_try_idle_timeout_ms =
        nu_config_duration_ms(ctx, proto, "per_try_idle_timeout", proto->per_try_idle_timeout, 0);
    build_back_off(build, policy, proto->retry_back_off);
    build_reset_headers(build, policy, proto->rate_limited_retry_back_off);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static void build_predicate(struct nu_route_build *build, struct nu_retry_policy *policy,
                            const struct nu_metadata **avoided,
                            const Envoy__Config__Route__V3__RetryPolicy__RetryHostPredicate *proto)
{
    const ProtobufCMessage *message = nu_config_any(build->match.ctx, proto->typed_config);
    const ProtobufCMessageDescriptor *type = message ? message->descriptor : NULL;
    if (type ==
        &envoy__extensions__retry__host__previous_hosts__v3__previous_hosts_predicate__descriptor) {
        policy->avoids_previous_hosts = true;
    } else if (
        type ==
        &envoy__extensions__retry__host__omit_canary_hosts__v3__omit_canary_hosts_predicate__descriptor) {
        policy->avoids_canaries = true;
    } else if (
        type ==
        &envoy__extensions__retry__host__omit_host_metadata__v3__omit_host_metadata_config__descriptor) {
        avoided[policy->avoided_count++] = nu_metadata_from_proto(
            ((const omit_proto *)message)->metadata_match, build->match.arena);
    } else {
        nu_config_error(build->match.ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: '%s'",
                        proto->name, type ? type->name : "");
    }
}

static void build_priority(struct nu_route_build *build, struct nu_retry_policy *policy,
                           const Envoy__Config__Route__V3__RetryPolicy__RetryPriority *proto)
{
    if (!proto)
        return;
    const ProtobufCMessage *message = nu_config_any(build->match.ctx, proto->typed_config);
    const ProtobufCMessageDescriptor *type = message ? message->descriptor : NULL;
    if (type !=
        &envoy__extensions__retry__priority__previous_priorities__v3__previous_priorities_config__descriptor) {
        nu_config_error(build->match.ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: '%s'",
                        proto->name, type ? type->name : "");
        return;
    }
    int32_t frequency = ((const priorities_proto *)message)->update_frequency;
    if (frequency > 0)
        policy->priority_update_frequency = (uint32_t)frequency;
    else
        nu_config_error(build->match.ctx, message, "update_frequency",
                        "value must be greater than 0");
}

static void build_hosts(struct nu_route_build *build, struct nu_retry_policy *policy,
                        const policy_proto *proto)
{
    const struct nu_metadata **avoided =
        nu_arena_alloc(build->match.arena, proto->n_retry_host_predicate * sizeof(*avoided));
    policy->avoided = avoided;
    for (size_t i = 0; i < proto->n_retry_host_predicate; i++)
        build_predicate(build, policy, avoided, proto->retry_host_predicate[i]);
    build_priority(build, policy, proto->retry_priority);
    int64_t attempts = proto->host_selection_retry_max_attempts;
    if (attempts < 0 || attempts > UINT32_MAX)
        nu_config_error(build->match.ctx, proto, "host_selection_retry_max_attempts",
                        "value must be from 0 to %u", UINT32_MAX);
    policy->host_attempts = attempts ? (uint32_t)attempts : 1;
}

/* Envoy has the place for them and none that could stand there. */
static void refuse_options(struct nu_route_build *build, const policy_proto *proto)
{
    for (size_t i = 0; i < proto->n_retry_options_predicates; i++) {
        const Envoy__Config__Core__V3__TypedExtensionConfig *option =
            proto->retry_options_predicates[i];
        const ProtobufCMessage *message = nu_config_any(build->match.ctx, option->typed_config);
        nu_config_error_at(build->match.ctx, proto, "retry_options_predicates", i,
                           "Didn't find a registered implementation for '%s' with type URL: '%s'",
                           option->name, message ? message->descriptor->name : "");
    }
}

const struct nu_retry_policy *nu_build_retry_policy(struct nu_route_build *build,
                                                    const policy_proto *proto)
{
    if (!proto)
        return NULL;
    struct nu_retry_policy *policy = nu_arena_calloc(build->match.arena, sizeof(*policy));
    build_conditions(build, policy, proto);
    build_headers(build, policy, proto);
    build_times(build, policy, proto);
    build_hosts(build, policy, proto);
    refuse_options(build, proto);
    return policy;
}
