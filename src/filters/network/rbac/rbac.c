/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rbac asks its rules when the first byte comes (so that a handshake is over by then), or with all
 * that come, and closes the connections that they deny.
 */
#include "filters/network/rbac/rbac.h"

#include "config/values.h"
#include "http/metadata.h"
#include "match/rbac.h"
#include "net/conn_record.h"
#include "stats/network_filter_stats.h"
#include "stats/stats.h"

#include "envoy/extensions/filters/network/rbac/v3/rbac.pb-c.h"

typedef Envoy__Extensions__Filters__Network__Rbac__V3__RBAC filter_proto;

struct rbac_config {
    const struct nu_rbac *rules;  /* NULL: none */
    const struct nu_rbac *shadow; /* NULL: none */
    bool is_continuous;
    uint64_t delay_ms; /* 0: none */
    struct nu_str result_key;
    struct nu_str policy_key;
    struct nu_stat_set *stats;
    struct nu_stat_set *shadow_stats;
};

struct rbac {
    struct nu_network_filter base;
    struct nu_timer timer; /* until a connection that is denied is closed */
    struct nu_str details; /* of the denial */
    bool was_asked;
    bool is_denied;
};

static struct rbac *rbac_of(struct nu_network_filter *filter)
{
    return nu_container_of(filter, struct rbac, base);
}

static void close_connection(struct rbac *rbac)
{
    nu_server_conn_close(rbac->base.conn, NU_CLOSE_NOW, rbac->details);
}

static void on_timer(struct nu_timer *timer)
{
    close_connection(nu_container_of(timer, struct rbac, timer));
}

/* What the shadow rules say is noted for logs, and has no effect. */
static void ask_shadow(const struct rbac_config *config, const struct nu_rbac_input *input)
{
    struct nu_rbac_verdict verdict = nu_rbac_judge(config->shadow, input);
    struct nu_rbac_shadow_stats *stats = nu_stat_set_block(config->shadow_stats);
    struct nu_metadata *metadata = nu_stream_info_metadata(input->info);
    struct nu_str space = NU_STR("envoy.filters.network.rbac");
    nu_counter_inc(verdict.is_allowed ? &stats->shadow_allowed : &stats->shadow_denied);
    if (verdict.policy.len)
        nu_metadata_set(metadata, space, config->policy_key, nu_value_string(verdict.policy));
    nu_metadata_set(metadata, space, config->result_key,
                    nu_value_string(verdict.is_allowed ? NU_STR("allowed") : NU_STR("denied")));
}

/* "rbac_access_denied_matched_policy[name]"; a log line stays one word. */
static struct nu_str denial(struct nu_arena *arena, struct nu_str policy)
{
    if (policy.len == 0)
        policy = NU_STR("none");
    char *text =
        nu_arena_printf(arena, "rbac_access_denied_matched_policy[%.*s]", NU_STR_ARG(policy));
    for (char *p = text; *p; p++) {
        if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
            *p = '_';
    }
    return nu_str_from(text);
}

static void deny(struct rbac *rbac, const struct nu_rbac_input *input, struct nu_str policy)
{
    const struct rbac_config *config = rbac->base.config;
    rbac->is_denied = true;
    rbac->details = denial(input->info->arena, policy);
    if (config->delay_ms)
        nu_timer_arm(rbac->base.conn->conn.loop, &rbac->timer, config->delay_ms);
    else
        close_connection(rbac);
}

static void ask_rules(struct rbac *rbac, const struct nu_rbac_input *input)
{
    const struct rbac_config *config = rbac->base.config;
    struct nu_rbac_verdict verdict = nu_rbac_judge(config->rules, input);
    struct nu_rbac_stats *stats = nu_stat_set_block(config->stats);
    nu_counter_inc(verdict.is_allowed ? &stats->allowed : &stats->denied);
    nu_rbac_note_log(input->info, &verdict);
    if (!verdict.is_allowed)
        deny(rbac, input, verdict.policy);
}

static void ask(struct rbac *rbac)
{
    const struct rbac_config *config = rbac->base.config;
    struct nu_rbac_input input = {.info = nu_server_conn_info(rbac->base.conn)};
    rbac->was_asked = true;
    if (config->shadow)
        ask_shadow(config, &input);
    if (config->rules)
        ask_rules(rbac, &input);
}

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    nu_timer_init(&rbac_of(self)->timer, on_timer);
    return NU_NETWORK_CONTINUE;
}

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    struct rbac *rbac = rbac_of(self);
    const struct rbac_config *config = self->config;
    (void)end;
    if (!rbac->is_denied && (!rbac->was_asked || config->is_continuous))
        ask(rbac);
    if (!rbac->is_denied)
        return NU_NETWORK_CONTINUE;
    nu_buf_clear(data); /* nobody will read it */
    return NU_NETWORK_STOP;
}

static void close_filter(struct nu_network_filter *self, enum nu_close_reason reason)
{
    (void)reason;
    nu_timer_cancel(&rbac_of(self)->timer);
}

static const struct nu_network_filter_class rbac_class = {
    .name = "envoy.filters.network.rbac",
    .instance_size = sizeof(struct rbac),
    .open = open_filter,
    .on_data = on_data,
    .close = close_filter,
};

static const struct nu_rbac *read_rules(struct nu_factory *factory,
                                        const struct Envoy__Config__Rbac__V3__RBAC *proto)
{
    struct nu_match_factory match = {
        .ctx = factory->ctx, .arena = factory->arena, .runtime = factory->runtime};
    return proto ? nu_rbac_from_proto(&match, proto, true) : NULL;
}

static struct nu_str without_last_dot(const char *prefix)
{
    struct nu_str text = nu_str_from(prefix);
    return text.len && text.ptr[text.len - 1] == '.' ? nu_str_make(text.ptr, text.len - 1) : text;
}

static void create_stats(struct nu_factory *factory, const filter_proto *proto,
                         struct rbac_config *config)
{
    const char *scope = nu_arena_printf(factory->arena, "%.*s.rbac",
                                        NU_STR_ARG(without_last_dot(proto->stat_prefix)));
    struct nu_str shadow = without_last_dot(proto->shadow_rules_stat_prefix);
    const char *shadow_scope = nu_arena_printf(factory->arena, "%s%s%.*s", scope,
                                               shadow.len ? "." : "", NU_STR_ARG(shadow));
    config->stats = nu_stat_set_create(factory->stats, &nu_rbac_stats_table, nu_str_from(scope));
    config->shadow_stats =
        nu_stat_set_create(factory->stats, &nu_rbac_shadow_stats_table, nu_str_from(shadow_scope));
}

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const filter_proto *proto = (const void *)message;
    const char *prefix = proto->shadow_rules_stat_prefix;
    size_t errors = factory->ctx->errors.count;
    struct rbac_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->rules = read_rules(factory, proto->rules);
    config->shadow = read_rules(factory, proto->shadow_rules);
    config->is_continuous =
        proto->enforcement_type ==
        ENVOY__EXTENSIONS__FILTERS__NETWORK__RBAC__V3__RBAC__ENFORCEMENT_TYPE__CONTINUOUS;
    config->delay_ms =
        nu_config_duration_ms(factory->ctx, proto, "delay_deny", proto->delay_deny, 0);
    config->result_key =
        nu_str_from(nu_arena_printf(factory->arena, "%sshadow_engine_result", prefix));
    config->policy_key =
        nu_str_from(nu_arena_printf(factory->arena, "%sshadow_effective_policy_id", prefix));
    create_stats(factory, proto, config);
    return factory->ctx->errors.count == errors ? config : NULL;
}

const struct nu_network_filter_factory nu_network_rbac_factory = {
    .name = "envoy.filters.network.rbac",
    .type = "envoy.extensions.filters.network.rbac.v3.RBAC",
    .cls = &rbac_class,
    .create = create,
};
