/* SPDX-License-Identifier: Apache-2.0 */
/* What the process asks of the system once, at its start: limits, signals of no use, core files. */
#ifndef NU_SERVER_PROCESS_H
#define NU_SERVER_PROCESS_H

#include "server/options.h"

/*
 * Opens standard files that are closed, takes all signals, raises the limit of open files as far
 * as allowed, ignores SIGPIPE, lets orphans be reaped where the process is PID 1, and allows
 * core files if asked to. Says in the log what could not be had.
 */
void nu_process_prepare(const struct nu_options *options);

/* Writes `text` to the file `path`, replacing it; false after logging why not. */
NU_MUST_USE bool nu_process_write_file(const char *path, struct nu_str text);

#endif
