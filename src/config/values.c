/* SPDX-License-Identifier: Apache-2.0 */
/* Durations. The bounds are Envoy's: what its 64-bit nanoseconds can hold, and nothing negative. */
#include "config/values.h"

static bool check(struct nu_config_ctx *ctx, const void *owner, const char *field,
                  const Google__Protobuf__Duration *d)
{
    static const int64_t max_seconds = INT64_MAX / 1000000000 - 1;
    if (d->seconds < 0 || d->nanos < 0) {
        nu_config_error(ctx, owner, field, "a duration may not be negative");
        return false;
    }
    if (d->seconds > max_seconds || d->nanos > 999999999) {
        nu_config_error(ctx, owner, field, "the duration is out of range");
        return false;
    }
    return true;
}

uint64_t nu_config_duration_us(struct nu_config_ctx *ctx, const void *owner, const char *field,
                               const Google__Protobuf__Duration *duration, uint64_t other)
{
    if (!duration || !check(ctx, owner, field, duration))
        return other;
    return (uint64_t)duration->seconds * 1000000 + (uint64_t)duration->nanos / 1000;
}

uint64_t nu_config_duration_ms(struct nu_config_ctx *ctx, const void *owner, const char *field,
                               const Google__Protobuf__Duration *duration, uint64_t other)
{
    if (!duration || !check(ctx, owner, field, duration))
        return other;
    return (uint64_t)duration->seconds * 1000 + (uint64_t)duration->nanos / 1000000;
}
