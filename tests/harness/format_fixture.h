/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that a real Envoy 1.36.4 logged, as our values: what it printed for each operator
 * stands in the tests. The request was
 *
 *     POST /a/b?x=1&y=2&e=&enc=%41%20b HTTP/1.1
 *     host: example.com, user-agent: probe/1, x-a: aval, x-empty:, x-dup: 1, x-dup: 2
 *
 * with a body of 5 bytes, and the upstream answered 200 with 6 bytes.
 */
#ifndef NU_TESTS_HARNESS_FORMAT_FIXTURE_H
#define NU_TESTS_HARNESS_FORMAT_FIXTURE_H

#include "harness/test.h"

#include "format/format.h"
#include "http/headers.h"
#include "http/metadata.h"
#include "http/stream_info.h"

struct fixture {
    struct nu_arena arena;
    struct nu_headers request;
    struct nu_headers response;
    struct nu_connection_info connection;
    struct nu_stream_info info;
    struct nu_format_context context;
    struct nu_strbuf out;
};

static inline struct nu_address fixture_address(const char *text)
{
    struct nu_address address;
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &address), NU_OK);
    return address;
}

static inline void fixture_add(struct nu_headers *headers, const char *const *pairs)
{
    for (; pairs[0]; pairs += 2)
        nu_headers_add(headers, nu_str_from(pairs[0]), nu_str_from(pairs[1]));
}

static inline void fixture_headers(struct fixture *f)
{
    static const char *const request[] = {":authority",
                                          "example.com",
                                          ":path",
                                          "/a/b?x=1&y=2&e=&enc=%41%20b",
                                          ":method",
                                          "POST",
                                          ":scheme",
                                          "http",
                                          "user-agent",
                                          "probe/1",
                                          "x-a",
                                          "aval",
                                          "x-empty",
                                          "",
                                          "x-dup",
                                          "1",
                                          "x-dup",
                                          "2",
                                          "content-length",
                                          "5",
                                          "x-forwarded-proto",
                                          "http",
                                          "x-request-id",
                                          "18fa58fb-1f53-49e9-a53e-a965dfdfb2bb",
                                          "x-envoy-expected-rq-timeout-ms",
                                          "15000",
                                          NULL};
    static const char *const response[] = {":status",
                                           "200",
                                           "server",
                                           "envoy",
                                           "date",
                                           "Mon, 23 Nov 2026 06:11:27 GMT",
                                           "content-length",
                                           "6",
                                           "x-resp",
                                           "respval",
                                           "x-multi",
                                           "a",
                                           "x-multi",
                                           "b",
                                           "content-type",
                                           "text/plain",
                                           "x-envoy-upstream-service-time",
                                           "1",
                                           "connection",
                                           "close",
                                           NULL};
    nu_headers_init(&f->request, &f->arena, 16);
    nu_headers_init(&f->response, &f->arena, 16);
    fixture_add(&f->request, request);
    fixture_add(&f->response, response);
}

/* The metadata {"ns": {...}} of the cluster and of the route. */
static inline struct nu_metadata *fixture_metadata(struct fixture *f)
{
    struct nu_arena *arena = &f->arena;
    struct nu_metadata *metadata = nu_metadata_create(arena);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, arena, nu_value_number(1));
    nu_value_add(&list, arena, nu_value_string(NU_STR("a")));
    nu_value_add(&list, arena, nu_value_null());
    struct nu_value inner = nu_value_struct();
    nu_value_set(&inner, arena, NU_STR("z"), nu_value_number(1.5));
    nu_value_set(&inner, arena, NU_STR("in"), nu_value_string(NU_STR("x")));
    static const struct nu_str space = NU_STR_INIT("ns");
    nu_metadata_set(metadata, space, NU_STR("k"), nu_value_string(NU_STR("v1")));
    nu_metadata_set(metadata, space, NU_STR("n"), nu_value_number(5));
    nu_metadata_set(metadata, space, NU_STR("b"), nu_value_bool(true));
    nu_metadata_set(metadata, space, NU_STR("l"), list);
    nu_metadata_set(metadata, space, NU_STR("s"), inner);
    nu_metadata_set(metadata, space, NU_STR("nul"), nu_value_null());
    nu_metadata_set(metadata, space, NU_STR("big"), nu_value_number(1e20));
    nu_metadata_set(metadata, space, NU_STR("f"), nu_value_number(0.1));
    return metadata;
}

static inline void fixture_upstream(struct fixture *f)
{
    const uint64_t start = f->info.start_us;
    f->info.upstream = (struct nu_upstream_info){
        .host = fixture_address("127.0.0.1:46791"),
        .local = fixture_address("127.0.0.1:39934"),
        .remote = fixture_address("127.0.0.1:46791"),
        .cluster = NU_STR_INIT("up"),
        .cluster_observability = NU_STR_INIT("altup"),
        .connection_id = 3,
        .protocol = NU_PROTOCOL_HTTP11,
        .attempt_count = 1,
        .pool_start_us = start + 423,
        .connect_start_us = start + 425,
        .connect_end_us = start + 467,
        .pool_ready_us = start + 500,
        .first_tx_us = start + 580,
        .last_tx_us = start + 586,
        .first_rx_us = start + 1912,
        .last_rx_us = start + 2243,
        .header_bytes_sent = 217,
        .header_bytes_received = 152,
        .wire_bytes_sent = 267,
        .wire_bytes_received = 184,
        .cluster_metadata = fixture_metadata(f),
    };
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    fixture_headers(f);
    f->connection = (struct nu_connection_info){
        .id = 2,
        .direct_remote = fixture_address("127.0.0.1:42014"),
        .remote = fixture_address("127.0.0.1:42014"),
        .local = fixture_address("127.0.0.1:43811"),
        .local_known = true,
        .filter_chain_name = NU_STR_INIT("fc0"),
    };
    const uint64_t start = 1000000;
    f->info = (struct nu_stream_info){
        .arena = &f->arena,
        .connection = &f->connection,
        .protocol = NU_PROTOCOL_HTTP11,
        .start_realtime_us = 1795414287948111,
        .start_us = start,
        .rx_end_us = start + 456,
        .tx_first_us = start + 2023,
        .tx_last_us = start + 2314,
        .end_us = start + 2320,
        .bytes_received = 5,
        .bytes_sent = 6,
        .header_bytes_received = 112,
        .header_bytes_sent = 191,
        .wire_bytes_received = 169,
        .wire_bytes_sent = 216,
        .remote = fixture_address("127.0.0.1:42014"),
        .response_code = 200,
        .response_code_details = NU_STR_INIT("via_upstream"),
        .route_name = NU_STR_INIT("theroute"),
        .request_id = NU_STR_INIT("18fa58fb-1f53-49e9-a53e-a965dfdfb2bb"),
    };
    fixture_upstream(f);
    f->info.route_metadata = f->info.upstream.cluster_metadata;
    f->context = (struct nu_format_context){
        .request_headers = &f->request,
        .response_headers = &f->response,
        .info = &f->info,
        .log_type = NU_LOG_TYPE_DOWNSTREAM_END,
    };
}

static inline void fixture_finish(struct fixture *f)
{
    nu_strbuf_finish(&f->out);
    nu_arena_finish(&f->arena);
}

static inline struct nu_str fixture_run(struct fixture *f, const struct nu_formatter *formatter)
{
    nu_strbuf_clear(&f->out);
    nu_formatter_format(formatter, &f->context, &f->out);
    return nu_strbuf_str(&f->out);
}

/* The output of a text. */
static inline struct nu_str fixture_format(struct fixture *f, const char *text,
                                           const struct nu_format_options *options)
{
    struct nu_strbuf error = {0};
    const struct nu_formatter *formatter =
        nu_formatter_compile(&f->arena, nu_str_from(text), options, &error);
    assert_int_equal(error.len, 0);
    return fixture_run(f, formatter);
}

/* The output of a JSON template, without the newline. */
static inline struct nu_str fixture_json(struct fixture *f, const struct nu_value *json,
                                         const struct nu_format_options *options)
{
    struct nu_strbuf error = {0};
    const struct nu_formatter *formatter =
        nu_formatter_compile_json(&f->arena, json, options, &error);
    assert_int_equal(error.len, 0);
    struct nu_str out = fixture_run(f, formatter);
    assert_int_equal(out.ptr[out.len - 1], '\n');
    return nu_str_first(out, out.len - 1);
}

/* An operator as text and, alone in a JSON string, as a value. */
struct operator_case {
    const char *op;
    const char *text;
    const char *json;
};

static inline void fixture_check(struct fixture *f, const struct operator_case *cases, size_t count)
{
    static const struct nu_format_options log_options;
    char text[256];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%%%s%%", cases[i].op);
        assert_str(fixture_format(f, text, &log_options), cases[i].text);
        struct nu_value json = nu_value_struct();
        nu_value_set(&json, &f->arena, NU_STR(""), nu_value_string(nu_str_from(text)));
        struct nu_str out = fixture_json(f, &json, &log_options);
        struct nu_str value = nu_str_make(out.ptr + 4, out.len - 5);
        assert_str(value, cases[i].json);
    }
}

#endif
