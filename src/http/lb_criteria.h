/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks of the metadata of its host, where the cluster has subsets: the fields of the
 * namespace "envoy.lb" in a route's metadata_match or in dynamic metadata, a struct value.
 */
#ifndef NU_HTTP_LB_CRITERIA_H
#define NU_HTTP_LB_CRITERIA_H

#include "http/metadata.h"

/* NULL without the namespace; NULL is allowed. */
const struct nu_value *nu_lb_criteria_of(const struct nu_metadata *metadata);
/* Both, where those of `over` go first; either may be NULL. Made in `arena` if there are both. */
const struct nu_value *nu_lb_criteria_merge(const struct nu_value *criteria,
                                            const struct nu_value *over, struct nu_arena *arena);

#endif
