/* SPDX-License-Identifier: Apache-2.0 */
/* Equality and order of values, lists and maps, types. Numbers of different types are compared as
 * numbers. */
#include <math.h>

#include "cel/cel_internal.h"

static const double two_63 = 9223372036854775808.0;
static const double two_64 = 18446744073709551616.0;

bool nu_cel_is_number(const struct nu_cel_value *value)
{
    return value->type == NU_CEL_INT || value->type == NU_CEL_UINT || value->type == NU_CEL_DOUBLE;
}

/* --- Order ------------------------------------------------------------------------------------ */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

/* Integers of both types: whether they are below 0, and how far from there. */
static int order_integers(const struct nu_cel_value *a, const struct nu_cel_value *b)
{
    bool a_below = a->type == NU_CEL_INT && a->integer < 0;
    bool b_below = b->type == NU_CEL_INT && b->integer < 0;
    if (a_below || b_below)
        return a_below && b_below ? ORDER(a->integer, b->integer) : b_below - a_below;
    return ORDER(a->natural, b->natural);
}

/* The number is none. */
static int order_with_real(const struct nu_cel_value *a, double real)
{
    if (a->type == NU_CEL_DOUBLE)
        return ORDER(a->real, real);
    if (real < -two_63)
        return 1;
    if (real >= two_64)
        return -1;
    double whole = trunc(real);
    struct nu_cel_value b = whole < 0 ? nu_cel_int((int64_t)whole) : nu_cel_uint((uint64_t)whole);
    int order = order_integers(a, &b);
    return order ? order : ORDER(whole, real);
}

static bool compare_numbers(const struct nu_cel_value *a, const struct nu_cel_value *b, int *order,
                            bool *is_nan)
{
    *is_nan = (a->type == NU_CEL_DOUBLE && isnan(a->real)) ||
              (b->type == NU_CEL_DOUBLE && isnan(b->real));
    if (*is_nan)
        return false;
    if (b->type == NU_CEL_DOUBLE)
        *order = order_with_real(a, b->real);
    else if (a->type == NU_CEL_DOUBLE)
        *order = -order_with_real(b, a->real);
    else
        *order = order_integers(a, b);
    return true;
}

static int order_times(struct nu_cel_time a, struct nu_cel_time b)
{
    return a.seconds == b.seconds ? ORDER(a.nanos, b.nanos) : ORDER(a.seconds, b.seconds);
}

bool nu_cel_compare(const struct nu_cel_value *a, const struct nu_cel_value *b, int *order,
                    bool *is_nan)
{
    *is_nan = false;
    if (nu_cel_is_number(a) && nu_cel_is_number(b))
        return compare_numbers(a, b, order, is_nan);
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case NU_CEL_BOOL:
        *order = a->boolean - b->boolean;
        return true;
    case NU_CEL_STRING:
    case NU_CEL_BYTES:
        *order = nu_str_cmp(a->text, b->text);
        return true;
    case NU_CEL_DURATION:
    case NU_CEL_TIMESTAMP:
        *order = order_times(a->time, b->time);
        return true;
    default:
        return false;
    }
}

/* --- Equality --------------------------------------------------------------------------------- */

static bool equal_lists(struct nu_cel_eval *eval, const struct nu_cel_list *a,
                        const struct nu_cel_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!nu_cel_equal(eval, &a->items[i], &b->items[i]))
            return false;
    }
    return true;
}

static bool equal_maps(struct nu_cel_eval *eval, const struct nu_cel_value *a,
                       const struct nu_cel_value *b)
{
    struct nu_cel_list keys;
    struct nu_cel_list others;
    if (!nu_cel_items(eval, a, &keys) || !nu_cel_items(eval, b, &others) ||
        keys.count != others.count)
        return false;
    for (size_t i = 0; i < keys.count; i++) {
        struct nu_cel_value mine;
        struct nu_cel_value yours;
        if (!nu_cel_map_find(eval, a->map, &keys.items[i], &mine) ||
            !nu_cel_map_find(eval, b->map, &keys.items[i], &yours) ||
            !nu_cel_equal(eval, &mine, &yours))
            return false;
    }
    return true;
}

/* Macros make values that are far deeper than their expression. */
static bool equal_inside(struct nu_cel_eval *eval, const struct nu_cel_value *a,
                         const struct nu_cel_value *b)
{
    if (eval->depth == NU_CEL_DEPTH_MAX) {
        eval->is_stopped = true;
        return false;
    }
    eval->depth++;
    bool is_equal =
        a->type == NU_CEL_LIST ? equal_lists(eval, a->list, b->list) : equal_maps(eval, a, b);
    eval->depth--;
    return is_equal;
}

bool nu_cel_equal(struct nu_cel_eval *eval, const struct nu_cel_value *a,
                  const struct nu_cel_value *b)
{
    int order;
    bool is_nan;
    bool is_text = a->type == NU_CEL_STRING || a->type == NU_CEL_BYTES;
    if (!nu_cel_spend_bytes(eval, is_text ? a->text.len : 0) || !nu_cel_spend_memory(eval))
        return false;
    if (nu_cel_compare(a, b, &order, &is_nan))
        return order == 0;
    if (a->type != b->type || is_nan)
        return false;
    switch (a->type) {
    case NU_CEL_NULL:
        return true;
    case NU_CEL_LIST:
    case NU_CEL_MAP:
        return equal_inside(eval, a, b);
    case NU_CEL_TYPE:
        return a->named == b->named;
    default:
        return false;
    }
}

/* --- Lists and maps --------------------------------------------------------------------------- */

bool nu_cel_to_index(const struct nu_cel_value *value, int64_t *index)
{
    if (value->type == NU_CEL_DOUBLE &&
        (value->real != trunc(value->real) || value->real < -two_63 || value->real >= two_63))
        return false;
    if (value->type == NU_CEL_UINT && value->natural > INT64_MAX)
        return false;
    *index = value->type == NU_CEL_DOUBLE ? (int64_t)value->real : value->integer;
    return nu_cel_is_number(value);
}

bool nu_cel_map_find(struct nu_cel_eval *eval, const struct nu_cel_map *map,
                     const struct nu_cel_value *key, struct nu_cel_value *value)
{
    return nu_cel_spend(eval, 1 + map->search_cost) && map->find(map, key, eval->arena, value);
}

bool nu_cel_is_key(const struct nu_cel_value *value)
{
    return value->type == NU_CEL_STRING || value->type == NU_CEL_BOOL || nu_cel_is_number(value);
}

struct nu_cel_value nu_cel_at(struct nu_cel_eval *eval, const struct nu_cel_value *of,
                              const struct nu_cel_value *key)
{
    struct nu_cel_value value;
    int64_t index;
    if (of->type == NU_CEL_LIST) {
        if (!nu_cel_to_index(key, &index))
            return nu_cel_no_overload();
        if (index < 0 || (uint64_t)index >= of->list->count)
            return nu_cel_error("an index out of range");
        return of->list->items[index];
    }
    if (of->type != NU_CEL_MAP || !nu_cel_is_key(key))
        return nu_cel_no_overload();
    return nu_cel_map_find(eval, of->map, key, &value) ? value : nu_cel_error("no such key");
}

bool nu_cel_items(struct nu_cel_eval *eval, const struct nu_cel_value *of,
                  struct nu_cel_list *items)
{
    if (of->type == NU_CEL_LIST)
        *items = *of->list;
    return of->type == NU_CEL_LIST ||
           (of->type == NU_CEL_MAP && of->map->keys(of->map, eval->arena, items));
}

/* A map that an expression made: few pairs, which are searched one by one. It outlives the
 * evaluation. */
struct made_map {
    struct nu_cel_map base;
    const struct nu_cel_value *pairs;
    size_t count;
};

static bool find_pair(const struct nu_cel_map *base, const struct nu_cel_value *key,
                      struct nu_arena *arena, struct nu_cel_value *value)
{
    const struct made_map *map = nu_container_of(base, const struct made_map, base);
    int order;
    bool is_nan;
    (void)arena;
    for (size_t i = 0; i < map->count; i++) {
        if (!nu_cel_compare(&map->pairs[2 * i], key, &order, &is_nan) || order != 0)
            continue;
        *value = map->pairs[2 * i + 1];
        return true;
    }
    return false;
}

static bool keys_of(const struct nu_cel_map *base, struct nu_arena *arena, struct nu_cel_list *list)
{
    const struct made_map *map = nu_container_of(base, const struct made_map, base);
    struct nu_cel_value *keys = nu_arena_alloc(arena, (map->count + 1) * sizeof(*keys));
    for (size_t i = 0; i < map->count; i++)
        keys[i] = map->pairs[2 * i];
    *list = (struct nu_cel_list){map->count, keys};
    return true;
}

bool nu_cel_map_pairs(const struct nu_cel_map *map, struct nu_cel_list *pairs)
{
    if (map->find != find_pair)
        return false;
    const struct made_map *made = nu_container_of(map, const struct made_map, base);
    *pairs = (struct nu_cel_list){2 * made->count, made->pairs};
    return true;
}

struct nu_cel_value nu_cel_make_map(struct nu_cel_eval *eval, const struct nu_cel_value *pairs,
                                    size_t count)
{
    struct made_map *map = nu_arena_alloc(eval->arena, sizeof(*map));
    *map = (struct made_map){.base = {.find = find_pair, .keys = keys_of}, .pairs = pairs};
    size_t bytes = 0;
    for (; map->count < count; map->count++) {
        struct nu_cel_value value;
        const struct nu_cel_value *key = &pairs[2 * map->count];
        if (!nu_cel_is_key(key) || key->type == NU_CEL_DOUBLE)
            return nu_cel_error("a map has no such keys");
        bytes += 16 + (key->type == NU_CEL_STRING ? key->text.len : 0);
        map->base.search_cost = (uint32_t)(bytes / 64);
        if (!nu_cel_spend(eval, map->base.search_cost))
            return nu_cel_too_much();
        if (find_pair(&map->base, key, eval->arena, &value))
            return nu_cel_error("a key is there twice");
    }
    return nu_cel_map(&map->base);
}

/* --- Types ------------------------------------------------------------------------------------ */

enum nu_cel_type nu_cel_type_by_name(struct nu_str name)
{
    static const struct {
        struct nu_str name;
        enum nu_cel_type type;
    } types[] = {
        {NU_STR_INIT("bool"), NU_CEL_BOOL},      {NU_STR_INIT("int"), NU_CEL_INT},
        {NU_STR_INIT("uint"), NU_CEL_UINT},      {NU_STR_INIT("double"), NU_CEL_DOUBLE},
        {NU_STR_INIT("string"), NU_CEL_STRING},  {NU_STR_INIT("bytes"), NU_CEL_BYTES},
        {NU_STR_INIT("list"), NU_CEL_LIST},      {NU_STR_INIT("map"), NU_CEL_MAP},
        {NU_STR_INIT("null_type"), NU_CEL_NULL}, {NU_STR_INIT("type"), NU_CEL_TYPE},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(types); i++) {
        if (nu_str_eq(types[i].name, name))
            return types[i].type;
    }
    return NU_CEL_ERROR;
}
