/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter answers a health check once the whole request has come: when checks do not pass
 * through, when the process was told to fail them (/healthcheck/fail), and when an earlier answer
 * of the upstream still stands. Its own answers run through its encode callback like any other.
 */
#include "filters/http/health_check/health_check.h"

#include "base/clock.h"
#include "config/values.h"
#include "filters/http/health_check/cache.h"
#include "match/header_matcher.h"
#include "stats/http_stats.h"
#include "upstream/cluster.h"

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb-c.h"

typedef Envoy__Extensions__Filters__Http__HealthCheck__V3__HealthCheck check_proto;
typedef Envoy__Extensions__Filters__Http__HealthCheck__V3__HealthCheck__ClusterMinHealthyPercentagesEntry
    cluster_proto;

struct cluster_rule {
    struct nu_str name;
    uint64_t min_percent;
};

struct config {
    bool passes_through;
    struct nu_header_matcher_list headers;
    const struct cluster_rule *clusters;
    size_t cluster_count;
    struct nu_str service; /* whose host this is: node.cluster */
    const _Atomic bool *is_failing;
    struct nu_health_cache *cache;
    struct nu_stat_set *stats;   /* http.PREFIX.health_check. */
    struct nu_stat_set *tracing; /* http.PREFIX.tracing. */
};

struct filter {
    struct nu_filter base;
    bool is_check;
    bool handles; /* answers itself */
};

/* What a check is answered. */
struct answer {
    uint32_t status;
    struct nu_str details;
    bool degraded;
};

static struct filter *filter_of(struct nu_filter *self)
{
    return nu_container_of(self, struct filter, base);
}

static const struct config *config_of(const struct filter *filter)
{
    return filter->base.config;
}

static bool is_failing(const struct config *config)
{
    return config->is_failing && atomic_load_explicit(config->is_failing, memory_order_relaxed);
}

static struct nu_http_health_check_stats *stats_of(const struct filter *filter)
{
    return nu_stat_set_block(config_of(filter)->stats);
}

static uint64_t now_us(const struct filter *filter)
{
    return nu_loop_now_us(filter->base.chain->loop);
}

/* --- The answer ------------------------------------------------------------------------------- */

/* Whether a cluster has enough hosts; else *why says what is wrong with it. */
static bool is_well(const struct filter *filter, const struct cluster_rule *rule,
                    struct answer *why)
{
    struct nu_http_health_check_stats *stats = stats_of(filter);
    const struct nu_cluster_local *cluster =
        nu_cluster_table_find(filter->base.chain->loop->clusters, rule->name);
    *why = (struct answer){.status = 503};
    if (!cluster) {
        nu_counter_inc(&stats->failed_cluster_not_found);
        why->details = NU_STR("health_check_failed_no_cluster_found");
        return false;
    }
    struct nu_cluster_members members = nu_cluster_members(cluster->cluster);
    if (members.total == 0 && rule->min_percent) {
        nu_counter_inc(&stats->failed_cluster_empty);
        why->details = NU_STR("health_check_failed_cluster_empty");
        return false;
    }
    if ((uint64_t)members.available * 100 < members.total * rule->min_percent) {
        nu_counter_inc(&stats->failed_cluster_unhealthy);
        why->details = NU_STR("health_check_failed_cluster_unhealthy");
        return false;
    }
    return true;
}

static struct answer answer_by_clusters(const struct filter *filter)
{
    const struct config *config = config_of(filter);
    struct answer why;
    for (size_t i = 0; i < config->cluster_count; i++) {
        if (!is_well(filter, &config->clusters[i], &why))
            return why;
    }
    return (struct answer){
        .status = 200,
        .details = config->cluster_count ? NU_STR("health_check_ok_cluster_healthy")
                                         : NU_STR("health_check_ok"),
    };
}

static struct answer find_answer(const struct filter *filter)
{
    const struct config *config = config_of(filter);
    struct nu_http_health_check_stats *stats = stats_of(filter);
    struct nu_health_answer kept;
    if (is_failing(config))
        return (struct answer){.status = 503, .details = NU_STR("health_check_failed")};
    if (!nu_health_cache_get(config->cache, now_us(filter), &kept))
        return answer_by_clusters(filter);
    nu_counter_inc(&stats->cached_response);
    if (kept.degraded)
        nu_counter_inc(&stats->degraded);
    return (struct answer){kept.status, NU_STR("health_check_cached"), kept.degraded};
}

static void answer(struct filter *filter)
{
    static const struct nu_reply_header degraded = {NU_STR_INIT("x-envoy-degraded"),
                                                    NU_STR_INIT("")};
    struct nu_http_health_check_stats *stats = stats_of(filter);
    nu_counter_inc(&stats->request_total);
    struct answer found = find_answer(filter);
    struct nu_reply reply = {
        .status = found.status,
        .details = found.details,
        .headers = &degraded,
        .header_count = found.degraded ? 1 : 0,
        .grpc_status = -1,
    };
    bool is_ok = found.status / 100 == 2;
    nu_counter_inc(is_ok ? &stats->ok : &stats->failed);
    if (!is_ok)
        nu_stream_info_set_flag(filter->base.chain->info, NU_FLAG_FAILED_LOCAL_HEALTH_CHECK);
    nu_filter_reply_with(&filter->base, &reply);
}

/* --- The request ------------------------------------------------------------------------------ */

static void note_check(struct filter *filter)
{
    const struct config *config = config_of(filter);
    struct nu_tracing_stats *tracing = nu_stat_set_block(config->tracing);
    struct nu_health_answer kept;
    filter->is_check = true;
    filter->base.chain->info->is_health_check = true;
    nu_counter_inc(&tracing->health_check);
    filter->handles = !config->passes_through || is_failing(config) ||
                      nu_health_cache_get(config->cache, now_us(filter), &kept);
}

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    struct filter *filter = filter_of(self);
    if (nu_header_matches_all(&config_of(filter)->headers, headers))
        note_check(filter);
    if (filter->handles && end)
        answer(filter);
    return filter->handles ? NU_HEADERS_STOP : NU_HEADERS_CONTINUE;
}

static enum nu_data_status decode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct filter *filter = filter_of(self);
    (void)data;
    if (filter->handles && end)
        answer(filter);
    return filter->handles ? NU_DATA_STOP_NO_BUFFER : NU_DATA_CONTINUE;
}

static enum nu_trailers_status decode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    struct filter *filter = filter_of(self);
    (void)trailers;
    if (filter->handles)
        answer(filter);
    return filter->handles ? NU_TRAILERS_STOP : NU_TRAILERS_CONTINUE;
}

/* --- The response ----------------------------------------------------------------------------- */

static void keep(struct filter *filter, const struct nu_headers *headers)
{
    uint64_t status = 0;
    if (nu_str_to_u64(nu_headers_get_id(headers, NU_HEADER_STATUS), &status) != NU_OK)
        return;
    const struct nu_health_answer kept = {
        .status = (uint32_t)status,
        .degraded = nu_headers_has_id(headers, NU_HEADER_X_ENVOY_DEGRADED),
    };
    nu_health_cache_put(config_of(filter)->cache, now_us(filter), &kept);
}

static enum nu_headers_status encode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    struct filter *filter = filter_of(self);
    const struct config *config = config_of(filter);
    (void)end;
    if (filter->is_check) {
        keep(filter, headers);
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER,
                          config->service);
    }
    if (nu_unlikely(is_failing(config)))
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL, NU_STR("true"));
    return NU_HEADERS_CONTINUE;
}

static const struct nu_filter_class health_check_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.health_check",
    .instance_size = sizeof(struct filter),
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .decode_trailers = decode_trailers,
    .encode_headers = encode_headers,
};

/* --- Configuration ---------------------------------------------------------------------------- */

static void read_clusters(struct nu_factory *factory, const check_proto *proto,
                          struct config *config)
{
    size_t count = config->passes_through ? 0 : proto->n_cluster_min_healthy_percentages;
    struct cluster_rule *rules = nu_arena_calloc(factory->arena, (count + 1) * sizeof(*rules));
    for (size_t i = 0; i < count; i++) {
        const cluster_proto *entry = proto->cluster_min_healthy_percentages[i];
        rules[i].name = nu_arena_dup(factory->arena, nu_str_from(entry->key));
        rules[i].min_percent = entry->value ? (uint64_t)entry->value->value : 0;
    }
    config->clusters = rules;
    config->cluster_count = count;
}

static void read_cache(struct nu_factory *factory, const check_proto *proto, struct config *config)
{
    uint64_t period_us =
        nu_config_duration_us(factory->ctx, proto, "cache_time", proto->cache_time, 0) / 1000 *
        1000;
    config->cache = nu_arena_calloc(factory->arena, sizeof(*config->cache));
    nu_health_cache_init(config->cache, nu_clock_monotonic_us(), period_us);
    if (period_us && !config->passes_through)
        nu_config_error(factory->ctx, proto, "cache_time",
                        "cache_time_ms must not be set when path_through_mode is disabled");
}

static struct nu_stat_set *create_stats(struct nu_factory *factory,
                                        const struct nu_stat_table *table, const char *suffix)
{
    const char *prefix =
        nu_arena_printf(factory->arena, "%.*s.%s", NU_STR_ARG(factory->http_stat_prefix), suffix);
    return nu_stat_set_create(factory->stats, table, nu_str_from(prefix));
}

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const check_proto *proto = (const void *)message;
    const struct nu_match_factory match = {
        .ctx = factory->ctx, .arena = factory->arena, .runtime = factory->runtime};
    size_t errors = factory->ctx->errors.count;
    struct config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->passes_through = nu_bool_or(proto->pass_through_mode, false);
    config->is_failing = factory->is_failing;
    if (factory->local)
        config->service = nu_arena_dup(factory->arena, factory->local->cluster);
    if (!nu_header_matcher_list_from_protos(&match, proto->headers, proto->n_headers,
                                            &config->headers))
        return false;
    read_clusters(factory, proto, config);
    read_cache(factory, proto, config);
    config->stats = create_stats(factory, &nu_http_health_check_stats_table, "health_check");
    config->tracing = create_stats(factory, &nu_tracing_stats_table, "tracing");
    *cls = &health_check_class;
    *out = config;
    return factory->ctx->errors.count == errors;
}

const struct nu_filter_factory nu_health_check_factory = {
    .name = "envoy.filters.http.health_check",
    .type = "envoy.extensions.filters.http.health_check.v3.HealthCheck",
    .create = create,
};
