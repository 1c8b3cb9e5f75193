/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a configuration that a runtime key may override, compiled. Each has a default that
 * holds while the key has no value of its kind, or while there is no key. Immutable; the text of
 * the key lives in the arena that the setting was made with.
 */
#ifndef NU_RUNTIME_SETTINGS_H
#define NU_RUNTIME_SETTINGS_H

#include "base/arena.h"
#include "runtime/runtime.h"

struct Envoy__Config__Core__V3__RuntimeDouble;
struct Envoy__Config__Core__V3__RuntimeFeatureFlag;
struct Envoy__Config__Core__V3__RuntimeFractionalPercent;
struct Envoy__Config__Core__V3__RuntimePercent;
struct Envoy__Config__Core__V3__RuntimeUInt32;
struct Envoy__Type__V3__FractionalPercent;

struct nu_runtime_share {
    struct nu_str key; /* empty: none */
    struct nu_fraction fallback;
};

struct nu_runtime_flag {
    struct nu_str key;
    bool fallback;
};

struct nu_runtime_count {
    struct nu_str key;
    uint64_t fallback;
};

struct nu_runtime_number {
    struct nu_str key;
    double fallback;
};

/* A fraction without a key; NULL is 0 of 100. */
struct nu_fraction nu_fraction_from_proto(const struct Envoy__Type__V3__FractionalPercent *proto);

struct nu_runtime_share
nu_runtime_share_from_proto(const struct Envoy__Config__Core__V3__RuntimeFractionalPercent *proto,
                            struct nu_arena *arena);
struct nu_runtime_flag
nu_runtime_flag_from_proto(const struct Envoy__Config__Core__V3__RuntimeFeatureFlag *proto,
                           struct nu_arena *arena);
struct nu_runtime_count
nu_runtime_count_from_proto(const struct Envoy__Config__Core__V3__RuntimeUInt32 *proto,
                            struct nu_arena *arena);
struct nu_runtime_number
nu_runtime_number_from_proto(const struct Envoy__Config__Core__V3__RuntimeDouble *proto,
                             struct nu_arena *arena);
/* A percentage of 0 to 100. */
struct nu_runtime_number
nu_runtime_percent_from_proto(const struct Envoy__Config__Core__V3__RuntimePercent *proto,
                              struct nu_arena *arena);

/* Whether a request with this random number is in. */
static inline bool nu_runtime_share_has(const struct nu_runtime_share *share,
                                        const struct nu_runtime *runtime, uint64_t random)
{
    if (share->key.len == 0)
        return nu_fraction_has(share->fallback, random);
    return nu_runtime_fraction_enabled(runtime, share->key, share->fallback, random);
}

static inline bool nu_runtime_flag_get(const struct nu_runtime_flag *flag,
                                       const struct nu_runtime *runtime)
{
    return flag->key.len ? nu_runtime_bool(runtime, flag->key, flag->fallback) : flag->fallback;
}

static inline uint64_t nu_runtime_count_get(const struct nu_runtime_count *count,
                                            const struct nu_runtime *runtime)
{
    return count->key.len ? nu_runtime_integer(runtime, count->key, count->fallback)
                          : count->fallback;
}

static inline double nu_runtime_number_get(const struct nu_runtime_number *number,
                                           const struct nu_runtime *runtime)
{
    return number->key.len ? nu_runtime_double(runtime, number->key, number->fallback)
                           : number->fallback;
}

#endif
