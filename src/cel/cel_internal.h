/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of CEL share: nodes of an expression, and an evaluation. */
#ifndef NU_CEL_CEL_INTERNAL_H
#define NU_CEL_CEL_INTERNAL_H

#include "cel/cel.h"

struct nu_regex;

/* --- Expressions ------------------------------------------------------------------------------ */

enum nu_cel_op {
    NU_CEL_OP_LITERAL,
    NU_CEL_OP_NAME,     /* of the source */
    NU_CEL_OP_VARIABLE, /* of a macro around it */
    NU_CEL_OP_SELECT,   /* args[0].name */
    NU_CEL_OP_HAS,      /* has(args[0].name) */
    NU_CEL_OP_CALL,
    NU_CEL_OP_AND, /* of all args */
    NU_CEL_OP_OR,
    NU_CEL_OP_CHOOSE, /* args[0] ? args[1] : args[2] */
    NU_CEL_OP_LIST,
    NU_CEL_OP_MAP, /* key, value, key, value */
    /* Macros: args[0] is walked, args[1] is asked of each item, which is the variable `slot`. */
    NU_CEL_OP_ALL,
    NU_CEL_OP_EXISTS,
    NU_CEL_OP_EXISTS_ONE,
    NU_CEL_OP_FILTER,
    NU_CEL_OP_TRANSFORM, /* args[1] becomes an item, if args[2], which may be missing, is true */
};

struct nu_cel_eval;
typedef struct nu_cel_value nu_cel_fn(struct nu_cel_eval *eval, const struct nu_cel_value *args,
                                      size_t count);

struct nu_cel_node {
    enum nu_cel_op op;
    uint16_t depth;
    uint16_t slot;
    uint32_t count;
    struct nu_cel_node **args;
    struct nu_str name;
    struct nu_cel_value value; /* of a literal */
    nu_cel_fn *call;
    struct nu_regex *regex; /* of a call of matches() with a literal, instead of `call`; owned */
};

struct nu_cel {
    struct nu_arena *arena; /* owned: all of it, and the regexes of nodes */
    const struct nu_cel_node *root;
    size_t pattern_count;
};

/* --- Reading ---------------------------------------------------------------------------------- */

enum nu_cel_token_type {
    NU_CEL_END,
    NU_CEL_WRONG, /* what is wrong was told */
    NU_CEL_IDENT,
    NU_CEL_VALUE, /* a literal */
    NU_CEL_PUNCT, /* `text` is "==" and so on */
};

struct nu_cel_token {
    enum nu_cel_token_type type;
    struct nu_str text;
    struct nu_cel_value value;
    size_t at;
};

struct nu_cel_lexer {
    struct nu_str all;
    size_t at;
    struct nu_arena *arena;
    struct nu_strbuf *error;
};

struct nu_cel_token nu_cel_lex(struct nu_cel_lexer *lexer);
/* A string or bytes literal, with its prefixes, that begins at `at`. False if there is none. */
bool nu_cel_lex_text(struct nu_cel_lexer *lexer, struct nu_cel_token *token);
/* Tells what is wrong at a place; the first time counts. */
void nu_cel_wrong(struct nu_cel_lexer *lexer, size_t at, const char *text);
/* The root of an expression, or NULL after telling. */
const struct nu_cel_node *nu_cel_parse(struct nu_str text, struct nu_cel *cel,
                                       struct nu_strbuf *error);

/* --- Evaluating ------------------------------------------------------------------------------- */

struct nu_cel_eval {
    const struct nu_cel_source *source;
    struct nu_arena *arena;
    int64_t left;                 /* of what it may take */
    bool is_stopped;              /* it took too much */
    unsigned depth;               /* of lists and maps within each other that are compared */
    const struct nu_block *block; /* the newest of the arena that was paid for */
    struct nu_cel_value variables[NU_CEL_DEPTH_MAX];
};

/* Takes a cost; false if that is too much: the evaluation ends then, whatever the expression makes
 * of errors. */
bool nu_cel_spend(struct nu_cel_eval *eval, uint64_t cost);
/* For so many bytes. */
bool nu_cel_spend_bytes(struct nu_cel_eval *eval, uint64_t bytes);
/* For the memory that the evaluation took since it was asked last, whoever of those that it calls
 * took it. */
bool nu_cel_spend_memory(struct nu_cel_eval *eval);
struct nu_cel_value nu_cel_too_much(void);
/* A function was called with values that it is not for. */
struct nu_cel_value nu_cel_no_overload(void);

/* A result that its type has no room for. */
struct nu_cel_value nu_cel_overflow(void);
/* A timestamp, or a duration, of a time that fits; else an overflow. */
struct nu_cel_value nu_cel_make_time(enum nu_cel_type type, bool fits, struct nu_cel_time time);

/* Defines a function or operator of its file's table. */
#define NU_CEL_FN(name) \
    static struct nu_cel_value name(struct nu_cel_eval *eval, const struct nu_cel_value *args, \
                                    size_t count)

/* The function that is called so; NULL if there is none. `has_receiver`: args[0] stands before a
 * dot. */
nu_cel_fn *nu_cel_function(struct nu_str name, size_t count, bool has_receiver);
/* The operator of a token between two operands. */
nu_cel_fn *nu_cel_binary(struct nu_str token);
nu_cel_fn nu_cel_not;
nu_cel_fn nu_cel_negate;
nu_cel_fn nu_cel_index;
nu_cel_fn nu_cel_matches;

/* pattern.c */
/* A pattern compiled, or NULL: it is none, or too large. The caller destroys it. */
struct nu_regex *nu_cel_pattern(struct nu_str text);
/* Whether a part of `text` matches. */
struct nu_cel_value nu_cel_search(struct nu_cel_eval *eval, const struct nu_regex *regex,
                                  const struct nu_cel_value *text);

/* values.c */
bool nu_cel_equal(struct nu_cel_eval *eval, const struct nu_cel_value *a,
                  const struct nu_cel_value *b);
/* Below 0, 0, or above; false if they cannot be compared (with a NaN among them, too, which sets
 * `is_nan`). */
bool nu_cel_compare(const struct nu_cel_value *a, const struct nu_cel_value *b, int *order,
                    bool *is_nan);
bool nu_cel_is_number(const struct nu_cel_value *value);
bool nu_cel_is_key(const struct nu_cel_value *value);
/* The index or key that a number stands for; false if it is none. */
bool nu_cel_to_index(const struct nu_cel_value *value, int64_t *index);
/* The value at a key, or an error. */
struct nu_cel_value nu_cel_at(struct nu_cel_eval *eval, const struct nu_cel_value *of,
                              const struct nu_cel_value *key);
bool nu_cel_map_find(struct nu_cel_eval *eval, const struct nu_cel_map *map,
                     const struct nu_cel_value *key, struct nu_cel_value *value);
/* The items that a macro walks: of a list, or a map's keys. False if it cannot be walked. */
bool nu_cel_items(struct nu_cel_eval *eval, const struct nu_cel_value *of,
                  struct nu_cel_list *items);
/* A map of pairs, keys and values in turn, which it borrows. */
struct nu_cel_value nu_cel_make_map(struct nu_cel_eval *eval, const struct nu_cel_value *pairs,
                                    size_t count);
/* The type of a name such as "int"; NU_CEL_ERROR if it is none. */
enum nu_cel_type nu_cel_type_by_name(struct nu_str name);

/* time.c */
bool nu_cel_parse_timestamp(struct nu_str text, struct nu_cel_time *time);
bool nu_cel_parse_duration(struct nu_str text, struct nu_cel_time *time);
void nu_cel_format_timestamp(struct nu_cel_time time, struct nu_strbuf *out);
void nu_cel_format_duration(struct nu_cel_time time, struct nu_strbuf *out);
/* Whether these are within what CEL has. */
bool nu_cel_is_timestamp(struct nu_cel_time time);
bool nu_cel_is_duration(struct nu_cel_time time);
/* Sums; false where they leave 64 bits. */
bool nu_cel_time_add(struct nu_cel_time a, struct nu_cel_time b, struct nu_cel_time *sum);
struct nu_cel_time nu_cel_time_negate(struct nu_cel_time time);
nu_cel_fn nu_cel_get_year, nu_cel_get_month, nu_cel_get_date, nu_cel_get_day_of_month,
    nu_cel_get_day_of_week, nu_cel_get_day_of_year, nu_cel_get_hours, nu_cel_get_minutes,
    nu_cel_get_seconds, nu_cel_get_milliseconds;

#endif
