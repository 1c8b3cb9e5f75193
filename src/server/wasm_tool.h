/* SPDX-License-Identifier: Apache-2.0 */
/* `nuncio wasm COMMAND`: for who builds proxy-wasm filters. */
#ifndef NU_SERVER_WASM_TOOL_H
#define NU_SERVER_WASM_TOOL_H

#include "base/str.h"

/* The command: argv[1] is "wasm". Prints the outcome; returns the exit status, 0 for a module that
 * nuncio can use, or a filter that answered. */
int nu_wasm_tool_main(int argc, char **argv);

/* Adds a whole file's bytes. False after printing why not. */
NU_MUST_USE bool nu_wasm_tool_read_file(const char *path, struct nu_strbuf *out);

#endif
