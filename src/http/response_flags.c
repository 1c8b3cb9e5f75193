/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the response flags. */
#include "http/response_flags.h"

static const struct nu_str short_names[NU_FLAG_COUNT] = {
#define X(id, short_name, long_name) [NU_FLAG_##id] = NU_STR_INIT(short_name),
    NU_RESPONSE_FLAGS(X)
#undef X
};

static const struct nu_str long_names[NU_FLAG_COUNT] = {
#define X(id, short_name, long_name) [NU_FLAG_##id] = NU_STR_INIT(long_name),
    NU_RESPONSE_FLAGS(X)
#undef X
};

struct nu_str nu_response_flag_short(enum nu_response_flag flag)
{
    return short_names[flag];
}

struct nu_str nu_response_flag_long(enum nu_response_flag flag)
{
    return long_names[flag];
}

bool nu_response_flag_parse(struct nu_str short_name, enum nu_response_flag *out)
{
    for (int i = 0; i < NU_FLAG_COUNT; i++) {
        if (nu_str_eq(short_names[i], short_name)) {
            *out = (enum nu_response_flag)i;
            return true;
        }
    }
    return false;
}
