/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP filter contract: the same for filters that are built in and for plug-ins.
 *
 * A filter is a class (static, constant), a configuration (immutable, shared by all threads) and one
 * instance for each stream. The instance is a struct that begins with `struct nu_filter`; nuncio takes
 * its memory, zeroed, from the stream's arena, and frees it with the stream.
 *
 *     request:   client -> filter 0 -> filter 1 -> ... -> router -> upstream     (decode)
 *     response:  client <- filter 0 <- filter 1 <- ... <- router <- upstream     (encode)
 *
 * Life of an instance: open, then any of decode_* and encode_* in the order in which the parts of the
 * message come (1xx, headers, data, trailers), then log, then close. `close` is always called, also
 * when the client goes away; everything that the instance started (timers, calls) must be given up
 * there. A member that is NULL means "continue" and costs nothing.
 *
 * Threads: everything about one stream happens on one worker thread. A callback must not block.
 *
 * Every function below takes the instance (`self`) that calls it. Where a function may end the
 * stream, it says so: the instance's memory then stays valid until the callback returns, but no
 * further call may be made on it except from `log` and `close`.
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
#define NUNCIO_FILTER_ABI 1u

struct nu_filter;
struct nu_filter_chain;

/* What a headers callback wants the chain to do next. */
enum nu_headers_status {
    NU_HEADERS_CONTINUE,
    /* Do not go on with the headers. Data still comes to this filter's data callback; the next filters
     * see the headers when it returns NU_DATA_CONTINUE or the filter calls continue. */
    NU_HEADERS_STOP,
    /* Stop everything, data included, and buffer it; over the buffer limit a request gets 413, a
     * response 500. */
    NU_HEADERS_STOP_ALL_AND_BUFFER,
    /* The same, but over the limit the sender is held back instead. */
    NU_HEADERS_STOP_ALL_AND_WATERMARK,
    /* Go on, but tell the next filters that more follows although the message ended here: the filter
     * will add a body or trailers. */
    NU_HEADERS_CONTINUE_AND_DONT_END,
};

/* What a data callback wants the chain to do next. */
enum nu_data_status {
    NU_DATA_CONTINUE,
    NU_DATA_STOP_AND_BUFFER,    /* keep the data; over the limit 413 or 500 */
    NU_DATA_STOP_AND_WATERMARK, /* keep the data; over the limit the sender is held back */
    NU_DATA_STOP_NO_BUFFER,     /* the filter took the data, or drops it */
};

enum nu_trailers_status {
    NU_TRAILERS_CONTINUE,
    NU_TRAILERS_STOP,
};

struct nu_filter_class {
    uint32_t abi;         /* NUNCIO_FILTER_ABI */
    const char *name;     /* canonical name, such as "nuncio.filters.http.token_gate" */
    size_t instance_size; /* of the struct that begins with struct nu_filter */
    bool is_terminal;     /* ends the chain: it answers or forwards every request (the router) */

    /* The stream exists; headers were not seen yet. */
    void (*open)(struct nu_filter *self);
    /* The last call. The stream's headers and values are still readable. */
    void (*close)(struct nu_filter *self);

    /*
     * `end`: nothing follows. `headers` may be changed. `data` may be changed, drained, added to; what
     * is in it when NU_DATA_CONTINUE is returned goes on.
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

    /* The client takes no more response bytes for now, or takes them again. Nested pairs happen. */
    void (*on_downstream_high)(struct nu_filter *self);
    void (*on_downstream_low)(struct nu_filter *self);
};

/* The base of every instance. Filters read these members and write none. */
struct nu_filter {
    const struct nu_filter_class *cls;
    const void *config;            /* the chain's configuration for this filter */
    const void *route_config;      /* the most specific per-route one, or NULL; resolved once */
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
        *headers; /* set on the response, over what is there; may be NULL */
    size_t header_count;
    int grpc_status; /* for gRPC requests; -1: derived from the status */
};

/*
 * Answers the request. The reply runs through the encode callbacks of all filters. Allowed while no
 * response headers were sent; afterwards it resets the stream. Ends the stream if the request is
 * complete: return a STOP status right after it.
 */
NUNCIO_API void nu_filter_reply(struct nu_filter *self, uint32_t status, struct nu_str body,
                                struct nu_str details);
NUNCIO_API void nu_filter_reply_with(struct nu_filter *self, const struct nu_reply *reply);
/* Ends the stream without an answer (the client sees a reset). */
NUNCIO_API void nu_filter_reset(struct nu_filter *self);

/* --- Going on --------------------------------------------------------------------------------- */

/* Resumes what this filter stopped: headers first, then what was buffered. Never from inside this
 * filter's own callback of the same direction (return CONTINUE there instead). */
NUNCIO_API void nu_filter_continue_decoding(struct nu_filter *self);
NUNCIO_API void nu_filter_continue_encoding(struct nu_filter *self);

/* --- Bodies ----------------------------------------------------------------------------------- */

/* What is buffered because this filter stopped, or NULL. It may be changed in place. */
NUNCIO_API struct nu_buf *nu_filter_decoding_buffer(struct nu_filter *self);
NUNCIO_API struct nu_buf *nu_filter_encoding_buffer(struct nu_filter *self);
/* Moves the bytes of `data` behind what is buffered (inside a callback: behind the present message
 * part), as if they had come from the sender; the next filters see them. */
NUNCIO_API void nu_filter_add_decoded_data(struct nu_filter *self, struct nu_buf *data);
NUNCIO_API void nu_filter_add_encoded_data(struct nu_filter *self, struct nu_buf *data);
/* Passes bytes to the next filter at once, past the buffer: for filters that returned
 * NU_DATA_STOP_NO_BUFFER and stream on their own. */
NUNCIO_API void nu_filter_inject_decoded_data(struct nu_filter *self, struct nu_buf *data,
                                              bool end);
NUNCIO_API void nu_filter_inject_encoded_data(struct nu_filter *self, struct nu_buf *data,
                                              bool end);
/* Adds trailers to a message that ends with the present data callback (end is true there). */
NUNCIO_API struct nu_headers *nu_filter_add_decoded_trailers(struct nu_filter *self);
NUNCIO_API struct nu_headers *nu_filter_add_encoded_trailers(struct nu_filter *self);
/* The limit of the buffers above, in bytes. */
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

/* The chosen route is looked up again before the router runs: call it after changing what routes
 * match on. */
NUNCIO_API void nu_filter_clear_route_cache(struct nu_filter *self);
/* The name of the route's cluster and of the route; empty without one. */
NUNCIO_API struct nu_str nu_filter_cluster_name(struct nu_filter *self);
NUNCIO_API struct nu_str nu_filter_route_name(struct nu_filter *self);
/*
 * Runs the request again from the start of the chain with the headers as they are now (an internal
 * redirect). Only while the whole request was received and no response was sent; returns false where
 * it is not possible. Ends this stream's filters.
 */
NUNCIO_API bool nu_filter_recreate_stream(struct nu_filter *self);
/* Asks the load balancer for this upstream ("1.2.3.4:80") if the cluster has it and it is usable. */
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
/* Filter state: named strings that live as long as the stream. */
NUNCIO_API void nu_filter_set_state(struct nu_filter *self, struct nu_str key, struct nu_str value);
NUNCIO_API struct nu_str nu_filter_state(struct nu_filter *self, struct nu_str key);

/* --- Timers and calls ------------------------------------------------------------------------- */

/* A timer, embedded in the instance; `private_` is nuncio's. */
struct nu_filter_timer {
    void (*on_timer)(struct nu_filter *self);
    struct nu_filter *self;
    void *private_[4];
};

/* Calls timer->on_timer(self) once after `delay_ms`; arming again moves it. */
NUNCIO_API void nu_filter_timer_arm(struct nu_filter *self, struct nu_filter_timer *timer,
                                    uint64_t delay_ms);
/* Harmless on a timer that is not armed. `close` must cancel what is armed. */
NUNCIO_API void nu_filter_timer_cancel(struct nu_filter_timer *timer);

/* How a call to a cluster ended. */
struct nu_call_result {
    bool ok; /* a response came; else it failed (no host, reset, timeout) */
    uint32_t status;
    const struct nu_headers *headers; /* valid during the callback */
    struct nu_buf *body;              /* valid during the callback */
    struct nu_str failure;            /* why, when not ok */
};

struct nu_filter_call; /* one call on its way */

struct nu_call_request {
    struct nu_str cluster;
    struct nu_str method;
    struct nu_str path;
    struct nu_str authority;
    const struct nu_reply_header *headers;
    size_t header_count;
    struct nu_str body; /* copied */
    uint32_t timeout_ms;
};

/*
 * Sends a request to a cluster and calls on_done(self, result) once, never from inside this function.
 * Returns a handle for cancel, or NULL if the cluster does not exist.
 */
NUNCIO_API struct nu_filter_call *
nu_filter_http_call(struct nu_filter *self, const struct nu_call_request *request,
                    void (*on_done)(struct nu_filter *self, const struct nu_call_result *result));
/* Gives a call up; on_done is not called. `close` must cancel what is on its way. */
NUNCIO_API void nu_filter_call_cancel(struct nu_filter_call *call);

/* A line in the application log, component "filter". Levels: 0 trace ... 5 critical. */
NUNCIO_API void nu_filter_log(struct nu_filter *self, int level, struct nu_str message);

/* --- Plug-ins --------------------------------------------------------------------------------- */

/*
 * What a plug-in library exports, under the symbol `nuncio_plugin`. The ABI number is read before
 * anything else of the library is used.
 */
struct nuncio_plugin {
    uint32_t abi; /* NUNCIO_FILTER_ABI */
    const struct nu_filter_class *filter;
    /*
     * Makes a configuration from the JSON text of the `config` member ("{}" if there is none). Main
     * thread. On failure returns false with a message in `error` (`error_size` bytes, NUL-terminated).
     * `*config` is then handed to every instance, on all threads, and freed with config_destroy after
     * the last one. Both may be NULL for a filter without a configuration.
     */
    bool (*config_create)(struct nu_str json, const void **config, char *error, size_t error_size);
    void (*config_destroy)(const void *config);
};

#ifdef __cplusplus
}
#endif

#endif
