/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line of the application log looks like: spdlog's pattern language with Envoy's flags. A
 * flag is %X, or %8X, %-8X, %=8X padded on the left, on the right, on both sides, and %8!X cut as
 * well.
 */
#ifndef NU_BASE_LOG_PATTERN_H
#define NU_BASE_LOG_PATTERN_H

#include <time.h>

#include "base/log.h"

#define NU_LOG_DEFAULT_PATTERN "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v"

struct nu_log_line {
    enum nu_log_component component;
    enum nu_log_level level;
    const char *file;
    const char *function;
    int line;
    struct nu_str message;
    struct tm time;
    uint64_t us;       /* since 1970 */
    uint64_t since_us; /* since the line before */
};

/* Appends the line, without a newline. */
void nu_log_pattern_format(struct nu_strbuf *out, const char *pattern,
                           const struct nu_log_line *line);
/* Appends text with everything that is not printable ASCII, quotes and backslashes as C escapes. */
void nu_log_escape(struct nu_strbuf *out, struct nu_str text);

#endif
