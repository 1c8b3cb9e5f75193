/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nuncio wasm run FILE`: tries a filter with one request. The server that runs is the one that
 * serves, with a configuration made for it and one worker, so that what is seen here is what will
 * be. All of it is sockets on loopback and memory: nothing is left behind, however it ends.
 */
#ifndef NU_SERVER_WASM_RUN_RUN_H
#define NU_SERVER_WASM_RUN_RUN_H

/* The command: argv[1] is "wasm", argv[2] "run". Prints the outcome; returns the exit status, 0
 * where the request was answered and no code of the guest failed. */
int nu_wasm_run_main(int argc, char **argv);

#endif
