/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header names by number. A name that is in http/header_names.h has a small id, found once when the
 * header is read; from then on well-known headers are looked up by array index.
 */
#ifndef NU_HTTP_HEADER_NAME_H
#define NU_HTTP_HEADER_NAME_H

#include "base/str.h"
#include "http/header_names.h"

enum nu_header_id {
    NU_HEADER_OTHER, /* any name that has no number */
#define X(id, name) NU_HEADER_##id,
    NU_HEADER_NAMES(X)
#undef X
        NU_HEADER_ID_COUNT,
    NU_HEADER_LAST_PSEUDO = NU_HEADER_STATUS,
};

/* The id of a lower-case name, or NU_HEADER_OTHER. */
enum nu_header_id nu_header_id_of(struct nu_str name);
/* The same for a name in any case, which must be a token (nu_header_name_is_valid). */
enum nu_header_id nu_header_id_of_token(struct nu_str name);
/* The only known name that a token in any case may be, if it is a known one at all. */
enum nu_header_id nu_header_id_guess(struct nu_str name);

/* A known name as it goes out, with the colon and the blank behind it; all rows are of one size, so
 * that comparing and copying need no loop. */
struct nu_header_row {
    char text[63];
    uint8_t len; /* of the name alone */
} NU_ALIGNED(64);
/* What of a row is in use at most: the longest name, its colon and blank. */
enum { NU_HEADER_ROW_ROOM = 48 };
extern const struct nu_header_row nu_header_rows[NU_HEADER_ID_COUNT];

/* The name of an id (not OTHER), a constant. */
static inline struct nu_str nu_header_name_of(enum nu_header_id id)
{
    return nu_str_make(nu_header_rows[id].text, nu_header_rows[id].len);
}

/* Whether there is an ASCII letter for nu_header_name_lower to lower. */
bool nu_header_name_has_upper(struct nu_str name);
/* Lowers ASCII letters in place. */
void nu_header_name_lower(char *name, size_t len);
/* Whether `name` is a token (RFC 9110 5.6.2), not empty: what may stand before the colon. */
bool nu_header_name_is_valid(struct nu_str name);
/* Whether `value` has no control character but TAB: what may stand behind the colon. */
bool nu_header_value_is_valid(struct nu_str value);
/* The first byte from `p` on that may not stand in a name, or `end`. */
const char *nu_header_name_end(const char *p, const char *end);
/* The first byte from `p` on that may not stand in a value, or `end`. */
const char *nu_header_value_end(const char *p, const char *end);
/* The first byte from `p` on that is no visible ASCII character or is '#', or `end`. */
const char *nu_plain_path_end(const char *p, const char *end);
/* The first byte from `p` on that is no visible ASCII character or blank, or `end`. */
const char *nu_plain_text_end(const char *p, const char *end);
/* Whether `c` is one of RFC 9110's token characters. */
bool nu_is_token_char(char c);

#endif
