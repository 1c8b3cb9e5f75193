/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a map, in an order of their own: the same list is the same restriction. */
#include "wasm/restriction_from_proto.h"

#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    return nu_str_cmp(*(const struct nu_str *)a, *(const struct nu_str *)b);
}

const struct nu_wasm_restriction *nu_wasm_restriction_from_proto(
    struct nu_arena *arena, const Envoy__Extensions__Wasm__V3__CapabilityRestrictionConfig *proto)
{
    if (!proto || proto->n_allowed_capabilities == 0)
        return NULL;
    size_t count = proto->n_allowed_capabilities;
    struct nu_wasm_restriction *out = nu_arena_alloc(arena, sizeof(*out));
    struct nu_str *names = nu_arena_alloc(arena, count * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = nu_arena_dup(arena, nu_str_from(proto->allowed_capabilities[i]->key));
    qsort(names, count, sizeof(*names), compare_names);
    *out = (struct nu_wasm_restriction){names, count};
    return out;
}
