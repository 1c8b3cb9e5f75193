/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header map. The index of a known name's first entry is 16 bits wide; a map that has more
 * entries (the default limit is 100) falls back to walking for names whose first entry lies beyond.
 */
#include "http/headers.h"

#include "base/assert.h"

void nu_headers_init(struct nu_headers *headers, struct nu_arena *arena, uint32_t cap)
{
    headers->arena = arena;
    headers->entries = nu_arena_alloc(arena, cap * sizeof(struct nu_header));
    headers->used = 0;
    headers->cap = cap;
    headers->holes = 0;
    headers->name_style = NU_NAMES_AS_WRITER_LIKES;
    headers->has_repeats = false;
    headers->status = 0;
    headers->status_text = NULL;
    headers->length_text.ptr = NULL;
    memset(headers->present, 0, sizeof(headers->present));
}

void nu_headers_clear(struct nu_headers *headers)
{
    headers->used = 0;
    headers->holes = 0;
    headers->has_repeats = false;
    headers->status_text = NULL;
    headers->length_text.ptr = NULL;
    memset(headers->present, 0, sizeof(headers->present));
}

static void grow(struct nu_headers *headers)
{
    uint32_t cap = headers->cap ? headers->cap * 2 : 16;
    struct nu_header *entries = nu_arena_alloc(headers->arena, cap * sizeof(*entries));
    size_t size = headers->used * sizeof(*entries);
    nu_hide(size);
    if (size)
        memcpy(entries, headers->entries, size);
    headers->entries = entries;
    headers->cap = cap;
}

NU_COLD enum nu_header_id nu_headers_grow(struct nu_headers *headers, enum nu_header_id id)
{
    if (headers->used == headers->cap)
        grow(headers);
    /* Beyond the index a known name is kept like an unknown one, unless it was seen before. */
    if (headers->used >= NU_HEADERS_INDEXED && !nu_headers_has_id(headers, id))
        return NU_HEADER_OTHER;
    return id;
}

static void set_present(struct nu_headers *headers, enum nu_header_id id, uint32_t index)
{
    headers->present[id / 64] |= (uint64_t)1 << (id % 64);
    headers->first[id] = (uint16_t)index;
}

static void clear_present(struct nu_headers *headers, enum nu_header_id id)
{
    headers->present[id / 64] &= ~((uint64_t)1 << (id % 64));
}

void nu_headers_reserve_first(struct nu_headers *headers, uint32_t n)
{
    nu_debug_assert(headers->used == 0 && n <= headers->cap);
    for (uint32_t i = 0; i < n; i++) {
        headers->entries[i].name.ptr = NULL;
        headers->entries[i].id = NU_HEADER_OTHER;
    }
    headers->used = n;
    headers->holes = n;
}

void nu_headers_fill_first(struct nu_headers *headers, uint32_t index, enum nu_header_id id,
                           struct nu_str value)
{
    struct nu_header *header = &headers->entries[index];
    nu_debug_assert(!header->name.ptr && !nu_headers_has_id(headers, id));
    header->name = nu_header_name_of(id);
    header->value = value;
    header->original_name = NULL;
    header->id = (uint16_t)id;
    headers->holes--;
    set_present(headers, id, index);
}

static NU_NOINLINE void add_id_slow(struct nu_headers *headers, enum nu_header_id id,
                                    struct nu_str value)
{
    nu_headers_add_ref(headers, id, nu_header_name_of(id), value);
}

void nu_headers_add_id(struct nu_headers *headers, enum nu_header_id id, struct nu_str value)
{
    if (nu_unlikely(!nu_headers_try_new(headers, id, nu_header_rows[id].len, value)))
        add_id_slow(headers, id, value);
}

/* Turns an entry into a hole, and moves the index to the next one of the same name. */
void nu_headers_remove_entry(struct nu_headers *headers, struct nu_header *header)
{
    enum nu_header_id id = (enum nu_header_id)header->id;
    uint32_t index = (uint32_t)(header - headers->entries);
    header->name.ptr = NULL;
    header->id = NU_HEADER_OTHER;
    headers->holes++;
    if (!id || headers->first[id] != index)
        return;
    clear_present(headers, id);
    if (!headers->has_repeats)
        return;
    for (uint32_t i = index + 1; i < headers->used && i < NU_HEADERS_INDEXED; i++) {
        if (headers->entries[i].id == id) {
            set_present(headers, id, i);
            return;
        }
    }
}

static void remove_from(struct nu_headers *headers, enum nu_header_id id, uint32_t index)
{
    for (uint32_t i = index; i < headers->used; i++) {
        if (headers->entries[i].id == id) {
            headers->entries[i].name.ptr = NULL;
            headers->entries[i].id = NU_HEADER_OTHER;
            headers->holes++;
        }
    }
}

void nu_headers_set_number(struct nu_headers *headers, enum nu_header_id id, uint64_t value)
{
    char *text = nu_arena_alloc(headers->arena, 20);
    nu_headers_set_id(headers, id, nu_str_make(text, nu_u64_to_chars(value, text)));
}

bool nu_header_number(struct nu_str value, uint64_t *out)
{
    if (nu_str_starts_with(value, NU_STR("+")))
        value = nu_str_skip(value, 1);
    return nu_str_to_u64(value, out) == NU_OK;
}

void nu_headers_remove_id_slow(struct nu_headers *headers, enum nu_header_id id)
{
    uint32_t index = headers->first[id];
    clear_present(headers, id);
    if (nu_unlikely(headers->has_repeats)) {
        remove_from(headers, id, index);
        return;
    }
    headers->entries[index].name.ptr = NULL;
    headers->entries[index].id = NU_HEADER_OTHER;
    headers->holes++;
}

static NU_NOINLINE void set_id_slow(struct nu_headers *headers, enum nu_header_id id,
                                    struct nu_str value)
{
    struct nu_header *header = nu_headers_find_id(headers, id);
    if (!header) {
        add_id_slow(headers, id, value);
        return;
    }
    header->value = value;
    if (nu_unlikely(headers->has_repeats))
        remove_from(headers, id, headers->first[id] + 1u);
}

void nu_headers_set_id(struct nu_headers *headers, enum nu_header_id id, struct nu_str value)
{
    if (!nu_headers_try_new(headers, id, nu_header_rows[id].len, value))
        set_id_slow(headers, id, value);
}

void nu_headers_remove_set(struct nu_headers *headers, const struct nu_header_set *set)
{
    for (int i = 0; i < NU_HEADERS_WORDS; i++) {
        uint64_t bits = headers->present[i] & set->words[i];
        while (bits) {
            unsigned id = (unsigned)i * 64 + (unsigned)__builtin_ctzll(bits);
            nu_headers_remove_id_slow(headers, (enum nu_header_id)id);
            bits &= bits - 1;
        }
    }
}

/* The first entry called `name` at or behind `index`, or NULL. */
static struct nu_header *find_from(const struct nu_headers *headers, enum nu_header_id id,
                                   struct nu_str name, uint32_t index)
{
    for (uint32_t i = index; i < headers->used; i++) {
        struct nu_header *header = &headers->entries[i];
        if (id && header->id == id)
            return header;
        if (header->id == NU_HEADER_OTHER && header->name.ptr && nu_str_eq(header->name, name))
            return header;
    }
    return NULL;
}

static struct nu_header *find(const struct nu_headers *headers, struct nu_str name)
{
    enum nu_header_id id = nu_header_id_of(name);
    if (id) {
        struct nu_header *header = nu_headers_find_id(headers, id);
        if (header || headers->used <= NU_HEADERS_INDEXED)
            return header;
    }
    return find_from(headers, id, name, 0);
}

struct nu_str nu_headers_get(const struct nu_headers *headers, struct nu_str name)
{
    const struct nu_header *header = find(headers, name);
    return header ? header->value : nu_str_make(NULL, 0);
}

bool nu_headers_has(const struct nu_headers *headers, struct nu_str name)
{
    return find(headers, name) != NULL;
}

static uint32_t index_of(const struct nu_headers *headers, const struct nu_header *header)
{
    return (uint32_t)(header - headers->entries);
}

size_t nu_headers_count_of(const struct nu_headers *headers, struct nu_str name)
{
    enum nu_header_id id = nu_header_id_of(name);
    size_t count = 0;
    const struct nu_header *header = find(headers, name);
    for (; header; header = find_from(headers, id, name, index_of(headers, header) + 1))
        count++;
    return count;
}

size_t nu_headers_count_id(const struct nu_headers *headers, enum nu_header_id id)
{
    if (!nu_headers_has_id(headers, id) || !headers->has_repeats)
        return nu_headers_has_id(headers, id);
    size_t count = 0;
    for (uint32_t i = headers->first[id]; i < headers->used; i++)
        count += headers->entries[i].id == id;
    return count;
}

/* The bytes of all values from `first` on and of the separators between them. */
static size_t joined_len(const struct nu_headers *headers, enum nu_header_id id, struct nu_str name,
                         const struct nu_header *first, size_t separator_len)
{
    size_t len = 0;
    for (const struct nu_header *header = first; header;
         header = find_from(headers, id, name, index_of(headers, header) + 1))
        len += header->value.len + (header == first ? 0 : separator_len);
    return len;
}

static size_t put(char *out, size_t at, struct nu_str s)
{
    if (s.len)
        memcpy(out + at, s.ptr, s.len);
    return at + s.len;
}

static struct nu_str join(const struct nu_headers *headers, enum nu_header_id id,
                          struct nu_str name, const struct nu_header *first,
                          struct nu_str separator)
{
    if (!first)
        return nu_str_make(NULL, 0);
    const struct nu_header *next = find_from(headers, id, name, index_of(headers, first) + 1);
    if (nu_likely(!next))
        return first->value;
    size_t len = joined_len(headers, id, name, first, separator.len);
    char *out = nu_arena_alloc(headers->arena, len);
    size_t at = put(out, 0, first->value);
    for (; next; next = find_from(headers, id, name, index_of(headers, next) + 1)) {
        at = put(out, at, separator);
        at = put(out, at, next->value);
    }
    return nu_str_make(out, len);
}

struct nu_str nu_headers_get_all(const struct nu_headers *headers, struct nu_str name)
{
    return join(headers, nu_header_id_of(name), name, find(headers, name), NU_STR(","));
}

struct nu_str nu_headers_join_id(const struct nu_headers *headers, enum nu_header_id id,
                                 struct nu_str separator)
{
    return join(headers, id, nu_header_name_of(id), nu_headers_find_id(headers, id), separator);
}

/* A lower-case copy of a name and its id; known names need no copy. */
static struct nu_str own_name(struct nu_headers *headers, struct nu_str name, enum nu_header_id *id)
{
    *id = nu_header_id_of(name);
    if (*id)
        return nu_header_name_of(*id);
    struct nu_str copy = nu_arena_dup(headers->arena, name);
    nu_header_name_lower(nu_unconst(copy.ptr), copy.len);
    *id = nu_header_id_of(copy);
    return copy;
}

/* A name of a header, and nothing that would make it two lines, or of one of the pseudo-headers that
 * there are. */
static bool may_be_name(struct nu_str name)
{
    if (nu_unlikely(nu_str_starts_with(name, NU_STR(":"))))
        return nu_header_id_of(name) != NU_HEADER_OTHER;
    return nu_header_name_is_valid(name);
}

/* A copy, in which blanks stand for what no value may hold (RFC 9110 5.5): filters write here what
 * they may have from a peer, by some decoding, and a line break would begin a header of the peer's
 * choice. */
static struct nu_str own_value(struct nu_headers *headers, struct nu_str value)
{
    struct nu_str copy = nu_arena_dup(headers->arena, value);
    if (nu_likely(nu_header_value_is_valid(copy)))
        return copy;
    char *end = nu_unconst(copy.ptr + copy.len);
    char *p = nu_unconst(copy.ptr);
    while ((p = nu_unconst(nu_header_value_end(p, end))) != end)
        *p = ' ';
    return copy;
}

void nu_headers_add(struct nu_headers *headers, struct nu_str name, struct nu_str value)
{
    enum nu_header_id id;
    if (nu_unlikely(!may_be_name(name)))
        return;
    struct nu_str own = own_name(headers, name, &id);
    nu_headers_add_ref(headers, id, own, own_value(headers, value));
}

void nu_headers_set(struct nu_headers *headers, struct nu_str name, struct nu_str value)
{
    enum nu_header_id id;
    if (nu_unlikely(!may_be_name(name)))
        return;
    struct nu_str own = own_name(headers, name, &id);
    struct nu_header *header = find(headers, own);
    if (!header) {
        nu_headers_add_ref(headers, id, own, own_value(headers, value));
        return;
    }
    header->value = own_value(headers, value);
    struct nu_header *other;
    while ((other = find_from(headers, id, own, index_of(headers, header) + 1)))
        nu_headers_remove_entry(headers, other);
}

size_t nu_headers_remove(struct nu_headers *headers, struct nu_str name)
{
    enum nu_header_id id = nu_header_id_of(name);
    size_t removed = 0;
    struct nu_header *header = find(headers, name);
    while (header) {
        struct nu_header *next = find_from(headers, id, name, index_of(headers, header) + 1);
        nu_headers_remove_entry(headers, header);
        header = next;
        removed++;
    }
    return removed;
}

size_t nu_headers_count(const struct nu_headers *headers)
{
    return headers->used - headers->holes;
}

bool nu_headers_next(const struct nu_headers *headers, size_t *cursor, struct nu_str *name,
                     struct nu_str *value)
{
    while (*cursor < headers->used) {
        const struct nu_header *header = &headers->entries[(*cursor)++];
        if (!header->name.ptr)
            continue;
        *name = header->name;
        *value = header->value;
        return true;
    }
    return false;
}

size_t nu_headers_byte_size(const struct nu_headers *headers)
{
    size_t bytes = 0;
    nu_headers_for_each(header, headers)
    {
        bytes += header->name.len + header->value.len;
    }
    return bytes;
}
