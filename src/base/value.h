/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as JSON has them: null, bool, number, string, list, struct. Metadata, filter
 * configurations given as google.protobuf.Struct, and JSON log templates are made of them.
 *
 * A value is 24 bytes and copied freely; lists, structs and texts are pointed at. All of that lives
 * in an arena that the maker names in each call, or longer. Nothing is freed alone. A struct keeps
 * its fields sorted by name (memcmp order), so looking one up is a binary search and output is in
 * the order that Envoy gives. A value that nobody changes may be read by many threads.
 */
#ifndef NU_BASE_VALUE_H
#define NU_BASE_VALUE_H

#include "base/arena.h"
#include "base/str.h"

struct nu_value_field;

enum nu_value_type {
    NU_VALUE_NULL,
    NU_VALUE_BOOL,
    NU_VALUE_NUMBER,
    NU_VALUE_STRING,
    NU_VALUE_LIST,
    NU_VALUE_STRUCT,
};

struct nu_value {
    uint8_t type; /* enum nu_value_type */
    union {
        size_t text_len; /* string */
        struct {
            uint32_t count; /* of items or fields */
            uint32_t cap;   /* room for them; private */
        };
    };
    union {
        bool boolean;
        double number;
        const char *text;
        struct nu_value *items;        /* list */
        struct nu_value_field *fields; /* struct, sorted by name */
    };
};

struct nu_value_field {
    struct nu_str name;
    struct nu_value value;
};

static inline struct nu_value nu_value_null(void)
{
    return (struct nu_value){.type = NU_VALUE_NULL};
}

static inline struct nu_value nu_value_bool(bool b)
{
    return (struct nu_value){.type = NU_VALUE_BOOL, .boolean = b};
}

static inline struct nu_value nu_value_number(double n)
{
    return (struct nu_value){.type = NU_VALUE_NUMBER, .number = n};
}

/* The bytes are borrowed. */
static inline struct nu_value nu_value_string(struct nu_str s)
{
    return (struct nu_value){.type = NU_VALUE_STRING, .text = s.ptr, .text_len = s.len};
}

/* Empty ones. */
static inline struct nu_value nu_value_list(void)
{
    return (struct nu_value){.type = NU_VALUE_LIST};
}

static inline struct nu_value nu_value_struct(void)
{
    return (struct nu_value){.type = NU_VALUE_STRUCT};
}

/* The text of a string value. */
static inline struct nu_str nu_value_text(const struct nu_value *value)
{
    return nu_str_make(value->text, value->text_len);
}

/* Adds `item` at the end of a list. The list must not be shared with another value. */
void nu_value_add(struct nu_value *list, struct nu_arena *arena, struct nu_value item);
/* Gives a struct the field `name` (borrowed), in place of one of that name. The struct must not be
 * shared with another value. */
void nu_value_set(struct nu_value *record, struct nu_arena *arena, struct nu_str name,
                  struct nu_value value);

/* The field `name`, or NULL if there is none or `record` is NULL or no struct. */
const struct nu_value *nu_value_get(const struct nu_value *record, struct nu_str name);
/*
 * What is found by following the names through nested structs, or NULL; `count` 0 gives `record`.
 */
const struct nu_value *nu_value_find(const struct nu_value *record, const struct nu_str *path,
                                     size_t count);

/* A copy that shares nothing with `value`, texts and names included. */
struct nu_value nu_value_copy(const struct nu_value *value, struct nu_arena *arena);
/* Not-a-number equals nothing. */
bool nu_value_eq(const struct nu_value *a, const struct nu_value *b);

/* Appends the value as compact JSON, with the numbers of nu_double_to_chars and the strings of
 * nu_json_escape_bytes: what Envoy logs. */
void nu_value_to_json(const struct nu_value *value, struct nu_strbuf *out);

#endif
