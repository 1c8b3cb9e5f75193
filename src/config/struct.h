/* SPDX-License-Identifier: Apache-2.0 */
/* google.protobuf.Struct and Value as nuncio's own values (base/value.h). */
#ifndef NU_CONFIG_STRUCT_H
#define NU_CONFIG_STRUCT_H

#include "base/value.h"

struct Google__Protobuf__Struct;
struct Google__Protobuf__Value;

/* A copy in `arena`. A value that is NULL or not set is null; a NULL struct is an empty one. */
struct nu_value nu_value_from_proto(const struct Google__Protobuf__Value *value,
                                    struct nu_arena *arena);
struct nu_value nu_struct_from_proto(const struct Google__Protobuf__Struct *record,
                                     struct nu_arena *arena);

#endif
