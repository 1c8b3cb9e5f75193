/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people are shown of a module: its ABI, sizes, imports and exports, and whether nuncio runs
 * it. Needs no engine. Any thread.
 */
#ifndef NU_WASM_INSPECT_H
#define NU_WASM_INSPECT_H

#include "base/str.h"

/* Writes it all to `out`, lines of text; returns whether the module can be used. */
bool nu_wasm_inspect(struct nu_str bytes, struct nu_strbuf *out);

#endif
