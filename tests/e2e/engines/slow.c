/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of REAL, which never gets ready with code that says NEVER-READY!, for test_wasm_life.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wasm/engine.h"

extern struct nu_wasm_engine nuncio_wasm_engine;
struct nu_wasm_engine nuncio_wasm_engine;

static struct nu_wasm_code *(*really_compile)(const uint8_t *bytes, size_t size, char *error,
                                              size_t error_size);

static struct nu_wasm_code *compile(const uint8_t *bytes, size_t size, char *error,
                                    size_t error_size)
{
    static const char never[] = "NEVER-READY!";
    static const char said[] = "compiling for ever\n";
    if (!memmem(bytes, size, never, sizeof(never) - 1))
        return really_compile(bytes, size, error, error_size);
    if (write(STDERR_FILENO, said, sizeof(said) - 1) < 0)
        abort();
    for (;;)
        pause();
}

__attribute__((constructor)) static void load(void)
{
    void *real = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    const struct nu_wasm_engine *engine = real ? dlsym(real, NU_WASM_ENGINE_SYMBOL) : NULL;
    if (!engine)
        abort();
    nuncio_wasm_engine = *engine;
    really_compile = engine->compile;
    nuncio_wasm_engine.compile = compile;
}
