/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a health check: thresholds and intervals with Envoy's defaults, transport, event log. */
#include "upstream/health/health_from_proto.h"

#include "base/log_writer.h"
#include "config/struct.h"
#include "config/values.h"
#include "http/metadata.h"
#include "upstream/health/health_from_proto_internal.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/extensions/health_check/event_sinks/file/v3/file.pb-c.h"

/* event_log_path, which Envoy calls deprecated, is read all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Config__Core__V3__HealthCheck check_proto;
typedef Envoy__Extensions__HealthCheck__EventSinks__File__V3__HealthCheckEventFileSink sink_proto;

enum { DEFAULT_NO_TRAFFIC_MS = 60 * 1000 };

/* --- Rules ------------------------------------------------------------------------------------ */

static uint64_t read_ms(struct nu_factory *factory, const check_proto *proto, const char *field,
                        const Google__Protobuf__Duration *duration, uint64_t other)
{
    return nu_config_duration_ms(factory->ctx, proto, field, duration, other);
}

static void read_rules(struct nu_factory *factory, const check_proto *proto,
                       struct nu_health_rules *rules)
{
    rules->unhealthy_threshold = nu_u32_or(proto->unhealthy_threshold, 0);
    rules->healthy_threshold = nu_u32_or(proto->healthy_threshold, 0);
    rules->timeout_ms = read_ms(factory, proto, "timeout", proto->timeout, 0);
    rules->interval_ms = read_ms(factory, proto, "interval", proto->interval, 0);
    rules->unhealthy_interval_ms = read_ms(factory, proto, "unhealthy_interval",
                                           proto->unhealthy_interval, rules->interval_ms);
    rules->unhealthy_edge_interval_ms =
        read_ms(factory, proto, "unhealthy_edge_interval", proto->unhealthy_edge_interval,
                rules->unhealthy_interval_ms);
    rules->healthy_edge_interval_ms = read_ms(factory, proto, "healthy_edge_interval",
                                              proto->healthy_edge_interval, rules->interval_ms);
    rules->no_traffic_interval_ms = read_ms(factory, proto, "no_traffic_interval",
                                            proto->no_traffic_interval, DEFAULT_NO_TRAFFIC_MS);
    rules->no_traffic_healthy_interval_ms =
        read_ms(factory, proto, "no_traffic_healthy_interval", proto->no_traffic_healthy_interval,
                rules->no_traffic_interval_ms);
    rules->initial_jitter_ms = read_ms(factory, proto, "initial_jitter", proto->initial_jitter, 0);
    rules->interval_jitter_ms =
        read_ms(factory, proto, "interval_jitter", proto->interval_jitter, 0);
    rules->interval_jitter_percent = proto->interval_jitter_percent;
    rules->log_failures = proto->always_log_health_check_failures;
    rules->log_successes = proto->always_log_health_check_success;
}

/* --- Transport -------------------------------------------------------------------------------- */

static void read_alpn(struct nu_factory *factory, const check_proto *proto,
                      struct nu_health_config *config)
{
    enum { NAME_MAX_BYTES = 255 };
    const Envoy__Config__Core__V3__HealthCheck__TlsOptions *options = proto->tls_options;
    struct nu_strbuf wire = {0};
    for (size_t i = 0; options && i < options->n_alpn_protocols; i++) {
        struct nu_str name = nu_str_from(options->alpn_protocols[i]);
        if (!name.len || name.len > NAME_MAX_BYTES) {
            nu_config_error_at(factory->ctx, options, "alpn_protocols", i,
                               "must have 1 to 255 bytes");
            continue;
        }
        nu_strbuf_add_char(&wire, (char)name.len);
        nu_strbuf_add(&wire, name);
    }
    config->alpn = nu_arena_dup(factory->arena, nu_strbuf_str(&wire));
    nu_strbuf_finish(&wire);
}

static void read_criteria(struct nu_factory *factory, const struct nu_cluster *cluster,
                          const check_proto *proto, struct nu_health_config *config)
{
    if (!proto->transport_socket_match_criteria)
        return;
    struct nu_metadata *metadata = nu_metadata_create(factory->arena);
    struct nu_value criteria =
        nu_struct_from_proto(proto->transport_socket_match_criteria, factory->arena);
    nu_metadata_merge(metadata, NU_STR("envoy.transport_socket_match"), &criteria);
    config->has_criteria = true;
    config->transport = nu_transport_match_find(cluster, metadata, NULL);
}

/* --- Event log -------------------------------------------------------------------------------- */

static void add_file(struct nu_factory *factory, struct nu_health_event_log *log, const void *owner,
                     const char *path)
{
    struct nu_strbuf error = {0};
    struct nu_log_file *file = nu_log_writer_open(factory->log_writer, path, &error);
    if (file)
        log->files[log->count++] = file;
    else
        nu_config_error(factory->ctx, owner, "event_log_path", "%s", error.data);
    nu_strbuf_finish(&error);
}

static void read_event_log(struct nu_factory *factory, const check_proto *proto,
                           struct nu_health_event_log *log)
{
    log->files = nu_arena_calloc(factory->arena, (proto->n_event_logger + 1) * sizeof(*log->files));
    if (*proto->event_log_path)
        add_file(factory, log, proto, proto->event_log_path);
    for (size_t i = 0; i < proto->n_event_logger; i++) {
        const sink_proto *sink = (const sink_proto *)nu_config_any_of(
            factory->ctx, proto->event_logger[i], "typed_config",
            proto->event_logger[i]->typed_config,
            &envoy__extensions__health_check__event_sinks__file__v3__health_check_event_file_sink__descriptor);
        if (sink)
            add_file(factory, log, sink, sink->event_log_path);
    }
}

/* --- All of it -------------------------------------------------------------------------------- */

bool nu_health_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                          const cluster_proto *proto, struct nu_health_checker **checker)
{
    *checker = NULL;
    if (proto->n_health_checks == 0)
        return true;
    size_t errors = factory->ctx->errors.count;
    struct nu_factory own = *factory;
    own.arena = &cluster->arena;
    if (proto->n_health_checks > 1)
        nu_config_error(factory->ctx, proto, "health_checks",
                        "Multiple health checks not supported");
    const check_proto *check = proto->health_checks[0];
    struct nu_health_config *config = nu_arena_calloc(&cluster->arena, sizeof(*config));
    config->reuses_connection = nu_bool_or(check->reuse_connection, true);
    read_rules(&own, check, &config->rules);
    read_alpn(&own, check, config);
    read_criteria(&own, cluster, check, config);
    read_event_log(&own, check, &config->log);
    nu_health_probe_from_proto(&own, cluster, check, config);
    if (factory->ctx->errors.count != errors)
        return false;
    *checker = nu_health_checker_create(cluster, config, factory->loop);
    return true;
}
