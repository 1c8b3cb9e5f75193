/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEL, the Common Expression Language: small expressions without side effects over attributes that
 * somebody supplies, such as those of a request.
 *
 *     nu_cel          an expression, compiled; immutable, for all threads
 *     nu_cel_source   who knows the names in it
 *     nu_cel_value    what comes out
 *
 * The whole syntax is read but messages of protobuf ("Name{field: 1}"), which nothing here could
 * make. Of functions there are the language's standard ones; time zones are "UTC" and offsets.
 *
 * Text and expressions come from foreign hands: how long an expression is, how deep, and what its
 * evaluation may take is bounded (below), so that none of them can stop a thread or take its
 * memory.
 */
#ifndef NU_CEL_CEL_H
#define NU_CEL_CEL_H

#include "base/arena.h"

enum {
    NU_CEL_TEXT_MAX = 64 * 1024, /* bytes of an expression */
    NU_CEL_DEPTH_MAX = 200,      /* of expressions within expressions, and of what is compared */
    /* What an evaluation may take: one for each step, and for each 64 bytes that are looked at,
     * made, or taken in the arena; for a regular expression what it is made of (pattern.c). */
    NU_CEL_COST_MAX = 200 * 1000,
    NU_CEL_SEARCH_STEPS = 16, /* of a search through members, that have a cost of one */
};

enum nu_cel_type {
    NU_CEL_ERROR, /* there is no value; `text` says why */
    NU_CEL_NULL,
    NU_CEL_BOOL,
    NU_CEL_INT,
    NU_CEL_UINT,
    NU_CEL_DOUBLE,
    NU_CEL_STRING,
    NU_CEL_BYTES,
    NU_CEL_DURATION,
    NU_CEL_TIMESTAMP,
    NU_CEL_LIST,
    NU_CEL_MAP,
    NU_CEL_TYPE,
};

struct nu_cel_list;
struct nu_cel_map;

/* Since 1970, or a length: seconds rounded down, and what is left of one. */
struct nu_cel_time {
    int64_t seconds;
    uint32_t nanos;
};

struct nu_cel_value {
    enum nu_cel_type type;
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double real;
        struct nu_str text; /* string, bytes, error */
        struct nu_cel_time time;
        const struct nu_cel_list *list;
        const struct nu_cel_map *map;
        enum nu_cel_type named; /* of a type */
    };
};

struct nu_cel_list {
    size_t count;
    const struct nu_cel_value *items;
};

/* What a map can do; embedded first in whatever it is. Both run during an evaluation, and what they
 * make is in its arena, or lives longer. */
struct nu_cel_map {
    /* The value at `key`, a string, number or bool; false if there is none. */
    bool (*find)(const struct nu_cel_map *map, const struct nu_cel_value *key,
                 struct nu_arena *arena, struct nu_cel_value *value);
    /* All keys; false for a map that cannot be walked, to do which is an error then. */
    bool (*keys)(const struct nu_cel_map *map, struct nu_arena *arena, struct nu_cel_list *keys);
    uint32_t search_cost; /* of `find`, beside a step */
};

/* Who knows the names of an expression; embedded in whatever it is. */
struct nu_cel_source {
    /* The value of a name that stands alone; false if there is none. As of a map. */
    bool (*find)(const struct nu_cel_source *source, struct nu_str name, struct nu_arena *arena,
                 struct nu_cel_value *value);
    uint32_t search_cost; /* of `find`, beside a step */
};

struct nu_cel;

/* Compiles an expression. NULL with a text in `error`; the caller owns the result. */
struct nu_cel *nu_cel_create(struct nu_str text, struct nu_strbuf *error);
/* Frees it and clears the pointer; NULL inside is allowed. */
void nu_cel_destroy(struct nu_cel **cel);

/* How many regular expressions were compiled for it: the dear part of it. */
size_t nu_cel_pattern_count(const struct nu_cel *cel);

/* What the expression is now. The value lives in `arena`, or as long as the expression. */
struct nu_cel_value nu_cel_evaluate(const struct nu_cel *cel, const struct nu_cel_source *source,
                                    struct nu_arena *arena);

/* --- Values ----------------------------------------------------------------------------------- */

static inline struct nu_cel_value nu_cel_bool(bool value)
{
    return (struct nu_cel_value){.type = NU_CEL_BOOL, .boolean = value};
}

static inline struct nu_cel_value nu_cel_int(int64_t value)
{
    return (struct nu_cel_value){.type = NU_CEL_INT, .integer = value};
}

static inline struct nu_cel_value nu_cel_uint(uint64_t value)
{
    return (struct nu_cel_value){.type = NU_CEL_UINT, .natural = value};
}

static inline struct nu_cel_value nu_cel_double(double value)
{
    return (struct nu_cel_value){.type = NU_CEL_DOUBLE, .real = value};
}

/* `value` is borrowed. */
static inline struct nu_cel_value nu_cel_string(struct nu_str value)
{
    return (struct nu_cel_value){.type = NU_CEL_STRING, .text = value};
}

static inline struct nu_cel_value nu_cel_bytes(struct nu_str value)
{
    return (struct nu_cel_value){.type = NU_CEL_BYTES, .text = value};
}

static inline struct nu_cel_value nu_cel_list(const struct nu_cel_list *value)
{
    return (struct nu_cel_value){.type = NU_CEL_LIST, .list = value};
}

static inline struct nu_cel_value nu_cel_map(const struct nu_cel_map *value)
{
    return (struct nu_cel_value){.type = NU_CEL_MAP, .map = value};
}

/* `text` is constant. */
static inline struct nu_cel_value nu_cel_error(const char *text)
{
    return (struct nu_cel_value){.type = NU_CEL_ERROR, .text = nu_str_from(text)};
}

/* Keys and values in turn of a map that an expression made; false for those of a source. */
NU_MUST_USE bool nu_cel_map_pairs(const struct nu_cel_map *map, struct nu_cel_list *pairs);

/* A duration or a timestamp as nanoseconds; false if they do not fit. */
NU_MUST_USE bool nu_cel_time_to_ns(struct nu_cel_time time, int64_t *ns);
struct nu_cel_time nu_cel_time_from_ns(int64_t ns);

#endif
