/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks by a connection: that it opens, or what comes back on it. */
#ifndef NU_UPSTREAM_HEALTH_TCP_PROBE_H
#define NU_UPSTREAM_HEALTH_TCP_PROBE_H

#include "net/proxy_header.h"
#include "upstream/health/payload.h"
#include "upstream/health/probe.h"

/* Settings; immutable, from the configuration. */
struct nu_health_tcp {
    struct nu_str send;
    struct nu_health_payload receive; /* without pieces it is enough to connect */
    enum nu_proxy_version proxy_version;
};

/* `settings` is a struct nu_health_tcp. */
extern const struct nu_health_probe_class nu_health_tcp_probe;

#endif
