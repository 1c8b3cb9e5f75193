/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header map against a model: a plain list that is searched from the front for everything. The
 * input is a program, two bytes a step: an operation with a value, and a name. After every step
 * both must hold the same entries in the same order.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "http/headers.h"
#include "http/joined.h"
#include "target.h"

struct entry {
    struct nu_str name; /* lower case */
    struct nu_str value;
};

struct model {
    struct entry *items;
    size_t count;
    size_t cap;
    struct nu_arena *arena;
};

/* Known and unknown names; the same name in two spellings must be one. */
static const char *const names[] = {
    "host",
    "Host",
    ":path",
    "via",
    "x-a",
    "X-A",
    "x-b",
    "accept",
    "set-cookie",
    "cookie",
    "te",
    "x-forwarded-for",
    "a",
    "TE",
    "content-type",
    "x-envoy-internal",
    "x-request-id",
    "zz",
};
static const char *const values[] = {"", "1", "two", "a,b"};

static void model_add(struct model *m, struct nu_str name, struct nu_str value)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 16;
        m->items = nu_realloc(m->items, m->cap * sizeof(*m->items));
    }
    m->items[m->count++] = (struct entry){name, value};
}

static size_t model_find(const struct model *m, struct nu_str name, size_t from)
{
    while (from < m->count && !nu_str_eq(m->items[from].name, name))
        from++;
    return from;
}

static void model_remove_at(struct model *m, size_t at)
{
    memmove(&m->items[at], &m->items[at + 1], (m->count - at - 1) * sizeof(*m->items));
    m->count--;
}

static size_t model_remove(struct model *m, struct nu_str name, size_t from)
{
    size_t removed = 0;
    for (size_t at = from; (at = model_find(m, name, at)) < m->count; removed++)
        model_remove_at(m, at);
    return removed;
}

static void model_set(struct model *m, struct nu_str name, struct nu_str value)
{
    size_t at = model_find(m, name, 0);
    if (at == m->count) {
        model_add(m, name, value);
        return;
    }
    m->items[at].value = value;
    model_remove(m, name, at + 1);
}

static void model_append(struct model *m, const struct nu_header_set *joined, enum nu_header_id id,
                         struct nu_str name, struct nu_str value)
{
    size_t at = model_find(m, name, 0);
    if (at == m->count || !id || !nu_header_set_has(joined, id)) {
        model_add(m, name, value);
        return;
    }
    struct nu_str old = m->items[at].value;
    if (old.len && value.len)
        old = nu_arena_concat(m->arena, old, NU_STR(","));
    m->items[at].value = nu_arena_concat(m->arena, old, value);
}

static struct nu_str model_join(const struct model *m, struct nu_str name)
{
    size_t at = model_find(m, name, 0);
    if (at == m->count)
        return nu_str_make(NULL, 0);
    struct nu_str joined = m->items[at].value;
    while ((at = model_find(m, name, at + 1)) < m->count) {
        joined = nu_arena_concat(m->arena, joined, NU_STR(","));
        joined = nu_arena_concat(m->arena, joined, m->items[at].value);
    }
    return joined;
}

static void compare(const struct nu_headers *h, const struct model *m)
{
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    size_t bytes = 0;
    for (size_t i = 0; i < m->count; i++) {
        nu_assert(nu_headers_next(h, &cursor, &name, &value));
        nu_assert(nu_str_eq(name, m->items[i].name) && nu_str_eq(value, m->items[i].value));
        bytes += name.len + value.len;
    }
    nu_assert(!nu_headers_next(h, &cursor, &name, &value));
    nu_assert(nu_headers_count(h) == m->count && nu_headers_byte_size(h) == bytes);
}

static void compare_name(const struct nu_headers *h, const struct model *m, struct nu_str name,
                         enum nu_header_id id)
{
    size_t at = model_find(m, name, 0);
    bool has = at < m->count;
    nu_assert(nu_headers_has(h, name) == has);
    if (has)
        nu_assert(nu_str_eq(nu_headers_get(h, name), m->items[at].value));
    size_t count = 0;
    for (; at < m->count; at = model_find(m, name, at + 1))
        count++;
    nu_assert(nu_headers_count_of(h, name) == count);
    struct nu_str joined = model_join(m, name);
    nu_assert(nu_str_eq(nu_headers_get_all(h, name), joined));
    if (!id)
        return;
    nu_assert(nu_headers_has_id(h, id) == has);
    nu_assert(nu_str_eq(nu_headers_join_id(h, id, NU_STR(",")), joined));
}

static void remove_two(struct nu_headers *h, struct model *m, enum nu_header_id id)
{
    struct nu_header_set set = {0};
    nu_header_set_add(&set, id);
    nu_header_set_add(&set, NU_HEADER_VIA);
    nu_headers_remove_set(h, &set);
    nu_assert(!nu_headers_has_any(h, &set));
    model_remove(m, nu_header_name_of(id), 0);
    model_remove(m, NU_STR("via"), 0);
}

/* One operation by id, for names that have one. */
static void step_by_id(struct nu_headers *h, struct model *m, uint8_t op, enum nu_header_id id,
                       struct nu_str name, struct nu_str value)
{
    switch (op) {
    case 8:
        nu_headers_add_id(h, id, value);
        model_add(m, name, value);
        break;
    case 9:
        nu_headers_set_id(h, id, value);
        model_set(m, name, value);
        break;
    case 10:
        nu_headers_remove_id(h, id);
        model_remove(m, name, 0);
        break;
    case 11:
        if (nu_headers_has_id(h, id)) {
            nu_headers_remove_entry(h, nu_headers_find_id(h, id));
            model_remove_at(m, model_find(m, name, 0));
        }
        break;
    default:
        remove_two(h, m, id);
    }
}

static void step(struct nu_headers *h, struct model *m, uint8_t code, uint8_t which)
{
    struct nu_str written = nu_str_from(names[which % NU_ARRAY_LEN(names)]);
    struct nu_str value = nu_str_from(values[code >> 6]);
    uint8_t op = code & 15;
    struct nu_str name = nu_arena_dup(m->arena, written);
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    enum nu_header_id id = nu_header_id_of(name);
    if (op < 5) {
        nu_headers_add(h, written, value);
        model_add(m, name, value);
    } else if (op == 5) {
        nu_headers_set(h, written, value);
        model_set(m, name, value);
    } else if (op == 6) {
        nu_assert(nu_headers_remove(h, name) == model_remove(m, name, 0));
    } else if (op == 7) {
        nu_headers_append_ref(h, &nu_joined_request_headers, id, name, value);
        model_append(m, &nu_joined_request_headers, id, name, value);
    } else if (op == 15 && which > 250) {
        nu_headers_clear(h);
        m->count = 0;
    } else if (id) {
        step_by_id(h, m, op, id, name, value);
    }
    compare_name(h, m, name, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { STEPS_MAX = 2000 };
    struct nu_arena arena;
    struct nu_headers headers;
    nu_arena_init(&arena);
    struct model model = {.arena = &arena};
    nu_headers_init(&headers, &arena, size ? data[0] % 8 : 0);
    for (size_t i = 1; i + 1 < size && i < STEPS_MAX * 2; i += 2) {
        step(&headers, &model, data[i], data[i + 1]);
        compare(&headers, &model);
    }
    nu_free(model.items);
    nu_arena_finish(&arena);
    return 0;
}
