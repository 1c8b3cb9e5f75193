/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata: structs under namespaces, one per filter by custom ("envoy.lb",
 * "envoy.filters.http.rbac"). A stream has dynamic metadata that filters write and logs, matchers
 * and later filters read; clusters, hosts, routes and listeners have constant metadata from the
 * configuration.
 *
 * Everything lives in the arena that the object was made with, or longer: values are kept as they
 * come, without a copy (nu_value_copy makes one).
 */
#ifndef NU_HTTP_METADATA_H
#define NU_HTTP_METADATA_H

#include <stdatomic.h>

#include "base/value.h"

struct nu_stream_info;

struct nu_metadata {
    struct nu_arena *arena;     /* borrowed */
    struct nu_value namespaces; /* a struct of structs */
};

/* Where metadata stands that another thread may replace. Who replaces it keeps the old one until
 * all readers are done. */
struct nu_metadata_slot {
    const struct nu_metadata *_Atomic now; /* may be NULL */
};

static inline const struct nu_metadata *nu_metadata_slot_get(const struct nu_metadata_slot *slot)
{
    return slot ? atomic_load_explicit(&slot->now, memory_order_acquire) : NULL;
}

/* Empty metadata in `arena`. */
struct nu_metadata *nu_metadata_create(struct nu_arena *arena);
/* The stream's dynamic metadata, made on the first call. */
struct nu_metadata *nu_stream_info_metadata(struct nu_stream_info *info);

/* Sets one field of a namespace, in place of what it was. The names are borrowed. */
void nu_metadata_set(struct nu_metadata *metadata, struct nu_str space, struct nu_str key,
                     struct nu_value value);
/* Sets every field of struct `fields` in a namespace: a field that was there is replaced whole, as
 * Envoy's filters do it when they set dynamic metadata. */
void nu_metadata_merge(struct nu_metadata *metadata, struct nu_str space,
                       const struct nu_value *fields);

/* What is at `path` in a namespace, the namespace itself if `count` is 0; NULL if there is no such
 * thing, or `metadata` is NULL. */
const struct nu_value *nu_metadata_find(const struct nu_metadata *metadata, struct nu_str space,
                                        const struct nu_str *path, size_t count);

#endif
