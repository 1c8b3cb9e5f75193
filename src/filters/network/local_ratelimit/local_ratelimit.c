/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_ratelimit takes a token for each connection from a bucket that all workers share, and closes
 * connections for which there is none.
 */
#include "filters/network/local_ratelimit/local_ratelimit.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/token_bucket.h"
#include "config/values.h"
#include "net/conn_record.h"
#include "runtime/settings.h"
#include "stats/network_filter_stats.h"

#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb-c.h"

typedef Envoy__Extensions__Filters__Network__LocalRatelimit__V3__LocalRateLimit filter_proto;

enum { MIN_INTERVAL_US = 50000 };

struct local_ratelimit {
    struct nu_token_bucket *bucket; /* in the arena; perhaps another filter's too */
    struct nu_runtime_flag enabled;
    struct nu_stat_set *stats;
};

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    const struct local_ratelimit *config = self->config;
    struct nu_loop *loop = self->conn->conn.loop;
    if (!nu_runtime_flag_get(&config->enabled, loop->runtime) ||
        nu_token_bucket_take(config->bucket, nu_loop_now_us(loop)))
        return NU_NETWORK_CONTINUE;
    struct nu_local_rate_limit_stats *stats = nu_stat_set_block(config->stats);
    nu_counter_inc(&stats->rate_limited);
    nu_stream_info_set_flag(nu_server_conn_info(self->conn),
                            NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED); /* Envoy's choice */
    nu_server_conn_close(self->conn, NU_CLOSE_NOW, nu_str_make(NULL, 0));
    return NU_NETWORK_STOP;
}

static const struct nu_network_filter_class local_ratelimit_class = {
    .name = "envoy.filters.network.local_ratelimit",
    .instance_size = sizeof(struct nu_network_filter),
    .open = open_filter,
};

static struct nu_token_bucket *make_bucket(struct nu_factory *factory, uint32_t max, uint32_t fill,
                                           uint64_t interval_us)
{
    char *memory = nu_arena_calloc(factory->arena, sizeof(struct nu_token_bucket) + 64);
    struct nu_token_bucket *bucket = (void *)nu_align_up((uintptr_t)memory, 64);
    nu_token_bucket_init(bucket, max, fill, interval_us, nu_clock_monotonic_us());
    return bucket;
}

/* The bucket of the key, made by whoever asks first. */
static struct nu_token_bucket *find_bucket(struct nu_factory *factory, const filter_proto *proto)
{
    const Envoy__Type__V3__TokenBucket *tokens = proto->token_bucket;
    uint32_t fill = nu_u32_or(tokens->tokens_per_fill, 1);
    uint64_t interval_us =
        nu_config_duration_us(factory->ctx, tokens, "fill_interval", tokens->fill_interval, 0);
    if (interval_us < MIN_INTERVAL_US) {
        nu_config_error(factory->ctx, tokens, "fill_interval",
                        "local rate limit token bucket fill timer must be >= 50ms");
        return NULL;
    }
    if (!proto->share_key[0])
        return make_bucket(factory, tokens->max_tokens, fill, interval_us);
    struct nu_str name = nu_str_from(
        nu_arena_printf(factory->arena, "token_bucket %u %u %llu %s", tokens->max_tokens, fill,
                        (unsigned long long)interval_us, proto->share_key));
    struct nu_token_bucket *bucket = nu_map_get(factory->shared, name);
    if (!bucket) {
        bucket = make_bucket(factory, tokens->max_tokens, fill, interval_us);
        nu_map_put(factory->shared, name, bucket);
    }
    return bucket;
}

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const filter_proto *proto = (const void *)message;
    struct local_ratelimit *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->bucket = find_bucket(factory, proto);
    config->enabled.fallback = true;
    if (proto->runtime_enabled)
        config->enabled = nu_runtime_flag_from_proto(proto->runtime_enabled, factory->arena);
    config->stats = nu_stat_set_create(
        factory->stats, &nu_local_rate_limit_stats_table,
        nu_str_from(nu_arena_printf(factory->arena, "local_rate_limit.%s", proto->stat_prefix)));
    return config->bucket ? config : NULL;
}

const struct nu_network_filter_factory nu_local_ratelimit_factory = {
    .name = "envoy.filters.network.local_ratelimit",
    .type = "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
    .cls = &local_ratelimit_class,
    .create = create,
};
