/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What compiling matchers needs. Everything that a *_from_proto function of this module makes lives
 * in the factory's arena (regexes are freed with it) and is immutable, so that any thread may use
 * it. After an error the result must not be used.
 */
#ifndef NU_MATCH_FACTORY_H
#define NU_MATCH_FACTORY_H

#include "base/arena.h"

struct nu_config_ctx;
struct nu_runtime;

struct nu_match_factory {
    struct nu_config_ctx *ctx; /* takes the errors */
    struct nu_arena *arena;
    const struct nu_runtime *runtime; /* bounds the size of regexes; may be NULL */
};

#endif
