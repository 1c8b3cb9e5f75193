/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index is a hash table from texts to lists of rules, one table for rules with case and one for
 * those without. A path is hashed byte by byte; at each length that some text has, the hash so far
 * finds the rules with that beginning. The lists found are merged by rule number.
 *
 *     rules        0 "/a" prefix   1 regex   2 "/a/b" exact   3 "/a" prefix
 *     "/a"   ->    prefix: 0 -> 3
 *     "/a/b" ->    exact: 2
 *     path "/a/b"  lists (0 -> 3), (2), regexes (1):  0, 1?, 2, 3
 */
#include "route/path_index.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/regex.h"

enum { LIST_KINDS = 3 };
static const uint32_t no_rule = UINT32_MAX;

/* A text and the first rules that have it, by kind; each rule leads to the next of its list. */
struct node {
    struct nu_str text; /* ptr is NULL in a free slot */
    uint64_t hash;
    uint32_t first[LIST_KINDS];
    uint32_t last[LIST_KINDS];
};

struct space {
    struct node *slots;
    uint64_t mask;     /* slots - 1 */
    uint32_t *lengths; /* the lengths of all texts, ascending, each once */
    uint32_t length_count;
    bool ignore_case;
};

struct nu_path_index {
    const struct nu_path_rule *rules;
    uint32_t count;
    uint32_t *next; /* by rule: the next one of its list, or no_rule */
    uint32_t first_regex;
    struct space spaces[2];
};

bool nu_path_rule_holds(const struct nu_path_rule *rule, struct nu_str path)
{
    bool ignore_case = rule->ignore_case;
    switch ((enum nu_path_kind)rule->kind) {
    case NU_PATH_KIND_PREFIX:
        if (rule->text.len == 1 && !ignore_case) /* "/", mostly */
            return path.len && path.ptr[0] == rule->text.ptr[0];
        return ignore_case ? nu_str_starts_with_nocase(path, rule->text)
                           : nu_str_starts_with(path, rule->text);
    case NU_PATH_KIND_EXACT:
        return ignore_case ? nu_str_eq_nocase(path, rule->text) : nu_str_eq(path, rule->text);
    case NU_PATH_KIND_SEPARATED:
        if (path.len > rule->text.len && path.ptr[rule->text.len] != '/')
            return false;
        return ignore_case ? nu_str_starts_with_nocase(path, rule->text)
                           : nu_str_starts_with(path, rule->text);
    case NU_PATH_KIND_REGEX:
        return nu_regex_full_match(rule->regex, path);
    case NU_PATH_KIND_NONE:
        return false;
    }
    return false;
}

/* --- Building --------------------------------------------------------------------------------- */

static const uint64_t hash_start = 0xcbf29ce484222325u;

static inline uint64_t hash_step(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x100000001b3u;
}

/* Spreads the high bits, which the steps mix best, over the low ones that pick a slot. */
static inline uint64_t hash_end(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static uint64_t hash_text(struct nu_str text, bool ignore_case)
{
    uint64_t hash = hash_start;
    for (size_t i = 0; i < text.len; i++)
        hash = hash_step(hash, ignore_case ? nu_ascii_lower(text.ptr[i]) : text.ptr[i]);
    return hash_end(hash);
}

static bool same_text(const struct space *space, struct nu_str a, struct nu_str b)
{
    return space->ignore_case ? nu_str_eq_nocase(a, b) : nu_str_eq(a, b);
}

/* The node of a text, or the free slot where it would be. */
static struct node *find_slot(const struct space *space, struct nu_str text, uint64_t hash)
{
    for (uint64_t i = hash & space->mask;; i = (i + 1) & space->mask) {
        struct node *node = &space->slots[i];
        if (!node->text.ptr || (node->hash == hash && same_text(space, node->text, text)))
            return node;
    }
}

static void add_rule(struct nu_path_index *index, struct space *space, uint32_t number)
{
    const struct nu_path_rule *rule = &index->rules[number];
    /* An empty text needs a pointer as well, to differ from a free slot. */
    struct nu_str text = rule->text.ptr ? rule->text : NU_STR("");
    uint64_t hash = hash_text(text, space->ignore_case);
    struct node *node = find_slot(space, text, hash);
    if (!node->text.ptr) {
        *node = (struct node){text, hash, {no_rule, no_rule, no_rule}, {0}};
        space->lengths[space->length_count++] = (uint32_t)text.len;
    }
    if (node->first[rule->kind] == no_rule)
        node->first[rule->kind] = number;
    else
        index->next[node->last[rule->kind]] = number;
    node->last[rule->kind] = number;
}

static int compare_lengths(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void sort_lengths(struct space *space)
{
    qsort(space->lengths, space->length_count, sizeof(*space->lengths), compare_lengths);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < space->length_count; i++) {
        if (kept == 0 || space->lengths[kept - 1] != space->lengths[i])
            space->lengths[kept++] = space->lengths[i];
    }
    space->length_count = kept;
}

static bool belongs_to(const struct nu_path_rule *rule, const struct space *space)
{
    return rule->kind < NU_PATH_KIND_REGEX && rule->ignore_case == space->ignore_case;
}

static void build_space(struct nu_path_index *index, struct space *space, struct nu_arena *arena)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < index->count; i++)
        count += belongs_to(&index->rules[i], space);
    if (count == 0)
        return;
    uint64_t slots = 4;
    while (slots < (uint64_t)count * 3 / 2)
        slots *= 2;
    space->mask = slots - 1;
    space->slots = nu_arena_calloc(arena, slots * sizeof(*space->slots));
    uint32_t *lengths = nu_calloc(count, sizeof(*lengths));
    space->lengths = lengths;
    for (uint32_t i = 0; i < index->count; i++) {
        if (belongs_to(&index->rules[i], space))
            add_rule(index, space, i);
    }
    sort_lengths(space);
    space->lengths = nu_arena_alloc(arena, space->length_count * sizeof(*lengths));
    memcpy(space->lengths, lengths, space->length_count * sizeof(*lengths));
    nu_free(lengths);
}

static void link_regexes(struct nu_path_index *index)
{
    uint32_t *last = &index->first_regex;
    *last = no_rule;
    for (uint32_t i = 0; i < index->count; i++) {
        if (index->rules[i].kind != NU_PATH_KIND_REGEX)
            continue;
        *last = i;
        last = &index->next[i];
    }
}

const struct nu_path_index *nu_path_index_create(struct nu_arena *arena,
                                                 const struct nu_path_rule *rules, uint32_t count)
{
    struct nu_path_index *index = nu_arena_calloc(arena, sizeof(*index));
    index->rules = rules;
    index->count = count;
    index->next = nu_arena_alloc(arena, count * sizeof(*index->next));
    for (uint32_t i = 0; i < count; i++)
        index->next[i] = no_rule;
    index->spaces[1].ignore_case = true;
    build_space(index, &index->spaces[0], arena);
    build_space(index, &index->spaces[1], arena);
    link_regexes(index);
    return index;
}

/* --- Walking ---------------------------------------------------------------------------------- */

static void add_list(struct nu_path_walk *walk, uint32_t first)
{
    if (first == no_rule)
        return;
    if (walk->list_count == NU_PATH_LISTS_MAX)
        walk->is_linear = true;
    else
        walk->heads[walk->list_count++] = first;
}

/* The lists of the texts that are the first `len` bytes of the path. */
static void add_lists(struct nu_path_walk *walk, const struct space *space, uint32_t len,
                      uint64_t hash)
{
    const struct node *node = find_slot(space, nu_str_first(walk->path, len), hash);
    if (!node->text.ptr)
        return;
    bool is_all = len == walk->path.len;
    add_list(walk, node->first[NU_PATH_KIND_PREFIX]);
    if (is_all)
        add_list(walk, node->first[NU_PATH_KIND_EXACT]);
    if (is_all || walk->path.ptr[len] == '/')
        add_list(walk, node->first[NU_PATH_KIND_SEPARATED]);
}

static void search_space(struct nu_path_walk *walk, const struct space *space)
{
    uint64_t hash = hash_start;
    size_t at = 0;
    for (uint32_t i = 0; i < space->length_count && space->lengths[i] <= walk->path.len; i++) {
        for (; at < space->lengths[i]; at++) {
            char c = walk->path.ptr[at];
            hash = hash_step(hash, space->ignore_case ? nu_ascii_lower(c) : c);
        }
        add_lists(walk, space, space->lengths[i], hash_end(hash));
    }
}

void nu_path_walk_start(struct nu_path_walk *walk, const struct nu_path_index *index,
                        struct nu_str path)
{
    walk->index = index;
    walk->path = path.ptr ? path : NU_STR("");
    walk->list_count = 0;
    walk->next_regex = index->first_regex;
    walk->next_linear = 0;
    walk->is_linear = false;
    search_space(walk, &index->spaces[0]);
    search_space(walk, &index->spaces[1]);
}

static bool next_linear(struct nu_path_walk *walk, uint32_t *rule)
{
    while (walk->next_linear < walk->index->count) {
        uint32_t number = walk->next_linear++;
        if (nu_path_rule_holds(&walk->index->rules[number], walk->path)) {
            *rule = number;
            return true;
        }
    }
    return false;
}

/* The list whose head has the lowest number, or NULL when all are at their end. */
static uint32_t *lowest_list(struct nu_path_walk *walk)
{
    uint32_t *lowest = NULL;
    for (uint32_t i = 0; i < walk->list_count; i++) {
        uint32_t head = walk->heads[i];
        if (head != no_rule && (!lowest || head < *lowest))
            lowest = &walk->heads[i];
    }
    return lowest;
}

/* The next regex that holds among those with a number below `bound`, or no_rule. */
static uint32_t next_regex(struct nu_path_walk *walk, uint32_t bound)
{
    const struct nu_path_index *index = walk->index;
    while (walk->next_regex < bound) {
        uint32_t number = walk->next_regex;
        walk->next_regex = index->next[number];
        if (nu_path_rule_holds(&index->rules[number], walk->path))
            return number;
    }
    return no_rule;
}

bool nu_path_walk_next(struct nu_path_walk *walk, uint32_t *rule)
{
    if (nu_unlikely(walk->is_linear))
        return next_linear(walk, rule);
    uint32_t *list = lowest_list(walk);
    *rule = next_regex(walk, list ? *list : no_rule);
    if (*rule != no_rule)
        return true;
    if (!list)
        return false;
    *rule = *list;
    *list = walk->index->next[*list];
    return true;
}
