/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where connections to hosts come from: Envoy's BindConfig. Immutable once it is read; a cluster has
 * its own, or that of the cluster manager.
 */
#ifndef NU_UPSTREAM_BIND_H
#define NU_UPSTREAM_BIND_H

#include "base/address.h"
#include "config/factory.h"
#include "net/socket.h"

struct Envoy__Config__Core__V3__BindConfig;

/* Which of the sources a connection comes from says its version of IP. */
struct nu_bind_source {
    struct nu_address address; /* family NONE: the system chooses */
    const struct nu_socket_option *options;
    size_t option_count;
};

enum { NU_BIND_SOURCES_MAX = 2 };

struct nu_bind_config {
    struct nu_bind_source sources[NU_BIND_SOURCES_MAX];
    uint32_t count; /* at least 1 */
    bool freebind;
};

/* Reads it into factory->arena. `scope` begins the errors: "Cluster c", "Bootstrap". NULL for
 * none, or after an error. Main thread. */
const struct nu_bind_config *
nu_bind_from_proto(struct nu_factory *factory, const char *scope,
                   const struct Envoy__Config__Core__V3__BindConfig *proto);

/* Sets the options of a socket that is about to connect, and binds it; one of another kind than IP
 * is left alone. NULL when that is done, else the source that failed, with errno. Any thread. */
NU_MUST_USE const struct nu_bind_source *nu_bind_apply(const struct nu_bind_config *bind, int fd);

#endif
