/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the well-known types: wrappers with a default, durations as integers. For the files that
 * turn messages into runtime objects.
 */
#ifndef NU_CONFIG_VALUES_H
#define NU_CONFIG_VALUES_H

#include "config/config.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"

/* The value of a wrapper, or `other` when it is unset. */
static inline bool nu_bool_or(const Google__Protobuf__BoolValue *wrapper, bool other)
{
    return wrapper ? wrapper->value : other;
}

static inline uint32_t nu_u32_or(const Google__Protobuf__UInt32Value *wrapper, uint32_t other)
{
    return wrapper ? wrapper->value : other;
}

static inline uint64_t nu_u64_or(const Google__Protobuf__UInt64Value *wrapper, uint64_t other)
{
    return wrapper ? wrapper->value : other;
}

static inline double nu_double_or(const Google__Protobuf__DoubleValue *wrapper, double other)
{
    return wrapper ? wrapper->value : other;
}

static inline struct nu_str nu_string_or(const Google__Protobuf__StringValue *wrapper,
                                         struct nu_str other)
{
    return wrapper ? nu_str_from(wrapper->value) : other;
}

/*
 * A duration in microseconds (milliseconds), cut off, or `other` when it is NULL. A negative
 * duration, or one over 292 years, is an error about `field` of `owner`, and gives `other`.
 */
uint64_t nu_config_duration_us(struct nu_config_ctx *ctx, const void *owner, const char *field,
                               const Google__Protobuf__Duration *duration, uint64_t other);
uint64_t nu_config_duration_ms(struct nu_config_ctx *ctx, const void *owner, const char *field,
                               const Google__Protobuf__Duration *duration, uint64_t other);

#endif
