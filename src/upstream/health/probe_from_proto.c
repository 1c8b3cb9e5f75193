/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what each kind of health check sends, and what it expects. */
#include "config/values.h"
#include "route/header_edits.h"
#include "upstream/health/grpc_probe.h"
#include "upstream/health/grpc_wire.h"
#include "upstream/health/health_from_proto_internal.h"
#include "upstream/health/http_probe.h"
#include "upstream/health/tcp_probe.h"

typedef Envoy__Config__Core__V3__HealthCheck check_proto;
typedef Envoy__Config__Core__V3__HealthCheck__HttpHealthCheck http_proto;
typedef Envoy__Config__Core__V3__HealthCheck__TcpHealthCheck tcp_proto;
typedef Envoy__Config__Core__V3__HealthCheck__GrpcHealthCheck grpc_proto;
typedef Envoy__Config__Core__V3__HealthCheck__Payload payload_proto;
typedef Envoy__Type__V3__Int64Range range_proto;

enum { DEFAULT_RESPONSE_BUFFER = 1024 };

/* --- Bytes ------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode_hex(struct nu_arena *arena, struct nu_str text, struct nu_str *out)
{
    char *bytes = nu_arena_alloc(arena, text.len / 2 + 1);
    if (text.len % 2 || !text.len)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.ptr[i]);
        int low = hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = nu_str_make(bytes, text.len / 2);
    return true;
}

static struct nu_str read_payload(struct nu_factory *factory, const payload_proto *proto)
{
    struct nu_str bytes = {0};
    if (proto->payload_case == ENVOY__CONFIG__CORE__V3__HEALTH_CHECK__PAYLOAD__PAYLOAD_BINARY) {
        bytes = nu_arena_dup(factory->arena,
                             nu_str_make((const char *)proto->binary.data, proto->binary.len));
        if (!bytes.len)
            nu_config_error(factory->ctx, proto, "binary", "must not be empty");
    } else if (!decode_hex(factory->arena, nu_str_from(proto->text), &bytes)) {
        nu_config_error(factory->ctx, proto, "text", "invalid hex string '%s'", proto->text);
    }
    return bytes;
}

static struct nu_health_payload read_payloads(struct nu_factory *factory,
                                              payload_proto *const *protos, size_t count)
{
    struct nu_str *pieces = nu_arena_calloc(factory->arena, (count + 1) * sizeof(*pieces));
    for (size_t i = 0; i < count; i++)
        pieces[i] = read_payload(factory, protos[i]);
    return (struct nu_health_payload){pieces, count};
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static const struct nu_health_statuses *read_statuses(struct nu_factory *factory,
                                                      const http_proto *proto, const char *field,
                                                      range_proto *const *ranges, size_t count)
{
    struct nu_health_statuses *list = nu_arena_calloc(factory->arena, (count + 1) * sizeof(*list));
    const char *kind = field[0] == 'e' ? "expected" : "retriable";
    for (size_t i = 0; i < count; i++) {
        long long start = ranges[i]->start;
        long long end = ranges[i]->end;
        if (start >= end)
            nu_config_error_at(factory->ctx, proto, field, i,
                               "Invalid http %s status range: expecting start < end, but found "
                               "start=%lld and end=%lld",
                               kind, start, end);
        else if (start < 100)
            nu_config_error_at(factory->ctx, proto, field, i,
                               "Invalid http %s status range: expecting start >= 100, but found "
                               "start=%lld",
                               kind, start);
        else if (end > 600)
            nu_config_error_at(factory->ctx, proto, field, i,
                               "Invalid http %s status range: expecting end <= 600, but found "
                               "end=%lld",
                               kind, end);
        else
            list[i] = (struct nu_health_statuses){(uint32_t)start, (uint32_t)end};
    }
    return list;
}

static void read_expected(struct nu_factory *factory, const http_proto *proto,
                          struct nu_health_http *http)
{
    static const struct nu_health_statuses ok[] = {{200, 201}};
    http->expected = ok;
    http->expected_count = 1;
    if (proto->n_expected_statuses) {
        http->expected = read_statuses(factory, proto, "expected_statuses",
                                       proto->expected_statuses, proto->n_expected_statuses);
        http->expected_count = proto->n_expected_statuses;
    }
    http->retriable = read_statuses(factory, proto, "retriable_statuses", proto->retriable_statuses,
                                    proto->n_retriable_statuses);
    http->retriable_count = proto->n_retriable_statuses;
}

static void read_method(struct nu_factory *factory, const http_proto *proto,
                        struct nu_health_http *http)
{
    static const struct nu_str names[] = {
        NU_STR_INIT("GET"),   NU_STR_INIT("GET"),    NU_STR_INIT("HEAD"),    NU_STR_INIT("POST"),
        NU_STR_INIT("PUT"),   NU_STR_INIT("DELETE"), NU_STR_INIT("CONNECT"), NU_STR_INIT("OPTIONS"),
        NU_STR_INIT("TRACE"), NU_STR_INIT("PATCH"),
    };
    http->method = names[(size_t)proto->method < NU_ARRAY_LEN(names) ? proto->method : 0];
    if (proto->method == ENVOY__CONFIG__CORE__V3__REQUEST_METHOD__CONNECT)
        nu_config_error(factory->ctx, proto, "method", "value must not be in list [6]");
}

static bool has_no_body(struct nu_str method)
{
    return nu_str_eq(method, NU_STR("GET")) || nu_str_eq(method, NU_STR("HEAD")) ||
           nu_str_eq(method, NU_STR("DELETE")) || nu_str_eq(method, NU_STR("TRACE"));
}

static void read_send(struct nu_factory *factory, const http_proto *proto,
                      struct nu_health_http *http)
{
    if (!proto->send)
        return;
    http->send = read_payload(factory, proto->send);
    if (has_no_body(http->method))
        nu_config_error(factory->ctx, proto, "send",
                        "HTTP health check cannot specify a request payload with method '%.*s'. "
                        "Only methods that support a request body (POST, PUT, PATCH, OPTIONS) can "
                        "be used with payload.",
                        NU_STR_ARG(http->method));
}

static void read_receive(struct nu_factory *factory, const http_proto *proto,
                         struct nu_health_http *http)
{
    http->receive = read_payloads(factory, proto->receive, proto->n_receive);
    http->response_buffer_bytes = nu_u64_or(proto->response_buffer_size, DEFAULT_RESPONSE_BUFFER);
    uint64_t total = 0;
    for (size_t i = 0; i < http->receive.count; i++)
        total += http->receive.pieces[i].len;
    if (http->response_buffer_bytes && total > http->response_buffer_bytes)
        nu_config_error(factory->ctx, proto, "receive",
                        "The expected response length '%llu' is over than http health response "
                        "buffer size '%llu'",
                        (unsigned long long)total, (unsigned long long)http->response_buffer_bytes);
}

static struct nu_match_factory match_factory(const struct nu_factory *factory)
{
    return (struct nu_match_factory){
        .ctx = factory->ctx, .arena = factory->arena, .runtime = factory->runtime};
}

static void read_http(struct nu_factory *factory, const http_proto *proto,
                      struct nu_health_config *config)
{
    struct nu_health_http *http = nu_arena_calloc(factory->arena, sizeof(*http));
    const struct nu_match_factory match = match_factory(factory);
    const struct nu_header_edits_source edits = {
        .owner = proto,
        .add_field = "request_headers_to_add",
        .remove_field = "request_headers_to_remove",
        .adds = proto->request_headers_to_add,
        .add_count = proto->n_request_headers_to_add,
        .removes = (const char *const *)proto->request_headers_to_remove,
        .remove_count = proto->n_request_headers_to_remove,
    };
    http->is_h2 = proto->codec_client_type == ENVOY__TYPE__V3__CODEC_CLIENT_TYPE__HTTP2;
    http->host = nu_arena_dup(factory->arena, nu_str_from(proto->host));
    http->path = nu_arena_dup(factory->arena, nu_str_from(proto->path));
    http->edits = nu_header_edits_from_source(&match, &edits);
    read_method(factory, proto, http);
    read_send(factory, proto, http);
    read_receive(factory, proto, http);
    read_expected(factory, proto, http);
    if (proto->service_name_matcher)
        http->verifies_service =
            nu_string_matcher_from_proto(&match, proto->service_name_matcher, &http->service);
    config->probe = &nu_health_http_probe;
    config->settings = http;
}

/* --- TCP -------------------------------------------------------------------------------------- */

static enum nu_proxy_version read_proxy(struct nu_factory *factory, const tcp_proto *proto)
{
    const Envoy__Config__Core__V3__ProxyProtocolConfig *proxy = proto->proxy_protocol_config;
    if (!proxy)
        return NU_PROXY_NONE;
    if (proxy->pass_through_tlvs || proxy->n_added_tlvs)
        nu_config_warn(factory->ctx, proto, "proxy_protocol_config",
                       "a health check has no TLVs, as in Envoy");
    return proxy->version == ENVOY__CONFIG__CORE__V3__PROXY_PROTOCOL_CONFIG__VERSION__V2
               ? NU_PROXY_V2
               : NU_PROXY_V1;
}

static void read_tcp(struct nu_factory *factory, const tcp_proto *proto,
                     struct nu_health_config *config)
{
    struct nu_health_tcp *tcp = nu_arena_calloc(factory->arena, sizeof(*tcp));
    if (proto->send)
        tcp->send = read_payload(factory, proto->send);
    tcp->receive = read_payloads(factory, proto->receive, proto->n_receive);
    tcp->proxy_version = read_proxy(factory, proto);
    config->probe = &nu_health_tcp_probe;
    config->settings = tcp;
}

/* --- gRPC ------------------------------------------------------------------------------------- */

static void read_grpc(struct nu_factory *factory, const struct nu_cluster *cluster,
                      const check_proto *proto, struct nu_health_config *config)
{
    const grpc_proto *own = proto->grpc_health_check;
    struct nu_health_grpc *grpc = nu_arena_calloc(factory->arena, sizeof(*grpc));
    const struct nu_match_factory match = match_factory(factory);
    const struct nu_header_edits_source edits = {
        .owner = own,
        .add_field = "initial_metadata",
        .adds = own->initial_metadata,
        .add_count = own->n_initial_metadata,
    };
    struct nu_strbuf message = {0};
    nu_health_grpc_write(&message, nu_str_from(own->service_name));
    grpc->message = nu_arena_dup(factory->arena, nu_strbuf_str(&message));
    nu_strbuf_finish(&message);
    grpc->authority = nu_arena_dup(factory->arena, nu_str_from(own->authority));
    grpc->edits = nu_header_edits_from_source(&match, &edits);
    if (cluster->options.http == NU_CLUSTER_HTTP1)
        nu_config_error(factory->ctx, proto, "grpc_health_check",
                        "%.*s cluster must support HTTP/2 for gRPC healthchecking",
                        NU_STR_ARG(cluster->name));
    config->probe = &nu_health_grpc_probe;
    config->settings = grpc;
}

void nu_health_probe_from_proto(struct nu_factory *factory, const struct nu_cluster *cluster,
                                const check_proto *proto, struct nu_health_config *config)
{
    switch (proto->health_checker_case) {
    case ENVOY__CONFIG__CORE__V3__HEALTH_CHECK__HEALTH_CHECKER_HTTP_HEALTH_CHECK:
        read_http(factory, proto->http_health_check, config);
        return;
    case ENVOY__CONFIG__CORE__V3__HEALTH_CHECK__HEALTH_CHECKER_TCP_HEALTH_CHECK:
        read_tcp(factory, proto->tcp_health_check, config);
        return;
    default: /* one is required */
        read_grpc(factory, cluster, proto, config);
    }
}
