/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime values: settings by name that an operator may change while the proxy runs. Layers, lowest
 * first, are merged into one table; the admin layer is the one that /runtime_modify writes.
 *
 * A snapshot is immutable and counted: the main thread makes one, each worker holds a reference and
 * reads without a lock. A change makes a new snapshot. Everything that reads takes NULL for "no
 * runtime" and then gives the default.
 */
#ifndef NU_RUNTIME_RUNTIME_H
#define NU_RUNTIME_RUNTIME_H

#include "base/str.h"

struct Envoy__Config__Bootstrap__V3__LayeredRuntime;
struct nu_config_ctx;
struct nu_runtime;

/* A share of requests: numerator of denominator. */
struct nu_fraction {
    uint32_t numerator;
    uint32_t denominator; /* 100, 10000 or 1000000 */
};

/* Whether a request with this random number is in the share. */
static inline bool nu_fraction_has(struct nu_fraction fraction, uint64_t random)
{
    return random % fraction.denominator < fraction.numerator;
}

/*
 * The snapshot of a bootstrap's layered_runtime, with one reference, also after errors (which go to
 * `ctx`). NULL is a runtime without layers; one without any in it gets an admin layer with no name.
 * Main thread.
 */
struct nu_runtime *
nu_runtime_from_proto(const struct Envoy__Config__Bootstrap__V3__LayeredRuntime *proto,
                      struct nu_config_ctx *ctx);

struct nu_runtime *nu_runtime_ref(struct nu_runtime *runtime);
/* Drops one reference and clears the pointer; NULL inside is allowed. Any thread. */
void nu_runtime_unref(struct nu_runtime **runtime);

/* One change of the admin layer. */
struct nu_runtime_change {
    struct nu_str key;
    struct nu_str value; /* YAML, as /runtime_modify takes it; empty removes the key */
};

/* A new snapshot with the admin layer changed; NULL if there is no admin layer. Main thread. */
struct nu_runtime *nu_runtime_modify(const struct nu_runtime *runtime,
                                     const struct nu_runtime_change *changes, size_t count);

/*
 * The value of `key`, or the default when there is none or it is of another kind: a bool is true,
 * false or a whole number (0 is false); an integer any number that is not negative, cut to its
 * whole part; a double any number.
 */
bool nu_runtime_bool(const struct nu_runtime *runtime, struct nu_str key, bool fallback);
uint64_t nu_runtime_integer(const struct nu_runtime *runtime, struct nu_str key, uint64_t fallback);
double nu_runtime_double(const struct nu_runtime *runtime, struct nu_str key, double fallback);
/* The text of any value. It lives as long as the snapshot. */
struct nu_str nu_runtime_string(const struct nu_runtime *runtime, struct nu_str key,
                                struct nu_str fallback);

/* Whether a request with this random number is in a share of so many percent. */
bool nu_runtime_feature_enabled(const struct nu_runtime *runtime, struct nu_str key,
                                uint64_t percent, uint64_t random);
/* The same for a fraction: the key may hold a percentage or an object {numerator, denominator}. */
bool nu_runtime_fraction_enabled(const struct nu_runtime *runtime, struct nu_str key,
                                 struct nu_fraction fallback, uint64_t random);

/* What /runtime answers: layers, and each key's value in every layer. */
void nu_runtime_print(const struct nu_runtime *runtime, struct nu_strbuf *out);

/* Numbers for the statistics runtime.num_layers, num_keys and admin_overrides_active. */
size_t nu_runtime_layer_count(const struct nu_runtime *runtime);
size_t nu_runtime_key_count(const struct nu_runtime *runtime);
bool nu_runtime_has_admin_layer(const struct nu_runtime *runtime);
bool nu_runtime_has_admin_overrides(const struct nu_runtime *runtime);

#endif
