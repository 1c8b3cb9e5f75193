/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, read and written as Envoy does it. */
#ifndef NU_HTTP_COOKIE_H
#define NU_HTTP_COOKIE_H

#include "base/arena.h"

struct nu_headers;

/* The value of the first cookie called `name` in a request, without the quotes that may stand
 * around it; ptr is NULL if there is none. */
struct nu_str nu_cookie_find(const struct nu_headers *headers, struct nu_str name);

struct nu_cookie_attribute {
    struct nu_str name;
    struct nu_str value; /* empty: the name stands alone */
};

/* What a client is to keep. */
struct nu_set_cookie {
    struct nu_str name;
    struct nu_str value;
    struct nu_str path;       /* empty: left out */
    uint64_t max_age_seconds; /* 0: left out, so that it goes with the client's session */
    const struct nu_cookie_attribute *attributes;
    size_t attribute_count;
};

/* The value of a set-cookie header, HttpOnly, in `arena`. */
struct nu_str nu_set_cookie_format(const struct nu_set_cookie *cookie, struct nu_arena *arena);

#endif
