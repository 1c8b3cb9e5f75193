/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command operators: "%REQ(:METHOD)% took %DURATION% ms". Access logs, header values, redirects and
 * local replies are written with Envoy's operators; this module compiles such a text, or a JSON
 * template, once while the configuration is loaded and formats it for a stream many times after.
 *
 * A formatter is immutable, lives in the arena that it was compiled into, and may be used by every
 * worker at once. Formatting allocates nothing but the output's own growth.
 *
 * The grammar is %NAME%, %NAME(ARGUMENTS)%, %NAME(ARGUMENTS):LENGTH%, and %% for a percent sign. An
 * operator that has nothing to say prints "-", or null in JSON where it stands alone in a string.
 */
#ifndef NU_FORMAT_FORMAT_H
#define NU_FORMAT_FORMAT_H

#include "base/arena.h"
#include "base/str.h"

struct nu_formatter;
struct nu_headers;
struct nu_stream_info;
struct nu_value;

/* The event that a log line reports, with Envoy's names and numbers. */
#define NU_ACCESS_LOG_TYPES(X) \
    X(NOT_SET, 0, "NotSet") \
    X(TCP_UPSTREAM_CONNECTED, 1, "TcpUpstreamConnected") \
    X(TCP_PERIODIC, 2, "TcpPeriodic") \
    X(TCP_CONNECTION_END, 3, "TcpConnectionEnd") \
    X(DOWNSTREAM_START, 4, "DownstreamStart") \
    X(DOWNSTREAM_PERIODIC, 5, "DownstreamPeriodic") \
    X(DOWNSTREAM_END, 6, "DownstreamEnd") \
    X(UPSTREAM_POOL_READY, 7, "UpstreamPoolReady") \
    X(UPSTREAM_PERIODIC, 8, "UpstreamPeriodic") \
    X(UPSTREAM_END, 9, "UpstreamEnd") \
    X(DOWNSTREAM_TUNNEL_ESTABLISHED, 10, "DownstreamTunnelSuccessfullyEstablished") \
    X(UDP_TUNNEL_UPSTREAM_CONNECTED, 11, "UdpTunnelUpstreamConnected") \
    X(UDP_PERIODIC, 12, "UdpPeriodic") \
    X(UDP_SESSION_END, 13, "UdpSessionEnd") \
    X(TCP_CONNECTION_START, 14, "TcpConnectionStart")

enum nu_access_log_type {
#define X(id, number, name) NU_LOG_TYPE_##id = number,
    NU_ACCESS_LOG_TYPES(X)
#undef X
        NU_LOG_TYPE_COUNT
};

/* What is formatted. Everything is borrowed for the call and may be NULL or empty, but `info`. */
struct nu_format_context {
    const struct nu_headers *request_headers;
    const struct nu_headers *response_headers;
    const struct nu_headers *response_trailers;
    const struct nu_stream_info *info;
    struct nu_str local_reply_body;
    enum nu_access_log_type log_type;
};

/* How a text is read. Zero-initialised: an access log. */
struct nu_format_options {
    bool omit_empty; /* an operator without a value prints nothing, in place of "-" */
    /* A header value: omit_empty, and the obsolete spellings %UPSTREAM_METADATA(["ns","key"])%,
     * %DYNAMIC_METADATA(["ns","key"])% and %PER_REQUEST_STATE(key)% are understood. */
    bool is_header;
    bool has_req_without_query; /* the extension with %REQ_WITHOUT_QUERY(...)% is configured */
};

/*
 * Compiles a text. Returns NULL, with Envoy's message for the first mistake appended to `error`, if
 * the text is wrong. `text` is copied. Main thread.
 */
const struct nu_formatter *nu_formatter_compile(struct nu_arena *arena, struct nu_str text,
                                                const struct nu_format_options *options,
                                                struct nu_strbuf *error);

/*
 * Compiles a JSON template, a struct value: strings in it are texts with operators, everything else
 * is output as it is. A string that is one operator takes the operator's type (a number, a struct,
 * null); one with more than that is always a string. Members come out sorted by name. The output is
 * one line with its newline.
 */
const struct nu_formatter *nu_formatter_compile_json(struct nu_arena *arena,
                                                     const struct nu_value *json,
                                                     const struct nu_format_options *options,
                                                     struct nu_strbuf *error);

/* Appends the formatted text to `out`. Any thread; the stream's own, if `context` belongs to
 * one. */
void nu_formatter_format(const struct nu_formatter *formatter,
                         const struct nu_format_context *context, struct nu_strbuf *out);

/* Whether the output is the same for every stream; then that output, without a call to format. */
bool nu_formatter_is_plain(const struct nu_formatter *formatter, struct nu_str *text);
/* Whether it came from a JSON template. */
bool nu_formatter_is_json(const struct nu_formatter *formatter);

/* What a formatter will look at that costs something to find out; whoever fills the stream info may
 * skip the rest. */
enum nu_format_needs {
    NU_FORMAT_NEEDS_LOCAL_ADDRESS = 1 << 0, /* the downstream socket's */
};

/* A set of enum nu_format_needs. */
unsigned nu_formatter_needs(const struct nu_formatter *formatter);

/* Envoy's default access log line, with its newline. */
struct nu_str nu_format_default_text(void);
/* "DownstreamEnd" and so on. */
struct nu_str nu_access_log_type_name(enum nu_access_log_type type);

#endif
