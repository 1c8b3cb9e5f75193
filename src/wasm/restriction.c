/* SPDX-License-Identifier: Apache-2.0 */
/* A function that is not allowed is an import without code: the engine asks `refuse` for each
 * call. */
#include "wasm/restriction.h"

#include <string.h>

#include "base/log.h"

enum { WASI_NOTCAPABLE = 76 };

bool nu_wasm_restriction_allows(const struct nu_wasm_restriction *restriction, const char *name)
{
    if (!restriction)
        return true;
    for (size_t i = 0; i < restriction->count; i++) {
        if (nu_str_eq(restriction->allowed[i], nu_str_from(name)))
            return true;
    }
    return false;
}

/* What a compiler's runtime calls is no capability. */
static bool is_exempt(const struct nu_wasm_import *import)
{
    return strcmp(import->name, "emscripten_notify_memory_growth") == 0 ||
           strcmp(import->name, "pthread_equal") == 0;
}

static const struct nu_wasm_import *without_code(const struct nu_wasm_import *import,
                                                 struct nu_arena *arena)
{
    struct nu_wasm_import *copy = nu_arena_alloc(arena, sizeof(*copy));
    *copy = *import;
    copy->call = NULL;
    return copy;
}

const struct nu_wasm_import *const *
nu_wasm_restriction_apply(const struct nu_wasm_restriction *restriction,
                          const struct nu_wasm_import *const *imports, size_t count,
                          struct nu_arena *arena)
{
    if (!restriction)
        return imports;
    const struct nu_wasm_import **out =
        nu_arena_alloc(arena, (count + 1) * sizeof(struct nu_wasm_import *));
    for (size_t i = 0; i < count; i++) {
        bool is_allowed = !imports[i] || is_exempt(imports[i]) ||
                          nu_wasm_restriction_allows(restriction, imports[i]->name);
        out[i] = is_allowed ? imports[i] : without_code(imports[i], arena);
    }
    return out;
}

void nu_wasm_restriction_refuse(void *host, const struct nu_wasm_import *import,
                                union nu_wasm_value *result)
{
    bool is_wasi = strcmp(import->module, "env") != 0;
    (void)host;
    nu_log(NU_LOG_WASM, NU_LOG_ERROR, "Attempted call to restricted %s capability: %s",
           is_wasi ? "WASI" : "proxy-wasm", import->name);
    result->i32 = is_wasi ? WASI_NOTCAPABLE : NU_WASM_INTERNAL_FAILURE;
}
