/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 codecs without sockets: bytes are put into a connection's input, what the decoder
 * heard comes out as one line of text, what the encoder wrote lies in the connection's output.
 * Shared by the unit tests and the fuzz targets; nothing here runs a loop.
 *
 * The text of a request is "METHOD PATH AUTHORITY", then " name=value" for each other header ("
 * name=" and " ?" stand for empty and for missing), " [body]" if there was one, " +name=value" for
 * each trailer, and at its end "." if it was complete, "~" if more was to come, or " !STATUS
 * details" for an error. A response is "STATUS name=value ..." alike, an interim one "(STATUS
 * name=value)" before it. Bytes that are no visible ASCII are printed as \xNN; messages are joined
 * by " ; ".
 */
#ifndef NU_TESTS_HARNESS_H1_DRIVER_H
#define NU_TESTS_HARNESS_H1_DRIVER_H

#include <stdlib.h>

#include "base/assert.h"
#include "codec/h1.h"
#include "net/connection.h"

/* What both sides share: a connection that is never registered anywhere. */
struct h1_wire {
    struct nu_loop loop;
    struct nu_connection conn;
    struct nu_h1_options options;
    struct nu_strbuf text;
};

static inline void h1_wire_init(struct h1_wire *wire)
{
    memset(wire, 0, sizeof(*wire));
    nu_list_init(&wire->loop.turn_tasks);
    nu_list_init(&wire->loop.next_turn_tasks);
    wire->loop.now_us = 1000000;
    wire->conn.loop = &wire->loop;
    wire->conn.state = NU_CONNECTION_OPEN;
    wire->conn.fd = -1;
    nu_turn_task_init(&wire->conn.flush_task, NULL);
    wire->options = (struct nu_h1_options){
        .max_head_bytes = 60 * 1024,
        .max_headers = 100,
        .allow_absolute_url = true,
        .accept_http_10 = true,
        .enable_trailers = true,
    };
}

static inline void h1_wire_finish(struct h1_wire *wire)
{
    nu_list_remove(&wire->conn.flush_task.link);
    nu_buf_clear(&wire->conn.in);
    nu_buf_clear(&wire->conn.out);
    nu_strbuf_finish(&wire->text);
}

/* As a read from the socket does it: into the last block's free end, or into a block of its own. */
static inline void h1_wire_receive(struct h1_wire *wire, struct nu_str bytes, bool own_block)
{
    if (!own_block) {
        nu_buf_append(&wire->conn.in, bytes);
        return;
    }
    struct nu_block *block = nu_block_get_size(bytes.len);
    memcpy(block->data, bytes.ptr, bytes.len);
    block->fill = (uint32_t)bytes.len;
    nu_buf_add_block(&wire->conn.in, block, nu_str_make(block->data, bytes.len));
    nu_block_unref(block);
}

static inline void h1_print(struct nu_strbuf *text, struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= ' ' && c < 0x7f)
            nu_strbuf_add(text, nu_str_make(&s.ptr[i], 1));
        else
            nu_strbuf_addf(text, "\\x%02x", c);
    }
}

static inline void h1_print_headers(struct nu_strbuf *text, const struct nu_headers *headers,
                                    const char *mark)
{
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    while (nu_headers_next(headers, &cursor, &name, &value)) {
        if (name.ptr[0] == ':')
            continue;
        nu_strbuf_addf(text, " %s", mark);
        h1_print(text, name);
        nu_strbuf_add(text, NU_STR("="));
        h1_print(text, value);
    }
}

/* One message as its decoder heard it. */
struct h1_heard {
    struct nu_stream_decoder decoder;
    struct nu_headers headers;
    struct nu_arena arena;
    struct nu_buf body;
    struct h1_wire *wire;
    struct nu_stream_encoder *encoder;
    struct nu_headers *trailers; /* NULL for none */
    bool in_use;
    bool has_head;
    bool ended;
};

static inline struct h1_heard *h1_heard_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct h1_heard, decoder);
}

static inline void h1_heard_open(struct h1_heard *heard, struct h1_wire *wire,
                                 const struct nu_stream_decoder_ops *ops)
{
    memset(heard, 0, sizeof(*heard));
    nu_arena_init(&heard->arena);
    nu_headers_init(&heard->headers, &heard->arena, 8);
    heard->wire = wire;
    heard->in_use = true;
    heard->decoder.ops = ops;
    heard->decoder.arena = &heard->arena;
    heard->decoder.headers = &heard->headers;
}

static inline void h1_heard_close(struct h1_heard *heard)
{
    if (!heard->in_use)
        return;
    nu_buf_clear(&heard->body);
    nu_arena_finish(&heard->arena);
    heard->in_use = false;
}

static inline void h1_print_word(struct nu_strbuf *text, const struct nu_headers *headers,
                                 enum nu_header_id id)
{
    struct nu_str value = nu_headers_get_id(headers, id);
    if (value.ptr)
        h1_print(text, value);
    else
        nu_strbuf_add(text, NU_STR("?"));
}

static inline void h1_print_head(struct nu_strbuf *text, const struct nu_headers *headers)
{
    if (nu_headers_has_id(headers, NU_HEADER_STATUS)) {
        h1_print_word(text, headers, NU_HEADER_STATUS);
    } else {
        h1_print_word(text, headers, NU_HEADER_METHOD);
        nu_strbuf_add(text, NU_STR(" "));
        h1_print_word(text, headers, NU_HEADER_PATH);
        nu_strbuf_add(text, NU_STR(" "));
        h1_print_word(text, headers, NU_HEADER_AUTHORITY);
    }
    h1_print_headers(text, headers, "");
}

static inline void h1_print_body(struct h1_heard *heard)
{
    if (heard->body.len == 0)
        return;
    char *copy = malloc(heard->body.len);
    nu_assert(copy);
    nu_buf_copy_out(&heard->body, 0, copy, heard->body.len);
    nu_strbuf_add(&heard->wire->text, NU_STR(" ["));
    h1_print(&heard->wire->text, nu_str_make(copy, heard->body.len));
    nu_strbuf_add(&heard->wire->text, NU_STR("]"));
    free(copy);
}

/* The body and the trailers. */
static inline void h1_print_rest(struct h1_heard *heard)
{
    h1_print_body(heard);
    if (heard->trailers)
        h1_print_headers(&heard->wire->text, heard->trailers, "+");
}

static inline void h1_on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct h1_heard *heard = h1_heard_of(decoder);
    nu_assert(!heard->has_head);
    heard->has_head = true;
    h1_print_head(&heard->wire->text, &heard->headers);
    heard->ended = end;
}

static inline void h1_on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct h1_heard *heard = h1_heard_of(decoder);
    nu_assert(heard->has_head && !heard->ended);
    nu_buf_move_all(&heard->body, data);
    heard->ended = end;
}

static inline void h1_on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct h1_heard *heard = h1_heard_of(decoder);
    nu_assert(heard->has_head && !heard->ended);
    heard->trailers = trailers;
    heard->ended = true;
}

/* --- Server ----------------------------------------------------------------------------------- */

enum { H1_REQUESTS_MAX = 256 };

struct h1_requests {
    struct h1_wire wire;
    /* A request is complete, and about to be answered; NULL for none. */
    void (*on_complete)(struct h1_heard *heard, struct nu_headers *trailers);
    struct nu_h1_server server;
    struct h1_heard heard[H1_REQUESTS_MAX];
    unsigned count;
    bool failed;
};

static inline void h1_ignore_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                                   struct nu_str details)
{
    (void)decoder;
    (void)reason;
    (void)details;
}

static inline void h1_ignore_watermark(struct nu_stream_decoder *decoder)
{
    (void)decoder;
}

static const struct nu_stream_decoder_ops h1_request_ops = {
    .on_headers = h1_on_headers,
    .on_data = h1_on_data,
    .on_trailers = h1_on_trailers,
    .on_reset = h1_ignore_reset,
    .on_above_high = h1_ignore_watermark,
    .on_below_low = h1_ignore_watermark,
};

static inline struct nu_stream_decoder *h1_on_new_stream(void *user,
                                                         struct nu_stream_encoder *encoder)
{
    struct h1_requests *requests = user;
    nu_assert(requests->count < H1_REQUESTS_MAX && !requests->failed);
    struct h1_heard *heard = &requests->heard[requests->count++];
    if (requests->count > 1)
        nu_strbuf_add(&requests->wire.text, NU_STR(" ; "));
    h1_heard_open(heard, &requests->wire, &h1_request_ops);
    heard->encoder = encoder;
    return &heard->decoder;
}

static inline void h1_on_error(void *user, struct nu_stream_decoder *decoder,
                               const struct nu_codec_error *error)
{
    struct h1_requests *requests = user;
    struct h1_heard *heard = h1_heard_of(decoder);
    nu_assert(!requests->failed && !heard->ended);
    requests->failed = true;
    nu_strbuf_addf(&requests->wire.text, "%s!%u %.*s", heard->has_head ? "~ " : "", error->status,
                   NU_STR_ARG(error->details));
}

static const struct nu_server_codec_callbacks h1_server_callbacks = {
    .on_new_stream = h1_on_new_stream,
    .on_error = h1_on_error,
};

static inline void h1_requests_init(struct h1_requests *requests)
{
    h1_wire_init(&requests->wire);
    requests->on_complete = NULL;
    requests->count = 0;
    requests->failed = false;
    nu_h1_server_init(&requests->server, &requests->wire.conn, &requests->wire.options,
                      &h1_server_callbacks, requests);
}

/* Answers the request that is complete with an empty 200. */
static inline void h1_answer(struct h1_requests *requests)
{
    struct h1_heard *heard = &requests->heard[requests->count - 1];
    struct nu_headers headers;
    h1_print_rest(heard);
    nu_strbuf_add(&requests->wire.text, NU_STR("."));
    if (requests->on_complete)
        requests->on_complete(heard, heard->trailers);
    nu_headers_init(&headers, &heard->arena, 2);
    nu_headers_add_id(&headers, NU_HEADER_STATUS, NU_STR("200"));
    heard->encoder->ops->encode_headers(heard->encoder, &headers, true);
    heard->in_use = false;
    nu_buf_clear(&heard->body);
    nu_arena_finish(&heard->arena);
}

/* Dispatches what has come, and answers complete requests, until nothing moves. */
static inline void h1_requests_run(struct h1_requests *requests)
{
    struct h1_heard *heard;
    do {
        requests->server.codec.ops->dispatch(&requests->server.codec);
        heard = requests->count ? &requests->heard[requests->count - 1] : NULL;
        if (!heard || !heard->in_use || !heard->ended)
            return;
        h1_answer(requests);
    } while (requests->wire.conn.in.len && !requests->failed);
}

/* The text of all that was heard; call it once, at the end. */
static inline struct nu_str h1_requests_text(struct h1_requests *requests)
{
    struct h1_heard *heard = requests->count ? &requests->heard[requests->count - 1] : NULL;
    if (heard && heard->in_use && !requests->failed) {
        h1_print_body(heard);
        nu_strbuf_add(&requests->wire.text, NU_STR("~"));
    }
    return nu_strbuf_str(&requests->wire.text);
}

static inline void h1_requests_finish(struct h1_requests *requests)
{
    requests->server.codec.ops->on_closed(&requests->server.codec, NU_RESET_CONNECTION_TERMINATION);
    for (unsigned i = 0; i < requests->count; i++)
        h1_heard_close(&requests->heard[i]);
    h1_wire_finish(&requests->wire);
}

/* --- Client ----------------------------------------------------------------------------------- */

struct h1_response {
    struct h1_wire wire;
    struct nu_h1_client client;
    struct h1_heard heard;
    struct nu_headers request;
    struct nu_stream_encoder *encoder; /* NULL once the exchange is over */
    bool failed;
    bool asks;          /* for a tunnel */
    enum nu_h1_end end; /* once it is over */
};

static inline struct h1_response *h1_response_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct h1_response, heard.decoder);
}

static inline void h1_on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    struct h1_heard *heard = h1_heard_of(decoder);
    nu_assert(!heard->has_head);
    nu_strbuf_add(&heard->wire->text, NU_STR("("));
    h1_print_head(&heard->wire->text, headers);
    nu_strbuf_add(&heard->wire->text, NU_STR(") "));
}

static inline void h1_on_response_reset(struct nu_stream_decoder *decoder,
                                        enum nu_reset_reason reason, struct nu_str details)
{
    struct h1_response *response = h1_response_of(decoder);
    nu_assert(!response->failed && !response->heard.ended);
    response->failed = true;
    struct nu_str text = nu_reset_reason_text(reason);
    nu_strbuf_addf(&response->wire.text, "%s!%.*s%s%.*s", response->heard.has_head ? "~ " : "",
                   NU_STR_ARG(text), details.len ? " " : "", NU_STR_ARG(details));
}

static const struct nu_stream_decoder_ops h1_response_ops = {
    .on_headers = h1_on_headers,
    .on_data = h1_on_data,
    .on_trailers = h1_on_trailers,
    .on_1xx = h1_on_1xx,
    .on_reset = h1_on_response_reset,
    .on_above_high = h1_ignore_watermark,
    .on_below_low = h1_ignore_watermark,
};

static inline void h1_on_complete(void *user, enum nu_h1_end end)
{
    struct h1_response *response = user;
    nu_assert(response->encoder);
    response->encoder = NULL;
    response->end = end;
}

static const struct nu_client_codec_callbacks h1_client_callbacks = {
    .on_complete = h1_on_complete,
};

/* A client whose request, `method` without a body, is on its way. UPGRADE is a GET that asks for
 * another protocol. */
static inline void h1_response_init(struct h1_response *response, struct nu_str method)
{
    bool upgrades = nu_str_eq(method, NU_STR("UPGRADE"));
    h1_wire_init(&response->wire);
    response->failed = false;
    nu_h1_client_init(&response->client, &response->wire.conn, &response->wire.options,
                      &h1_client_callbacks, response);
    h1_heard_open(&response->heard, &response->wire, &h1_response_ops);
    response->encoder = nu_h1_client_start(&response->client, &response->heard.decoder);
    nu_headers_init(&response->request, &response->heard.arena, 8);
    nu_headers_add_id(&response->request, NU_HEADER_AUTHORITY, NU_STR("a"));
    nu_headers_add_id(&response->request, NU_HEADER_METHOD, upgrades ? NU_STR("GET") : method);
    nu_headers_add_id(&response->request, NU_HEADER_PATH, NU_STR("/"));
    response->asks = upgrades || nu_str_eq(method, NU_STR("CONNECT"));
    if (!upgrades)
        return;
    nu_headers_add_id(&response->request, NU_HEADER_CONNECTION, NU_STR("upgrade"));
    nu_headers_add_id(&response->request, NU_HEADER_UPGRADE, NU_STR("x"));
}

/* Sends the request's head, and all of it if `end` and it asks for no tunnel. */
static inline void h1_response_send(struct h1_response *response, bool end)
{
    end = end && !response->asks;
    response->encoder->ops->encode_headers(response->encoder, &response->request, end);
    response->wire.conn.tx_bytes += response->wire.conn.out.len;
    nu_buf_clear(&response->wire.conn.out);
}

static inline void h1_response_run(struct h1_response *response)
{
    if (response->encoder)
        response->client.codec.ops->dispatch(&response->client.codec);
}

/* The text of all that was heard, and whether the connection can go on: "." if it can, ".c" if the
 * server closes it, ".x" if it is spent. */
static inline struct nu_str h1_response_text(struct h1_response *response)
{
    struct nu_strbuf *text = &response->wire.text;
    if (!response->failed) {
        h1_print_rest(&response->heard);
        static const char *const ends[] = {[NU_H1_END_REUSABLE] = ".",
                                           [NU_H1_END_PEER_CLOSES] = ".c",
                                           [NU_H1_END_SPENT] = ".x",
                                           [NU_H1_END_ABORTED] = ".a",
                                           [NU_H1_END_TUNNEL] = ".t"};
        nu_strbuf_add(text, response->encoder ? NU_STR("~") : nu_str_from(ends[response->end]));
    }
    return nu_strbuf_str(text);
}

static inline void h1_response_finish(struct h1_response *response)
{
    if (response->encoder) {
        response->wire.conn.state = NU_CONNECTION_CLOSED;
        response->failed = false;
        response->heard.ended = false;
        response->client.codec.ops->on_closed(&response->client.codec,
                                              NU_RESET_CONNECTION_TERMINATION);
    }
    h1_heard_close(&response->heard);
    h1_wire_finish(&response->wire);
}

#endif
