/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's headers on their way in: what a client may not say is removed, who it is is found
 * out, and what every request carries is added, in Envoy's order (ENVOY_COMPAT 4.1).
 */
#include "http/request_id.h"
#include "http/url.h"
#include "stream/stream_internal.h"

/* Made once, before the first request. */
static struct nu_header_set always_removed;
static struct nu_header_set external_removed;
static struct nu_header_set edge_removed;

static void add_ids(struct nu_header_set *set, const enum nu_header_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        nu_header_set_add(set, ids[i]);
}

/* Idempotent, so that it does not matter which thread comes first. */
void nu_hcm_make_header_sets(void)
{
    static const enum nu_header_id always[] = {
        NU_HEADER_X_ENVOY_INTERNAL,
        NU_HEADER_KEEP_ALIVE,
        NU_HEADER_PROXY_CONNECTION,
        NU_HEADER_TRANSFER_ENCODING,
    };
    static const enum nu_header_id external[] = {
        NU_HEADER_X_ENVOY_RETRIABLE_STATUS_CODES,
        NU_HEADER_X_ENVOY_RETRIABLE_HEADER_NAMES,
        NU_HEADER_X_ENVOY_RETRY_ON,
        NU_HEADER_X_ENVOY_RETRY_GRPC_ON,
        NU_HEADER_X_ENVOY_MAX_RETRIES,
        NU_HEADER_X_ENVOY_UPSTREAM_ALT_STAT_NAME,
        NU_HEADER_X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS,
        NU_HEADER_X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS,
        NU_HEADER_X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE,
        NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS,
        NU_HEADER_X_ENVOY_FORCE_TRACE,
        NU_HEADER_X_ENVOY_IP_TAGS,
        NU_HEADER_X_ENVOY_ORIGINAL_URL,
        NU_HEADER_X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT,
    };
    static const enum nu_header_id edge[] = {
        NU_HEADER_X_ENVOY_DECORATOR_OPERATION,     NU_HEADER_X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER,
        NU_HEADER_X_ENVOY_DOWNSTREAM_SERVICE_NODE, NU_HEADER_X_ENVOY_ORIGINAL_PATH,
        NU_HEADER_X_ENVOY_ORIGINAL_HOST,
    };
    add_ids(&always_removed, always, NU_ARRAY_LEN(always));
    add_ids(&external_removed, external, NU_ARRAY_LEN(external));
    add_ids(&edge_removed, edge, NU_ARRAY_LEN(edge));
}

static void remove_set(struct nu_headers *headers, const struct nu_header_set *set)
{
    if (nu_unlikely(nu_headers_has_any(headers, set)))
        nu_headers_remove_set(headers, set);
}

/* `te` says nothing but "trailers" beyond one hop; as Envoy we leave an empty one. */
static void sanitize_te(struct nu_headers *headers)
{
    struct nu_str te = nu_headers_get_id(headers, NU_HEADER_TE);
    if (nu_likely(!te.len))
        return;
    bool trailers = false;
    while (te.ptr) {
        struct nu_str token = nu_str_trim(nu_str_split(&te, ','));
        trailers |= nu_str_eq(token, NU_STR("trailers"));
    }
    if (trailers)
        nu_headers_set_id(headers, NU_HEADER_TE, NU_STR("trailers"));
    else
        nu_headers_remove_id(headers, NU_HEADER_TE);
}

static void remove_hop_by_hop(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    /* Whether the request asks for another protocol was for the codec to find out. */
    if (nu_likely(!nu_headers_has_id(headers, NU_HEADER_UPGRADE))) {
        nu_headers_remove_id(headers, NU_HEADER_CONNECTION);
        sanitize_te(headers);
    }
    remove_set(headers, &always_removed);
    struct nu_str referer = nu_headers_get_id(headers, NU_HEADER_REFERER);
    if (nu_unlikely(referer.ptr && !nu_referer_is_valid(referer)))
        nu_headers_remove_id(headers, NU_HEADER_REFERER);
}

/* What the trusted address says about the request. */
struct origin {
    bool may_be_internal; /* the address was not merely claimed by a chain of proxies */
};

static bool is_loopback_v4(const struct nu_address *address)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    return address->family == NU_ADDRESS_IPV4 && memcmp(address->ip, loopback, 4) == 0;
}

/* Envoy names the machine where the peer is the machine itself. */
static const struct nu_address *peer_for_xff(const struct nu_hcm_stream *stream)
{
    const struct nu_address *peer = &stream->connection_info.remote;
    const struct nu_address *own = &stream->config->local_address;
    return is_loopback_v4(peer) && own->family != NU_ADDRESS_NONE ? own : peer;
}

static void append_xff(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    const struct nu_address *peer = peer_for_xff(stream);
    if (!nu_address_is_ip(peer))
        return;
    struct nu_str xff = nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_FOR);
    nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_FOR,
                      nu_forwarded_append(stream->arena, xff, peer));
}

static struct nu_str scheme_of_connection(const struct nu_hcm_stream *stream)
{
    return stream->connection_info.is_tls ? NU_STR("https") : NU_STR("http");
}

static void set_forwarded_port(struct nu_hcm_stream *stream, bool keep_present)
{
    struct nu_headers *headers = &stream->request_headers;
    if (keep_present && nu_headers_has_id(headers, NU_HEADER_X_FORWARDED_PORT))
        return;
    const struct nu_address *local = nu_connection_info_local(&stream->connection_info);
    char *text = nu_arena_alloc(stream->arena, 20);
    size_t len = nu_u64_to_chars(local->port, text);
    nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_PORT, nu_str_make(text, len));
}

/* We are the edge: the peer is the client, or trusted proxies stand before us. */
static struct origin find_origin_at_edge(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_headers *headers = &stream->request_headers;
    struct nu_str xff = nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_FOR);
    struct origin origin = {.may_be_internal = !xff.ptr};
    bool single;
    struct nu_address address;
    if (config->xff_num_trusted_hops &&
        nu_forwarded_last(xff, config->xff_num_trusted_hops - 1, &address, &single))
        stream->info.remote = address;
    if (!config->skip_xff_append)
        append_xff(stream);
    bool keep = config->xff_num_trusted_hops > 0;
    if (!keep || !nu_headers_has_id(headers, NU_HEADER_X_FORWARDED_PROTO))
        nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_PROTO, scheme_of_connection(stream));
    if (config->append_x_forwarded_port)
        set_forwarded_port(stream, keep);
    return origin;
}

/* Somebody else is the edge: what it wrote into x-forwarded-for is believed. */
static struct origin find_origin_behind_edge(struct nu_hcm_stream *stream)
{
    struct nu_str xff = nu_headers_get_id(&stream->request_headers, NU_HEADER_X_FORWARDED_FOR);
    struct origin origin = {.may_be_internal = false};
    struct nu_address address;
    bool single = false;
    if (nu_unlikely(xff.ptr != NULL) &&
        nu_forwarded_last(xff, stream->config->xff_num_trusted_hops, &address, &single)) {
        stream->info.remote = address;
        origin.may_be_internal = single;
    }
    return origin;
}

static bool is_http_scheme(struct nu_str scheme)
{
    return nu_str_eq_nocase(scheme, NU_STR("http")) || nu_str_eq_nocase(scheme, NU_STR("https"));
}

static void set_scheme(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    struct nu_str overwrite = stream->config->scheme_to_overwrite;
    if (nu_unlikely(overwrite.len)) {
        nu_headers_set_id(headers, NU_HEADER_SCHEME, overwrite);
        nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_PROTO, overwrite);
        return;
    }
    struct nu_str proto = nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_PROTO);
    bool secure = stream->connection_info.is_tls;
    if (!proto.ptr)
        nu_headers_add_id(headers, NU_HEADER_X_FORWARDED_PROTO, scheme_of_connection(stream));
    else if (is_http_scheme(proto))
        secure = proto.len == 5;
    if (nu_headers_has_id(headers, NU_HEADER_SCHEME))
        return;
    nu_headers_fill_first(headers, NU_PLACE_SCHEME, NU_HEADER_SCHEME,
                          secure ? NU_STR("https") : NU_STR("http"));
}

static void set_user_agent(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_headers *headers = &stream->request_headers;
    nu_headers_set_id(headers, NU_HEADER_X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER,
                      config->local_cluster_name);
    if (!nu_headers_has_id(headers, NU_HEADER_USER_AGENT))
        nu_headers_add_id(headers, NU_HEADER_USER_AGENT, config->local_cluster_name);
    if (config->local_node_id.len)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_DOWNSTREAM_SERVICE_NODE,
                          config->local_node_id);
}

void nu_hcm_append_via(struct nu_headers *headers, struct nu_str via)
{
    struct nu_str present = nu_headers_get_id(headers, NU_HEADER_VIA);
    if (present.len) {
        present = nu_arena_concat(headers->arena, present, NU_STR(", "));
        via = nu_arena_concat(headers->arena, present, via);
    }
    nu_headers_set_id(headers, NU_HEADER_VIA, via);
}

static void set_external_address(struct nu_hcm_stream *stream)
{
    if (!nu_address_is_ip(&stream->info.remote))
        return;
    char *text = nu_arena_alloc(stream->arena, NU_ADDRESS_TEXT_MAX);
    size_t len = nu_address_format_ip(&stream->info.remote, text);
    nu_headers_set_id(&stream->request_headers, NU_HEADER_X_ENVOY_EXTERNAL_ADDRESS,
                      nu_str_make(text, len));
}

/* Whether requests are traced is not for clients to say. */
static void clear_trace_reason(struct nu_headers *headers, struct nu_str given)
{
    char *id = nu_unconst(nu_arena_dup(headers->arena, given).ptr);
    if (nu_request_id_clear_reason(id, given.len))
        nu_headers_set_id(headers, NU_HEADER_X_REQUEST_ID, nu_str_make(id, given.len));
}

static void set_request_id(struct nu_hcm_stream *stream, bool is_edge)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_headers *headers = &stream->request_headers;
    struct nu_str given = nu_headers_get_id(headers, NU_HEADER_X_REQUEST_ID);
    bool keep = given.len && !(is_edge && !config->preserve_external_request_id);
    if (config->generate_request_id && !keep) {
        char *id = nu_arena_alloc(stream->arena, NU_REQUEST_ID_LEN);
        nu_request_id_create(id);
        nu_headers_set_id(headers, NU_HEADER_X_REQUEST_ID, nu_str_make(id, NU_REQUEST_ID_LEN));
    } else if (is_edge && config->generate_request_id && config->pack_trace_reason) {
        clear_trace_reason(headers, given);
    }
    stream->info.request_id = nu_headers_get_id(headers, NU_HEADER_X_REQUEST_ID);
}

void nu_hcm_mutate_request(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_headers *headers = &stream->request_headers;
    remove_hop_by_hop(stream);
    struct origin origin =
        config->use_remote_address ? find_origin_at_edge(stream) : find_origin_behind_edge(stream);
    set_scheme(stream);
    bool is_internal = origin.may_be_internal &&
                       nu_internal_ranges_contain(&config->internal, &stream->info.remote);
    bool is_edge = config->use_remote_address && !is_internal;
    stream->info.is_internal = is_internal;
    if (!is_internal) {
        remove_set(headers, &external_removed);
        if (config->routes)
            nu_route_table_remove_internal(config->routes, headers);
    }
    if (is_edge)
        remove_set(headers, &edge_removed);
    if (nu_unlikely(config->add_user_agent))
        set_user_agent(stream);
    if (nu_unlikely(config->via.len))
        nu_hcm_append_via(headers, config->via);
    if (is_internal)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_INTERNAL, NU_STR("true"));
    else if (is_edge)
        set_external_address(stream);
    set_request_id(stream, is_edge);
    nu_hcm_forward_client_cert(stream);
}
