/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC stream to a cluster: messages in both directions, then a status. It is what Envoy's client
 * (envoy_grpc) makes: its requests, statuses and texts are that one's. Calls of one message each way
 * are client/grpc_call.h.
 *
 *     create -> add metadata -> open -> send, end; events -> destroy
 *
 * The owner destroys it, at any time, also from its events: on its way it is reset then, and nothing
 * is called any more. Everything in it lives in its own arena until the end of the turn in which it was
 * destroyed. Everything happens on the loop's thread.
 *
 * Events come from tasks of the turn's end, never below one of the functions here. Received
 * messages are bounded each, and by a budget those that have not been told, or are kept.
 */
#ifndef NU_CLIENT_GRPC_STREAM_H
#define NU_CLIENT_GRPC_STREAM_H

#include "base/byte_budget.h"
#include "client/own_exchange.h"
#include "http/grpc_frame.h"

struct nu_grpc_stream;

/* How a stream ended. */
struct nu_grpc_end {
    int32_t status; /* enum nu_grpc_status; -1: the server's is none of these */
    /* Its grpc-message as it came, not decoded, or ours, and the details of the response, as Envoy
     * writes them: "not found{via_upstream}", or the details alone. */
    struct nu_str message;
};

struct nu_grpc_stream_ops {
    /* The head of the response; empty if its only part is taken for trailers. May be NULL. */
    void (*on_initial_metadata)(struct nu_grpc_stream *stream, const struct nu_headers *metadata);
    /* A message; what is not moved out of it is dropped. */
    void (*on_message)(struct nu_grpc_stream *stream, struct nu_buf *message);
    /* Perhaps empty; on_closed follows. May be NULL. */
    void (*on_trailing_metadata)(struct nu_grpc_stream *stream, const struct nu_headers *metadata);
    /* The last one. The stream is to be destroyed. */
    void (*on_closed)(struct nu_grpc_stream *stream, const struct nu_grpc_end *end);
};

struct nu_grpc_params {
    struct nu_str cluster;
    struct nu_str authority; /* empty: the cluster's name */
    struct nu_str service;   /* "package.Service" */
    struct nu_str method;
    bool has_timeout;           /* the request says so */
    uint32_t timeout_ms;        /* from the request's end to the response's; 0: none */
    uint32_t max_message_bytes; /* of a received message */
    bool is_anonymous;          /* the request does not say that it is ours */
    bool tells_address;         /* unless that: this machine's, in x-forwarded-for */
    bool hashes_authority;      /* for balancers that hash and have no policy of their own */
    const struct nu_retry_policy *retry; /* copied, but for what it points to; NULL: one try */
    struct nu_byte_budget
        *budget; /* borrowed: what received messages may hold; NULL: no such bound */
};

struct nu_grpc_stream {
    const struct nu_grpc_stream_ops *ops; /* set before it is opened */
    void *owner;                          /* for the events */
    struct nu_arena *arena;               /* owned: holds this struct as well */

    /* Private. */
    struct nu_own_exchange own;
    struct nu_own_exchange_params params;
    struct nu_retry_policy retry;
    struct nu_retry_rules rules;
    struct nu_grpc_reader reader;
    struct nu_byte_budget *budget;
    size_t budgeted;
    struct nu_headers none;            /* metadata that is not there */
    const struct nu_headers *initial;  /* NULL: not there yet, or told */
    const struct nu_headers *trailing; /* with the end */
    struct nu_grpc_end end;
    struct nu_turn_task events;
    size_t taken;        /* bytes to be sent, since all had been */
    size_t wire_bytes;   /* that had gone out then */
    bool is_local_ended; /* the owner ended its side */
    bool is_body_ended;  /* the response's bytes ended */
    bool is_ended;       /* `end` is there */
    bool is_over;        /* on_closed was called, or it was destroyed */
};

/* A stream to the loop's cluster of this name, or NULL if there is none. Texts are copied. */
struct nu_grpc_stream *nu_grpc_stream_create(struct nu_loop *loop,
                                             const struct nu_grpc_params *params);
/* Initial metadata, before it is opened: in place of what has this name, or beside it. Values of names
 * that end in "-bin" are sent in base64. */
void nu_grpc_stream_set_metadata(struct nu_grpc_stream *stream, struct nu_str name,
                                 struct nu_str value);
void nu_grpc_stream_add_metadata(struct nu_grpc_stream *stream, struct nu_str name,
                                 struct nu_str value);
/* Begins. False if it failed at once (no host, no room, maintenance): there are no events then. */
NU_MUST_USE bool nu_grpc_stream_open(struct nu_grpc_stream *stream);
/* Sends a message, whose bytes it takes; with `end` the last one. What comes after the end of either
 * side is dropped. */
void nu_grpc_stream_send(struct nu_grpc_stream *stream, struct nu_buf *message, bool end);
/* Ends the owner's side. */
void nu_grpc_stream_end(struct nu_grpc_stream *stream);
/* About how many bytes were sent that are still here, waiting for the cluster. */
size_t nu_grpc_stream_unsent(struct nu_grpc_stream *stream);
/* For an owner that keeps a message: so many bytes of it stay counted against the budget, until they
 * are forgotten or the stream is destroyed. Within on_message. */
void nu_grpc_stream_keep(struct nu_grpc_stream *stream, size_t bytes);
void nu_grpc_stream_forget(struct nu_grpc_stream *stream, size_t bytes);
/* Clears the pointer; NULL inside is allowed. */
void nu_grpc_stream_destroy(struct nu_grpc_stream **stream);

#endif
