/* SPDX-License-Identifier: Apache-2.0 */
/* The application log as the command line wants it. Main thread. */
#ifndef NU_SERVER_LOG_SETUP_H
#define NU_SERVER_LOG_SETUP_H

#include "server/options.h"

/* Levels and format; lines go to stderr. The first thing that happens. */
void nu_log_setup_format(const struct nu_options *options);
/* From here on lines go through the log thread, to --log-path or stderr. False after printing why. */
NU_MUST_USE bool nu_log_setup_output(const struct nu_options *options,
                                     struct nu_log_writer *writer);

#endif
