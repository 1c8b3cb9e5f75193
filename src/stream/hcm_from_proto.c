/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HttpConnectionManager: settings with Envoy's defaults, the route table, the filter chain
 * and the access logs.
 */
#include "stream/hcm_from_proto.h"

#include "codec/h1_from_proto.h"
#include "codec/h2_from_proto.h"
#include "config/values.h"
#include "filter/factory.h"
#include "filter/route_table.h"
#include "stream/local_reply_config.h"
#include "stream/stream_internal.h"

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/request_id/uuid/v3/uuid.pb-c.h"

#define HCM(name) ENVOY__EXTENSIONS__FILTERS__NETWORK__HTTP_CONNECTION_MANAGER__V3__##name

typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager
    hcm_proto;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpFilter filter_proto;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager__UpgradeConfig
    upgrade_proto;

enum {
    DEFAULT_IDLE_MS = 3600 * 1000,
    DEFAULT_STREAM_IDLE_MS = 300 * 1000,
    DEFAULT_DRAIN_MS = 5000,
    DEFAULT_DELAYED_CLOSE_MS = 1000,
    DEFAULT_HEAD_KB = 60,
    DEFAULT_MAX_HEADERS = 100,
};

/* --- Settings --------------------------------------------------------------------------------- */

static uint64_t duration(struct nu_factory *factory, const void *owner, const char *field,
                         const Google__Protobuf__Duration *proto, uint64_t other)
{
    return nu_config_duration_ms(factory->ctx, owner, field, proto, other);
}

static void read_common(struct nu_factory *factory, struct nu_hcm_config *config,
                        const Envoy__Config__Core__V3__HttpProtocolOptions *proto)
{
    if (!proto)
        return;
    config->idle_timeout_ms =
        duration(factory, proto, "idle_timeout", proto->idle_timeout, config->idle_timeout_ms);
    config->max_connection_duration_ms =
        duration(factory, proto, "max_connection_duration", proto->max_connection_duration, 0);
    config->max_stream_duration_ms =
        duration(factory, proto, "max_stream_duration", proto->max_stream_duration, 0);
    config->max_requests_per_connection = nu_u32_or(proto->max_requests_per_connection, 0);
    nu_h1_options_from_common(&config->h1, proto);
    nu_h2_options_from_common(&config->h2, proto);
}

static void read_timeouts(struct nu_factory *factory, struct nu_hcm_config *config,
                          const hcm_proto *proto)
{
    config->idle_timeout_ms = DEFAULT_IDLE_MS;
    config->stream_idle_timeout_ms = duration(factory, proto, "stream_idle_timeout",
                                              proto->stream_idle_timeout, DEFAULT_STREAM_IDLE_MS);
    config->request_timeout_ms =
        duration(factory, proto, "request_timeout", proto->request_timeout, 0);
    config->request_headers_timeout_ms =
        duration(factory, proto, "request_headers_timeout", proto->request_headers_timeout, 0);
    config->drain_timeout_ms =
        duration(factory, proto, "drain_timeout", proto->drain_timeout, DEFAULT_DRAIN_MS);
    config->delayed_close_timeout_ms =
        (uint32_t)duration(factory, proto, "delayed_close_timeout", proto->delayed_close_timeout,
                           DEFAULT_DELAYED_CLOSE_MS);
}

static enum nu_codec_type codec_type(const hcm_proto *proto)
{
    switch (proto->codec_type) {
    case HCM(HTTP_CONNECTION_MANAGER__CODEC_TYPE__HTTP1):
        return NU_CODEC_HTTP1;
    case HCM(HTTP_CONNECTION_MANAGER__CODEC_TYPE__HTTP2):
        return NU_CODEC_HTTP2;
    default:
        return NU_CODEC_AUTO;
    }
}

static void read_h2(struct nu_factory *factory, struct nu_hcm_config *config,
                    const hcm_proto *proto)
{
    struct nu_h2_options *h2 = &config->h2;
    nu_h2_options_init(h2);
    h2->max_headers = DEFAULT_MAX_HEADERS;
    h2->max_head_bytes = config->h1.max_head_bytes;
    h2->flush_timeout_ms = duration(factory, proto, "stream_flush_timeout",
                                    proto->stream_flush_timeout, config->stream_idle_timeout_ms);
    h2->stream_error_on_invalid_message =
        nu_bool_or(proto->stream_error_on_invalid_http_message, false);
    nu_h2_options_from_proto(factory, h2, proto->http2_protocol_options);
}

static void read_codec(struct nu_factory *factory, struct nu_hcm_config *config,
                       const hcm_proto *proto)
{
    config->codec_type = codec_type(proto);
    struct nu_h1_options *h1 = &config->h1;
    h1->max_headers = DEFAULT_MAX_HEADERS;
    h1->max_head_bytes = nu_u32_or(proto->max_request_headers_kb, DEFAULT_HEAD_KB) * 1024;
    h1->allow_absolute_url = true;
    h1->refuse_https_url = nu_bool_or(proto->use_remote_address, false) &&
                           proto->xff_num_trusted_hops == 0 && !factory->downstream_is_secure;
    h1->stream_error_on_invalid_message =
        nu_bool_or(proto->stream_error_on_invalid_http_message, false);
    if (proto->http_protocol_options)
        nu_h1_options_from_proto(factory, h1, proto->http_protocol_options);
    read_h2(factory, config, proto);
}

static enum nu_escaped_slashes escaped_slashes(const hcm_proto *proto)
{
    switch (proto->path_with_escaped_slashes_action) {
    case HCM(HTTP_CONNECTION_MANAGER__PATH_WITH_ESCAPED_SLASHES_ACTION__REJECT_REQUEST):
        return NU_ESCAPED_SLASHES_REJECT;
    case HCM(HTTP_CONNECTION_MANAGER__PATH_WITH_ESCAPED_SLASHES_ACTION__UNESCAPE_AND_REDIRECT):
        return NU_ESCAPED_SLASHES_REDIRECT;
    case HCM(HTTP_CONNECTION_MANAGER__PATH_WITH_ESCAPED_SLASHES_ACTION__UNESCAPE_AND_FORWARD):
        return NU_ESCAPED_SLASHES_FORWARD;
    default:
        return NU_ESCAPED_SLASHES_KEEP;
    }
}

static struct nu_internal_ranges read_internal(
    struct nu_factory *factory,
    const Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager__InternalAddressConfig
        *proto)
{
    struct nu_internal_ranges ranges = {0};
    if (!proto)
        return ranges;
    if (proto->n_cidr_ranges == 0)
        ranges = nu_internal_ranges_private;
    ranges.unix_sockets = proto->unix_sockets;
    if (proto->n_cidr_ranges == 0)
        return ranges;
    struct nu_cidr *cidrs = nu_arena_alloc(factory->arena, proto->n_cidr_ranges * sizeof(*cidrs));
    for (size_t i = 0; i < proto->n_cidr_ranges; i++) {
        const Envoy__Config__Core__V3__CidrRange *range = proto->cidr_ranges[i];
        struct nu_address base;
        if (nu_address_parse_ip(nu_str_from(range->address_prefix), 0, &base) != NU_OK ||
            nu_cidr_make(&base, nu_u32_or(range->prefix_len, 0), &cidrs[i]) != NU_OK)
            nu_config_error(factory->ctx, range, "address_prefix", "'%s/%u' is no address range",
                            range->address_prefix, nu_u32_or(range->prefix_len, 0));
    }
    ranges.ranges = cidrs;
    ranges.count = proto->n_cidr_ranges;
    return ranges;
}

static void read_request_rules(struct nu_factory *factory, struct nu_hcm_config *config,
                               const hcm_proto *proto)
{
    config->use_remote_address = nu_bool_or(proto->use_remote_address, false);
    config->xff_num_trusted_hops = proto->xff_num_trusted_hops;
    config->skip_xff_append = proto->skip_xff_append;
    config->append_x_forwarded_port = proto->append_x_forwarded_port;
    config->ipv4_as_mapped_ipv6 = proto->represent_ipv4_remote_address_as_ipv4_mapped_ipv6;
    config->internal = read_internal(factory, proto->internal_address_config);
    config->generate_request_id = nu_bool_or(proto->generate_request_id, true);
    config->preserve_external_request_id = proto->preserve_external_request_id;
    config->always_set_request_id_in_response = proto->always_set_request_id_in_response;
    config->add_user_agent = nu_bool_or(proto->add_user_agent, false);
    config->proxy_100_continue = proto->proxy_100_continue;
    config->path.normalize = nu_bool_or(proto->normalize_path, false);
    config->path.merge_slashes = proto->merge_slashes;
    config->path.escaped_slashes = escaped_slashes(proto);
    config->strip_matching_host_port = proto->strip_matching_host_port;
    config->strip_any_host_port = proto->strip_any_host_port;
    config->strip_trailing_host_dot = proto->strip_trailing_host_dot;
    if (proto->strip_matching_host_port && proto->strip_any_host_port)
        nu_config_error(factory->ctx, proto, "strip_any_host_port",
                        "Error: Only one of 'strip_matching_host_port' or 'strip_any_host_port' "
                        "can be set.");
    if (proto->scheme_header_transformation)
        config->scheme_follows_upstream = proto->scheme_header_transformation->match_upstream;
    if (proto->scheme_header_transformation &&
        proto->scheme_header_transformation->transformation_case ==
            ENVOY__CONFIG__CORE__V3__SCHEME_HEADER_TRANSFORMATION__TRANSFORMATION_SCHEME_TO_OVERWRITE)
        config->scheme_to_overwrite = nu_arena_dup(
            factory->arena, nu_str_from(proto->scheme_header_transformation->scheme_to_overwrite));
}

static void read_request_id(struct nu_factory *factory, struct nu_hcm_config *config,
                            const hcm_proto *proto)
{
    config->pack_trace_reason = true;
    if (!proto->request_id_extension)
        return;
    const ProtobufCMessage *message = nu_config_any_of(
        factory->ctx, proto->request_id_extension, "typed_config",
        proto->request_id_extension->typed_config,
        &envoy__extensions__request_id__uuid__v3__uuid_request_id_config__descriptor);
    if (message) {
        const Envoy__Extensions__RequestId__Uuid__V3__UuidRequestIdConfig *uuid =
            (const void *)message;
        config->pack_trace_reason = nu_bool_or(uuid->pack_trace_reason, true);
    }
}

static void read_client_cert(struct nu_hcm_config *config, const hcm_proto *proto)
{
    const Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager__SetCurrentClientCertDetails
        *details = proto->set_current_client_cert_details;
    config->forward_client_cert = (enum nu_forward_client_cert)proto->forward_client_cert_details;
    if (!details)
        return;
    config->client_cert_details =
        (nu_bool_or(details->subject, false) ? NU_CLIENT_CERT_SUBJECT : 0) |
        (details->cert ? NU_CLIENT_CERT_CERT : 0) | (details->chain ? NU_CLIENT_CERT_CHAIN : 0) |
        (details->dns ? NU_CLIENT_CERT_DNS : 0) | (details->uri ? NU_CLIENT_CERT_URI : 0);
}

static void read_response_rules(struct nu_factory *factory, struct nu_hcm_config *config,
                                const hcm_proto *proto)
{
    config->server_name = proto->server_name[0]
                              ? nu_arena_dup(factory->arena, nu_str_from(proto->server_name))
                              : NU_STR("envoy");
    config->via = nu_arena_dup(factory->arena, nu_str_from(proto->via));
    switch (proto->server_header_transformation) {
    case HCM(HTTP_CONNECTION_MANAGER__SERVER_HEADER_TRANSFORMATION__APPEND_IF_ABSENT):
        config->server_header = NU_SERVER_HEADER_APPEND_IF_ABSENT;
        return;
    case HCM(HTTP_CONNECTION_MANAGER__SERVER_HEADER_TRANSFORMATION__PASS_THROUGH):
        config->server_header = NU_SERVER_HEADER_PASS_THROUGH;
        return;
    default:
        config->server_header = NU_SERVER_HEADER_OVERWRITE;
    }
}

/* --- Filters ---------------------------------------------------------------------------------- */

static bool read_filter(struct nu_factory *factory, const filter_proto *proto,
                        struct nu_filter_entry *entry)
{
    entry->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    entry->disabled = proto->disabled;
    if (!proto->typed_config) {
        nu_config_error(factory->ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: ''",
                        proto->name);
        return false;
    }
    const ProtobufCMessage *message = nu_config_any(factory->ctx, proto->typed_config);
    if (!message)
        return false;
    const struct nu_filter_factory *filter = nu_filter_factory_find(
        factory->extensions->http_filters, nu_str_from(message->descriptor->name));
    if (!filter) {
        nu_config_error(factory->ctx, proto, "typed_config", "%s is no HTTP filter",
                        message->descriptor->name);
        return false;
    }
    return filter->create(factory, message, &entry->cls, &entry->config);
}

/* Where a list of filters stands, and what Envoy calls it. */
struct filter_list {
    const void *owner;
    const char *field;
    filter_proto *const *protos;
    size_t count;
    const char *kind;
};

/* Exactly the last filter ends requests. */
static void check_order(struct nu_factory *factory, const struct filter_list *list, size_t i,
                        const struct nu_filter_entry *entry)
{
    bool is_last = i + 1 == list->count;
    if (entry->cls->is_terminal == is_last)
        return;
    nu_config_error(factory->ctx, list->protos[i], NULL,
                    is_last
                        ? "Error: non-terminal filter named %s of type %s is the last filter in "
                          "a %s filter chain."
                        : "Error: terminal filter named %s of type %s must be the last filter in "
                          "a %s filter chain.",
                    list->protos[i]->name, entry->cls->name, list->kind);
}

static void read_filters(struct nu_factory *factory, const struct filter_list *list,
                         struct nu_filter_chain_config *out)
{
    size_t count = list->count;
    if (count == 0 || count > NU_FILTERS_MAX) {
        nu_config_error(factory->ctx, list->owner, list->field,
                        count ? "at most %d HTTP filters can be in a chain"
                              : "there is no HTTP filter; the last one must be the router (at most "
                                "%d filters)",
                        NU_FILTERS_MAX);
        return;
    }
    struct nu_filter_entry *entries = nu_arena_calloc(factory->arena, count * sizeof(*entries));
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        if (read_filter(factory, list->protos[i], &entries[i]))
            check_order(factory, list, i, &entries[i]);
        else
            ok = false;
    }
    if (ok)
        nu_filter_chain_config_init(out, factory->arena, entries, (uint8_t)count);
}

static void read_http_filters(struct nu_factory *factory, struct nu_hcm_config *config,
                              const hcm_proto *proto)
{
    struct filter_list list = {proto, "http_filters", proto->http_filters, proto->n_http_filters,
                               "http"};
    read_filters(factory, &list, &config->filters);
}

static void check_upgrade_type(struct nu_factory *factory, const struct nu_hcm_upgrade *upgrades,
                               size_t index, const upgrade_proto *proto)
{
    if (nu_str_eq_nocase(upgrades[index].type, NU_STR("CONNECT-UDP")))
        nu_config_error(factory->ctx, proto, "upgrade_type",
                        "CONNECT-UDP is known to Envoy, not implemented by nuncio");
    for (size_t i = 0; i < index; i++) {
        if (nu_str_eq_nocase(upgrades[i].type, upgrades[index].type))
            nu_config_error(factory->ctx, proto, "upgrade_type",
                            "Error: multiple upgrade configs with the same name: '%s'",
                            proto->upgrade_type);
    }
}

static void read_upgrades(struct nu_factory *factory, struct nu_hcm_config *config,
                          const hcm_proto *proto)
{
    size_t count = proto->n_upgrade_configs;
    struct nu_hcm_upgrade *upgrades = nu_arena_calloc(factory->arena, count * sizeof(*upgrades));
    for (size_t i = 0; i < count; i++) {
        const upgrade_proto *upgrade = proto->upgrade_configs[i];
        upgrades[i].type = nu_arena_dup(factory->arena, nu_str_from(upgrade->upgrade_type));
        upgrades[i].is_enabled = nu_bool_or(upgrade->enabled, true);
        check_upgrade_type(factory, upgrades, i, upgrade);
        if (upgrade->n_filters == 0)
            continue;
        struct filter_list list = {upgrade, "filters", upgrade->filters, upgrade->n_filters,
                                   "http upgrade"};
        struct nu_filter_chain_config *filters = nu_arena_calloc(factory->arena, sizeof(*filters));
        read_filters(factory, &list, filters);
        upgrades[i].filters = filters;
    }
    config->upgrades = upgrades;
    config->upgrade_count = count;
}

/* --- The manager ------------------------------------------------------------------------------ */

static struct nu_stat_set *create_set(struct nu_factory *factory, const struct nu_stat_table *table,
                                      struct nu_str prefix)
{
    return nu_stat_set_create(factory->stats, table, prefix);
}

static void create_stats(struct nu_factory *factory, struct nu_hcm_config *config)
{
    config->stats = create_set(factory, &nu_http_stats_table, factory->http_stat_prefix);
    config->http1_stats = create_set(factory, &nu_http1_stats_table, NU_STR("http1"));
    config->http2_stats = create_set(factory, &nu_http2_stats_table, NU_STR("http2"));
    const char *tracing =
        nu_arena_printf(factory->arena, "%.*s.tracing", NU_STR_ARG(factory->http_stat_prefix));
    /* Nothing is traced, and still shown, as in Envoy. */
    (void)create_set(factory, &nu_tracing_stats_table, nu_str_from(tracing));
    const char *listener = nu_arena_printf(factory->arena, "listener.%.*s.%.*s",
                                           NU_STR_ARG(factory->listener_stat_name),
                                           NU_STR_ARG(factory->http_stat_prefix));
    config->listener_stats =
        create_set(factory, &nu_listener_http_stats_table, nu_str_from(listener));
}

static void fill_process(struct nu_factory *factory, struct nu_hcm_config *config)
{
    config->buffer_limit_bytes = factory->buffer_limit_bytes;
    config->local_cluster_name = factory->local->cluster;
    config->local_node_id = factory->local->node_id;
    config->local_address = factory->local->address;
}

static void unref_routes(void *obj)
{
    struct nu_route_table *routes = obj;
    nu_route_table_destroy(&routes);
}

/* After the filters, of which the table may speak. */
static void read_routes(struct nu_factory *factory, struct nu_hcm_config *config,
                        const hcm_proto *proto)
{
    if (!proto->route_config) {
        nu_config_error(factory->ctx, proto, "route_config", "value is required");
        return;
    }
    const struct nu_filter_chain_config **items =
        nu_arena_calloc(factory->arena, (1 + config->upgrade_count) * sizeof(*items));
    struct nu_filter_chains chains = {items, 1};
    items[0] = &config->filters;
    for (size_t i = 0; i < config->upgrade_count; i++) {
        if (config->upgrades[i].filters)
            items[chains.count++] = config->upgrades[i].filters;
    }
    struct nu_route_table *routes =
        nu_filter_route_table_from_proto(factory, &chains, proto->route_config);
    if (!routes)
        return;
    config->routes = routes;
    nu_arena_on_free(factory->arena, unref_routes, routes);
}

static void read_access_logs(struct nu_factory *factory, struct nu_hcm_config *config,
                             const hcm_proto *proto)
{
    struct nu_access_log_factory access_log = nu_access_log_factory_of(factory);
    (void)!nu_access_log_list_from_protos(&access_log, proto->access_log, proto->n_access_log,
                                          &config->access_logs);
}

static void finish_hcm(void *hcm)
{
    nu_hcm_finish(hcm);
}

static const void *create_hcm(struct nu_factory *outer, const ProtobufCMessage *message)
{
    const hcm_proto *proto = (const void *)message;
    struct nu_factory factory = *outer;
    size_t errors = factory.ctx->errors.count;
    struct nu_hcm *hcm = nu_arena_calloc(factory.arena, sizeof(*hcm));
    nu_arena_on_free(factory.arena, finish_hcm, hcm);
    struct nu_hcm_config *config = &hcm->config;
    config->stat_prefix = nu_arena_dup(factory.arena, nu_str_from(proto->stat_prefix));
    factory.http_stat_prefix =
        nu_str_from(nu_arena_printf(factory.arena, "http.%s", proto->stat_prefix));
    read_timeouts(&factory, config, proto);
    read_codec(&factory, config, proto);
    read_common(&factory, config, proto->common_http_protocol_options);
    read_request_rules(&factory, config, proto);
    read_request_id(&factory, config, proto);
    read_client_cert(config, proto);
    read_response_rules(&factory, config, proto);
    if (proto->local_reply_config)
        config->local_replies =
            nu_local_reply_config_from_proto(&factory, proto->local_reply_config);
    fill_process(&factory, config);
    create_stats(&factory, config);
    read_http_filters(&factory, config, proto);
    read_upgrades(&factory, config, proto);
    read_routes(&factory, config, proto);
    read_access_logs(&factory, config, proto);
    nu_hcm_make_header_sets();
    return factory.ctx->errors.count == errors ? hcm : NULL;
}

const struct nu_network_filter_factory nu_hcm_factory = {
    .name = "envoy.filters.network.http_connection_manager",
    .type = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    .cls = &nu_hcm_filter,
    .create = create_hcm,
};
