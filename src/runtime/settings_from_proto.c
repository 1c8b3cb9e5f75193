/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling the settings that a runtime key may override. */
#include "envoy/config/core/v3/base.pb-c.h"
#include "runtime/settings.h"

struct nu_fraction nu_fraction_from_proto(const Envoy__Type__V3__FractionalPercent *proto)
{
    struct nu_fraction fraction = {.denominator = 100};
    if (!proto)
        return fraction;
    fraction.numerator = proto->numerator;
    if (proto->denominator == ENVOY__TYPE__V3__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__TEN_THOUSAND)
        fraction.denominator = 10000;
    if (proto->denominator == ENVOY__TYPE__V3__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__MILLION)
        fraction.denominator = 1000000;
    return fraction;
}

static struct nu_str copy_key(const char *key, struct nu_arena *arena)
{
    struct nu_str text = nu_str_from(key);
    return text.len ? nu_arena_dup(arena, text) : nu_str_make(NULL, 0);
}

struct nu_runtime_share
nu_runtime_share_from_proto(const Envoy__Config__Core__V3__RuntimeFractionalPercent *proto,
                            struct nu_arena *arena)
{
    return (struct nu_runtime_share){copy_key(proto->runtime_key, arena),
                                     nu_fraction_from_proto(proto->default_value)};
}

struct nu_runtime_flag
nu_runtime_flag_from_proto(const Envoy__Config__Core__V3__RuntimeFeatureFlag *proto,
                           struct nu_arena *arena)
{
    return (struct nu_runtime_flag){copy_key(proto->runtime_key, arena),
                                    proto->default_value && proto->default_value->value};
}

struct nu_runtime_count
nu_runtime_count_from_proto(const Envoy__Config__Core__V3__RuntimeUInt32 *proto,
                            struct nu_arena *arena)
{
    return (struct nu_runtime_count){copy_key(proto->runtime_key, arena), proto->default_value};
}

struct nu_runtime_number
nu_runtime_number_from_proto(const Envoy__Config__Core__V3__RuntimeDouble *proto,
                             struct nu_arena *arena)
{
    return (struct nu_runtime_number){copy_key(proto->runtime_key, arena), proto->default_value};
}

struct nu_runtime_number
nu_runtime_percent_from_proto(const Envoy__Config__Core__V3__RuntimePercent *proto,
                              struct nu_arena *arena)
{
    return (struct nu_runtime_number){copy_key(proto->runtime_key, arena),
                                      proto->default_value ? proto->default_value->value : 0};
}
