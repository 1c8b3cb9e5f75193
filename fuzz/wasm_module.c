/* SPDX-License-Identifier: Apache-2.0 */
/* Reads bytes as a wasm module; what was read can be prepared, and read again with its bounds. */
#include "base/assert.h"

#include "fuzz/target.h"
#include "wasm/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_strbuf error = {0};
    struct nu_strbuf out = {0};
    struct nu_wasm_module *module =
        nu_wasm_module_read(arena, nu_str_make((const char *)data, size), &error);
    if (module && nu_wasm_module_prepare(module, 64, 1000, &out, &error)) {
        struct nu_wasm_module *again = nu_wasm_module_read(arena, nu_strbuf_str(&out), &error);
        nu_assert(again && !again->has_start);
        nu_assert(!again->has_memory || again->memory.max <= 64);
    }
    nu_strbuf_finish(&out);
    nu_strbuf_finish(&error);
    nu_arena_destroy(&arena);
    return 0;
}
