/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol takes a load balancer's word for who the client is: the PROXY header in front of
 * the connection gives the addresses that everything behind it sees.
 */
#include "filters/listener/proxy_protocol/proxy_protocol.h"

#include "filters/listener/proxy_protocol/header.h"
#include "http/metadata.h"
#include "net/proxy_data_from_proto.h"
#include "stats/listener_filter_stats.h"
#include "stats/stats.h"

#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb-c.h"

typedef Envoy__Extensions__Filters__Listener__ProxyProtocol__V3__ProxyProtocol filter_proto;

enum {
    VERSION_COUNT = 2,
    ENOUGH_TO_JUDGE = 16, /* bytes that Envoy waits for before it refuses a connection */
};

/* A value of one type becomes metadata. */
struct rule {
    uint8_t type;
    struct nu_str space;
    struct nu_str key;
};

struct proxy_protocol {
    bool allow_without;
    bool is_disallowed[VERSION_COUNT];
    bool passes_tlvs;
    struct nu_proxy_tlv_choice pass_through;
    const struct rule *rules;
    size_t rule_count;
    struct nu_stat_set *stats;
    struct nu_stat_set *legacy_stats;
    struct nu_stat_set *version_stats[VERSION_COUNT];
};

static struct nu_proxy_protocol_version_stats *stats_of(const struct proxy_protocol *filter,
                                                        uint8_t version)
{
    return nu_stat_set_block(filter->version_stats[version - 1]);
}

static enum nu_listener_filter_status refuse(const struct proxy_protocol *filter)
{
    struct nu_proxy_protocol_legacy_stats *stats = nu_stat_set_block(filter->legacy_stats);
    nu_counter_inc(&stats->downstream_cx_proxy_proto_error);
    return NU_LISTENER_FILTER_CLOSE;
}

static enum nu_listener_filter_status go_on_without(const struct proxy_protocol *filter)
{
    struct nu_proxy_protocol_stats *stats = nu_stat_set_block(filter->stats);
    if (filter->allow_without) {
        nu_counter_inc(&stats->not_found_allowed);
        return NU_LISTENER_FILTER_CONTINUE;
    }
    nu_counter_inc(&stats->not_found_disallowed);
    return refuse(filter);
}

static enum nu_listener_filter_status refuse_broken(const struct proxy_protocol *filter,
                                                    const struct nu_proxy_header *header)
{
    nu_counter_inc(&stats_of(filter, header->version)->error);
    return refuse(filter);
}

static enum nu_listener_filter_status refuse_version(const struct proxy_protocol *filter,
                                                     uint8_t version)
{
    struct nu_proxy_protocol_version_stats *stats = stats_of(filter, version);
    nu_counter_inc(&stats->found);
    nu_counter_inc(&stats->disallowed);
    return NU_LISTENER_FILTER_CLOSE;
}

/* --- Values ----------------------------------------------------------------------------------- */

/* What is no UTF-8 becomes '!', byte by byte. */
static struct nu_str sanitize(struct nu_arena *arena, struct nu_str text)
{
    enum { LONGEST_SEQUENCE = 4 };
    struct nu_str out = nu_arena_dup(arena, text);
    char *at = nu_unconst(out.ptr);
    for (size_t i = 0; i < out.len;) {
        size_t len = 1;
        while (len <= LONGEST_SEQUENCE && !nu_str_is_utf8(nu_str_first(nu_str_skip(out, i), len)))
            len++;
        if (len > LONGEST_SEQUENCE) {
            at[i] = '!';
            len = 1;
        }
        i += len;
    }
    return out;
}

/* The first value of a type stays. */
static void note_metadata(const struct rule *rule, struct nu_accepted *accepted,
                          struct nu_str value)
{
    if (!accepted->metadata)
        accepted->metadata = nu_metadata_create(accepted->arena);
    if (nu_metadata_find(accepted->metadata, rule->space, &rule->key, 1))
        return;
    nu_metadata_set(accepted->metadata, rule->space, rule->key,
                    nu_value_string(sanitize(accepted->arena, value)));
}

static void apply_rules(const struct proxy_protocol *filter, struct nu_accepted *accepted,
                        const struct nu_proxy_tlv *tlv)
{
    for (size_t i = 0; i < filter->rule_count; i++) {
        if (filter->rules[i].type == tlv->type)
            note_metadata(&filter->rules[i], accepted, tlv->value);
    }
}

/* How many values there are; false if they do not fill the header. */
static bool count_tlvs(struct nu_str rest, size_t *count)
{
    struct nu_proxy_tlv tlv;
    *count = 0;
    while (nu_proxy_tlv_next(&rest, &tlv))
        ++*count;
    return rest.len == 0;
}

static void take_tlvs(const struct proxy_protocol *filter, struct nu_accepted *accepted,
                      struct nu_str rest, size_t count, struct nu_proxy_data *data)
{
    struct nu_proxy_tlv *tlvs = nu_arena_alloc(accepted->arena, count * sizeof(*tlvs));
    struct nu_proxy_tlv tlv;
    data->tlvs = tlvs;
    while (nu_proxy_tlv_next(&rest, &tlv)) {
        apply_rules(filter, accepted, &tlv);
        if (!filter->passes_tlvs || !nu_proxy_tlv_is_chosen(&filter->pass_through, tlv.type))
            continue;
        tlv.value = nu_arena_dup(accepted->arena, tlv.value);
        tlvs[data->tlv_count++] = tlv;
    }
}

/* --- Headers ---------------------------------------------------------------------------------- */

static bool take_header(const struct proxy_protocol *filter, const struct nu_proxy_header *header,
                        struct nu_accepted *accepted)
{
    bool wants_tlvs = filter->rule_count || filter->passes_tlvs;
    size_t tlv_count = 0;
    if (wants_tlvs && !count_tlvs(header->tlvs, &tlv_count))
        return false;
    struct nu_proxy_data *data = nu_arena_calloc(accepted->arena, sizeof(*data));
    data->source = header->source;
    data->destination = header->destination;
    if (tlv_count)
        take_tlvs(filter, accepted, header->tlvs, tlv_count, data);
    accepted->proxy = data;
    accepted->remote = header->source;
    accepted->local = header->destination;
    accepted->local_restored = true;
    return true;
}

static enum nu_listener_filter_status apply(const struct proxy_protocol *filter,
                                            const struct nu_proxy_header *header,
                                            struct nu_accepted *accepted, size_t *taken)
{
    if (filter->is_disallowed[header->version - 1])
        return refuse_version(filter, header->version);
    if (header->has_addresses && !take_header(filter, header, accepted))
        return refuse_broken(filter, header);
    nu_counter_inc(&stats_of(filter, header->version)->found);
    *taken = header->size;
    return NU_LISTENER_FILTER_CONTINUE;
}

static bool is_refused_version(const struct proxy_protocol *filter, uint8_t version)
{
    return version > 0 && filter->is_disallowed[version - 1];
}

/* 0 for neither. */
static uint8_t version_of(struct nu_str bytes)
{
    uint8_t version = VERSION_COUNT;
    while (version > 0 && !nu_proxy_header_can_be(bytes, version))
        version--;
    return version;
}

/* Where no header is needed, one of a version that is not allowed is none. */
static bool is_none(const struct proxy_protocol *filter, struct nu_str bytes)
{
    for (uint8_t version = 1; version <= VERSION_COUNT; version++) {
        if (!filter->is_disallowed[version - 1] && nu_proxy_header_can_be(bytes, version))
            return false;
    }
    return true;
}

static enum nu_listener_filter_status on_data(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken)
{
    const struct proxy_protocol *filter = config;
    struct nu_proxy_header header;
    if (bytes.len == 0)
        return NU_LISTENER_FILTER_WAIT;
    if (filter->allow_without && is_none(filter, bytes))
        return go_on_without(filter);
    if (bytes.len >= ENOUGH_TO_JUDGE && is_refused_version(filter, version_of(bytes)))
        return refuse_version(filter, version_of(bytes));
    switch (nu_proxy_header_read(bytes, &header)) {
    case NU_PROXY_HEADER_PARTIAL:
        return NU_LISTENER_FILTER_WAIT;
    case NU_PROXY_HEADER_NONE:
        if (!filter->allow_without && bytes.len < ENOUGH_TO_JUDGE)
            return NU_LISTENER_FILTER_WAIT;
        return go_on_without(filter);
    case NU_PROXY_HEADER_MALFORMED:
        return refuse_broken(filter, &header);
    case NU_PROXY_HEADER_COMPLETE:
        break;
    }
    return apply(filter, &header, accepted, taken);
}

static const struct nu_listener_filter_class proxy_protocol_class = {
    .name = "envoy.filters.listener.proxy_protocol",
    .max_bytes = NU_PROXY_HEADER_MAX,
    .on_data = on_data,
};

static void create_stats(struct nu_factory *factory, const char *stat_prefix,
                         struct proxy_protocol *filter)
{
    const char *dot = stat_prefix[0] ? "." : "";
    const char *scope = nu_arena_printf(factory->arena, "proxy_proto%s%s", dot, stat_prefix);
    filter->legacy_stats = nu_stat_set_create(factory->stats, &nu_proxy_protocol_legacy_stats_table,
                                              nu_str_make(NULL, 0));
    filter->stats =
        nu_stat_set_create(factory->stats, &nu_proxy_protocol_stats_table, nu_str_from(scope));
    for (int i = 0; i < VERSION_COUNT; i++) {
        const char *version = nu_arena_printf(factory->arena, "%s.versions.v%d", scope, i + 1);
        filter->version_stats[i] = nu_stat_set_create(
            factory->stats, &nu_proxy_protocol_version_stats_table, nu_str_from(version));
    }
}

static void read_rules(struct nu_factory *factory, const filter_proto *proto,
                       struct proxy_protocol *filter)
{
    struct rule *rules = nu_arena_calloc(factory->arena, proto->n_rules * sizeof(*rules));
    for (size_t i = 0; i < proto->n_rules; i++) {
        const Envoy__Extensions__Filters__Listener__ProxyProtocol__V3__ProxyProtocol__KeyValuePair
            *target = proto->rules[i]->on_tlv_present;
        if (!target)
            continue; /* nothing becomes of it */
        struct rule *rule = &rules[filter->rule_count++];
        rule->type = (uint8_t)proto->rules[i]->tlv_type;
        rule->key = nu_arena_dup(factory->arena, nu_str_from(target->key));
        rule->space = target->metadata_namespace[0]
                          ? nu_arena_dup(factory->arena, nu_str_from(target->metadata_namespace))
                          : NU_STR("envoy.filters.listener.proxy_protocol");
    }
    filter->rules = rules;
}

static void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const filter_proto *proto = (const void *)message;
    struct proxy_protocol *filter = nu_arena_calloc(factory->arena, sizeof(*filter));
    filter->allow_without = proto->allow_requests_without_proxy_protocol;
    for (size_t i = 0; i < proto->n_disallowed_versions; i++) {
        size_t version = (size_t)proto->disallowed_versions[i];
        if (version < VERSION_COUNT)
            filter->is_disallowed[version] = true;
    }
    read_rules(factory, proto, filter);
    filter->passes_tlvs = proto->pass_through_tlvs != NULL;
    nu_proxy_tlv_choice_from_proto(proto->pass_through_tlvs, &filter->pass_through);
    create_stats(factory, proto->stat_prefix, filter);
    return filter;
}

const struct nu_listener_filter_factory nu_proxy_protocol_factory = {
    .name = "envoy.filters.listener.proxy_protocol",
    .type = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
    .cls = &proxy_protocol_class,
    .create = create,
};
