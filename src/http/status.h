/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes: the reason phrases that Envoy writes on HTTP/1, and small questions about codes. */
#ifndef NU_HTTP_STATUS_H
#define NU_HTTP_STATUS_H

#include "base/str.h"

/* The reason phrase, "Unknown" for a code without one. A constant. */
struct nu_str nu_status_reason(uint32_t status);
/* The code and its phrase, as in "200 OK"; ptr is NULL for a code without one. A constant. */
struct nu_str nu_status_line(uint32_t status);

/* 1 to 5 for 100 to 599, else 0. */
static inline unsigned nu_status_class(uint32_t status)
{
    return status >= 100 && status < 600 ? status / 100 : 0;
}

/* Whether a response with this code never has a body (1xx, 204, 304). */
static inline bool nu_status_is_bodiless(uint32_t status)
{
    return status < 200 || status == 204 || status == 304;
}

/* Three digits at `out`, no NUL; the code must be 100 to 999. */
void nu_status_format(uint32_t status, char out[3]);
/* Exactly three digits, from 100 on: the code, or 0 for any other text. */
static inline unsigned nu_status_parse(struct nu_str text)
{
    if (text.len != 3 || text.ptr[0] == '0' || !nu_ascii_is_digit(text.ptr[0]) ||
        !nu_ascii_is_digit(text.ptr[1]) || !nu_ascii_is_digit(text.ptr[2]))
        return 0;
    return (unsigned)((text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + (text.ptr[2] - '0'));
}

#endif
