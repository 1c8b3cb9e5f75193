/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query of a `:path`, as Envoy's matchers see it: pairs between '&', names and values between
 * the first '=' of each pair, nothing unescaped. A pair without '=' has an empty value.
 */
#ifndef NU_HTTP_QUERY_H
#define NU_HTTP_QUERY_H

#include "base/arena.h"

struct nu_query {
    struct nu_str rest; /* private */
};

/* A walk over the query of `path`. */
struct nu_query nu_query_open(struct nu_str path);
/* The next pair, views of the path; false at the end. Empty pairs ("&&") are left out. */
bool nu_query_next(struct nu_query *query, struct nu_str *name, struct nu_str *value);

/* The value of the first pair called `name`; ptr is NULL if there is none. */
struct nu_str nu_query_get(struct nu_str path, struct nu_str name);

/* Text with every valid %XX replaced by its byte; others stay. '+' is not a space. A copy only if
 * there is something to replace. */
struct nu_str nu_percent_decode(struct nu_arena *arena, struct nu_str text);

#endif
