/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over llhttp, both sides, with our own strictness on top (RFC 9112; what Envoy refuses is
 * refused, and whatever could be read in two ways never passes).
 *
 * Server: one request at a time; the next one of a pipeline is not parsed before the response to
 * the first is complete. Client: one exchange at a time over a connection that is used again while
 * both sides agree. Parser state lives in the stream's arena, so that an idle connection holds
 * none.
 */
#ifndef NU_CODEC_H1_H
#define NU_CODEC_H1_H

#include "codec/codec.h"

/* How names are written to the peer; lower case is HTTP/2's and Envoy's default. A message whose
 * names were kept when it was read is written as it was received, whatever the writer's format. */
enum nu_h1_name_format {
    NU_H1_NAMES_LOWER,
    NU_H1_NAMES_PROPER, /* First-Letters-Upper */
};

/* Settings of one side, immutable; from Http1ProtocolOptions, HttpProtocolOptions and limits. */
struct nu_h1_options {
    uint32_t max_head_bytes; /* request or response head */
    uint32_t max_headers;
    enum nu_h1_name_format name_format;
    enum nu_name_style keep_names; /* of messages that are read */
    bool keep_reason;              /* with keep_names: the server's reason phrase is passed on */
    bool allow_absolute_url;
    bool refuse_https_url; /* a plain connection at the edge: nobody can have asked so in secret */
    bool accept_http_10;
    bool enable_trailers;
    bool allow_chunked_length;
    bool send_fully_qualified_url;
    bool stream_error_on_invalid_message; /* keep the connection after a 400, where that is safe */
    struct nu_str default_host_for_http_10; /* empty: none */
    enum nu_underscore_action underscore_action;
};

struct nu_h1_message; /* parser of one message, in the stream's arena */

/* The server side of a connection; embedded in its owner. */
struct nu_h1_server {
    struct nu_codec codec;
    struct nu_stream_encoder encoder;
    struct nu_connection *conn;                        /* borrowed */
    const struct nu_h1_options *options;               /* borrowed */
    const struct nu_server_codec_callbacks *callbacks; /* borrowed */
    void *user;
    struct nu_h1_message *message; /* the request being read or answered; NULL between requests */
    struct nu_stream_decoder *decoder; /* its decoder */
    uint64_t body_left;                /* of the response's Content-Length */
    uint16_t flags;
    bool must_close; /* a response did not end as its head said: the connection cannot go on */
};

/* Attaches to an open connection. */
void nu_h1_server_init(struct nu_h1_server *server, struct nu_connection *conn,
                       const struct nu_h1_options *options,
                       const struct nu_server_codec_callbacks *callbacks, void *user);
/* Whether nothing of a request is left in it, and it can be attached anew. */
static inline bool nu_h1_server_is_idle(const struct nu_h1_server *server)
{
    return !server->message && server->flags == 0 && !server->must_close;
}
/* Whether the last response left the connection in a state in which it cannot be used again. */
static inline bool nu_h1_server_must_close(const struct nu_h1_server *server)
{
    return server->must_close;
}
/* Whether the request that is being answered allows another one on the connection. */
bool nu_h1_server_is_keep_alive(const struct nu_h1_server *server);
/* How many header names of the present request were left out, or refused, for an underscore. */
unsigned nu_h1_server_underscores(const struct nu_h1_server *server);

/* What is left of a client connection after an exchange. */
enum nu_h1_end {
    NU_H1_END_REUSABLE,    /* it can take the next exchange */
    NU_H1_END_PEER_CLOSES, /* the server said that it will close it */
    NU_H1_END_SPENT,       /* it cannot be used again */
    NU_H1_END_ABORTED,     /* nor this one: the exchange was given up, or broke */
    NU_H1_END_TUNNEL,      /* nor this one: a tunnel ended on our side, and its last bytes may still
                              be written */
};

/* What a client connection tells its pool. */
struct nu_client_codec_callbacks {
    /* The exchange is over, well or not. */
    void (*on_complete)(void *user, enum nu_h1_end end);
};

/* The client side of a connection; embedded in its owner. */
struct nu_h1_client {
    struct nu_codec codec;
    struct nu_stream_encoder encoder;
    struct nu_connection *conn;          /* borrowed */
    const struct nu_h1_options *options; /* borrowed */
    const struct nu_client_codec_callbacks *callbacks;
    void *user;
    struct nu_h1_message *message;     /* the response being read; NULL while idle */
    struct nu_stream_decoder *decoder; /* NULL while idle */
    uint64_t body_left;                /* of the request's Content-Length */
    uint64_t sent_before;              /* bytes the connection had written when the exchange
                                          began */
    uint64_t noted_fields;             /* bytes of the response's fields that were counted */
    uint8_t flags;
};

void nu_h1_client_init(struct nu_h1_client *client, struct nu_connection *conn,
                       const struct nu_h1_options *options,
                       const struct nu_client_codec_callbacks *callbacks, void *user);
/* Begins an exchange on an idle connection; the request then goes through the returned encoder, the
 * response to `decoder`. */
struct nu_stream_encoder *nu_h1_client_start(struct nu_h1_client *client,
                                             struct nu_stream_decoder *decoder);
/* Makes the request say `connection: close` (the pool will not use the connection again). */
void nu_h1_client_set_last(struct nu_h1_client *client);

#endif
