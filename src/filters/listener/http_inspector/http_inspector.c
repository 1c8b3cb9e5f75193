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

/* Whether the bytes so far can be a method: what comes before the first blank, in capitals. */
static bool can_be_method(struct nu_str bytes)
{
    enum { LONGEST_METHOD = 24 };
    size_t len = nu_str_find_char(bytes, ' ');
    if (len == NU_NPOS)
        len = bytes.len;
    if (len > LONGEST_METHOD)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = bytes.ptr[i];
        if (!(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return len > 0 || bytes.len == 0;
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
    struct nu_str line = nu_str_trim(nu_str_first(bytes, end));
    if (nu_str_ends_with(line, NU_STR("\r")))
        line.len--;
    if (nu_str_ends_with(line, NU_STR(" HTTP/1.1")))
        return HTTP_11;
    return nu_str_ends_with(line, NU_STR(" HTTP/1.0")) ? HTTP_10 : NO_HTTP;
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
