/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server codec on any bytes. Whatever is said of them must not depend on how they are cut, and
 * each request that is accepted must, when it is sent on, be one request to a strict reader. What
 * follows one that asks for a tunnel is passed on as it came.
 *
 * Input: a byte of options, a byte that says where to cut, the bytes.
 */
#include "harness/h1_driver.h"

#include "codec/h1_internal.h"
#include "h1_strict.h"
#include "target.h"

/* What the connection manager takes out before a request goes on. */
static void remove_hop_by_hop(struct nu_headers *headers)
{
    nu_headers_remove_id(headers, NU_HEADER_CONNECTION);
    nu_headers_remove_id(headers, NU_HEADER_UPGRADE);
    nu_headers_remove_id(headers, NU_HEADER_TE);
    nu_headers_remove_id(headers, NU_HEADER_KEEP_ALIVE);
    nu_headers_remove_id(headers, NU_HEADER_PROXY_CONNECTION);
    nu_headers_remove_id(headers, NU_HEADER_TRANSFER_ENCODING);
}

static void send_on(struct h1_heard *heard, struct nu_headers *trailers)
{
    struct h1_response client;
    struct nu_str path = nu_headers_get_id(&heard->headers, NU_HEADER_PATH);
    if (path.len == 0 || path.ptr[0] != '/' ||
        !nu_headers_has_id(&heard->headers, NU_HEADER_AUTHORITY))
        return; /* never forwarded */
    remove_hop_by_hop(&heard->headers);
    h1_response_init(&client, NU_STR("GET"));
    struct nu_str body = strict_copy(&heard->body);
    struct nu_buf data = {0};
    nu_buf_append(&data, body);
    const struct nu_stream_encoder_ops *ops = client.encoder->ops;
    bool only_head = body.len == 0 && !trailers;
    ops->encode_headers(client.encoder, &heard->headers, only_head);
    if (body.len)
        ops->encode_data(client.encoder, &data, !trailers);
    if (trailers)
        ops->encode_trailers(client.encoder, trailers);
    nu_assert(!client.failed);
    struct nu_str bytes = strict_copy(&client.wire.conn.out);
    strict_request(bytes, body);
    free(nu_unconst(bytes.ptr));
    free(nu_unconst(body.ptr));
    h1_response_finish(&client);
}

static void run(struct h1_requests *requests, uint8_t options, struct nu_str bytes, size_t first,
                size_t step)
{
    h1_requests_init(requests);
    requests->on_complete = send_on;
    requests->wire.options.accept_http_10 = options & 1;
    requests->wire.options.enable_trailers = options & 2;
    requests->wire.options.allow_chunked_length = options & 4;
    requests->wire.options.max_headers = options & 8 ? 5 : 100;
    requests->wire.options.max_head_bytes = options & 16 ? 100 : 60 * 1024;
    requests->wire.options.keep_names =
        options & 64 ? NU_NAMES_AS_RECEIVED : NU_NAMES_AS_WRITER_LIKES;
    for (size_t at = 0; at < bytes.len && !requests->failed && requests->count < H1_REQUESTS_MAX;) {
        size_t piece = nu_min_size(at == 0 && first ? first : step, bytes.len - at);
        h1_wire_receive(&requests->wire, nu_str_make(bytes.ptr + at, piece), options & 32);
        at += piece;
        h1_requests_run(requests);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { BYTES_MAX = 4096 };
    if (size < 2)
        return 0;
    struct nu_str bytes = {(const char *)data + 2, nu_min_size(size - 2, BYTES_MAX)};
    struct h1_requests whole;
    run(&whole, data[0], bytes, 0, BYTES_MAX);
    if (whole.server.message && whole.server.message->is_tunnel && !whole.failed)
        strict_rest(&whole.heard[whole.count - 1].body, bytes);
    struct nu_str said = h1_requests_text(&whole);
    size_t steps[] = {1, BYTES_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(steps); i++) {
        struct h1_requests cut;
        run(&cut, data[0], bytes, bytes.len ? data[1] % bytes.len : 0, steps[i]);
        struct nu_str also = h1_requests_text(&cut);
        nu_assert(nu_str_eq(said, also) || whole.count == H1_REQUESTS_MAX);
        h1_requests_finish(&cut);
    }
    h1_requests_finish(&whole);
    return 0;
}
