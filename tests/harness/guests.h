/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests of tests/guests, which the build compiles to NU_GUESTS, and the real engine, which it
 * makes as NU_ENGINE.
 */
#ifndef NU_TESTS_HARNESS_GUESTS_H
#define NU_TESTS_HARNESS_GUESTS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "wasm/loader.h"

/* The bytes of NAME.wasm, in `arena`. */
static inline struct nu_str nu_test_guest(struct nu_arena *arena, const char *name)
{
    const char *path = nu_arena_printf(arena, "%s/%s.wasm", NU_GUESTS, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        abort();
    }
    size_t size = (size_t)ftell(file);
    char *bytes = nu_arena_alloc(arena, size);
    rewind(file);
    if (fread(bytes, 1, size, file) != size)
        abort();
    fclose(file);
    return nu_str_make(bytes, size);
}

static inline const struct nu_wasm_engine *nu_test_engine(void)
{
    struct nu_strbuf error = {0};
    const struct nu_wasm_engine *engine = nu_wasm_engine_load(NU_ENGINE, &error);
    if (!engine) {
        fprintf(stderr, "%s\n", error.data);
        abort();
    }
    return engine;
}

#endif
