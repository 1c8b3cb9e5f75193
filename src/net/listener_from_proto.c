/* SPDX-License-Identifier: Apache-2.0 */
/* Reading listeners: addresses and their socket options, the filter chain. */
#include "net/listener_from_proto.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "config/values.h"
#include "http/metadata_from_proto.h"
#include "net/address_from_proto.h"
#include "net/listener_log.h"
#include "net/network_chain.h"
#include "net/socket_from_proto.h"
#include "stats/listener_stats.h"
#include "stats/stats.h"

#include "envoy/config/listener/v3/listener.pb-c.h"

typedef Envoy__Config__Listener__V3__Listener listener_proto;
typedef Envoy__Config__Listener__V3__FilterChain chain_proto;

enum { DEFAULT_BUFFER_LIMIT = 1 << 20, MAX_ADDRESSES = 64 };

/* --- Addresses -------------------------------------------------------------------------------- */

bool nu_listen_address_from_proto(struct nu_factory *factory, const void *owner, const char *field,
                                  const Envoy__Config__Core__V3__Address *proto,
                                  struct nu_listen_params *out)
{
    if (!nu_address_from_proto(factory, owner, field, proto,
                               "A listener needs an address, not a name", factory->arena,
                               &out->address))
        return false;
    if (proto->address_case != ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_PIPE) {
        out->ipv4_compat = proto->socket_address->ipv4_compat;
        return true;
    }
    out->unix_mode = proto->pipe->mode;
    if (!out->unix_mode || out->address.path[0] != '@')
        return true;
    nu_config_error(factory->ctx, proto->pipe, "mode",
                    "Cannot set mode for Abstract AF_UNIX sockets");
    return false;
}

static size_t add_keepalive(struct nu_factory *factory, const listener_proto *proto,
                            struct nu_socket_option *options)
{
    const Envoy__Config__Core__V3__TcpKeepalive *keepalive = proto->tcp_keepalive;
    size_t count = 0;
    if (!keepalive)
        return 0;
    options[count++] = nu_socket_option_int(factory->arena, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (keepalive->keepalive_probes)
        options[count++] = nu_socket_option_int(factory->arena, IPPROTO_TCP, TCP_KEEPCNT,
                                                (int)keepalive->keepalive_probes->value);
    if (keepalive->keepalive_time)
        options[count++] = nu_socket_option_int(factory->arena, IPPROTO_TCP, TCP_KEEPIDLE,
                                                (int)keepalive->keepalive_time->value);
    if (keepalive->keepalive_interval)
        options[count++] = nu_socket_option_int(factory->arena, IPPROTO_TCP, TCP_KEEPINTVL,
                                                (int)keepalive->keepalive_interval->value);
    return count;
}

/* The listener's own options, or those that an additional address has instead. */
static void read_options(struct nu_factory *factory, const listener_proto *proto,
                         Envoy__Config__Core__V3__SocketOption **list, size_t count,
                         struct nu_listen_params *params)
{
    enum { KEEPALIVE_OPTIONS = 4 };
    size_t room = count + KEEPALIVE_OPTIONS;
    struct nu_socket_option *options = nu_arena_calloc(factory->arena, room * sizeof(*options));
    for (size_t i = 0; i < count; i++)
        options[i] = nu_socket_option_from_proto(factory->arena, list[i]);
    params->option_count = count + add_keepalive(factory, proto, options + count);
    params->options = options;
}

static void read_additional(struct nu_factory *factory, const listener_proto *proto, size_t index,
                            struct nu_listen_params *params)
{
    const Envoy__Config__Listener__V3__AdditionalAddress *additional =
        proto->additional_addresses[index];
    if (additional->socket_options)
        read_options(factory, proto, additional->socket_options->socket_options,
                     additional->socket_options->n_socket_options, params);
    bool ok =
        nu_listen_address_from_proto(factory, additional, "address", additional->address, params);
    (void)ok; /* the error is in the list */
}

static void read_addresses(struct nu_factory *factory, const listener_proto *proto,
                           struct nu_listener_config *config)
{
    struct nu_listen_params shared = {
        .backlog = (int)nu_u32_or(proto->tcp_backlog_size, 0),
        .fast_open_queue = (int)nu_u32_or(proto->tcp_fast_open_queue_length, 0),
        .reuse_port = nu_bool_or(proto->enable_reuse_port, true),
        .transparent = nu_bool_or(proto->transparent, false),
        .freebind = nu_bool_or(proto->freebind, false),
    };
    read_options(factory, proto, proto->socket_options, proto->n_socket_options, &shared);
    size_t count = 1 + proto->n_additional_addresses;
    if (count > MAX_ADDRESSES) {
        nu_config_error(factory->ctx, proto, "additional_addresses",
                        "a listener may have at most %d addresses", MAX_ADDRESSES);
        return;
    }
    struct nu_listen_params *params = nu_arena_alloc(factory->arena, count * sizeof(*params));
    for (size_t i = 0; i < count; i++)
        params[i] = shared;
    bool ok = nu_listen_address_from_proto(factory, proto, "address", proto->address, &params[0]);
    (void)ok; /* the error is in the list */
    for (size_t i = 1; i < count; i++)
        read_additional(factory, proto, i - 1, &params[i]);
    config->addresses = params;
    config->address_count = (uint8_t)count;
}

/* --- Filter chains ---------------------------------------------------------------------------- */

static const struct nu_network_filter_factory *find_factory(struct nu_factory *factory,
                                                            const char *type)
{
    const struct nu_network_filter_factory *const *list = factory->extensions->network_filters;
    for (; *list; list++) {
        if (strcmp((*list)->type, type) == 0)
            return *list;
    }
    return NULL;
}

static bool read_filter(struct nu_factory *factory,
                        const Envoy__Config__Listener__V3__Filter *proto,
                        struct nu_network_filter_entry *entry)
{
    entry->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    if (proto->config_type_case != ENVOY__CONFIG__LISTENER__V3__FILTER__CONFIG_TYPE_TYPED_CONFIG) {
        nu_config_error(factory->ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: ''",
                        proto->name);
        return false;
    }
    const ProtobufCMessage *message = nu_config_any(factory->ctx, proto->typed_config);
    if (!message)
        return false;
    const struct nu_network_filter_factory *filter =
        find_factory(factory, message->descriptor->name);
    if (!filter) {
        nu_config_error(factory->ctx, proto, "typed_config", "%s is no network filter",
                        message->descriptor->name);
        return false;
    }
    entry->cls = filter->cls;
    entry->config = filter->create(factory, message);
    return entry->config != NULL;
}

static void check_order(struct nu_factory *factory, const chain_proto *proto, size_t i,
                        const struct nu_network_filter_entry *entry)
{
    bool is_last = i + 1 == proto->n_filters;
    if (entry->cls->is_terminal == is_last)
        return;
    nu_config_error(factory->ctx, proto->filters[i], NULL,
                    is_last
                        ? "Error: non-terminal filter named %s of type %s is the last filter in "
                          "a network filter chain."
                        : "Error: terminal filter named %s of type %s must be the last filter in "
                          "a network filter chain.",
                    proto->filters[i]->name, entry->cls->name);
}

static void read_transport(struct nu_factory *factory, const chain_proto *proto,
                           struct nu_filter_chain_spec *chain)
{
    struct nu_str scope =
        nu_arena_concat(factory->arena, NU_STR("listener."), factory->listener_stat_name);
    bool ok = nu_transport_socket_from_proto(factory, proto->transport_socket, false, scope,
                                             &chain->transport);
    (void)ok; /* the error is in the list */
    factory->downstream_is_secure = nu_transport_socket_is_secure(&chain->transport);
}

static struct nu_stat_set *config_stats(const struct nu_factory *factory)
{
    const char *prefix =
        nu_arena_printf(factory->arena, "listener.%.*s", NU_STR_ARG(factory->listener_stat_name));
    return nu_stat_set_create(factory->stats, &nu_listener_config_stats_table, nu_str_from(prefix));
}

static void read_chain(struct nu_factory *factory, const chain_proto *proto,
                       struct nu_filter_chain_spec *chain)
{
    enum { MAX_FILTERS = 32 };
    chain->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    chain->metadata = nu_metadata_from_proto(proto->metadata, factory->arena);
    read_transport(factory, proto, chain);
    chain->handshake_timeout_ms =
        (uint32_t)nu_config_duration_ms(factory->ctx, proto, "transport_socket_connect_timeout",
                                        proto->transport_socket_connect_timeout, 0);
    if (proto->n_filters > MAX_FILTERS) {
        nu_config_error(factory->ctx, proto, "filters",
                        "a filter chain can have up to %d network filters", MAX_FILTERS);
        return;
    }
    struct nu_network_filter_entry *entries =
        nu_arena_calloc(factory->arena, (proto->n_filters + 1) * sizeof(*entries));
    for (size_t i = 0; i < proto->n_filters; i++) {
        if (read_filter(factory, proto->filters[i], &entries[i]))
            check_order(factory, proto, i, &entries[i]);
    }
    chain->filters = entries;
    chain->filter_count = (uint8_t)proto->n_filters;
    if (chain->filter_count == 0) {
        entries[0].cls = &nu_no_filters_class;
        entries[0].config = config_stats(factory);
        chain->filter_count = 1;
    }
}

/* --- Choosing a chain ------------------------------------------------------------------------- */

typedef Envoy__Config__Listener__V3__FilterChainMatch match_proto;

static const struct nu_cidr *read_ranges(struct nu_factory *factory, const void *owner,
                                         const char *field,
                                         Envoy__Config__Core__V3__CidrRange *const *protos,
                                         size_t count)
{
    struct nu_cidr *ranges = nu_arena_calloc(factory->arena, (count + 1) * sizeof(*ranges));
    for (size_t i = 0; i < count; i++) {
        struct nu_address base;
        if (nu_address_parse_ip(nu_str_from(protos[i]->address_prefix), 0, &base) != NU_OK ||
            nu_cidr_make(&base, nu_u32_or(protos[i]->prefix_len, 0), &ranges[i]) != NU_OK)
            nu_config_error_at(factory->ctx, owner, field, i, "malformed IP address: %s",
                               protos[i]->address_prefix);
    }
    return ranges;
}

static const struct nu_str *read_texts(struct nu_factory *factory, const char **texts, size_t count)
{
    struct nu_str *list = nu_arena_calloc(factory->arena, (count + 1) * sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = nu_arena_dup(factory->arena, nu_str_from(texts[i]));
    return list;
}

/* Server names in lower case; "*" stands for all of them, other wildcards but "*." are no names. */
static void read_server_names(struct nu_factory *factory, const match_proto *proto,
                              struct nu_filter_chain_match *match)
{
    struct nu_str *names =
        nu_arena_calloc(factory->arena, (proto->n_server_names + 1) * sizeof(*names));
    for (size_t i = 0; i < proto->n_server_names; i++) {
        struct nu_str name = nu_arena_dup(factory->arena, nu_str_from(proto->server_names[i]));
        char *p = nu_unconst(name.ptr);
        for (size_t c = 0; c < name.len; c++)
            p[c] = nu_ascii_lower(p[c]);
        struct nu_str rest = nu_str_starts_with(name, NU_STR("*.")) ? nu_str_skip(name, 2) : name;
        if (nu_str_find_char(rest, '*') != NU_NPOS)
            nu_config_error_at(factory->ctx, proto, "server_names", i,
                               "partial wildcards are not supported in \"server_names\"");
        names[i] = name;
    }
    match->server_names = names;
    match->server_name_count = proto->n_server_names;
}

static void read_match(struct nu_factory *factory, const match_proto *proto,
                       struct nu_filter_chain_match *match)
{
    *match = (struct nu_filter_chain_match){0};
    if (!proto)
        return;
    match->destination_port = (uint16_t)nu_u32_or(proto->destination_port, 0);
    match->destinations =
        read_ranges(factory, proto, "prefix_ranges", proto->prefix_ranges, proto->n_prefix_ranges);
    match->destination_count = proto->n_prefix_ranges;
    read_server_names(factory, proto, match);
    match->transport_protocol =
        nu_arena_dup(factory->arena, nu_str_from(proto->transport_protocol));
    match->application_protocols =
        read_texts(factory, proto->application_protocols, proto->n_application_protocols);
    match->application_protocol_count = proto->n_application_protocols;
    match->direct_sources =
        read_ranges(factory, proto, "direct_source_prefix_ranges",
                    proto->direct_source_prefix_ranges, proto->n_direct_source_prefix_ranges);
    match->direct_source_count = proto->n_direct_source_prefix_ranges;
    match->source_type = (enum nu_source_type)proto->source_type;
    match->sources = read_ranges(factory, proto, "source_prefix_ranges",
                                 proto->source_prefix_ranges, proto->n_source_prefix_ranges);
    match->source_count = proto->n_source_prefix_ranges;
    match->source_ports = proto->source_ports;
    match->source_port_count = proto->n_source_ports;
}

static bool is_empty_match(const match_proto *proto)
{
    return !proto ||
           (!proto->destination_port && !proto->n_prefix_ranges &&
            !proto->n_direct_source_prefix_ranges && !proto->source_type &&
            !proto->n_source_prefix_ranges && !proto->n_source_ports && !proto->n_server_names &&
            !proto->transport_protocol[0] && !proto->n_application_protocols);
}

static void add_chain(struct nu_factory *factory, const listener_proto *proto, size_t i,
                      struct nu_filter_chain_map *map, const struct nu_filter_chain_spec *chain)
{
    struct nu_filter_chain_match match;
    read_match(factory, proto->filter_chains[i]->filter_chain_match, &match);
    const struct nu_filter_chain_spec *taken = nu_filter_chain_map_add(map, &match, chain);
    if (taken)
        nu_config_error_at(factory->ctx, proto, "filter_chains", i,
                           "error adding listener '%s': filter chain '%s' has the same matching "
                           "rules defined as '%s'",
                           proto->name, proto->filter_chains[i]->name, taken->name.ptr);
}

static void read_chains(struct nu_factory *factory, const listener_proto *proto,
                        struct nu_listener_config *config)
{
    size_t count = proto->n_filter_chains;
    struct nu_filter_chain_spec *chains =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*chains));
    if (count == 0 && !proto->default_filter_chain)
        nu_config_error(factory->ctx, proto, "filter_chains",
                        "error adding listener '%s': no filter chains specified", proto->name);
    struct nu_filter_chain_map *map = nu_filter_chain_map_create(factory->arena);
    for (size_t i = 0; i < count; i++) {
        read_chain(factory, proto->filter_chains[i], &chains[i]);
        add_chain(factory, proto, i, map, &chains[i]);
    }
    if (proto->default_filter_chain) {
        read_chain(factory, proto->default_filter_chain, &chains[count]);
        config->default_chain = &chains[count];
    }
    config->chains = map;
    if (count == 0)
        config->only_chain = config->default_chain;
    else if (count == 1 && is_empty_match(proto->filter_chains[0]->filter_chain_match))
        config->only_chain = &chains[0];
}

/* --- Listener filters ------------------------------------------------------------------------- */

#define TLS_INSPECTOR "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"

static const struct nu_listener_filter_factory *
find_listener_filter(const struct nu_factory *factory, const char *type)
{
    const struct nu_listener_filter_factory *const *list = factory->extensions->listener_filters;
    for (; *list; list++) {
        if (strcmp((*list)->type, type) == 0)
            return *list;
    }
    return NULL;
}

static void read_listener_filter(struct nu_factory *factory,
                                 const Envoy__Config__Listener__V3__ListenerFilter *proto,
                                 struct nu_listener_filter_entry *entry)
{
    const ProtobufCMessage *message = nu_config_any(factory->ctx, proto->typed_config);
    const struct nu_listener_filter_factory *found =
        message ? find_listener_filter(factory, message->descriptor->name) : NULL;
    if (!found) {
        nu_config_error(factory->ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: '%s'",
                        proto->name, message ? message->descriptor->name : "");
        return;
    }
    entry->cls = found->cls;
    entry->config = found->create(factory, message);
}

/* Whether a chain's conditions need what only tls_inspector finds. */
static bool needs_tls_inspector(const listener_proto *proto)
{
    for (size_t i = 0; i < proto->n_filter_chains; i++) {
        const match_proto *match = proto->filter_chains[i]->filter_chain_match;
        if (match && (match->n_server_names || match->n_application_protocols ||
                      strcmp(match->transport_protocol, "tls") == 0))
            return true;
    }
    return false;
}

static bool has_inspector(const struct nu_listener_config *config)
{
    for (uint8_t i = 0; i < config->listener_filter_count; i++) {
        const char *name =
            config->listener_filters[i].cls ? config->listener_filters[i].cls->name : "";
        if (strcmp(name, "envoy.filters.listener.tls_inspector") == 0 ||
            strcmp(name, "envoy.filters.listener.http_inspector") == 0)
            return true;
    }
    return false;
}

/* Envoy adds a tls_inspector where chains ask for what it finds, and says so. */
static void inject_tls_inspector(struct nu_factory *factory, const listener_proto *proto,
                                 struct nu_listener_config *config,
                                 struct nu_listener_filter_entry *entry)
{
    const struct nu_listener_filter_factory *inspector =
        find_listener_filter(factory, TLS_INSPECTOR);
    if (!inspector || has_inspector(config) || !needs_tls_inspector(proto))
        return;
    nu_config_warn(factory->ctx, proto, "filter_chains",
                   "filter chain match rules require TLS Inspector listener filter, but it isn't "
                   "configured; it is added");
    entry->cls = inspector->cls;
    entry->config = inspector->create(factory, NULL);
    config->listener_filter_count++;
}

static void read_listener_filters(struct nu_factory *factory, const listener_proto *proto,
                                  struct nu_listener_config *config)
{
    enum { MAX_FILTERS = 32, DEFAULT_TIMEOUT_MS = 15000 };
    size_t count = proto->n_listener_filters;
    if (count > MAX_FILTERS) {
        nu_config_error(factory->ctx, proto, "listener_filters",
                        "a listener can have up to %d listener filters", MAX_FILTERS);
        return;
    }
    struct nu_listener_filter_entry *entries =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*entries));
    for (size_t i = 0; i < count; i++)
        read_listener_filter(factory, proto->listener_filters[i], &entries[i]);
    config->listener_filters = entries;
    config->listener_filter_count = (uint8_t)count;
    inject_tls_inspector(factory, proto, config, &entries[count]);
    config->listener_filters_timeout_ms =
        (uint32_t)nu_config_duration_ms(factory->ctx, proto, "listener_filters_timeout",
                                        proto->listener_filters_timeout, DEFAULT_TIMEOUT_MS);
    config->continue_on_timeout = proto->continue_on_listener_filters_timeout;
}

/* --- The listener ----------------------------------------------------------------------------- */

static enum nu_traffic_direction read_direction(const listener_proto *proto)
{
    switch (proto->traffic_direction) {
    case ENVOY__CONFIG__CORE__V3__TRAFFIC_DIRECTION__INBOUND:
        return NU_TRAFFIC_INBOUND;
    case ENVOY__CONFIG__CORE__V3__TRAFFIC_DIRECTION__OUTBOUND:
        return NU_TRAFFIC_OUTBOUND;
    default:
        return NU_TRAFFIC_UNSPECIFIED;
    }
}

/* stat_prefix, or the address with its colons replaced. */
static struct nu_str stat_name(struct nu_factory *factory, const listener_proto *proto,
                               const struct nu_listener_config *config)
{
    struct nu_strbuf name = {0};
    if (proto->stat_prefix[0]) {
        nu_stats_sanitize(&name, nu_str_from(proto->stat_prefix));
    } else if (config->address_count) {
        char text[NU_ADDRESS_TEXT_MAX];
        size_t len = nu_address_format(&config->addresses[0].address, text);
        nu_stats_sanitize(&name, nu_str_make(text, len));
    }
    struct nu_str copy = nu_arena_dup(factory->arena, nu_strbuf_str(&name));
    nu_strbuf_finish(&name);
    return copy;
}

static struct nu_str name_of(struct nu_factory *factory, const listener_proto *proto,
                             const struct nu_listener_config *config)
{
    if (proto->name[0] || config->address_count == 0)
        return nu_arena_dup(factory->arena, nu_str_from(proto->name));
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(&config->addresses[0].address, text);
    return nu_arena_dup(factory->arena, nu_str_make(text, len));
}

static void read_access_logs(struct nu_factory *factory, const listener_proto *proto,
                             struct nu_listener_config *config)
{
    if (proto->n_access_log == 0 || !factory->extensions->listener_log)
        return;
    config->log = factory->extensions->listener_log;
    config->logs = config->log->create(factory, proto->access_log, proto->n_access_log);
}

const struct nu_listener_config *nu_listener_config_from_proto(struct nu_factory *outer,
                                                               const listener_proto *proto)
{
    struct nu_factory factory = *outer;
    size_t errors = factory.ctx->errors.count;
    struct nu_listener_config *config = nu_arena_calloc(factory.arena, sizeof(*config));
    read_addresses(&factory, proto, config);
    config->name = name_of(&factory, proto, config);
    config->stat_name = stat_name(&factory, proto, config);
    config->buffer_limit_bytes =
        nu_u32_or(proto->per_connection_buffer_limit_bytes, DEFAULT_BUFFER_LIMIT);
    config->max_accepts_per_event = nu_u32_or(proto->max_connections_to_accept_per_socket_event, 0);
    config->direction = read_direction(proto);
    factory.listener_direction = config->direction;
    config->drain_on_modify_only =
        proto->drain_type == ENVOY__CONFIG__LISTENER__V3__LISTENER__DRAIN_TYPE__MODIFY_ONLY;
    config->metadata = nu_metadata_from_proto(proto->metadata, factory.arena);
    config->ignore_global_limit = proto->ignore_global_conn_limit;
    config->limit_key = nu_str_from(
        nu_arena_printf(factory.arena, "envoy.resource_limits.listener.%.*s.connection_limit",
                        NU_STR_ARG(config->name)));
    read_access_logs(&factory, proto, config);
    factory.listener_stat_name = config->stat_name;
    (void)config_stats(&factory); /* shown whether anything counts in them or not, as in Envoy */
    factory.buffer_limit_bytes = config->buffer_limit_bytes;
    read_listener_filters(&factory, proto, config);
    read_chains(&factory, proto, config);
    return factory.ctx->errors.count == errors ? config : NULL;
}
