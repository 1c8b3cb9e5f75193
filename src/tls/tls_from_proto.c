/* SPDX-License-Identifier: Apache-2.0 */
/* The class of TLS transport sockets: each has a source of settings, and its connections the
 * context that the source fills. */
#include "tls/tls_from_proto.h"

#include "tls/source.h"
#include "tls/transport.h"

static void destroy_source(void *obj)
{
    struct nu_tls_source *source = obj;
    nu_tls_source_destroy(&source);
}

static void *create(struct nu_factory *factory, const ProtobufCMessage *message,
                    struct nu_str scope)
{
    struct nu_tls_source *source = nu_tls_source_create(factory, message, scope);
    if (!source)
        return NULL;
    nu_arena_on_free(factory->arena, destroy_source, source);
    return nu_tls_source_context(source);
}

static void accept_tls(struct nu_connection *conn, void *config)
{
    nu_tls_accept(conn, config);
}

static void connect_tls(struct nu_connection *conn, void *config,
                        const struct nu_transport_target *target)
{
    nu_tls_connect(conn, config, target);
}

const struct nu_transport_socket_class nu_tls_socket = {
    .name = "envoy.transport_sockets.tls",
    .downstream_type = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    .upstream_type = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    .agrees_on_protocol = true,
    .is_secure = true,
    .create = create,
    .accept = accept_tls,
    .connect = connect_tls,
};
