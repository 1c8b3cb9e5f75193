/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: builds everything from the options and the bootstrap, runs it, and ends it in order.
 *
 *     create (configuration, sockets) -> run (workers, main loop) -> drain -> destroy
 *
 * Everything here is on the main thread.
 */
#ifndef NU_SERVER_SERVER_H
#define NU_SERVER_SERVER_H

#include "server/options.h"

struct nu_server;

/* Reads the configuration and builds the server, without opening a socket. NULL after printing
 * every error to stderr. */
struct nu_server *nu_server_create(const struct nu_options *options);
/* Opens the sockets, starts the workers and runs until a signal or the admin port ends it. Returns
 * the process's exit status. */
int nu_server_run(struct nu_server *server);
/* False if a thread goes on that cannot be ended, such as one that compiles: nothing that it might use
 * is freed, and when the caller has told what there is to tell it ends the process by _exit. What was
 * logged until now has been written, as far as half a second allows. */
bool nu_server_destroy(struct nu_server **server);

#endif
