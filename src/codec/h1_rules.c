/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a syntactically right HTTP/1 head acceptable: framing that can be read in one way
 * only, the request target, the Host header, what the Connection header may name. Statuses and
 * details are Envoy's.
 */
#include "codec/h1_second.h"
#include "http/authority.h"
#include "http/url.h"

#define REFUSE(msg, status, details) refuse(msg, status, NU_STR(details))

/* For what is wrong with a head that could be read. */
static int refuse(struct nu_h1_message *msg, uint32_t status, struct nu_str details)
{
    int code = nu_h1_message_fail(msg, status, details);
    msg->is_refused = true;
    return code;
}

static int fail_syntax(struct nu_h1_message *msg, uint32_t status)
{
    return nu_h1_message_fail(msg, status, NU_STR("http1.codec_error"));
}

/* Envoy's limits on what a Connection header may name. */
enum { MAX_NOMINATED = 10 };

static bool may_be_nominated(struct nu_str name)
{
    switch (nu_header_id_of(name)) {
    case NU_HEADER_HOST:
    case NU_HEADER_X_FORWARDED_FOR:
    case NU_HEADER_X_FORWARDED_HOST:
    case NU_HEADER_X_FORWARDED_PROTO:
        return false;
    default:
        return name.len == 0 || name.ptr[0] != ':';
    }
}

struct connection_tokens {
    bool close;
    bool keep_alive;
    bool is_rejected;
};

/* One name of a Connection header: an option of ours, or a header that ends here. A request that
 * asks for another protocol goes on with its Connection header, and with what that names. */
static bool apply_connection_token(struct nu_h1_message *msg, struct nu_str token,
                                   struct connection_tokens *tokens)
{
    char lower[64];
    struct nu_str name = token;
    if (nu_unlikely(token.len > sizeof(lower)))
        name = nu_arena_dup(msg->arena, token);
    else
        name.ptr = memcpy(lower, token.ptr, token.len);
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    if (!may_be_nominated(name))
        return false;
    if (nu_str_eq(name, NU_STR("close")))
        tokens->close = true;
    else if (nu_str_eq(name, NU_STR("keep-alive")))
        tokens->keep_alive = true;
    else if (!nu_str_eq(name, NU_STR("upgrade")) && !nu_str_eq(name, NU_STR("te")) &&
             msg->asks != NU_H1_ASKS_UPGRADE)
        nu_headers_remove(msg->headers, name);
    return true;
}

/* Reads the Connection headers and removes what they name (RFC 9110 7.6.1). */
static NU_NOINLINE struct connection_tokens read_connection(struct nu_h1_message *msg)
{
    static const struct connection_tokens rejected = {.is_rejected = true};
    struct connection_tokens tokens = {0};
    unsigned nominated = 0;
    for (uint32_t i = 0; i < msg->headers->used; i++) {
        struct nu_header *header = &msg->headers->entries[i];
        if (header->id != NU_HEADER_CONNECTION)
            continue;
        struct nu_str rest = header->value;
        while (rest.ptr) {
            struct nu_str token = nu_str_trim(nu_str_split(&rest, ','));
            if (token.len && ++nominated > MAX_NOMINATED)
                return rejected;
            if (token.len && !apply_connection_token(msg, token, &tokens))
                return rejected;
        }
    }
    return tokens;
}

static NU_NOINLINE bool has_token(struct nu_str list, struct nu_str token)
{
    while (list.ptr) {
        if (nu_str_eq_nocase(nu_str_trim(nu_str_split(&list, ',')), token))
            return true;
    }
    return false;
}

/* Envoy obeys the old name as well. */
static inline bool proxy_connection_closes(const struct nu_headers *headers)
{
    return nu_unlikely(nu_headers_has_id(headers, NU_HEADER_PROXY_CONNECTION)) &&
           has_token(nu_headers_get_id(headers, NU_HEADER_PROXY_CONNECTION), NU_STR("close"));
}

static void decide_keep_alive(struct nu_h1_message *msg, struct connection_tokens tokens)
{
    bool http11 = msg->http_minor >= 1;
    bool closes = tokens.close || proxy_connection_closes(msg->headers);
    msg->keep_alive = !closes && (http11 || tokens.keep_alive);
}

/* Content-Length beside Transfer-Encoding, codings but "chunked", repeated lengths. */
static int check_framing(struct nu_h1_message *msg)
{
    struct nu_headers *headers = msg->headers;
    size_t lengths = nu_headers_count_id(headers, NU_HEADER_CONTENT_LENGTH);
    msg->is_chunked = false;
    msg->has_length = false;
    msg->content_length = 0;
    if (nu_headers_has_id(headers, NU_HEADER_TRANSFER_ENCODING)) {
        if (lengths && !(msg->options->allow_chunked_length && msg->ends_chunked))
            return REFUSE(msg, 400, "http1.content_length_and_chunked_not_allowed");
        if (msg->has_wrong_coding)
            return REFUSE(msg, 501, "http1.invalid_transfer_encoding");
        if (msg->http_minor == 0)
            return fail_syntax(msg, 400);
        nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
        lengths = 0;
        msg->is_chunked = true;
        msg->chunks = (struct nu_h1_chunks){0};
    }
    if (lengths > 1)
        return fail_syntax(msg, 400);
    if (lengths) {
        if (!nu_headers_read_length(headers, &msg->content_length))
            return fail_syntax(msg, 400);
        msg->has_length = true;
    }
    if (nu_unlikely(msg->second != NULL) && !nu_h1_second_agrees(msg))
        return fail_syntax(msg, 400);
    return 0;
}

/* The methods that Envoy's parser knows; llhttp knows others. */
static bool is_known_method(struct nu_str method)
{
    static const char *const known[] = {
        "GET",     "POST",      "PUT",        "HEAD",       "DELETE",   "OPTIONS",     "PATCH",
        "CONNECT", "TRACE",     "ACL",        "BIND",       "CHECKOUT", "COPY",        "LINK",
        "LOCK",    "MERGE",     "MKACTIVITY", "MKCALENDAR", "MKCOL",    "MOVE",        "MSEARCH",
        "NOTIFY",  "PROPFIND",  "PROPPATCH",  "PURGE",      "REBIND",   "REPORT",      "SEARCH",
        "SOURCE",  "SUBSCRIBE", "UNBIND",     "UNLINK",     "UNLOCK",   "UNSUBSCRIBE",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(known); i++) {
        if (nu_str_eq(method, nu_str_from(known[i])))
            return true;
    }
    return false;
}

static struct nu_str method_of(const struct nu_h1_message *msg)
{
    return nu_str_make(msg->head, (size_t)(msg->url.ptr - msg->head) - 1);
}

/* Host becomes :authority, with the spelling of its name. */
static int take_host(struct nu_h1_message *msg, struct nu_str from_target)
{
    struct nu_headers *headers = msg->headers;
    struct nu_str host = nu_headers_get_id(headers, NU_HEADER_HOST);
    const char *original = NULL;
    if (host.ptr)
        original = nu_headers_find_id(headers, NU_HEADER_HOST)->original_name;
    nu_headers_remove_id(headers, NU_HEADER_HOST);
    if (from_target.ptr)
        host = from_target;
    if (!nu_authority_is_valid(host, true))
        return REFUSE(msg, 400, "http.invalid_authority");
    if (host.ptr)
        nu_headers_fill_first(headers, NU_PLACE_AUTHORITY, NU_HEADER_AUTHORITY, host);
    if (nu_unlikely(original))
        nu_headers_find_id(headers, NU_HEADER_AUTHORITY)->original_name = original;
    return 0;
}

static int fail_target(struct nu_h1_message *msg, enum nu_target_result result)
{
    switch (result) {
    case NU_TARGET_INVALID_CHARACTERS:
        return nu_h1_message_fail(msg, 400, NU_STR("http1.invalid_characters"));
    case NU_TARGET_INVALID_URL:
        return REFUSE(msg, 400, "http1.invalid_url");
    case NU_TARGET_INVALID_SCHEME:
        return REFUSE(msg, 400, "http1.invalid_scheme");
    case NU_TARGET_MALFORMED:
    case NU_TARGET_ORIGIN:
    case NU_TARGET_ABSOLUTE:
    case NU_TARGET_CONNECT:
        break;
    }
    return fail_syntax(msg, 400);
}

/* The forms of a request target (RFC 9112 3.2); a host in it goes before the Host header. */
static NU_NOINLINE int read_any_target(struct nu_h1_message *msg, struct nu_str method)
{
    struct nu_headers *headers = msg->headers;
    struct nu_url url = {0};
    enum nu_target_result result =
        nu_request_target_parse(method, msg->url, msg->options->allow_absolute_url, &url);
    switch (result) {
    case NU_TARGET_ORIGIN:
        nu_headers_fill_first(headers, NU_PLACE_PATH, NU_HEADER_PATH, url.path);
        return take_host(msg, nu_str_make(NULL, 0));
    case NU_TARGET_ABSOLUTE:
        if (url.scheme.len == 5 && msg->options->refuse_https_url)
            return REFUSE(msg, 403, "http1.https_url_on_plaintext_connection");
        nu_headers_fill_first(headers, NU_PLACE_SCHEME, NU_HEADER_SCHEME,
                              url.scheme.len == 5 ? NU_STR("https") : NU_STR("http"));
        nu_headers_fill_first(headers, NU_PLACE_PATH, NU_HEADER_PATH, url.path);
        return take_host(msg, url.authority);
    case NU_TARGET_CONNECT:
        return take_host(msg, msg->url);
    default:
        return fail_target(msg, result);
    }
}

static int read_target(struct nu_h1_message *msg, struct nu_str method)
{
    if (nu_unlikely(msg->second != NULL))
        return read_any_target(msg, method);
    /* A path of visible characters. */
    nu_headers_fill_first(msg->headers, NU_PLACE_PATH, NU_HEADER_PATH, msg->url);
    return take_host(msg, nu_str_make(NULL, 0));
}

/* What follows a CONNECT is no body of a request (RFC 9110 9.3.6). */
static int check_connect(struct nu_h1_message *msg)
{
    if (msg->is_chunked)
        return REFUSE(msg, 501, "http1.invalid_transfer_encoding");
    if (msg->content_length > 0)
        return REFUSE(msg, 400, "http1.body_disallowed");
    nu_headers_remove_id(msg->headers, NU_HEADER_CONTENT_LENGTH);
    msg->asks = NU_H1_ASKS_CONNECT;
    return 0;
}

bool nu_h1_names_upgrade(const struct nu_headers *headers)
{
    return nu_headers_has_id(headers, NU_HEADER_UPGRADE) &&
           has_token(nu_headers_get_id(headers, NU_HEADER_CONNECTION), NU_STR("upgrade"));
}

/*
 * A request with an Upgrade header. It asks for nothing where the Connection header does not say
 * so, in HTTP/1.0 (RFC 9110 7.8), and where it asks for HTTP/2, to which a client has better ways;
 * the header then ends here. A body in chunks would end before the tunnel begins, at a place that
 * nobody behind us sees.
 */
static int check_upgrade(struct nu_h1_message *msg)
{
    struct nu_headers *headers = msg->headers;
    struct nu_str protocol = nu_headers_get_id(headers, NU_HEADER_UPGRADE);
    if (nu_str_eq_nocase(protocol, NU_STR("h2c")))
        nu_headers_remove_id(headers, NU_HEADER_HTTP2_SETTINGS);
    else if (msg->http_minor >= 1 && nu_h1_names_upgrade(headers)) {
        msg->asks = NU_H1_ASKS_UPGRADE;
        return msg->is_chunked ? REFUSE(msg, 501, "http1.invalid_transfer_encoding") : 0;
    }
    nu_headers_remove_id(headers, NU_HEADER_UPGRADE);
    return 0;
}

int nu_h1_check_request(struct nu_h1_message *msg)
{
    struct nu_headers *headers = msg->headers;
    struct connection_tokens tokens = {0};
    struct nu_str method = method_of(msg);
    int code = check_framing(msg);
    if (code)
        return code;
    if (nu_unlikely(nu_headers_has_id(headers, NU_HEADER_UPGRADE)) &&
        (code = check_upgrade(msg)) != 0)
        return code;
    if (nu_unlikely(nu_str_eq(method, NU_STR("CONNECT"))) && (code = check_connect(msg)) != 0)
        return code;
    if (nu_headers_has_id(headers, NU_HEADER_CONNECTION))
        tokens = read_connection(msg);
    if (nu_unlikely(tokens.is_rejected))
        return REFUSE(msg, 400, "http1.connection_header_rejected");
    decide_keep_alive(msg, tokens);
    if (nu_unlikely(msg->second != NULL) && !is_known_method(method))
        return fail_syntax(msg, 400);
    nu_headers_fill_first(headers, NU_PLACE_METHOD, NU_HEADER_METHOD, method);
    code = read_target(msg, method);
    if (code)
        return code;
    msg->is_tunnel = msg->asks != NU_H1_ASKS_NOTHING;
    msg->has_body = msg->is_chunked || msg->content_length > 0 || msg->is_tunnel;
    return 0;
}

/* What a server's Connection headers name is left as it is, as Envoy leaves it. */
static NU_NOINLINE struct connection_tokens
read_response_connection(const struct nu_headers *headers)
{
    struct connection_tokens tokens = {0};
    nu_headers_for_each(header, headers)
    {
        if (header->id != NU_HEADER_CONNECTION)
            continue;
        tokens.close |= has_token(header->value, NU_STR("close"));
        tokens.keep_alive |= has_token(header->value, NU_STR("keep-alive"));
    }
    return tokens;
}

static void put_status(struct nu_h1_message *msg)
{
    enum { BEFORE_STATUS = sizeof("HTTP/1.1 ") - 1 };
    nu_headers_fill_status(msg->headers, nu_str_make(msg->head + BEFORE_STATUS, 3), msg->status);
}

/* The server grants what the request asked for: from here on its bytes are no message, whatever the
 * head says of one (RFC 9110 9.3.6, RFC 9112 6.3). */
static int check_granting(struct nu_h1_message *msg, uint32_t status)
{
    struct nu_headers *headers = msg->headers;
    if (status == 101 &&
        (!nu_h1_names_upgrade(headers) || nu_headers_has_id(headers, NU_HEADER_TRANSFER_ENCODING)))
        return fail_syntax(msg, 502);
    nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
    nu_headers_remove_id(headers, NU_HEADER_TRANSFER_ENCODING);
    put_status(msg);
    msg->is_tunnel = true;
    msg->has_body = true;
    msg->reads_to_eof = true;
    msg->keep_alive = true;
    return 0;
}

int nu_h1_check_response(struct nu_h1_message *msg)
{
    struct nu_headers *headers = msg->headers;
    struct connection_tokens tokens = {0};
    uint32_t status = msg->status;
    bool no_framing = status / 100 == 1 || status == 204;
    if (nu_unlikely(msg->asks != NU_H1_ASKS_NOTHING) && nu_h1_opens_tunnel(msg->asks, status))
        return check_granting(msg, status);
    if (status < 100 || status > 599 || status == 101)
        return fail_syntax(msg, 502);
    if (no_framing && nu_headers_has_id(headers, NU_HEADER_TRANSFER_ENCODING))
        return REFUSE(msg, 502, "http1.transfer_encoding_not_allowed");
    int code = check_framing(msg);
    if (code)
        return code;
    if (no_framing && msg->content_length > 0)
        return REFUSE(msg, 502, "http1.content_length_not_allowed");
    if (nu_unlikely(no_framing && msg->has_length))
        nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
    if (nu_headers_has_id(headers, NU_HEADER_CONNECTION))
        tokens = read_response_connection(headers);
    decide_keep_alive(msg, tokens);
    put_status(msg);
    bool no_length = !msg->is_chunked && !msg->has_length;
    bool no_body = nu_h1_is_bodiless(status) || msg->expects_no_body;
    msg->has_body = !no_body && (msg->is_chunked || no_length || msg->content_length > 0);
    msg->reads_to_eof = msg->has_body && no_length;
    return 0;
}
