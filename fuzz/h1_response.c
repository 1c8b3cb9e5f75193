/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client codec on any bytes. Whatever is said of them must not depend on how they are cut, and
 * a response that is accepted must, when it is sent on, be one response to a strict reader. What
 * follows the grant of a tunnel goes on as it came.
 *
 * Input: a byte of options, a byte that says where to cut, the bytes.
 */
#include "harness/h1_driver.h"

#include "codec/h1_internal.h"
#include "h1_strict.h"
#include "target.h"

enum {
    HEAD = 1,
    AT_END = 2,
    TRAILERS = 4,
    SMALL = 8,
    TO_HTTP10 = 16,
    OWN_BLOCKS = 32,
    UPGRADE = 64,
    CONNECT = 128
};

static struct nu_str method_of(uint8_t options)
{
    if (options & UPGRADE)
        return NU_STR("UPGRADE");
    if (options & CONNECT)
        return NU_STR("CONNECT");
    return options & HEAD ? NU_STR("HEAD") : NU_STR("GET");
}

static void run(struct h1_response *response, uint8_t options, struct nu_str bytes, size_t first,
                size_t step)
{
    h1_response_init(response, method_of(options));
    response->wire.options.enable_trailers = options & TRAILERS;
    response->wire.options.max_headers = options & SMALL ? 5 : 100;
    h1_response_send(response, true);
    size_t at = 0;
    while (at < bytes.len && response->encoder && !response->failed) {
        size_t piece = nu_min_size(at == 0 && first ? first : step, bytes.len - at);
        h1_wire_receive(&response->wire, nu_str_make(bytes.ptr + at, piece), options & OWN_BLOCKS);
        at += piece;
        h1_response_run(response);
    }
    response->wire.conn.read_eof = options & AT_END;
    h1_response_run(response);
    bool more = at < bytes.len || (options & AT_END);
    if (!response->encoder && !response->failed && response->end == NU_H1_END_REUSABLE && more)
        response->end = NU_H1_END_SPENT;
}

static void encode(struct h1_heard *to, struct h1_heard *heard, struct nu_buf *data)
{
    const struct nu_stream_encoder_ops *ops = to->encoder->ops;
    bool only_head = data->len == 0 && !heard->trailers;
    ops->encode_headers(to->encoder, &heard->headers, only_head);
    if (data->len)
        ops->encode_data(to->encoder, data, !heard->trailers);
    if (heard->trailers)
        ops->encode_trailers(to->encoder, heard->trailers);
}

static void send_on(struct h1_heard *heard, uint8_t options)
{
    struct h1_requests server;
    h1_requests_init(&server);
    nu_headers_remove_id(&heard->headers, NU_HEADER_CONNECTION);
    nu_headers_remove_id(&heard->headers, NU_HEADER_UPGRADE);
    nu_headers_remove_id(&heard->headers, NU_HEADER_TRANSFER_ENCODING);
    nu_headers_remove_id(&heard->headers, NU_HEADER_HOST);
    h1_wire_receive(&server.wire, options & HEAD ? NU_STR("HEAD") : NU_STR("GET"), false);
    h1_wire_receive(&server.wire,
                    options & TO_HTTP10 ? NU_STR(" / HTTP/1.0") : NU_STR(" / HTTP/1.1"), false);
    h1_wire_receive(&server.wire, NU_STR("\r\nhost: a\r\n\r\n"), false);
    server.server.codec.ops->dispatch(&server.server.codec);
    struct nu_str body = strict_copy(&heard->body);
    struct nu_buf data = {0};
    nu_buf_append(&data, body);
    encode(&server.heard[0], heard, &data);
    struct nu_str bytes = strict_copy(&server.wire.conn.out);
    strict_response(bytes, body, options & HEAD, server.server.must_close);
    nu_buf_clear(&data);
    free(nu_unconst(bytes.ptr));
    free(nu_unconst(body.ptr));
    h1_requests_finish(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { BYTES_MAX = 4096 };
    if (size < 2)
        return 0;
    struct nu_str bytes = {(const char *)data + 2, nu_min_size(size - 2, BYTES_MAX)};
    struct h1_response whole;
    run(&whole, data[0], bytes, 0, BYTES_MAX);
    if (whole.client.message && whole.client.message->is_tunnel)
        strict_rest(&whole.heard.body, bytes);
    else if (!whole.failed && whole.heard.ended && !(data[0] & (UPGRADE | CONNECT)))
        send_on(&whole.heard, data[0]);
    struct h1_response again;
    run(&again, data[0], bytes, 0, BYTES_MAX);
    struct nu_str said = h1_response_text(&again);
    size_t steps[] = {1, BYTES_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(steps); i++) {
        struct h1_response cut;
        run(&cut, data[0], bytes, bytes.len ? data[1] % bytes.len : 0, steps[i]);
        nu_assert(nu_str_eq(said, h1_response_text(&cut)));
        h1_response_finish(&cut);
    }
    h1_response_finish(&again);
    h1_response_finish(&whole);
    return 0;
}
