/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_proxy_protocol tells the server whom a connection is for: a PROXY header is the first
 * that it hears, and then whatever another transport socket sends. Connections are for one client
 * each; where there is none (a request of our own), version 1 names our two ends and version 2 says
 * LOCAL.
 */
#include "net/upstream_proxy.h"

#include "base/alloc.h"
#include "http/proxy_data.h"
#include "net/proxy_data_from_proto.h"
#include "net/proxy_write.h"
#include "stats/cluster_stats.h"
#include "stats/stats.h"

#include "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.pb-c.h"

typedef Envoy__Extensions__TransportSockets__ProxyProtocol__V3__ProxyProtocolUpstreamTransport
    socket_proto;

struct upstream_proxy {
    struct nu_transport_socket inner;
    bool is_v2;
    struct nu_proxy_tlv_choice pass_through;
    const struct nu_proxy_tlv *added; /* each type once */
    size_t added_count;
    struct nu_stat_set *stats;
};

static bool has_type(const struct nu_proxy_tlv *tlvs, size_t count, uint8_t type)
{
    for (size_t i = 0; i < count; i++) {
        if (tlvs[i].type == type)
            return true;
    }
    return false;
}

/* Ours, then those of the client's header; the first of a type counts. */
static size_t collect_tlvs(const struct upstream_proxy *socket, const struct nu_proxy_data *client,
                           struct nu_proxy_tlv *out)
{
    size_t count = socket->added_count;
    for (size_t i = 0; i < count; i++)
        out[i] = socket->added[i];
    for (size_t i = 0; i < client->tlv_count; i++) {
        const struct nu_proxy_tlv *tlv = &client->tlvs[i];
        if (nu_proxy_tlv_is_chosen(&socket->pass_through, tlv->type) &&
            !has_type(out, count, tlv->type))
            out[count++] = *tlv;
    }
    return count;
}

static void write_v2(const struct upstream_proxy *socket, const struct nu_proxy_data *client,
                     struct nu_buf *out)
{
    if (!client) {
        bool ok = nu_proxy_write_v2(NULL, out);
        (void)ok; /* nothing that could be too long */
        return;
    }
    struct nu_proxy_data data = *client;
    struct nu_proxy_tlv *tlvs =
        nu_alloc((socket->added_count + client->tlv_count + 1) * sizeof(*tlvs));
    data.tlvs = tlvs;
    data.tlv_count = collect_tlvs(socket, client, tlvs);
    if (!nu_proxy_write_v2(&data, out)) {
        struct nu_upstream_proxy_stats *stats = nu_stat_set_block(socket->stats);
        nu_counter_inc(&stats->v2_tlvs_exceed_max_length);
    }
    nu_free(tlvs);
}

static void write_v1(const struct nu_connection *conn, const struct nu_transport_target *target,
                     struct nu_buf *out)
{
    if (target->client) {
        nu_proxy_write_v1(target->client, out);
        return;
    }
    const struct nu_proxy_data own = {
        .source = nu_connection_local_address(conn),
        .destination = *target->address,
    };
    nu_proxy_write_v1(&own, out);
}

static void put_on(struct nu_connection *conn, void *config,
                   const struct nu_transport_target *target)
{
    const struct upstream_proxy *socket = config;
    struct nu_buf header;
    nu_buf_init(&header);
    if (socket->inner.cls)
        socket->inner.cls->connect(conn, socket->inner.config, target);
    if (socket->is_v2)
        write_v2(socket, target->client, &header);
    else
        write_v1(conn, target, &header);
    nu_connection_send_first(conn, &header);
}

static const struct nu_transport_socket *inner_of(const void *config)
{
    return &((const struct upstream_proxy *)config)->inner;
}

/* --- Configuration ---------------------------------------------------------------------------- */

static void read_added(struct nu_factory *factory,
                       const Envoy__Config__Core__V3__ProxyProtocolConfig *proto,
                       struct upstream_proxy *socket)
{
    struct nu_proxy_tlv *added =
        nu_arena_calloc(factory->arena, proto->n_added_tlvs * sizeof(*added));
    for (size_t i = 0; i < proto->n_added_tlvs; i++) {
        const Envoy__Config__Core__V3__TlvEntry *entry = proto->added_tlvs[i];
        if (has_type(added, socket->added_count, (uint8_t)entry->type))
            continue;
        added[socket->added_count++] = (struct nu_proxy_tlv){
            .type = (uint8_t)entry->type,
            .value = nu_arena_dup(factory->arena,
                                  nu_str_make((const char *)entry->value.data, entry->value.len)),
        };
    }
    socket->added = added;
}

static void *create(struct nu_factory *factory, const ProtobufCMessage *config, struct nu_str scope)
{
    const socket_proto *proto = (const void *)config;
    struct upstream_proxy *socket = nu_arena_calloc(factory->arena, sizeof(*socket));
    const char *prefix =
        nu_arena_printf(factory->arena, "%.*s.upstream.proxyprotocol", NU_STR_ARG(scope));
    socket->stats =
        nu_stat_set_create(factory->stats, &nu_upstream_proxy_stats_table, nu_str_from(prefix));
    if (proto->config) {
        socket->is_v2 =
            proto->config->version == ENVOY__CONFIG__CORE__V3__PROXY_PROTOCOL_CONFIG__VERSION__V2;
        nu_proxy_tlv_choice_from_proto(proto->config->pass_through_tlvs, &socket->pass_through);
        read_added(factory, proto->config, socket);
    }
    if (!nu_transport_socket_from_proto(factory, proto->transport_socket, true, scope,
                                        &socket->inner))
        return NULL;
    return socket;
}

const struct nu_transport_socket_class nu_upstream_proxy_socket = {
    .name = "envoy.transport_sockets.upstream_proxy_protocol",
    .downstream_type = "",
    .upstream_type =
        "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
    .names_client = true,
    .create = create,
    .connect = put_on,
    .inner = inner_of,
};
