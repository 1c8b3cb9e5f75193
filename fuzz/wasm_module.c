/* SPDX-License-Identifier: Apache-2.0 */
/* Reads bytes as a wasm module; what was read can be prepared, and read again with its bounds;
 * and what it imports has bounds as well. */
#include "base/assert.h"

#include "fuzz/target.h"
#include "wasm/binary.h"
#include "wasm/engine.h"

static void check_storage(struct nu_arena *arena, const struct nu_wasm_module *module,
                          struct nu_strbuf *error)
{
    size_t count;
    const struct nu_wasm_storage *storage =
        nu_wasm_module_storage(module, 64, 1000, arena, &count, error);
    size_t memories = 0;
    if (!storage)
        return;
    for (size_t i = 0; i < count; i++) {
        bool is_memory = storage[i].kind == NU_WASM_STORES_BYTES;
        memories += is_memory;
        nu_assert(storage[i].min <= (is_memory ? 64u : 1000u));
        nu_assert(storage[i].max <= (is_memory ? 64u : 1000u));
    }
    nu_assert(memories == (module->is_memory_imported ? 1u : 0u));
    nu_assert(count - memories <= module->table_count);
}

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
        nu_assert(!again->has_memory || again->is_memory_imported || again->memory.max <= 64);
        check_storage(arena, again, &error);
    }
    nu_strbuf_finish(&out);
    nu_strbuf_finish(&error);
    nu_arena_destroy(&arena);
    return 0;
}
