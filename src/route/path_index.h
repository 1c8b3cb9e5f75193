/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on paths, many at a time, in an order that counts: the first one that holds wins. An
 * index over the rules of a virtual host gives the rules that hold for a path by ascending number,
 * at a cost that depends on the path and on how many rules hold, not on how many there are. Regexes
 * cannot be indexed; each one before the winner is tried.
 *
 * Paths come without query and fragment. Rules and index are immutable once built.
 */
#ifndef NU_ROUTE_PATH_INDEX_H
#define NU_ROUTE_PATH_INDEX_H

#include "base/arena.h"

struct nu_path_index;
struct nu_regex;

enum nu_path_kind {
    NU_PATH_KIND_PREFIX,
    NU_PATH_KIND_EXACT,
    NU_PATH_KIND_SEPARATED, /* the text, or the text with a slash behind it */
    NU_PATH_KIND_REGEX,     /* the whole path */
    NU_PATH_KIND_NONE,      /* holds for no path: the rule of a request that has none */
};

struct nu_path_rule {
    uint8_t kind;     /* enum nu_path_kind */
    bool ignore_case; /* not for REGEX and NONE */
    union {
        struct nu_str text;
        const struct nu_regex *regex;
    };
};

bool nu_path_rule_holds(const struct nu_path_rule *rule, struct nu_str path);

/* An index of `count` rules, in `arena`; the rules must live as long. */
const struct nu_path_index *nu_path_index_create(struct nu_arena *arena,
                                                 const struct nu_path_rule *rules, uint32_t count);

enum { NU_PATH_LISTS_MAX = 24 };

/* A walk over the rules that hold; the fields are private. */
struct nu_path_walk {
    const struct nu_path_index *index;
    struct nu_str path;
    uint32_t heads[NU_PATH_LISTS_MAX]; /* next rule of each list that holds for the path */
    uint32_t list_count;
    uint32_t next_regex;
    uint32_t next_linear; /* used in place of the lists when there are too many of them */
    bool is_linear;
};

void nu_path_walk_start(struct nu_path_walk *walk, const struct nu_path_index *index,
                        struct nu_str path);
/* The next rule that holds, by ascending number; false when there are no more. */
bool nu_path_walk_next(struct nu_path_walk *walk, uint32_t *rule);

#endif
