/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter state that a configuration sets: under each name an object, made of what a format gives
 * (FilterStateValue of envoy.extensions.filters.common.set_filter_state.v3).
 */
#ifndef NU_FORMAT_STATE_VALUES_H
#define NU_FORMAT_STATE_VALUES_H

#include "format/format.h"
#include "http/filter_state.h"

struct Envoy__Extensions__Filters__Common__SetFilterState__V3__FilterStateValue;
struct nu_config_ctx;
struct nu_state_value;

/* Immutable, all threads. */
struct nu_state_values {
    const struct nu_state_value *items; /* in the arena that they were made in */
    size_t count;
};

/* False after adding errors. Main thread, while loading. */
NU_MUST_USE bool nu_state_values_from_proto(
    struct nu_config_ctx *ctx,
    struct Envoy__Extensions__Filters__Common__SetFilterState__V3__FilterStateValue *const *protos,
    size_t count, struct nu_arena *arena, struct nu_state_values *out);

/*
 * Sets them in their order, each as the format gives it for `context`, to live so long in the
 * filter state of `info`. What no object of its kind can be made of, or what may not be set (one
 * that is read-only, or lives otherwise), stays as it is. The stream's thread.
 */
void nu_state_values_set(const struct nu_state_values *values, enum nu_filter_state_life life,
                         const struct nu_format_context *context, struct nu_stream_info *info);

#endif
