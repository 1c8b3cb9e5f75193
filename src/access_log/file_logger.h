/* SPDX-License-Identifier: Apache-2.0 */
/* Loggers that write a line a stream to a file, or to the process's own output. */
#ifndef NU_ACCESS_LOG_FILE_LOGGER_H
#define NU_ACCESS_LOG_FILE_LOGGER_H

#include "access_log/access_log.h"

struct nu_log_file;

/* A logger in factory->arena. `path` is NUL-terminated; NULL, after an error about `owner`, if the
 * file cannot be opened. */
const struct nu_access_logger *
nu_file_logger_create(const struct nu_access_log_factory *factory,
                      const struct nu_access_logger_class *logger_class, const void *owner,
                      const char *path, const struct nu_formatter *formatter);
/* The log callback of such loggers. */
void nu_file_logger_log(const struct nu_access_logger *logger,
                        const struct nu_format_context *context);

#endif
