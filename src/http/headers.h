/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header map behind nuncio/headers.h, with lookups by id for built-in code.
 *
 * Entries stand in an array in the order of arrival; a removed one leaves a hole (name.ptr NULL)
 * that walks skip. Known names have a presence bit and the index of their first entry, so a lookup
 * by id is two loads. A map may hold 65,535 entries that way (a codec's limit keeps it below);
 * behind those a name that was not seen before is found by name only. Everything an entry points at
 * lives in the stream's arena or in a block that the stream holds; nothing is freed before the
 * stream is.
 */
#ifndef NU_HTTP_HEADERS_H
#define NU_HTTP_HEADERS_H

#include "nuncio/headers.h"

#include "base/arena.h"
#include "http/header_name.h"
#include "http/status.h"

struct nu_header {
    struct nu_str name; /* lower case; ptr is NULL in a hole */
    struct nu_str value;
    const char *original_name; /* as received, when the codec keeps it for a formatter; else NULL */
    uint16_t id;               /* enum nu_header_id */
};

enum { NU_HEADERS_INDEXED = UINT16_MAX, NU_HEADERS_WORDS = (NU_HEADER_ID_COUNT + 63) / 64 };

/* How the names of a map are to be spelt by a codec that can, as the codec that read it was
 * told. */
enum nu_name_style {
    NU_NAMES_AS_WRITER_LIKES,
    NU_NAMES_AS_RECEIVED,                 /* added ones in lower case */
    NU_NAMES_AS_RECEIVED_OR_PROPER_WORDS, /* added ones as First-Letters-Upper */
};

struct nu_headers {
    struct nu_arena *arena; /* borrowed: the stream's */
    struct nu_header *entries;
    uint32_t used; /* entries, holes included */
    uint32_t cap;
    uint32_t holes;            /* among them */
    uint8_t name_style;        /* enum nu_name_style */
    bool has_repeats;          /* a known name may have more than one entry */
    uint16_t status;           /* what a `:status` was read as: */
    const char *status_text;   /* this one; NULL while none was read */
    uint64_t length;           /* what a Content-Length was read as: */
    struct nu_str length_text; /* this one; ptr is NULL while none was read */
    uint64_t present[NU_HEADERS_WORDS];
    uint16_t first[NU_HEADER_ID_COUNT]; /* index of the first entry; valid with the presence bit */
};

/* An empty map with room for `cap` entries (grown when needed). */
void nu_headers_init(struct nu_headers *headers, struct nu_arena *arena, uint32_t cap);
/* Empties the map; views handed out before stay valid. */
void nu_headers_clear(struct nu_headers *headers);

static inline bool nu_headers_has_id(const struct nu_headers *headers, enum nu_header_id id)
{
    return headers->present[id / 64] >> (id % 64) & 1;
}

/* The first entry of a known name, or NULL. */
static inline struct nu_header *nu_headers_find_id(const struct nu_headers *headers,
                                                   enum nu_header_id id)
{
    return nu_headers_has_id(headers, id) ? &headers->entries[headers->first[id]] : NULL;
}

/* The value of the first entry of a known name; ptr is NULL if there is none. */
static inline struct nu_str nu_headers_get_id(const struct nu_headers *headers,
                                              enum nu_header_id id)
{
    const struct nu_header *header = nu_headers_find_id(headers, id);
    return header ? header->value : nu_str_make(NULL, 0);
}

/* Reads the Content-Length, which there is, once; false if it is no number. */
static inline bool nu_headers_read_length(struct nu_headers *headers, uint64_t *length)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_CONTENT_LENGTH);
    struct nu_str known = headers->length_text;
    if (text.ptr != known.ptr || text.len != known.len) {
        if (nu_str_to_u64(text, &headers->length) != NU_OK)
            return false;
        headers->length_text = text;
    }
    *length = headers->length;
    return true;
}

/* The number in `:status`, read once; 0 if there is none, or no such number. */
static inline uint32_t nu_headers_status(struct nu_headers *headers)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_STATUS);
    if (nu_unlikely(text.ptr != headers->status_text || text.len != 3)) {
        headers->status = (uint16_t)nu_status_parse(text);
        headers->status_text = text.ptr;
    }
    return headers->status;
}

/* The places that are kept for a request's pseudo headers, in Envoy's order. */
enum nu_request_place {
    NU_PLACE_AUTHORITY,
    NU_PLACE_PATH,
    NU_PLACE_METHOD,
    NU_PLACE_SCHEME,
    NU_PLACE_COUNT,
};

/* Leaves the first `n` places of an empty map free for entries that are known only later (the
 * pseudo headers, which come first). */
void nu_headers_reserve_first(struct nu_headers *headers, uint32_t n);
/* Fills a reserved place. */
void nu_headers_fill_first(struct nu_headers *headers, uint32_t index, enum nu_header_id id,
                           struct nu_str value);

/* Fills the first one with the status that the three digits of `text` are. */
static inline void nu_headers_fill_status(struct nu_headers *headers, struct nu_str text,
                                          uint32_t status)
{
    nu_headers_fill_first(headers, 0, NU_HEADER_STATUS, text);
    headers->status = (uint16_t)status;
    headers->status_text = text.ptr;
}

/* Makes room for one more entry, and says which id it is to be known by. */
enum nu_header_id nu_headers_grow(struct nu_headers *headers, enum nu_header_id id);

/* Adds an entry without copying: both views must live as long as the stream, and the name must be
 * lower case and fit the id. */
static inline struct nu_header *nu_headers_add_ref(struct nu_headers *headers, enum nu_header_id id,
                                                   struct nu_str name, struct nu_str value)
{
    if (nu_unlikely(headers->used == headers->cap || headers->used >= NU_HEADERS_INDEXED))
        id = nu_headers_grow(headers, id);
    uint32_t index = headers->used++;
    struct nu_header *header = &headers->entries[index];
    header->name = name;
    header->value = value;
    header->original_name = NULL;
    header->id = (uint16_t)id;
    if (id && !nu_headers_has_id(headers, id)) {
        headers->present[id / 64] |= (uint64_t)1 << (id % 64);
        headers->first[id] = (uint16_t)index;
    } else if (id) {
        headers->has_repeats = true;
    }
    return header;
}

/* The same for a known name. */
void nu_headers_add_id(struct nu_headers *headers, enum nu_header_id id, struct nu_str value);
/* How many entries can be added before nu_headers_grow is to be asked. */
static inline uint32_t nu_headers_room(const struct nu_headers *headers)
{
    uint32_t end = headers->cap < NU_HEADERS_INDEXED ? headers->cap : NU_HEADERS_INDEXED;
    return headers->used < end ? end - headers->used : 0;
}

/* Adds an entry of a known name, which has `name_len` bytes, where there is room for it, unless the
 * map has one; returns whether it did. */
static inline bool nu_headers_put_new(struct nu_headers *headers, enum nu_header_id id,
                                      size_t name_len, struct nu_str value)
{
    uint64_t word = headers->present[id / 64];
    uint32_t index = headers->used;
    if (nu_unlikely(word >> (id % 64) & 1))
        return false;
    struct nu_header *header = &headers->entries[index];
    header->name = nu_str_make(nu_header_rows[id].text, name_len);
    header->value = value;
    header->original_name = NULL;
    header->id = (uint16_t)id;
    headers->used = index + 1;
    headers->first[id] = (uint16_t)index;
    headers->present[id / 64] = word | (uint64_t)1 << (id % 64);
    return true;
}

/* The same, also where there may be no room; then it adds nothing. */
static inline bool nu_headers_try_new(struct nu_headers *headers, enum nu_header_id id,
                                      size_t name_len, struct nu_str value)
{
    return nu_likely(headers->used < headers->cap && headers->used < NU_HEADERS_INDEXED) &&
           nu_headers_put_new(headers, id, name_len, value);
}

/* Gives the first entry of a known name this value (not copied) and removes its duplicates; adds
 * one if there is none. */
void nu_headers_set_id(struct nu_headers *headers, enum nu_header_id id, struct nu_str value);
/* The same for a number, written in the map's arena. */
void nu_headers_set_number(struct nu_headers *headers, enum nu_header_id id, uint64_t value);
/* The number that a value is: decimal digits, behind a plus or none, as Envoy reads those of its own
 * headers. False if it is something else. */
NU_MUST_USE bool nu_header_number(struct nu_str value, uint64_t *out);
void nu_headers_remove_id_slow(struct nu_headers *headers, enum nu_header_id id);

/* Removes every entry of a known name. */
static inline void nu_headers_remove_id(struct nu_headers *headers, enum nu_header_id id)
{
    if (nu_unlikely(nu_headers_has_id(headers, id)))
        nu_headers_remove_id_slow(headers, id);
}

/* A set of known names, to test for or remove many at once. */
struct nu_header_set {
    uint64_t words[NU_HEADERS_WORDS];
};

/* A constant set of the names in an X-macro list: NU_HEADER_SET_OF(LIST), where LIST(X) is X(DATE)
 * X(VIA) and so on, without NU_HEADER_ in front. */
#define NU_HEADER_SET_OF(LIST) \
    { \
        .words = {0 LIST(NU_HEADER_SET_BIT0), 0 LIST(NU_HEADER_SET_BIT1), \
                  0 LIST(NU_HEADER_SET_BIT2)}, \
    }
#define NU_HEADER_SET_BIT(id, word) ((id) / 64 == (word) ? UINT64_C(1) << (id) % 64 : 0)
#define NU_HEADER_SET_BIT0(id) | NU_HEADER_SET_BIT(NU_HEADER_##id, 0)
#define NU_HEADER_SET_BIT1(id) | NU_HEADER_SET_BIT(NU_HEADER_##id, 1)
#define NU_HEADER_SET_BIT2(id) | NU_HEADER_SET_BIT(NU_HEADER_##id, 2)
_Static_assert(NU_HEADERS_WORDS == 3, "NU_HEADER_SET_OF has one part per word");

static inline bool nu_header_set_has(const struct nu_header_set *set, enum nu_header_id id)
{
    return set->words[id / 64] >> (id % 64) & 1;
}

static inline void nu_header_set_add(struct nu_header_set *set, enum nu_header_id id)
{
    set->words[id / 64] |= (uint64_t)1 << (id % 64);
}

/* What says, beside content-length, how a message is framed and what becomes of its connection: a
 * guest or a configuration has no say in that, as others may use the connection as well. */
#define NU_FRAMING_HEADERS(X) \
    X(CONNECTION) \
    X(HTTP2_SETTINGS) \
    X(KEEP_ALIVE) \
    X(PROXY_CONNECTION) \
    X(TRANSFER_ENCODING) \
    X(UPGRADE)

static inline bool nu_headers_has_any(const struct nu_headers *headers,
                                      const struct nu_header_set *set)
{
    uint64_t both = 0;
    for (int i = 0; i < NU_HEADERS_WORDS; i++)
        both |= headers->present[i] & set->words[i];
    return both != 0;
}

/* Removes every entry whose name is in the set. */
void nu_headers_remove_set(struct nu_headers *headers, const struct nu_header_set *set);

/* Removes one entry found by a walk. */
void nu_headers_remove_entry(struct nu_headers *headers, struct nu_header *header);

/* How many entries a known name has. */
size_t nu_headers_count_id(const struct nu_headers *headers, enum nu_header_id id);

/* Joins the values of a known name by ", " or another separator into arena memory; a single value
 * is returned as it is, none as NULL. */
struct nu_str nu_headers_join_id(const struct nu_headers *headers, enum nu_header_id id,
                                 struct nu_str separator);

/* Walks the entries, holes left out; nothing may be added meanwhile (nu_headers_next allows
 * that). */
#define nu_headers_for_each(header, headers) \
    for (struct nu_header *header = (headers)->entries, *header##_end = header + (headers)->used; \
         header < header##_end; header++) \
        if (header->name.ptr)

/* Name and value bytes of all entries, as Envoy counts them for its header limits and operators. */
size_t nu_headers_byte_size(const struct nu_headers *headers);

#endif
