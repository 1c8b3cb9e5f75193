/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEL: any text is an expression or none, and any expression has a value or an error, within its bounds.
 * Evaluated twice it is the same.
 */
#include "base/assert.h"
#include "cel/cel.h"
#include "fuzz/target.h"

static bool find_letter(const struct nu_cel_map *map, const struct nu_cel_value *key,
                        struct nu_arena *arena, struct nu_cel_value *value)
{
    (void)map, (void)arena;
    if (key->type != NU_CEL_STRING || key->text.len != 1)
        return false;
    *value = key->text.ptr[0] == 'n' ? nu_cel_int(-1) : nu_cel_string(key->text);
    return true;
}

static bool list_letters(const struct nu_cel_map *map, struct nu_arena *arena,
                         struct nu_cel_list *keys)
{
    static const struct nu_cel_value letters[] = {
        {.type = NU_CEL_STRING, .text = NU_STR_INIT("a")},
        {.type = NU_CEL_STRING, .text = NU_STR_INIT("n")}};
    (void)map, (void)arena;
    *keys = (struct nu_cel_list){2, letters};
    return true;
}

static bool find_name(const struct nu_cel_source *source, struct nu_str name,
                      struct nu_arena *arena, struct nu_cel_value *value)
{
    static const struct nu_cel_map letters = {.find = find_letter, .keys = list_letters};
    (void)source, (void)arena;
    *value = name.len > 1 ? nu_cel_map(&letters) : nu_cel_string(name);
    return name.len < 8;
}

/* Sums over all that a value holds, as far as that is not too much. */
static uint64_t walk(const struct nu_cel_value *value, struct nu_arena *arena, int *left)
{
    uint64_t sum = (uint64_t)value->type;
    struct nu_cel_list items = {0, NULL};
    if (--*left < 0)
        return 0;
    if (value->type == NU_CEL_STRING || value->type == NU_CEL_BYTES ||
        value->type == NU_CEL_ERROR) {
        for (size_t i = 0; i < value->text.len; i++)
            sum = sum * 31 + (uint8_t)value->text.ptr[i];
    } else if (value->type == NU_CEL_LIST) {
        items = *value->list;
    } else if (value->type == NU_CEL_MAP) {
        nu_assert(value->map->keys(value->map, arena, &items));
    }
    for (size_t i = 0; i < items.count; i++) {
        struct nu_cel_value at;
        sum = sum * 31 + walk(&items.items[i], arena, left);
        if (value->type == NU_CEL_MAP && value->map->find(value->map, &items.items[i], arena, &at))
            sum = sum * 31 + walk(&at, arena, left);
    }
    return sum;
}

static uint64_t evaluate(const struct nu_cel *cel)
{
    static const struct nu_cel_source source = {.find = find_name};
    int left = 100000;
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_cel_value value = nu_cel_evaluate(cel, &source, &arena);
    uint64_t sum = walk(&value, &arena, &left);
    nu_arena_finish(&arena);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_strbuf error = {0};
    struct nu_cel *cel = nu_cel_create(nu_str_make((const char *)data, size), &error);
    nu_assert((cel != NULL) == (error.len == 0));
    if (cel)
        nu_assert(evaluate(cel) == evaluate(cel));
    nu_cel_destroy(&cel);
    nu_strbuf_finish(&error);
    return 0;
}
