/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header maps, as filters see them: an ordered list of (name, value) that keeps duplicates. Names
 * are lower case. The pseudo headers `:method`, `:path`, `:authority`, `:scheme` of a request and
 * `:status` of a response are ordinary entries, also for HTTP/1.
 *
 * A map belongs to its stream and thread. Views that it returns stay valid until the stream ends,
 * also after the entry was changed or removed.
 */
#ifndef NUNCIO_HEADERS_H
#define NUNCIO_HEADERS_H

#include "nuncio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nu_headers;

/* The value of the first entry called `name` (lower case); ptr is NULL if there is none. */
NUNCIO_API struct nu_str nu_headers_get(const struct nu_headers *headers, struct nu_str name);
/* Whether an entry is called `name`. */
NUNCIO_API bool nu_headers_has(const struct nu_headers *headers, struct nu_str name);
/* How many entries are called `name`. */
NUNCIO_API size_t nu_headers_count_of(const struct nu_headers *headers, struct nu_str name);
/* All entries called `name`, their values joined by ","; a single one is returned as it is. */
NUNCIO_API struct nu_str nu_headers_get_all(const struct nu_headers *headers, struct nu_str name);

/* Adds an entry at the end; name and value are copied into the stream's memory. The name is
 * lowered; one that can be no header's is not added. Control characters in the value (but TAB)
 * become blanks, so that it stays one value whatever it was made of. */
NUNCIO_API void nu_headers_add(struct nu_headers *headers, struct nu_str name, struct nu_str value);
/* Gives the first entry called `name` this value and removes its duplicates; adds one if there is
 * none. Copies and checks like nu_headers_add. */
NUNCIO_API void nu_headers_set(struct nu_headers *headers, struct nu_str name, struct nu_str value);
/* Removes every entry called `name`; returns how many there were. */
NUNCIO_API size_t nu_headers_remove(struct nu_headers *headers, struct nu_str name);

/* Number of entries. */
NUNCIO_API size_t nu_headers_count(const struct nu_headers *headers);
/*
 * Walks the entries: start with *cursor = 0 and call until it returns false. Entries that are added
 * meanwhile are visited; removing the current one is allowed.
 */
NUNCIO_API bool nu_headers_next(const struct nu_headers *headers, size_t *cursor,
                                struct nu_str *name, struct nu_str *value);

#ifdef __cplusplus
}
#endif

#endif
