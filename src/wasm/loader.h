/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the engine: the shared object nuncio-wasm-v8.so beside the program or in ../lib/nuncio, and
 * with it V8. Only a configuration with wasm in it gets here. An engine stays loaded until the
 * process ends.
 */
#ifndef NU_WASM_LOADER_H
#define NU_WASM_LOADER_H

#include "base/str.h"
#include "wasm/engine.h"

/*
 * The engine, started; the same one every time. NULL with a text in `error` that says what is
 * missing. `path` is the file to load; NULL: where an installation or a build has it. Main thread;
 * any thread that begins when it is loaded.
 */
const struct nu_wasm_engine *nu_wasm_engine_load(const char *path, struct nu_strbuf *error);

#endif
