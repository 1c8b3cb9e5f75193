/* SPDX-License-Identifier: Apache-2.0 */
/* What both readers share: making nodes, and finding keys that are given twice. */
#include "config/doc.h"

#include "base/hash.h"

struct nu_doc_node *nu_doc_node_create(const struct nu_doc_input *in, enum nu_doc_kind kind,
                                       uint32_t line, uint32_t column)
{
    struct nu_doc_node *node = nu_arena_calloc(in->arena, sizeof(*node));
    node->kind = (uint8_t)kind;
    node->at = (struct nu_position){in->source, line, column};
    node->weight = 1;
    return node;
}

void nu_doc_node_add(struct nu_doc_node *parent, struct nu_doc_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    bool overflows = __builtin_add_overflow(parent->weight, child->weight, &parent->weight);
    if (overflows)
        parent->weight = UINT32_MAX;
}

const struct nu_doc_node *nu_doc_member(const struct nu_doc_node *map, struct nu_str key)
{
    if (map->kind != NU_DOC_MAP)
        return NULL;
    for (const struct nu_doc_node *child = map->first; child; child = child->next)
        if (nu_str_eq(child->key, key))
            return child;
    return NULL;
}

struct nu_position nu_doc_key_position(const struct nu_doc_node *member)
{
    return (struct nu_position){member->at.source, member->key_line, member->key_column};
}

const char *nu_doc_kind_name(const struct nu_doc_node *node)
{
    static const char *const names[] = {
        [NU_DOC_NULL] = "null",       [NU_DOC_BOOL] = "a boolean", [NU_DOC_NUMBER] = "a number",
        [NU_DOC_STRING] = "a string", [NU_DOC_LIST] = "a list",    [NU_DOC_MAP] = "an object",
    };
    return names[node->kind];
}

static void warn_duplicate(const struct nu_doc_input *in, const struct nu_doc_node *second,
                           const struct nu_doc_node *earlier)
{
    nu_error_add(in->warnings, nu_doc_key_position(second), NULL,
                 "the key \"%.*s\" was given before, at line %u", NU_STR_ARG(second->key),
                 earlier->key_line);
}

/* The last member before `child` with its key: by a walk in small maps, by hash in others. */
static struct nu_doc_node *find_earlier(struct nu_map *seen, struct nu_doc_node *map,
                                        struct nu_doc_node *child, size_t position)
{
    enum { WALK_UP_TO = 16 };
    if (position == WALK_UP_TO)
        for (struct nu_doc_node *at = map->first; at != child; at = at->next)
            nu_map_put(seen, at->key, at);
    if (position >= WALK_UP_TO)
        return nu_map_put(seen, child->key, child);
    struct nu_doc_node *found = NULL;
    for (struct nu_doc_node *at = map->first; at != child; at = at->next)
        if (nu_str_eq(at->key, child->key))
            found = at;
    return found;
}

/* Marks one member of each pair with the same key; returns whether there was any. */
static bool mark(const struct nu_doc_input *in, struct nu_doc_node *map, bool earlier_one)
{
    struct nu_map seen = {0};
    size_t position = 0;
    bool found = false;
    for (struct nu_doc_node *child = map->first; child; child = child->next, position++) {
        struct nu_doc_node *earlier = find_earlier(&seen, map, child, position);
        if (!earlier)
            continue;
        warn_duplicate(in, child, earlier);
        (earlier_one ? earlier : child)->is_second = true;
        found = true;
    }
    nu_map_finish(&seen);
    return found;
}

void nu_doc_mark_duplicates(const struct nu_doc_input *in, struct nu_doc_node *map)
{
    mark(in, map, false);
}

void nu_doc_drop_duplicates(const struct nu_doc_input *in, struct nu_doc_node *map)
{
    if (!mark(in, map, true))
        return;
    struct nu_doc_node **link = &map->first;
    while (*link) {
        if ((*link)->is_second)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}
