/* SPDX-License-Identifier: Apache-2.0 */
/* How a snapshot is built, for runtime.c, load.c and print.c. */
#ifndef NU_RUNTIME_RUNTIME_INTERNAL_H
#define NU_RUNTIME_RUNTIME_INTERNAL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/hash.h"
#include "runtime/runtime.h"

/* What a value can be read as; a number is several of them. */
struct nu_runtime_entry {
    struct nu_str key;
    struct nu_str text; /* as /runtime shows it */
    bool has_bool;
    bool has_integer;
    bool has_double;
    bool has_fraction;
    bool boolean;
    uint64_t integer;
    double number;
    struct nu_fraction fraction;
};

struct nu_runtime_layer {
    struct nu_str name;
    bool is_admin;
    struct nu_map entries; /* key -> struct nu_runtime_entry */
};

struct nu_runtime {
    _Atomic uint32_t refs;
    struct nu_arena arena; /* owns everything below */
    struct nu_runtime_layer *layers;
    size_t layer_count;
    struct nu_map values; /* key -> the entry of the highest layer that has it */
};

struct nu_runtime *nu_runtime_create(size_t layer_count);
/* The layer's entry for `key`, made (with all views copied) if there is none; its kinds are
 * cleared. */
struct nu_runtime_entry *nu_runtime_layer_put(struct nu_runtime *runtime,
                                              struct nu_runtime_layer *layer, struct nu_str key,
                                              struct nu_str text);
/* Fills `values` from the layers. */
void nu_runtime_merge(struct nu_runtime *runtime);

#endif
