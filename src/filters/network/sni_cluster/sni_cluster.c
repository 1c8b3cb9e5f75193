/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sni_cluster takes the name that a TLS client asks for as the name of the cluster. The name is what
 * tls_inspector found: TLS itself stays between the client and the host. tcp_proxy finds the
 * cluster in the connection's filter state.
 */
#include "filters/network/sni_cluster/sni_cluster.h"

#include "http/filter_state.h"
#include "net/conn_record.h"

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct nu_stream_info *info = nu_server_conn_info(self->conn);
    const struct nu_str *name = &info->connection->requested_server_name;
    if (name->len == 0)
        return NU_NETWORK_CONTINUE;
    struct nu_filter_state_object object = {
        .name = NU_STR("envoy.tcp_proxy.cluster"),
        .object_class = &nu_filter_state_string,
        .object = name,
        .life = NU_FILTER_STATE_FILTER_CHAIN,
    };
    enum nu_result result = nu_stream_info_set_state(info, &object);
    (void)result; /* an earlier filter may have fixed the cluster */
    return NU_NETWORK_CONTINUE;
}

static const struct nu_network_filter_class sni_cluster_class = {
    .name = "envoy.filters.network.sni_cluster",
    .instance_size = sizeof(struct nu_network_filter),
    .open = open_filter,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    (void)factory;
    return message;
}

const struct nu_network_filter_factory nu_sni_cluster_factory = {
    .name = "envoy.filters.network.sni_cluster",
    .type = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster",
    .cls = &sni_cluster_class,
    .create = create,
};
