/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-like values. Lists and structs are arrays that double in their arena; the arrays they leave
 * behind are at most as large as the ones they have. A list or struct that came by copying the 24
 * bytes shares its array with the original, which is why adding to it is forbidden (value.h).
 */
#include "base/value.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/number.h"

static const size_t element_size[] = {
    [NU_VALUE_LIST] = sizeof(struct nu_value),
    [NU_VALUE_STRUCT] = sizeof(struct nu_value_field),
};

/* Gives a list or struct an array of its own with room for `cap` elements. */
static void regrow(struct nu_value *value, struct nu_arena *arena, uint32_t cap)
{
    size_t size = element_size[value->type];
    void *array = nu_arena_alloc(arena, cap * size);
    if (value->count)
        memcpy(array, value->items, value->count * size);
    value->items = array;
    value->cap = cap;
}

static void make_room(struct nu_value *value, struct nu_arena *arena)
{
    enum { FIRST_CAP = 4 };
    if (value->count == value->cap)
        regrow(value, arena, value->cap ? value->cap * 2 : FIRST_CAP);
}

void nu_value_add(struct nu_value *list, struct nu_arena *arena, struct nu_value item)
{
    nu_assert(list->type == NU_VALUE_LIST);
    make_room(list, arena);
    list->items[list->count++] = item;
}

/* The index of the first field whose name is not before `name`. */
static uint32_t lower_bound(const struct nu_value *record, struct nu_str name)
{
    uint32_t low = 0;
    uint32_t high = record->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (nu_str_cmp(record->fields[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_field(const struct nu_value *record, uint32_t index, struct nu_str name)
{
    return index < record->count && nu_str_eq(record->fields[index].name, name);
}

void nu_value_set(struct nu_value *record, struct nu_arena *arena, struct nu_str name,
                  struct nu_value value)
{
    nu_assert(record->type == NU_VALUE_STRUCT);
    uint32_t index = lower_bound(record, name);
    if (is_field(record, index, name)) {
        record->fields[index].value = value;
        return;
    }
    make_room(record, arena);
    struct nu_value_field *at = &record->fields[index];
    memmove(at + 1, at, (record->count - index) * sizeof(*at));
    *at = (struct nu_value_field){name, value};
    record->count++;
}

const struct nu_value *nu_value_get(const struct nu_value *record, struct nu_str name)
{
    if (!record || record->type != NU_VALUE_STRUCT)
        return NULL;
    uint32_t index = lower_bound(record, name);
    return is_field(record, index, name) ? &record->fields[index].value : NULL;
}

const struct nu_value *nu_value_find(const struct nu_value *record, const struct nu_str *path,
                                     size_t count)
{
    for (size_t i = 0; i < count && record; i++)
        record = nu_value_get(record, path[i]);
    return record;
}

static struct nu_value copy_list(const struct nu_value *list, struct nu_arena *arena)
{
    struct nu_value copy = *list;
    regrow(&copy, arena, list->count);
    for (uint32_t i = 0; i < copy.count; i++)
        copy.items[i] = nu_value_copy(&list->items[i], arena);
    return copy;
}

static struct nu_value copy_struct(const struct nu_value *record, struct nu_arena *arena)
{
    struct nu_value copy = *record;
    regrow(&copy, arena, record->count);
    for (uint32_t i = 0; i < copy.count; i++) {
        copy.fields[i].name = nu_arena_dup(arena, record->fields[i].name);
        copy.fields[i].value = nu_value_copy(&record->fields[i].value, arena);
    }
    return copy;
}

struct nu_value nu_value_copy(const struct nu_value *value, struct nu_arena *arena)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
    case NU_VALUE_BOOL:
    case NU_VALUE_NUMBER:
        break;
    case NU_VALUE_STRING:
        return nu_value_string(nu_arena_dup(arena, nu_value_text(value)));
    case NU_VALUE_LIST:
        return copy_list(value, arena);
    case NU_VALUE_STRUCT:
        return copy_struct(value, arena);
    }
    return *value;
}

static bool eq_items(const struct nu_value *a, const struct nu_value *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (!nu_value_eq(&a->items[i], &b->items[i]))
            return false;
    }
    return true;
}

static bool eq_fields(const struct nu_value *a, const struct nu_value *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (!nu_str_eq(a->fields[i].name, b->fields[i].name) ||
            !nu_value_eq(&a->fields[i].value, &b->fields[i].value))
            return false;
    }
    return true;
}

bool nu_value_eq(const struct nu_value *a, const struct nu_value *b)
{
    if (a->type != b->type)
        return false;
    switch ((enum nu_value_type)a->type) {
    case NU_VALUE_NULL:
        break;
    case NU_VALUE_BOOL:
        return a->boolean == b->boolean;
    case NU_VALUE_NUMBER:
        return a->number == b->number;
    case NU_VALUE_STRING:
        return nu_str_eq(nu_value_text(a), nu_value_text(b));
    case NU_VALUE_LIST:
        return a->count == b->count && eq_items(a, b);
    case NU_VALUE_STRUCT:
        return a->count == b->count && eq_fields(a, b);
    }
    return true;
}

static void add_number(double number, struct nu_strbuf *out)
{
    char *at = nu_strbuf_reserve(out, NU_DOUBLE_TEXT_MAX);
    nu_strbuf_commit(out, nu_double_to_chars(number, at));
}

static void add_text(struct nu_str text, struct nu_strbuf *out)
{
    nu_strbuf_add_char(out, '"');
    nu_json_escape_bytes(out, text);
    nu_strbuf_add_char(out, '"');
}

static void add_list(const struct nu_value *list, struct nu_strbuf *out)
{
    nu_strbuf_add_char(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i)
            nu_strbuf_add_char(out, ',');
        nu_value_to_json(&list->items[i], out);
    }
    nu_strbuf_add_char(out, ']');
}

static void add_struct(const struct nu_value *record, struct nu_strbuf *out)
{
    nu_strbuf_add_char(out, '{');
    for (uint32_t i = 0; i < record->count; i++) {
        if (i)
            nu_strbuf_add_char(out, ',');
        add_text(record->fields[i].name, out);
        nu_strbuf_add_char(out, ':');
        nu_value_to_json(&record->fields[i].value, out);
    }
    nu_strbuf_add_char(out, '}');
}

void nu_value_to_json(const struct nu_value *value, struct nu_strbuf *out)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
        nu_strbuf_add_cstr(out, "null");
        break;
    case NU_VALUE_BOOL:
        nu_strbuf_add_cstr(out, value->boolean ? "true" : "false");
        break;
    case NU_VALUE_NUMBER:
        add_number(value->number, out);
        break;
    case NU_VALUE_STRING:
        add_text(nu_value_text(value), out);
        break;
    case NU_VALUE_LIST:
        add_list(value, out);
        break;
    case NU_VALUE_STRUCT:
        add_struct(value, out);
        break;
    }
}
