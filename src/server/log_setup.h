/* SPDX-License-Identifier: Apache-2.0 */
/* The application log as the command line wants it. Main thread. */
#ifndef NU_SERVER_LOG_SETUP_H
#define NU_SERVER_LOG_SETUP_H

#include "config/config.h"
#include "server/options.h"

struct Envoy__Config__Bootstrap__V3__Bootstrap__ApplicationLogConfig;

/* Levels and format; lines go to stderr. The first thing that happens. */
void nu_log_setup_format(const struct nu_options *options);
/*
 * The format that the bootstrap asks for (NULL: none), in effect from here on. An error if the
 * command line has one too, or if it cannot be used.
 */
void nu_log_setup_from_proto(
    struct nu_config_ctx *ctx,
    const struct Envoy__Config__Bootstrap__V3__Bootstrap__ApplicationLogConfig *proto,
    const struct nu_options *options);
/* From here on lines go through the log thread, to --log-path or stderr. False after printing
 * why. */
NU_MUST_USE bool nu_log_setup_output(const struct nu_options *options,
                                     struct nu_log_writer *writer);

#endif
