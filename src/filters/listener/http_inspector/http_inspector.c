/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_inspector tells HTTP/1.0, HTTP/1.1 and HTTP/2 with prior knowledge from other plain bytes,
 * by the request line or the client's preface, so that filter chains can be chosen by protocol.
 */
#include "filters/listener/http_inspector/http_inspector.h"

#include "stats/listener_filter_stats.h"
#include "stats/stats.h"

enum { MAX_BYTES = 8192 };

static const struct nu_str http2_preface = NU_STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

struct http_inspector {
    struct nu_stat_set *stats;
};

enum finding {
    UNDECIDED,
    HTTP_10,
    HTTP_11,
    HTTP_2,
    NO_HTTP,
};

static bool begins_alike(struct nu_str a, struct nu_str b)
{
    size_t n = nu_min_size(a.len, b.len);
    return nu_str_eq(nu_str_first(a, n), nu_str_first(b, n));
}

/* Those that Envoy's parser takes. */
static const struct nu_str methods[] = {
    NU_STR_INIT("ACL"),         NU_STR_INIT("BIND"),      NU_STR_INIT("CHECKOUT"),
    NU_STR_INIT("CONNECT"),     NU_STR_INIT("COPY"),      NU_STR_INIT("DELETE"),
    NU_STR_INIT("GET"),         NU_STR_INIT("HEAD"),      NU_STR_INIT("LINK"),
    NU_STR_INIT("LOCK"),        NU_STR_INIT("MERGE"),     NU_STR_INIT("MKACTIVITY"),
    NU_STR_INIT("MKCALENDAR"),  NU_STR_INIT("MKCOL"),     NU_STR_INIT("MOVE"),
    NU_STR_INIT("M-SEARCH"),    NU_STR_INIT("NOTIFY"),    NU_STR_INIT("OPTIONS"),
    NU_STR_INIT("PATCH"),       NU_STR_INIT("POST"),      NU_STR_INIT("PROPFIND"),
    NU_STR_INIT("PROPPATCH"),   NU_STR_INIT("PURGE"),     NU_STR_INIT("PUT"),
    NU_STR_INIT("REBIND"),      NU_STR_INIT("REPORT"),    NU_STR_INIT("SEARCH"),
    NU_STR_INIT("SOURCE"),      NU_STR_INIT("SUBSCRIBE"), NU_STR_INIT("TRACE"),
    NU_STR_INIT("UNBIND"),      NU_STR_INIT("UNLINK"),    NU_STR_INIT("UNLOCK"),
    NU_STR_INIT("UNSUBSCRIBE"),
};

/* Whether the bytes so far can be a method: what comes before the first blank, or will come. */
static bool can_be_method(struct nu_str bytes)
{
    size_t len = nu_str_find_char(bytes, ' ');
    bool complete = len != NU_NPOS;
    struct nu_str text = complete ? nu_str_first(bytes, len) : bytes;
    for (size_t i = 0; i < NU_ARRAY_LEN(methods); i++) {
        if (complete ? nu_str_eq(methods[i], text) : nu_str_starts_with(methods[i], text))
            return true;
    }
    return false;
}

static struct nu_str skip_blanks(struct nu_str text)
{
    while (text.len && text.ptr[0] == ' ')
        text = nu_str_skip(text, 1);
    return text;
}

/* "GET / HTTP/1.1", without its end. A line without a version is one of HTTP/0.9, and every version
 * but 1.1 counts as 1.0, as in Envoy. */
static enum finding judge_line(struct nu_str line)
{
    struct nu_str rest = line;
    nu_str_split(&rest, ' '); /* the method */
    rest = skip_blanks(rest);
    struct nu_str target = nu_str_split(&rest, ' ');
    if (target.len == 0)
        return NO_HTTP;
    if (!rest.ptr)
        return HTTP_10;
    rest = skip_blanks(rest);
    bool has_version =
        rest.len == sizeof("HTTP/1.1") - 1 && nu_str_starts_with(rest, NU_STR("HTTP/")) &&
        nu_ascii_is_digit(rest.ptr[5]) && rest.ptr[6] == '.' && nu_ascii_is_digit(rest.ptr[7]);
    if (!has_version)
        return NO_HTTP;
    return nu_str_eq(rest, NU_STR("HTTP/1.1")) ? HTTP_11 : HTTP_10;
}

static enum finding look(struct nu_str bytes)
{
    if (begins_alike(bytes, http2_preface))
        return bytes.len >= http2_preface.len ? HTTP_2 : UNDECIDED;
    if (!can_be_method(bytes))
        return NO_HTTP;
    size_t end = nu_str_find_char(bytes, '\n');
    if (end == NU_NPOS)
        return bytes.len < MAX_BYTES ? UNDECIDED : NO_HTTP;
    struct nu_str line = nu_str_first(bytes, end);
    if (nu_str_ends_with(line, NU_STR("\r")))
        line.len--;
    return judge_line(line);
}

static void note_protocol(struct nu_accepted *accepted, struct nu_str name)
{
    accepted->application_protocols = nu_arena_alloc(accepted->arena, sizeof(struct nu_str));
    accepted->application_protocols[0] = name;
    accepted->application_protocol_count = 1;
}

static enum nu_listener_filter_status on_data(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken)
{
    const struct http_inspector *inspector = config;
    struct nu_http_inspector_stats *stats = nu_stat_set_block(inspector->stats);
    (void)taken;
    /* What is TLS is not ours. */
    if (nu_str_eq(accepted->transport_protocol, NU_STR("tls")))
        return NU_LISTENER_FILTER_CONTINUE;
    switch (look(bytes)) {
    case UNDECIDED:
        return NU_LISTENER_FILTER_WAIT;
    case HTTP_10:
        nu_counter_inc(&stats->http10_found);
        note_protocol(accepted, NU_STR("http/1.0"));
        break;
    case HTTP_11:
        nu_counter_inc(&stats->http11_found);
        note_protocol(accepted, NU_STR("http/1.1"));
        break;
    case HTTP_2:
        nu_counter_inc(&stats->http2_found);
        note_protocol(accepted, NU_STR("h2c"));
        break;
    case NO_HTTP:
        nu_counter_inc(&stats->http_not_found);
        break;
    }
    return NU_LISTENER_FILTER_CONTINUE;
}

static const struct nu_listener_filter_class http_inspector_class = {
    .name = "envoy.filters.listener.http_inspector",
    .max_bytes = MAX_BYTES,
    .on_data = on_data,
};

static void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    (void)message; /* it has no settings */
    struct http_inspector *inspector = nu_arena_calloc(factory->arena, sizeof(*inspector));
    inspector->stats = nu_stat_set_create(factory->stats, &nu_http_inspector_stats_table,
                                          NU_STR("http_inspector"));
    return inspector;
}

const struct nu_listener_filter_factory nu_http_inspector_factory = {
    .name = "envoy.filters.listener.http_inspector",
    .type = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
    .cls = &http_inspector_class,
    .create = create,
};
