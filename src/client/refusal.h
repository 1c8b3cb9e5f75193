/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a cluster takes a request at all, before a host is looked for. */
#ifndef NU_CLIENT_REFUSAL_H
#define NU_CLIENT_REFUSAL_H

#include "upstream/cluster_manager.h"

enum nu_refusal {
    NU_NOT_REFUSED,
    NU_REFUSED_IN_MAINTENANCE, /* the runtime key upstream.maintenance_mode.CLUSTER; counted */
    NU_REFUSED_SOME,           /* drop_overloads: this one of several */
    NU_REFUSED_ALL,            /* drop_overloads: each */
};

/* Asked once for each request, since it may go by a random number. `arena`: for the key. */
enum nu_refusal nu_refusal_of(struct nu_cluster_local *cluster, struct nu_arena *arena);

#endif
