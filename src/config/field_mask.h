/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which fields of a message are wanted: google.protobuf.FieldMask as a tree, one node for each name
 * in its paths. Paths are "a.b.c" with the names of the .proto files; as in protobuf, a path may
 * end at a repeated field but not go through one.
 */
#ifndef NU_CONFIG_FIELD_MASK_H
#define NU_CONFIG_FIELD_MASK_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

struct nu_field_mask {
    struct nu_str name; /* empty at the root */
    struct nu_field_mask *children;
    struct nu_field_mask *next; /* sibling */
    bool is_whole;              /* a path ends here */
};

/*
 * Adds a path below `descriptor` (NULL: a scalar, which has no fields) to the tree `mask`, in
 * `arena`. False, with a tree that must not be used, if there is no such field. A field that Envoy
 * knows and nuncio does not is one: it is never set.
 */
NU_MUST_USE bool nu_field_mask_add(struct nu_field_mask *mask, struct nu_str path,
                                   const ProtobufCMessageDescriptor *descriptor,
                                   struct nu_arena *arena);

/* Whether the field `name` of a message with this mask (NULL: all) is wanted, and in `*inner`
 * what of it (NULL: all). */
bool nu_field_mask_wants(const struct nu_field_mask *mask, const char *name,
                         const struct nu_field_mask **inner);

#endif
