/* SPDX-License-Identifier: Apache-2.0 */
/* The balancer of forward proxies; see upstream/discovery/forward_proxy.h. */
#ifndef NU_UPSTREAM_LB_BY_NAME_H
#define NU_UPSTREAM_LB_BY_NAME_H

#include "upstream/lb/lb.h"

/* Whether the set has a host of this name, in whatever state. */
bool nu_lb_by_name_has(struct nu_lb *lb, struct nu_str name);

#endif
