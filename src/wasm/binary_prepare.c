/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module written again with its memory and tables bounded, and its start function exported. No
 * function moves, so that what the name section says stays true. What it imports is bounded where
 * it is made: it matches the import as it is written, for it is never larger.
 */
#include "base/varint.h"
#include "wasm/binary_internal.h"
#include "wasm/engine.h"

enum { PAGE_BYTES = 64 * 1024 };

static void put_extent(struct nu_strbuf *out, struct nu_wasm_extent extent, uint32_t limit)
{
    nu_strbuf_add_char(out, 1);
    nu_varint_add(out, extent.min);
    nu_varint_add(out, extent.max < limit ? extent.max : limit);
}

static bool has_pages(struct nu_wasm_extent extent, uint32_t max_pages, struct nu_strbuf *error)
{
    if (extent.min <= max_pages)
        return true;
    nu_strbuf_addf(error, "it needs %llu bytes of memory from the start; the limit is %llu",
                   (unsigned long long)extent.min * PAGE_BYTES,
                   (unsigned long long)max_pages * PAGE_BYTES);
    return false;
}

static bool has_entries(struct nu_wasm_extent extent, uint32_t max_table, struct nu_strbuf *error)
{
    if (extent.min <= max_table)
        return true;
    nu_strbuf_addf(error, "it needs a table of %u entries; the limit is %u", extent.min, max_table);
    return false;
}

/* The tables share the limit: an engine has them in memory of its own, which has an end as well. */
static uint32_t share_of_table(const struct nu_wasm_module *module, uint32_t max_table)
{
    return module->table_count ? max_table / module->table_count : max_table;
}

static bool put_memory(struct nu_wasm_reader *reader, uint32_t max_pages, struct nu_strbuf *body,
                       struct nu_strbuf *error)
{
    nu_varint_add(body, nu_wasm_read_count(reader, 2));
    if (reader->at == reader->end)
        return true;
    struct nu_wasm_extent extent = nu_wasm_read_extent(reader);
    if (!has_pages(extent, max_pages, error))
        return false;
    put_extent(body, extent, max_pages);
    return true;
}

static bool put_tables(struct nu_wasm_reader *reader, uint32_t max_table, struct nu_strbuf *body,
                       struct nu_strbuf *error)
{
    uint32_t count = nu_wasm_read_count(reader, 3);
    nu_varint_add(body, count);
    for (uint32_t i = 0; i < count; i++) {
        nu_strbuf_add_char(body, (char)nu_wasm_read_table_type(reader));
        struct nu_wasm_extent extent = nu_wasm_read_extent(reader);
        if (!has_entries(extent, max_table, error))
            return false;
        put_extent(body, extent, max_table);
    }
    return true;
}

static void put_exports(const struct nu_wasm_module *module, struct nu_wasm_reader *reader,
                        struct nu_strbuf *body)
{
    uint32_t count = nu_wasm_read_count(reader, 3);
    nu_varint_add(body, count + module->has_start);
    nu_strbuf_add(body, nu_str_make((const char *)reader->at, (size_t)(reader->end - reader->at)));
    if (!module->has_start)
        return;
    nu_varint_add(body, sizeof(NU_WASM_START_EXPORT) - 1);
    nu_strbuf_add_cstr(body, NU_WASM_START_EXPORT);
    nu_strbuf_add_char(body, NU_WASM_FUNCTION);
    nu_varint_add(body, module->start);
}

struct limits {
    uint32_t max_pages;
    uint32_t max_table;
};

/* The body of a section, as it goes out. */
static bool put_body(const struct nu_wasm_module *module, const struct nu_wasm_section *section,
                     const struct limits *limits, struct nu_strbuf *body, struct nu_strbuf *error)
{
    struct nu_wasm_reader reader;
    nu_wasm_reader_init(&reader, section->body);
    switch (section->id) {
    case NU_WASM_SECTION_TABLE:
        return put_tables(&reader, limits->max_table, body, error);
    case NU_WASM_SECTION_MEMORY:
        return put_memory(&reader, limits->max_pages, body, error);
    case NU_WASM_SECTION_EXPORT:
        put_exports(module, &reader, body);
        return true;
    case NU_WASM_SECTION_CUSTOM:
        nu_varint_add(body, (uint32_t)section->name.len);
        nu_strbuf_add(body, section->name);
        break;
    default:
        break;
    }
    nu_strbuf_add(body, section->body);
    return true;
}

bool nu_wasm_module_prepare(const struct nu_wasm_module *module, uint32_t max_pages,
                            uint32_t max_table, struct nu_strbuf *out, struct nu_strbuf *error)
{
    struct limits limits = {max_pages, share_of_table(module, max_table)};
    struct nu_strbuf body = {0};
    bool ok = true;
    nu_strbuf_add(out, nu_str_first(module->bytes, 8));
    for (size_t i = 0; i < module->section_count && ok; i++) {
        const struct nu_wasm_section *section = &module->sections[i];
        if (section->id == NU_WASM_SECTION_START)
            continue;
        nu_strbuf_clear(&body);
        ok = put_body(module, section, &limits, &body, error);
        nu_strbuf_add_char(out, (char)section->id);
        nu_varint_add(out, (uint32_t)body.len);
        nu_strbuf_add(out, nu_strbuf_str(&body));
    }
    nu_strbuf_finish(&body);
    return ok;
}

/* --- What is imported ------------------------------------------------------------------------- */

static void describe(struct nu_wasm_storage *storage, const struct nu_wasm_item *item,
                     uint32_t limit, struct nu_arena *arena)
{
    storage->module = nu_arena_dup(arena, item->module).ptr;
    storage->name = nu_arena_dup(arena, item->name).ptr;
    storage->kind = item->kind == NU_WASM_MEMORY ? NU_WASM_STORES_BYTES
                    : item->has_references       ? NU_WASM_STORES_REFERENCES
                                                 : NU_WASM_STORES_FUNCTIONS;
    storage->min = item->extent.min;
    storage->max = item->extent.max < limit ? item->extent.max : limit;
}

const struct nu_wasm_storage *nu_wasm_module_storage(const struct nu_wasm_module *module,
                                                     uint32_t max_pages, uint32_t max_table,
                                                     struct nu_arena *arena, size_t *count,
                                                     struct nu_strbuf *error)
{
    size_t room = (size_t)module->table_count + module->is_memory_imported;
    struct nu_wasm_storage *all = nu_arena_calloc(arena, (room + 1) * sizeof(*all));
    *count = 0;
    max_table = share_of_table(module, max_table);
    for (size_t i = 0; i < module->import_count; i++) {
        const struct nu_wasm_item *item = &module->imports[i];
        bool is_memory = item->kind == NU_WASM_MEMORY;
        if (!is_memory && item->kind != NU_WASM_TABLE)
            continue;
        if (is_memory ? !has_pages(item->extent, max_pages, error)
                      : !has_entries(item->extent, max_table, error))
            return NULL;
        describe(&all[(*count)++], item, is_memory ? max_pages : max_table, arena);
    }
    return all;
}
