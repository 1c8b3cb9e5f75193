/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choices ahead: whoever opens connections before requests need them asks where the next requests
 * will go. Such a choice is made at once and kept, and a later request gets it, so what was
 * foreseen comes true; a new host set forgets all of them. The balancer's worker.
 */
#ifndef NU_UPSTREAM_LB_FORESIGHT_H
#define NU_UPSTREAM_LB_FORESIGHT_H

#include "base/arena.h"
#include "upstream/lb/lb.h"

/* The class whose balancers are those of `cls`, and know choices ahead; `cls` itself where these
 * cannot be made. In the arena. */
const struct nu_lb_class *nu_lb_foresee_class(const struct nu_lb_class *cls,
                                              struct nu_arena *arena);
/* The index of the host of one more choice to come, or NU_LB_NONE: none can be made, or as many are
 * known as there are healthy hosts (Envoy's bound). */
int32_t nu_lb_foresee(struct nu_lb *lb, const struct nu_lb_context *context);

#endif
