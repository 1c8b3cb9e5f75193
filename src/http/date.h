/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of dates that HTTP uses (IMF-fixdate, RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
 */
#ifndef NU_HTTP_DATE_H
#define NU_HTTP_DATE_H

#include "base/str.h"

enum { NU_DATE_LEN = 29 };

/* Writes the second `unix_s` (since 1970, up to the year 9999) to `out`, no NUL. */
void nu_date_format(uint64_t unix_s, char out[NU_DATE_LEN]);

/* One loop's text of the current second, made anew when the second changes. Zero-initialise it. */
struct nu_date_cache {
    uint64_t second; /* of `text`; 0 while there is none */
    char text[NU_DATE_LEN];
};

/* The date of a wall-clock time in microseconds; the view is valid until the next call. */
static inline struct nu_str nu_date_cache_get(struct nu_date_cache *cache, uint64_t realtime_us)
{
    uint64_t second = realtime_us / 1000000;
    if (nu_unlikely(second != cache->second || second == 0)) {
        cache->second = second;
        nu_date_format(second, cache->text);
    }
    return nu_str_make(cache->text, NU_DATE_LEN);
}

#endif
