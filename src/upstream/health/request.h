/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of all HTTP checks have in common. */
#ifndef NU_UPSTREAM_HEALTH_REQUEST_H
#define NU_UPSTREAM_HEALTH_REQUEST_H

#include "upstream/health/link.h"

struct nu_header_edits;

/* Who sends the checks, as servers know it. */
#define NU_HEALTH_USER_AGENT "Envoy/HC"

/* Applies a configuration's edits to the request; they see the host as its upstream, and a client
 * at 127.0.0.1, and as in Envoy nothing of the request itself. */
void nu_health_request_edit(struct nu_health_exchange *exchange,
                            const struct nu_health_probe *probe,
                            const struct nu_header_edits *edits, enum nu_protocol protocol);

/* The scheme of what goes over the link. */
struct nu_str nu_health_request_scheme(const struct nu_health_link *link);

#endif
