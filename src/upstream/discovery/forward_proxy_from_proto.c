/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a forward proxy's cluster. Connections prove whom they lead to, unless it is said that
 * they need not. */
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/discovery/forward_proxy.h"
#include "upstream/dns_cache/dns_cache_from_proto.h"

#include "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Extensions__Clusters__DynamicForwardProxy__V3__ClusterConfig config_proto;

enum { PLAIN_PORT = 80, SECURE_PORT = 443 };

/* What its protocol options do not say of names, they do not say on purpose; but without any all
 * names are asked for and checked. */
static void read_names(struct nu_factory *factory, struct nu_cluster *cluster,
                       const cluster_proto *proto, const config_proto *config)
{
    struct nu_cluster_options *options = &cluster->options;
    if (proto->n_typed_extension_protocol_options == 0)
        options->auto_sni = options->auto_san = true;
    if (!(options->auto_sni && options->auto_san) && !config->allow_insecure_cluster_options)
        nu_config_error(factory->ctx, proto, "typed_extension_protocol_options",
                        "dynamic_forward_proxy cluster must have auto_sni and "
                        "auto_san_validation true unless allow_insecure_cluster_options is set");
    /* Without TLS there is nobody to ask, and connections need no names. */
    if (!nu_transport_socket_is_secure(&options->transport))
        options->auto_sni = options->auto_san = false;
}

void nu_forward_proxy_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                 const cluster_proto *proto, const ProtobufCMessage *message)
{
    const config_proto *config = (const config_proto *)message;
    struct nu_forward_proxy *proxy = nu_arena_calloc(factory->arena, sizeof(*proxy));
    read_names(factory, cluster, proto, config);
    proxy->cache = nu_dns_cache_from_proto(factory, config, config->dns_cache_config);
    proxy->default_port =
        nu_transport_socket_is_secure(&cluster->options.transport) ? SECURE_PORT : PLAIN_PORT;
    cluster->lb_class = &nu_lb_by_name;
    if (!proxy->cache)
        return;
    cluster->forward_proxy = proxy;
    cluster->discovery = nu_forward_proxy_create(cluster, factory->loop);
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
}
