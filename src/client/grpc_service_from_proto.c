/* SPDX-License-Identifier: Apache-2.0 */
/* From a GrpcService's bytes to what is called. */
#include "client/grpc_service.h"
#include "client/grpc_stream.h"
#include "config/values.h"
#include "route/retry_policy.h"

#include "envoy/config/core/v3/grpc_service.pb-c.h"

typedef Envoy__Config__Core__V3__GrpcService service_proto;
typedef Envoy__Config__Core__V3__RetryPolicy retry_proto;

static uint64_t interval_ms(struct nu_config_ctx *ctx, const void *owner, const char *field,
                            const Google__Protobuf__Duration *proto)
{
    if (!proto)
        return 0;
    uint64_t ms = nu_config_duration_ms(ctx, owner, field, proto, 0);
    return ms ? ms : 1;
}

/* As Envoy has it: no try may take longer than the longest pause. */
static void read_pauses(struct nu_config_ctx *ctx,
                        const Envoy__Config__Core__V3__BackoffStrategy *proto,
                        struct nu_retry_policy *policy)
{
    enum { DEFAULT_MS = 1000, GROWTH = 10 };
    if (proto) {
        policy->base_interval_ms = interval_ms(ctx, proto, "base_interval", proto->base_interval);
        policy->max_interval_ms = interval_ms(ctx, proto, "max_interval", proto->max_interval);
    }
    if (!policy->base_interval_ms)
        policy->base_interval_ms = DEFAULT_MS;
    if (!policy->max_interval_ms)
        policy->max_interval_ms = policy->base_interval_ms * GROWTH;
    if (policy->max_interval_ms < policy->base_interval_ms)
        nu_config_error(ctx, proto, "max_interval",
                        "retry_policy.max_interval must greater than or equal to the "
                        "base_interval");
    policy->per_try_timeout_ms = policy->max_interval_ms;
}

static const struct nu_retry_policy *read_retry(struct nu_config_ctx *ctx, struct nu_arena *arena,
                                                const retry_proto *proto)
{
    bool unknown; /* words that nobody knows are passed over, as Envoy does */
    if (!proto)
        return NULL;
    struct nu_str words = nu_str_from(proto->retry_on);
    struct nu_retry_policy *policy = nu_arena_calloc(arena, sizeof(*policy));
    policy->conditions =
        nu_retry_on_parse(words, &unknown) | nu_retry_grpc_on_parse(words, &unknown);
    policy->max_retries = nu_u32_or(proto->num_retries, 1);
    read_pauses(ctx, proto->retry_back_off, policy);
    return policy->conditions ? policy : NULL;
}

/* Names that say where a request goes are not metadata. */
static bool is_reserved(struct nu_str name)
{
    return nu_str_starts_with(name, NU_STR(":")) || nu_str_eq_nocase(name, NU_STR("host"));
}

/* Values are sent as they are: there is no stream that format operators could speak of. */
static bool read_metadata(struct nu_config_ctx *ctx, struct nu_arena *arena,
                          const service_proto *proto, struct nu_grpc_service *service)
{
    struct nu_grpc_metadata *metadata =
        nu_arena_alloc(arena, (proto->n_initial_metadata + 1) * sizeof(*metadata));
    for (size_t i = 0; i < proto->n_initial_metadata; i++) {
        const Envoy__Config__Core__V3__HeaderValue *header = proto->initial_metadata[i];
        if (is_reserved(nu_str_from(header->key))) {
            nu_config_error_at(ctx, proto, "initial_metadata", i,
                               ":-prefixed or host headers may not be modified");
            return false;
        }
        if (header->value[0])
            metadata[service->metadata_count++] = (struct nu_grpc_metadata){
                nu_arena_dup(arena, nu_str_from(header->key)),
                nu_arena_dup(arena, nu_str_from(header->value)),
            };
    }
    service->metadata = metadata;
    return true;
}

static bool read_service(struct nu_config_ctx *ctx, struct nu_arena *arena,
                         const service_proto *proto, struct nu_grpc_service *service)
{
    const Envoy__Config__Core__V3__GrpcService__EnvoyGrpc *target = proto->envoy_grpc;
    *service = (struct nu_grpc_service){
        .cluster = nu_arena_dup(arena, nu_str_from(target->cluster_name)),
        .authority = nu_arena_dup(arena, nu_str_from(target->authority)),
        .max_message_bytes = nu_u32_or(target->max_receive_message_length, 0),
        .is_anonymous = target->skip_envoy_headers,
        .retry = read_retry(ctx, arena, proto->retry_policy),
    };
    return read_metadata(ctx, arena, proto, service) && nu_config_is_ok(ctx);
}

static void add_errors(const struct nu_config_ctx *ctx, struct nu_strbuf *error)
{
    nu_error_list_format(&ctx->errors, error);
}

enum nu_grpc_service_result nu_grpc_service_read(struct nu_arena *arena, struct nu_str bytes,
                                                 struct nu_grpc_service *service,
                                                 struct nu_strbuf *error)
{
    enum nu_grpc_service_result result = NU_GRPC_SERVICE_NONE;
    struct nu_config_ctx ctx;
    nu_config_ctx_init(&ctx, arena);
    ctx.allow_unknown = true;
    const ProtobufCMessage *message =
        nu_config_read(&ctx, "GrpcService", bytes, NU_CONFIG_BINARY,
                       &envoy__config__core__v3__grpc_service__descriptor);
    const service_proto *proto = (const service_proto *)message;
    if (message && !nu_config_is_ok(&ctx))
        result = NU_GRPC_SERVICE_REFUSED;
    else if (message && proto->envoy_grpc)
        result = read_service(&ctx, arena, proto, service) ? NU_GRPC_SERVICE_OK
                                                           : NU_GRPC_SERVICE_REFUSED;
    if (result == NU_GRPC_SERVICE_REFUSED)
        add_errors(&ctx, error);
    nu_config_ctx_finish(&ctx);
    return result;
}

void nu_grpc_service_add_metadata(const struct nu_grpc_service *service,
                                  struct nu_grpc_stream *stream)
{
    for (size_t i = 0; i < service->metadata_count; i++)
        nu_grpc_stream_set_metadata(stream, service->metadata[i].name, service->metadata[i].value);
}
