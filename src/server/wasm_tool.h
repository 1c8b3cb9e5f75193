/* SPDX-License-Identifier: Apache-2.0 */
/* `nuncio wasm inspect FILE`: what a proxy-wasm module is, for who builds one. */
#ifndef NU_SERVER_WASM_TOOL_H
#define NU_SERVER_WASM_TOOL_H

/* The command: argv[1] is "wasm". Prints the outcome; returns the exit status, 0 for a module that
 * nuncio can use. */
int nu_wasm_tool_main(int argc, char **argv);

#endif
