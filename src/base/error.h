/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of configuration and start-up errors. Everything that checks a configuration adds to one
 * list and goes on, so that an operator sees all mistakes of a file in one run, each with its
 * place:
 *
 *     envoy.yaml:42:17: static_resources.clusters[0].lb_polcy: no such field in Cluster (did you
 *     mean lb_policy?)
 *
 * A list belongs to the thread that loads the configuration.
 */
#ifndef NU_BASE_ERROR_H
#define NU_BASE_ERROR_H

#include "base/str.h"

/* Where in a source something stands. 0 means unknown (binary input, command line). */
struct nu_position {
    const char *source; /* borrowed file name, or what stands for one; NULL if unknown */
    uint32_t line;      /* from 1 */
    uint32_t column;    /* from 1, in bytes */
};

struct nu_error {
    struct nu_position position; /* source owned by the list */
    char *path;                  /* dotted field path, or NULL; owned */
    char *message;               /* one line, no newline; owned */
};

struct nu_error_list {
    struct nu_error *items; /* owned, in the order of adding */
    size_t count;
    size_t cap;
    size_t dropped; /* errors over the bound of 1000, counted only */
};

/* Zero-initialise a list; finish frees it. */
void nu_error_list_finish(struct nu_error_list *list);

/*
 * Adds one error. `path` may be NULL; strings are copied, control characters as escapes (\n, \x1b).
 */
void nu_error_add(struct nu_error_list *list, struct nu_position position, const char *path,
                  const char *fmt, ...) NU_PRINTF(4, 5);
void nu_error_addv(struct nu_error_list *list, struct nu_position position, const char *path,
                   const char *fmt, va_list args);

/* Sorts by source, line and column; equal places keep their order. */
void nu_error_list_sort(struct nu_error_list *list);
/* One error as "source:line:column: path: message", unknown parts left out, no newline. */
void nu_error_format(const struct nu_error *error, struct nu_strbuf *out);
/* All errors, a line each. */
void nu_error_list_format(const struct nu_error_list *list, struct nu_strbuf *out);

#endif
