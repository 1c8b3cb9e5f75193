/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes several objects may hold together. One thread's. */
#ifndef NU_BASE_BYTE_BUDGET_H
#define NU_BASE_BYTE_BUDGET_H

#include <stdbool.h>

#include "base/compiler.h"

struct nu_byte_budget {
    size_t used;
    size_t max;
};

/* Takes so many of what is left; false, and nothing is taken, if that is less. */
NU_MUST_USE static inline bool nu_byte_budget_take(struct nu_byte_budget *budget, size_t bytes)
{
    if (bytes > budget->max - budget->used)
        return false;
    budget->used += bytes;
    return true;
}

static inline void nu_byte_budget_give_back(struct nu_byte_budget *budget, size_t bytes)
{
    budget->used -= bytes;
}

#endif
