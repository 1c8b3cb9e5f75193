/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_limit counts the connections of its chain, over all workers, and closes those that are
 * too many: at once, or after a while in which they get nothing, so that a client that comes again
 * at once costs less.
 */
#include "filters/network/connection_limit/connection_limit.h"

#include <stdatomic.h>

#include "config/values.h"
#include "net/conn_record.h"
#include "runtime/settings.h"
#include "stats/network_filter_stats.h"

#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb-c.h"

/* Immutable but for the count. */
struct connection_limit {
    uint64_t max;
    uint64_t delay_ms; /* 0: none */
    struct nu_runtime_flag enabled;
    struct nu_stat_set *stats;
    _Alignas(64) _Atomic uint64_t count; /* those that wait for their end too */
};

struct limited {
    struct nu_network_filter base;
    struct nu_connection_limit_stats *stats; /* NULL unless it is counted */
    struct nu_timer timer;
    bool is_rejected;
};

static struct limited *limited_of(struct nu_network_filter *filter)
{
    return nu_container_of(filter, struct limited, base);
}

static void close_connection(struct limited *limited)
{
    nu_server_conn_close(limited->base.conn, NU_CLOSE_NOW, nu_str_make(NULL, 0));
}

static void on_timer(struct nu_timer *timer)
{
    close_connection(nu_container_of(timer, struct limited, timer));
}

static void reject(struct limited *limited, const struct connection_limit *config)
{
    limited->is_rejected = true;
    nu_counter_inc(&limited->stats->limited_connections);
    if (config->delay_ms)
        nu_timer_arm(limited->base.conn->conn.loop, &limited->timer, config->delay_ms);
    else
        close_connection(limited);
}

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct limited *limited = limited_of(self);
    struct connection_limit *config = nu_unconst(self->config);
    nu_timer_init(&limited->timer, on_timer);
    if (!nu_runtime_flag_get(&config->enabled, self->conn->conn.loop->runtime))
        return NU_NETWORK_CONTINUE;
    limited->stats = nu_stat_set_block(config->stats);
    nu_gauge_inc(&limited->stats->active_connections);
    if (atomic_fetch_add_explicit(&config->count, 1, memory_order_relaxed) < config->max)
        return NU_NETWORK_CONTINUE;
    reject(limited, config);
    return NU_NETWORK_STOP;
}

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    const struct limited *limited = limited_of(self);
    (void)end;
    if (!limited->is_rejected)
        return NU_NETWORK_CONTINUE;
    nu_buf_clear(data); /* nobody will read it */
    return NU_NETWORK_STOP;
}

static void close_filter(struct nu_network_filter *self, enum nu_close_reason reason)
{
    struct limited *limited = limited_of(self);
    struct connection_limit *config = nu_unconst(self->config);
    (void)reason;
    nu_timer_cancel(&limited->timer);
    if (!limited->stats)
        return;
    nu_gauge_dec(&limited->stats->active_connections);
    atomic_fetch_sub_explicit(&config->count, 1, memory_order_relaxed);
}

static const struct nu_network_filter_class connection_limit_class = {
    .name = "envoy.filters.network.connection_limit",
    .instance_size = sizeof(struct limited),
    .open = open_filter,
    .on_data = on_data,
    .close = close_filter,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const Envoy__Extensions__Filters__Network__ConnectionLimit__V3__ConnectionLimit *proto =
        (const void *)message;
    if (!proto->max_connections) {
        nu_config_error(factory->ctx, proto, "max_connections",
                        "Field 'max_connections' is missing");
        return NULL;
    }
    /* The arena aligns to 16. */
    char *memory = nu_arena_calloc(factory->arena, sizeof(struct connection_limit) + 64);
    struct connection_limit *config = (void *)nu_align_up((uintptr_t)memory, 64);
    config->max = proto->max_connections->value;
    config->delay_ms = nu_config_duration_ms(factory->ctx, proto, "delay", proto->delay, 0);
    config->enabled.fallback = true;
    if (proto->runtime_enabled)
        config->enabled = nu_runtime_flag_from_proto(proto->runtime_enabled, factory->arena);
    config->stats = nu_stat_set_create(
        factory->stats, &nu_connection_limit_stats_table,
        nu_str_from(nu_arena_printf(factory->arena, "connection_limit.%s", proto->stat_prefix)));
    return config;
}

const struct nu_network_filter_factory nu_connection_limit_factory = {
    .name = "envoy.filters.network.connection_limit",
    .type = "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
    .cls = &connection_limit_class,
    .create = create,
};
