/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of building subsets. Main thread. */
#ifndef NU_UPSTREAM_SUBSET_INTERNAL_H
#define NU_UPSTREAM_SUBSET_INTERNAL_H

#include "upstream/hosts/subset.h"

/* Takes down which subsets there are now; returns the totals with them. */
struct nu_subset_totals nu_subset_registry_note(struct nu_subset_registry *registry,
                                                const struct nu_subset *subsets, uint32_t count);

/* What was assigned, as it holds for the hosts of `part`: one reference; NULL: nothing but hosts. */
struct nu_assignment *nu_subset_assignment(const struct nu_subset_settings *settings,
                                           const struct nu_host_set *whole,
                                           const struct nu_host_set *part);

#endif
