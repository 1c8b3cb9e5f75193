/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing a list of hosts up to date with what discovery says now. A host whose address is still
 * named stays the same object, with its connections, figures and health: its weight, metadata,
 * priority and the control plane's word on its health are changed in place. One that is not named
 * any more goes, unless it is checked and passes: then it stays, marked PENDING_DYNAMIC_REMOVAL,
 * until it fails. The rules are Envoy's. Main thread.
 */
#ifndef NU_UPSTREAM_HOST_UPDATE_H
#define NU_UPSTREAM_HOST_UPDATE_H

#include "upstream/hosts/host.h"

struct nu_host_update_rules {
    struct nu_host_keeper *keeper;
    bool keeps_passing; /* hosts are checked, and those that pass outlive what discovery says */
    /* Whether what is said of a host makes it another one, beside its locality; NULL: nothing. */
    bool (*is_other)(const struct nu_host *host, const struct nu_host_params *params);
};

/* What came of it. */
struct nu_host_update {
    struct nu_host **hosts; /* owned, one reference each: in the order wanted, those that go later
                               behind the others */
    uint32_t count;
    uint32_t max_weight; /* at least 1 */
    uint32_t added;
    uint32_t removed;
    uint32_t changed;      /* in place */
    uint32_t new_metadata; /* of these */
    uint32_t moved;        /* of these: to another priority */
};

/* Of several `wanted` with one address the first counts. */
void nu_host_update(const struct nu_host_update_rules *rules, struct nu_host *const *present,
                    uint32_t present_count, const struct nu_host_params *wanted,
                    size_t wanted_count, struct nu_host_update *out);
void nu_host_update_finish(struct nu_host_update *update);

static inline bool nu_host_update_is_change(const struct nu_host_update *update)
{
    return update->added || update->removed || update->changed;
}

#endif
