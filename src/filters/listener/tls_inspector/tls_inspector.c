/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_inspector tells TLS from plain bytes, and learns the server name and the protocols that a TLS
 * client asks for, without ending the TLS connection: filter chains can then be chosen by them.
 */
#include "filters/listener/tls_inspector/tls_inspector.h"

#include "stats/listener_filter_stats.h"
#include "stats/stats.h"
#include "tls/client_hello.h"

#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb-c.h"

typedef Envoy__Extensions__Filters__Listener__TlsInspector__V3__TlsInspector inspector_proto;

enum {
    MAX_HELLO = 16384,
    MAX_BYTES = 20480, /* the largest message with the heads of its records */
};

struct tls_inspector {
    bool close_on_error;
    struct nu_stat_set *stats;
};

static void note_names(struct nu_accepted *accepted, const struct nu_client_hello *hello,
                       struct nu_tls_inspector_stats *stats)
{
    accepted->transport_protocol = NU_STR("tls");
    accepted->server_name = hello->server_name;
    for (size_t i = 0; i < hello->server_name.len; i++) {
        char *p = nu_unconst(hello->server_name.ptr);
        p[i] = nu_ascii_lower(p[i]);
    }
    accepted->application_protocols = hello->protocols;
    accepted->application_protocol_count = hello->protocol_count;
    nu_counter_inc(&stats->tls_found);
    nu_counter_inc(hello->server_name.len ? &stats->sni_found : &stats->sni_not_found);
    nu_counter_inc(hello->protocol_count ? &stats->alpn_found : &stats->alpn_not_found);
}

static enum nu_listener_filter_status on_data(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken)
{
    const struct tls_inspector *inspector = config;
    struct nu_tls_inspector_stats *stats = nu_stat_set_block(inspector->stats);
    struct nu_client_hello hello;
    (void)taken;
    enum nu_client_hello_result result =
        nu_client_hello_read(bytes, MAX_HELLO, accepted->arena, &hello);
    if (result == NU_CLIENT_HELLO_PARTIAL && bytes.len < MAX_BYTES)
        return NU_LISTENER_FILTER_WAIT;
    nu_histogram_record(&stats->bytes_processed, bytes.len);
    switch (result) {
    case NU_CLIENT_HELLO_COMPLETE:
        note_names(accepted, &hello, stats);
        return NU_LISTENER_FILTER_CONTINUE;
    case NU_CLIENT_HELLO_PARTIAL:
    case NU_CLIENT_HELLO_TOO_LARGE:
        nu_counter_inc(&stats->client_hello_too_large);
        return NU_LISTENER_FILTER_CLOSE;
    case NU_CLIENT_HELLO_NOT_TLS:
    case NU_CLIENT_HELLO_MALFORMED:
        break;
    }
    if (inspector->close_on_error)
        return NU_LISTENER_FILTER_CLOSE;
    nu_counter_inc(&stats->tls_not_found);
    return NU_LISTENER_FILTER_CONTINUE;
}

static const struct nu_listener_filter_class tls_inspector_class = {
    .name = "envoy.filters.listener.tls_inspector",
    .max_bytes = MAX_BYTES,
    .on_data = on_data,
};

/* Without a message the defaults hold: that is how a listener adds one by itself. */
static void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const inspector_proto *proto = (const void *)message;
    struct tls_inspector *inspector = nu_arena_calloc(factory->arena, sizeof(*inspector));
    inspector->close_on_error = proto && proto->close_connection_on_client_hello_parsing_errors;
    inspector->stats =
        nu_stat_set_create(factory->stats, &nu_tls_inspector_stats_table, NU_STR("tls_inspector"));
    return inspector;
}

const struct nu_listener_filter_factory nu_tls_inspector_factory = {
    .name = "envoy.filters.listener.tls_inspector",
    .type = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    .cls = &tls_inspector_class,
    .create = create,
};
