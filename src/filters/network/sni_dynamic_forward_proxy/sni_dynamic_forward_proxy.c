/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter looks up the server that a TLS client names, as tls_inspector found it, and keeps the
 * connection until it is known; TLS itself stays between the client and the host. A name without an
 * address goes on, too: tcp_proxy then finds no host.
 */
#include "filters/network/sni_dynamic_forward_proxy/sni_dynamic_forward_proxy.h"

#include "http/filter_state.h"
#include "net/conn_record.h"
#include "upstream/cluster.h"
#include "upstream/dns_cache/dns_cache_from_proto.h"

#include "envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.pb-c.h"

typedef Envoy__Extensions__Filters__Network__SniDynamicForwardProxy__V3__FilterConfig config_proto;

struct config {
    struct nu_dns_cache *cache; /* borrowed: the cluster manager's */
    uint16_t port;
    struct nu_str port_text;
};

struct filter {
    struct nu_network_filter base;
    struct nu_dns_cache_wait wait;
    bool waits;
};

static struct filter *filter_of(struct nu_network_filter *self)
{
    return nu_container_of(self, struct filter, base);
}

static const struct config *config_of(const struct filter *filter)
{
    return filter->base.config;
}

static void end(struct filter *filter)
{
    nu_connection_close(&filter->base.conn->conn, NU_CLOSE_NOW);
}

static void on_result(struct nu_dns_cache_wait *wait, const struct nu_dns_result *result)
{
    struct filter *filter = nu_container_of(wait, struct filter, wait);
    filter->waits = false;
    nu_connection_release_read(&filter->base.conn->conn);
    if (result)
        nu_network_filter_continue(&filter->base);
    else
        end(filter);
}

/* The cluster looks for its host by this port, unless another filter has said which. */
static void tell_port(struct filter *filter, struct nu_stream_info *info)
{
    const struct nu_filter_state_object object = {
        .name = NU_STR("envoy.upstream.dynamic_port"),
        .object_class = &nu_filter_state_string,
        .object = &config_of(filter)->port_text,
        .life = NU_FILTER_STATE_FILTER_CHAIN,
    };
    if (nu_stream_info_find_state(info, object.name))
        return;
    enum nu_result result = nu_stream_info_set_state(info, &object);
    (void)result; /* it is new */
}

static enum nu_network_status look_up(struct filter *filter, const struct nu_dns_cache_name *name)
{
    struct nu_connection *conn = &filter->base.conn->conn;
    const struct nu_dns_result *result;
    filter->wait.on_result = on_result;
    switch (nu_dns_cache_find(conn->loop->clusters, config_of(filter)->cache, name, &filter->wait,
                              &result)) {
    case NU_DNS_CACHE_KNOWN:
        return NU_NETWORK_CONTINUE;
    case NU_DNS_CACHE_LOADING:
        filter->waits = true;
        nu_connection_hold_read(conn);
        return NU_NETWORK_STOP;
    case NU_DNS_CACHE_OVERFLOW:
        break;
    }
    end(filter);
    return NU_NETWORK_STOP;
}

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct filter *filter = filter_of(self);
    const struct config *config = config_of(filter);
    struct nu_stream_info *info = nu_server_conn_info(self->conn);
    struct nu_dns_cache_name name = {info->connection->requested_server_name, config->port};
    nu_forward_proxy_find_state(info, &name);
    if (name.host.len == 0)
        return NU_NETWORK_CONTINUE;
    if (!nu_dns_cache_allows(self->conn->conn.loop->clusters, config->cache)) {
        end(filter);
        return NU_NETWORK_STOP;
    }
    tell_port(filter, info);
    return look_up(filter, &name);
}

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    (void)end;
    return filter_of(self)->waits ? NU_NETWORK_STOP : NU_NETWORK_CONTINUE;
}

static void close_filter(struct nu_network_filter *self, enum nu_close_reason reason)
{
    (void)reason;
    nu_dns_cache_wait_cancel(&filter_of(self)->wait);
}

static const struct nu_network_filter_class sni_dynamic_forward_proxy_class = {
    .name = "envoy.filters.network.sni_dynamic_forward_proxy",
    .instance_size = sizeof(struct filter),
    .open = open_filter,
    .on_data = on_data,
    .close = close_filter,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    enum { DIGITS = 10 };
    const config_proto *proto = (const void *)message;
    struct config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    char *digits = nu_arena_alloc(factory->arena, DIGITS);
    config->cache = nu_dns_cache_from_proto(factory, proto, proto->dns_cache_config);
    config->port = (uint16_t)proto->port_value;
    config->port_text = nu_str_make(digits, nu_u64_to_chars(config->port, digits));
    return config->cache ? config : NULL;
}

const struct nu_network_filter_factory nu_sni_dynamic_forward_proxy_factory = {
    .name = "envoy.filters.network.sni_dynamic_forward_proxy",
    .type = "envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig",
    .cls = &sni_dynamic_forward_proxy_class,
    .create = create,
};
