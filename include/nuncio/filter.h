/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP filter contract: the same for filters that are built in and for plug-ins.
 *
 * A filter is a class (static, constant), a configuration (immutable, shared by all threads) and
 * one instance for each stream. The instance is a struct that begins with `struct nu_filter`;
 * nuncio takes its memory, zeroed, from the stream's arena, and frees it with the stream. A large
 * one may ask for less to be zeroed.
 *
 *     request:   client -> filter 0 -> filter 1 -> ... -> router -> upstream     (decode)
 *     response:  client <- filter 0 <- filter 1 <- ... <- router <- upstream     (encode)
 *
 * Life of an instance: open, then any of decode_* and encode_* in the order in which the parts of
 * the message come (1xx, headers, data, trailers), then log, then close. `close` is always called,
 * also when the client goes away; timers and calls that are still on their way are given up behind
 * it. A request that was answered before filters could see it (a malformed one) has open, log and
 * close alone. A member that is NULL means "continue" and costs nothing.
 *
 * Threads: everything about one stream happens on one worker thread. A callback must not block.
 *
 * Every function below takes the instance (`self`) that calls it. Some may end the stream, and say
 * so: log and close then run before they return. The instance's memory stays valid until the
 * callback that is running returns; what is asked of an ended stream is not done.
 */
#ifndef NUNCIO_FILTER_H
#define NUNCIO_FILTER_H

#include "nuncio/buf.h"
#include "nuncio/headers.h"
#include "nuncio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever a struct or the meaning of a function here changes. */
#define NUNCIO_FILTER_ABI 2u

struct nu_filter;
struct nu_filter_chain;

/* What a headers callback wants the chain to do next. */
enum nu_headers_status {
    NU_HEADERS_CONTINUE,
    /* Do not go on with the headers. Data still comes to this filter's data callback; the next
     * filters see the headers when it returns NU_DATA_CONTINUE or the filter calls continue. */
    NU_HEADERS_STOP,
    /* Stop everything, data included, and buffer it; over the buffer limit a request gets 413, a
     * response 500. */
    NU_HEADERS_STOP_ALL_AND_BUFFER,
    /* The same, but over the limit the sender is held back instead. */
    NU_HEADERS_STOP_ALL_AND_WATERMARK,
    /* Go on, but tell the next filters that more follows although the message ended here: the
     * filter will inject a body, the last piece with end = true. */
    NU_HEADERS_CONTINUE_AND_DONT_END,
};

/* What a data callback wants the chain to do next. */
enum nu_data_status {
    NU_DATA_CONTINUE, /* what this filter stopped before goes first: headers, then kept data */
    NU_DATA_STOP_AND_BUFFER,    /* keep the data; over the limit 413 or 500 */
    NU_DATA_STOP_AND_WATERMARK, /* keep the data; over the limit the sender is held back */
    NU_DATA_STOP_NO_BUFFER,     /* the filter took the data; what is left of it is dropped */
};

enum nu_trailers_status {
    NU_TRAILERS_CONTINUE, /* as NU_DATA_CONTINUE */
    NU_TRAILERS_STOP,
};

struct nu_plugin_config; /* nuncio/plugin.h */

struct nu_filter_class {
    uint32_t abi;         /* NUNCIO_FILTER_ABI */
    const char *name;     /* canonical name, such as "nuncio.filters.http.token_gate" */
    size_t instance_size; /* of the struct that begins with struct nu_filter */
    size_t zeroed_size;   /* so much of it, from its beginning, is zero at first; 0: all */
    bool is_terminal;     /* ends the chain: it answers or forwards every request (the router) */

    /*
     * Plug-ins only: makes the configuration that every instance is handed, from the `config`
     * member (nuncio/plugin.h). Main thread, while loading. NULL after nu_plugin_config_error. It
     * is shared by all threads and must not change. NULL for a filter without a configuration.
     * Freed with config_destroy, which may be NULL, when nothing uses it any more.
     */
    const void *(*config_create)(struct nu_plugin_config *config);
    void (*config_destroy)(const void *config);

    /*
     * State of a thread, for one configuration: `worker_size` zeroed bytes which every instance of
     * that thread finds in self->worker. worker_open is called on the thread before the first
     * instance is made, worker_close when the configuration goes away, on the main thread, when no
     * thread runs the filter any more. 0 and NULL for none.
     */
    size_t worker_size;
    void (*worker_open)(void *worker, const void *config);
    void (*worker_close)(void *worker, const void *config);

    /* The stream exists; headers were not seen yet. It cannot be answered or reset from here. */
    void (*open)(struct nu_filter *self);
    /* The last call. The stream's headers and values are still readable. */
    void (*close)(struct nu_filter *self);

    /*
     * `end`: nothing follows, and it is told once. `headers` may be changed. `data` may be changed,
     * drained, added to; what is in it when NU_DATA_CONTINUE is returned goes on. It may be empty.
     */
    enum nu_headers_status (*decode_headers)(struct nu_filter *self, struct nu_headers *headers,
                                             bool end);
    enum nu_data_status (*decode_data)(struct nu_filter *self, struct nu_buf *data, bool end);
    enum nu_trailers_status (*decode_trailers)(struct nu_filter *self, struct nu_headers *trailers);

    /* An interim response (1xx) on its way to the client; it cannot be stopped. */
    void (*encode_1xx)(struct nu_filter *self, struct nu_headers *headers);
    enum nu_headers_status (*encode_headers)(struct nu_filter *self, struct nu_headers *headers,
                                             bool end);
    enum nu_data_status (*encode_data)(struct nu_filter *self, struct nu_buf *data, bool end);
    enum nu_trailers_status (*encode_trailers)(struct nu_filter *self, struct nu_headers *trailers);

    /* The stream is over and its outcome final; the access log is written after this. */
    void (*log)(struct nu_filter *self);

    /* The client takes no more response bytes for now, or takes them again, in turn. */
    void (*on_downstream_high)(struct nu_filter *self);
    void (*on_downstream_low)(struct nu_filter *self);
};

/* The base of every instance. Filters read these members and write none. */
struct nu_filter {
    const struct nu_filter_class *cls;
    const void *config; /* the chain's configuration for this filter */
    /* The most specific per-route configuration, or NULL. Resolved once, and again when the route
     * changes (nu_filter_clear_route_cache). */
    const void *route_config;
    void *worker;                  /* this thread's state, see worker_size; NULL for none */
    struct nu_filter_chain *chain; /* private */
    uint8_t index;                 /* private: place in the chain */
    uint8_t state[2];              /* private: decode, encode */
};

/* --- Answering -------------------------------------------------------------------------------- */

struct nu_reply_header {
    struct nu_str name;
    struct nu_str value;
};

/* A local reply: the response that nuncio itself makes. Everything is copied where it must live. */
struct nu_reply {
    uint32_t status;
    struct nu_str body; /* text/plain unless a header says otherwise; may be empty */
    struct nu_str
        details; /* response code details, such as "token_gate_denied": one word, a constant */
    const struct nu_reply_header
        *headers; /* set on the response, over what is there, each name as often as it stands here;
                     may be NULL */
    size_t header_count;
    int grpc_status; /* for gRPC requests; -1: derived from the status */
};

/*
 * Answers the request, which then goes no further. The reply runs through the encode callbacks of
 * all filters, this one's too; but a response that they have begun to see is replaced behind them,
 * and once its headers were sent to the client the stream is reset. May end the stream: return a
 * STOP status right after it.
 */
NUNCIO_API void nu_filter_reply(struct nu_filter *self, uint32_t status, struct nu_str body,
                                struct nu_str details);
NUNCIO_API void nu_filter_reply_with(struct nu_filter *self, const struct nu_reply *reply);
/* Ends the stream without an answer (the client sees a reset). */
NUNCIO_API void nu_filter_reset(struct nu_filter *self);

/* --- Going on --------------------------------------------------------------------------------- */

/* Resumes what this filter stopped: headers first, then the data it kept, then trailers. A filter
 * that stopped everything now sees the data and trailers itself. Never from inside this filter's
 * own callback of the same direction (return CONTINUE there instead). May end the stream. */
NUNCIO_API void nu_filter_continue_decoding(struct nu_filter *self);
NUNCIO_API void nu_filter_continue_encoding(struct nu_filter *self);

/* --- Bodies ----------------------------------------------------------------------------------- */

/* What is kept because this filter stopped, or NULL. It may be changed in place. Of a message that
 * goes no further it is there until the filter is closed. */
NUNCIO_API struct nu_buf *nu_filter_decoding_buffer(struct nu_filter *self);
NUNCIO_API struct nu_buf *nu_filter_encoding_buffer(struct nu_filter *self);
/*
 * Moves the bytes of `data` behind what this filter passes on or keeps, as if they had come from
 * the sender; the next filters see them. In its headers callback: as (more of) the body, behind the
 * headers. In its data callback: behind the data of the callback. In its trailers callback: before
 * the trailers. Outside, while it has stopped: behind what is kept.
 */
NUNCIO_API void nu_filter_add_decoded_data(struct nu_filter *self, struct nu_buf *data);
NUNCIO_API void nu_filter_add_encoded_data(struct nu_filter *self, struct nu_buf *data);
/* Passes bytes to the next filter at once, past what is kept, the headers before them: for filters
 * that returned NU_DATA_STOP_NO_BUFFER, or stopped headers, and stream on their own. Takes all of
 * `data`. After `end` nothing passes any more. May end the stream. */
NUNCIO_API void nu_filter_inject_decoded_data(struct nu_filter *self, struct nu_buf *data,
                                              bool end);
NUNCIO_API void nu_filter_inject_encoded_data(struct nu_filter *self, struct nu_buf *data,
                                              bool end);
/* Adds trailers to a message that ends with the present data callback of this filter (`end` is true
 * there); the next filters see them. NULL anywhere else. */
NUNCIO_API struct nu_headers *nu_filter_add_decoded_trailers(struct nu_filter *self);
NUNCIO_API struct nu_headers *nu_filter_add_encoded_trailers(struct nu_filter *self);
/* A new, empty buffer for bytes that the filter makes or keeps; freed with the stream. */
NUNCIO_API struct nu_buf *nu_filter_buffer(struct nu_filter *self);
/*
 * Holds the sender back, or lets it go: for filters that keep data themselves. Calls nest, and what
 * is held at the end of the stream is let go.
 */
NUNCIO_API void nu_filter_hold_request(struct nu_filter *self);
NUNCIO_API void nu_filter_release_request(struct nu_filter *self);
NUNCIO_API void nu_filter_hold_response(struct nu_filter *self);
NUNCIO_API void nu_filter_release_response(struct nu_filter *self);
/* How much may be kept of a message by all filters together, in bytes; 0: no limit. */
NUNCIO_API uint32_t nu_filter_decoder_buffer_limit(const struct nu_filter *self);
NUNCIO_API void nu_filter_set_decoder_buffer_limit(struct nu_filter *self, uint32_t bytes);
NUNCIO_API uint32_t nu_filter_encoder_buffer_limit(const struct nu_filter *self);
NUNCIO_API void nu_filter_set_encoder_buffer_limit(struct nu_filter *self, uint32_t bytes);

/* --- The stream ------------------------------------------------------------------------------- */

/* The header maps of the stream; NULL while a part has not come. */
NUNCIO_API struct nu_headers *nu_filter_request_headers(struct nu_filter *self);
NUNCIO_API struct nu_headers *nu_filter_request_trailers(struct nu_filter *self);
NUNCIO_API struct nu_headers *nu_filter_response_headers(struct nu_filter *self);
NUNCIO_API struct nu_headers *nu_filter_response_trailers(struct nu_filter *self);

/* Memory that lives as long as the stream; never NULL, not zeroed. */
NUNCIO_API void *nu_filter_alloc(struct nu_filter *self, size_t size);
/* A copy in such memory. */
NUNCIO_API struct nu_str nu_filter_copy(struct nu_filter *self, struct nu_str s);

/* Looks the route up again: call it after changing what routes match on. The filters' route_config
 * follows; which filters run does not change. */
NUNCIO_API void nu_filter_clear_route_cache(struct nu_filter *self);
/* The name of the route's cluster and of the route; empty without one. */
NUNCIO_API struct nu_str nu_filter_cluster_name(struct nu_filter *self);
NUNCIO_API struct nu_str nu_filter_route_name(struct nu_filter *self);
/*
 * Runs the request again from the start of the chain, with its headers as they are now and the body
 * that is kept, as if it had just come: an internal redirect. It works while the whole request was
 * received, nothing of its body has gone past the filters, no response was begun, and at most ten
 * times; else false, and nothing has happened. After true the stream's filters are at their end:
 * log and close follow soon, then new instances see the request. Metadata and filter state go with
 * the old ones.
 */
NUNCIO_API bool nu_filter_recreate_stream(struct nu_filter *self);
/* Asks the load balancer for this upstream ("1.2.3.4:80") if the cluster has it and it
 * is usable. */
NUNCIO_API void nu_filter_set_upstream_override_host(struct nu_filter *self, struct nu_str host);

/* The client's address as "1.2.3.4:80" (trusted, after x-forwarded-for rules), in stream memory. */
NUNCIO_API struct nu_str nu_filter_remote_address(struct nu_filter *self);
/* "HTTP/1.1" and so on. */
NUNCIO_API struct nu_str nu_filter_protocol(struct nu_filter *self);
/* The response's status, 0 before there is one, and its details. */
NUNCIO_API uint32_t nu_filter_response_code(struct nu_filter *self);
NUNCIO_API struct nu_str nu_filter_response_code_details(struct nu_filter *self);

/* Dynamic metadata: values under a namespace (a filter's name), for later filters and logs. */
NUNCIO_API void nu_filter_set_metadata_string(struct nu_filter *self, struct nu_str ns,
                                              struct nu_str key, struct nu_str value);
NUNCIO_API void nu_filter_set_metadata_number(struct nu_filter *self, struct nu_str ns,
                                              struct nu_str key, double value);
NUNCIO_API void nu_filter_set_metadata_bool(struct nu_filter *self, struct nu_str ns,
                                            struct nu_str key, bool value);
/* A string value; ptr is NULL if there is none or it is no string. */
NUNCIO_API struct nu_str nu_filter_metadata_string(struct nu_filter *self, struct nu_str ns,
                                                   struct nu_str key);
/* Filter state: named strings that live as long as the stream. A route's hash policy may go by
 * one. */
NUNCIO_API void nu_filter_set_state(struct nu_filter *self, struct nu_str key, struct nu_str value);
NUNCIO_API struct nu_str nu_filter_state(struct nu_filter *self, struct nu_str key);

/* --- Timers and calls ------------------------------------------------------------------------- */

/* A timer, embedded in the instance (zeroed memory). The filter sets on_timer, the rest is
 * nuncio's. */
struct nu_filter_timer {
    void (*on_timer)(struct nu_filter *self);
    struct nu_filter *self;
    void *private_[6];
};

/* Calls timer->on_timer(self) once after `delay_ms`; arming again moves it. Not from log
 * or close. */
NUNCIO_API void nu_filter_timer_arm(struct nu_filter *self, struct nu_filter_timer *timer,
                                    uint64_t delay_ms);
/* Harmless on a timer that is not armed. What is armed at the end of the stream is cancelled. */
NUNCIO_API void nu_filter_timer_cancel(struct nu_filter_timer *timer);

/* How a call to a cluster ended. Everything in it is valid during the callback. */
struct nu_call_result {
    bool ok;         /* a whole response came, whatever its status */
    uint32_t status; /* of the response; when not ok, what a client would have got: 503, 504, 500 */
    const struct nu_headers *headers; /* NULL when not ok */
    struct nu_buf *body;              /* may be empty, never NULL */
    struct nu_str failure;            /* why, when not ok: one word */
};

struct nu_filter_call; /* one call on its way */

struct nu_call_request {
    struct nu_str cluster;
    struct nu_str method;    /* empty: GET */
    struct nu_str path;      /* empty: / */
    struct nu_str authority; /* empty: the cluster's name */
    const struct nu_reply_header *headers;
    size_t header_count;
    struct nu_str body;          /* may be empty; gets a content-length unless `headers` has one */
    uint32_t timeout_ms;         /* for the whole call; 0: none */
    uint32_t max_response_bytes; /* a larger body fails the call; 0: 1 MiB */
};

/*
 * Sends a request (everything is copied) to a cluster and calls on_done(self, result) once, never
 * from inside this function. Returns a handle for cancel, valid until on_done is called; or NULL,
 * and on_done is not called, if the cluster does not exist. Not from log or close.
 */
NUNCIO_API struct nu_filter_call *
nu_filter_http_call(struct nu_filter *self, const struct nu_call_request *request,
                    void (*on_done)(struct nu_filter *self, const struct nu_call_result *result));
/* Gives a call up; on_done is not called. Not needed in close: what is on its way at the end of the
 * stream is given up. */
NUNCIO_API void nu_filter_call_cancel(struct nu_filter_call *call);

/* A line in the application log, component "filter". Levels: 0 trace ... 5 critical. */
NUNCIO_API void nu_filter_log(struct nu_filter *self, int level, struct nu_str message);

#ifdef __cplusplus
}
#endif

#endif
