/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of a module, one after the other, into arrays. The code and data sections are passed
 * over whole. What a later proposal adds to the encoding (garbage-collected types, shared or 64-bit
 * memories) is refused by name: the limits of wasm/binary.h rest on knowing every table and memory.
 */
#include "wasm/binary_internal.h"

static const char cut_off[] = "it is cut off";

/* --- Primitives ------------------------------------------------------------------------------- */

void nu_wasm_reader_init(struct nu_wasm_reader *reader, struct nu_str bytes)
{
    reader->at = (const uint8_t *)bytes.ptr;
    reader->end = reader->at + bytes.len;
    reader->failure = NULL;
}

void nu_wasm_reader_fail(struct nu_wasm_reader *reader, const char *failure)
{
    if (!reader->failure)
        reader->failure = failure;
    reader->at = reader->end;
}

uint8_t nu_wasm_read_byte(struct nu_wasm_reader *reader)
{
    if (reader->at != reader->end)
        return *reader->at++;
    nu_wasm_reader_fail(reader, cut_off);
    return 0;
}

uint32_t nu_wasm_read_u32(struct nu_wasm_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = nu_wasm_read_byte(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (value <= UINT32_MAX)
            return (uint32_t)value;
        break;
    }
    nu_wasm_reader_fail(reader, "a number is too large");
    return 0;
}

struct nu_str nu_wasm_read_bytes(struct nu_wasm_reader *reader, size_t n)
{
    if (n > (size_t)(reader->end - reader->at)) {
        nu_wasm_reader_fail(reader, cut_off);
        return NU_STR("");
    }
    struct nu_str bytes = {(const char *)reader->at, n};
    reader->at += n;
    return bytes;
}

struct nu_str nu_wasm_read_vector(struct nu_wasm_reader *reader)
{
    return nu_wasm_read_bytes(reader, nu_wasm_read_u32(reader));
}

struct nu_str nu_wasm_read_name(struct nu_wasm_reader *reader)
{
    struct nu_str name = nu_wasm_read_vector(reader);
    if (!nu_str_is_utf8(name))
        nu_wasm_reader_fail(reader, "a name is not UTF-8");
    return name;
}

uint32_t nu_wasm_read_count(struct nu_wasm_reader *reader, uint32_t item_bytes)
{
    uint32_t count = nu_wasm_read_u32(reader);
    if (count <= (size_t)(reader->end - reader->at) / item_bytes)
        return count;
    nu_wasm_reader_fail(reader, cut_off);
    return 0;
}

struct nu_wasm_extent nu_wasm_read_extent(struct nu_wasm_reader *reader)
{
    struct nu_wasm_extent extent = {0, UINT32_MAX};
    uint8_t flags = nu_wasm_read_byte(reader);
    if (flags > 1)
        nu_wasm_reader_fail(reader, "it has a shared or 64-bit memory or table, which nuncio does "
                                    "not run");
    extent.min = nu_wasm_read_u32(reader);
    if (flags & 1)
        extent.max = nu_wasm_read_u32(reader);
    return extent;
}

uint8_t nu_wasm_read_table_type(struct nu_wasm_reader *reader)
{
    uint8_t type = nu_wasm_read_byte(reader);
    if (!reader->failure && type != NU_WASM_FUNCREF && type != NU_WASM_EXTERNREF)
        nu_wasm_reader_fail(reader, "it has a table of a kind that nuncio does not run");
    return type;
}

/* --- Sections --------------------------------------------------------------------------------- */

struct reading {
    struct nu_wasm_reader reader;
    struct nu_arena *arena;
    struct nu_wasm_module *module;
    const char **types; /* by number */
    uint32_t type_count;
    const char **functions; /* the types of functions, imported ones first */
    uint32_t function_cap;
};

static char letter_of(uint8_t type)
{
    switch (type) {
    case 0x7f:
        return 'i';
    case 0x7e:
        return 'l';
    case 0x7d:
        return 'f';
    case 0x7c:
        return 'd';
    case 0x7b:
        return 'v';
    case 0x70:
        return 'r';
    case 0x6f:
        return 'x';
    default:
        return 0;
    }
}

static char *read_value_types(struct nu_wasm_reader *reader, char *out)
{
    struct nu_str types = nu_wasm_read_vector(reader);
    for (size_t i = 0; i < types.len; i++) {
        char letter = letter_of((uint8_t)types.ptr[i]);
        if (!letter)
            nu_wasm_reader_fail(reader, "it uses types that nuncio does not run");
        *out++ = letter;
    }
    return out;
}

static const char *read_type(struct reading *r)
{
    if (nu_wasm_read_byte(&r->reader) != 0x60)
        nu_wasm_reader_fail(&r->reader, "it uses types that nuncio does not run");
    struct nu_wasm_reader ahead = r->reader;
    size_t params = nu_wasm_read_vector(&ahead).len;
    size_t results = nu_wasm_read_vector(&ahead).len;
    char *text = nu_arena_alloc(r->arena, params + results + 2);
    char *at = read_value_types(&r->reader, text);
    *at++ = '=';
    at = read_value_types(&r->reader, at);
    *at = '\0';
    return text;
}

static void read_types(struct reading *r)
{
    r->type_count = nu_wasm_read_count(&r->reader, 3);
    r->types = nu_arena_calloc(r->arena, (r->type_count + 1) * sizeof(*r->types));
    for (uint32_t i = 0; i < r->type_count && !r->reader.failure; i++)
        r->types[i] = read_type(r);
}

/* Takes a function's type by its number, for functions in the order of their indices. */
static const char *add_function(struct reading *r)
{
    uint32_t number = nu_wasm_read_u32(&r->reader);
    if (number >= r->type_count) {
        nu_wasm_reader_fail(&r->reader, "a function has no type");
        return NULL;
    }
    struct nu_wasm_module *module = r->module;
    if (module->function_count == r->function_cap) {
        uint32_t cap = r->function_cap ? 2 * r->function_cap : 64;
        const char **functions = nu_arena_alloc(r->arena, cap * sizeof(*functions));
        if (r->function_cap)
            memcpy(functions, r->functions, r->function_cap * sizeof(*functions));
        r->functions = functions;
        r->function_cap = cap;
    }
    return r->functions[module->function_count++] = r->types[number];
}

static void add_memory(struct reading *r, struct nu_wasm_extent extent)
{
    if (r->module->has_memory)
        nu_wasm_reader_fail(&r->reader, "it has several memories, which nuncio does not run");
    r->module->has_memory = true;
    r->module->memory = extent;
}

static void read_import(struct reading *r, struct nu_wasm_item *item)
{
    struct nu_wasm_reader *reader = &r->reader;
    item->module = nu_wasm_read_name(reader);
    item->name = nu_wasm_read_name(reader);
    uint8_t kind = nu_wasm_read_byte(reader);
    if (kind >= NU_WASM_KIND_COUNT) {
        nu_wasm_reader_fail(reader, "it imports something of an unknown kind");
        return;
    }
    item->kind = (enum nu_wasm_kind)kind;
    switch (item->kind) {
    case NU_WASM_FUNCTION:
        item->type = add_function(r);
        break;
    case NU_WASM_TABLE:
        item->has_references = nu_wasm_read_table_type(reader) == NU_WASM_EXTERNREF;
        item->extent = nu_wasm_read_extent(reader);
        r->module->table_count++;
        break;
    case NU_WASM_MEMORY:
        item->extent = nu_wasm_read_extent(reader);
        r->module->is_memory_imported = true;
        add_memory(r, item->extent);
        break;
    case NU_WASM_GLOBAL:
        nu_wasm_read_bytes(reader, 2);
        break;
    case NU_WASM_TAG:
        nu_wasm_read_byte(reader);
        nu_wasm_read_u32(reader);
        break;
    case NU_WASM_KIND_COUNT:
        break;
    }
}

static void read_imports(struct reading *r)
{
    struct nu_wasm_module *module = r->module;
    uint32_t count = nu_wasm_read_count(&r->reader, 4);
    module->imports = nu_arena_calloc(r->arena, (count + 1) * sizeof(*module->imports));
    while (module->import_count < count && !r->reader.failure)
        read_import(r, &module->imports[module->import_count++]);
}

static void read_functions(struct reading *r)
{
    uint32_t count = nu_wasm_read_count(&r->reader, 1);
    for (uint32_t i = 0; i < count && !r->reader.failure; i++)
        add_function(r);
}

static void read_tables(struct reading *r)
{
    uint32_t count = nu_wasm_read_count(&r->reader, 3);
    for (uint32_t i = 0; i < count && !r->reader.failure; i++) {
        nu_wasm_read_table_type(&r->reader);
        nu_wasm_read_extent(&r->reader);
        r->module->table_count++;
    }
}

static void read_memories(struct reading *r)
{
    uint32_t count = nu_wasm_read_count(&r->reader, 2);
    for (uint32_t i = 0; i < count && !r->reader.failure; i++)
        add_memory(r, nu_wasm_read_extent(&r->reader));
}

static void read_export(struct reading *r, struct nu_wasm_item *item)
{
    item->name = nu_wasm_read_name(&r->reader);
    uint8_t kind = nu_wasm_read_byte(&r->reader);
    uint32_t index = nu_wasm_read_u32(&r->reader);
    if (kind >= NU_WASM_KIND_COUNT) {
        nu_wasm_reader_fail(&r->reader, "it exports something of an unknown kind");
        return;
    }
    item->kind = (enum nu_wasm_kind)kind;
    if (item->kind != NU_WASM_FUNCTION)
        return;
    if (index < r->module->function_count)
        item->type = r->functions[index];
    else
        nu_wasm_reader_fail(&r->reader, "it exports a function that it does not have");
}

static void read_exports(struct reading *r)
{
    struct nu_wasm_module *module = r->module;
    uint32_t count = nu_wasm_read_count(&r->reader, 3);
    module->exports = nu_arena_calloc(r->arena, (count + 1) * sizeof(*module->exports));
    while (module->export_count < count && !r->reader.failure)
        read_export(r, &module->exports[module->export_count++]);
}

static void read_start(struct reading *r)
{
    struct nu_wasm_module *module = r->module;
    module->start = nu_wasm_read_u32(&r->reader);
    module->has_start = true;
    if (module->start < module->function_count && strcmp(r->functions[module->start], "=") != 0)
        nu_wasm_reader_fail(&r->reader, "its start function takes or returns something");
}

static void read_body(struct reading *r, struct nu_wasm_section *section)
{
    switch (section->id) {
    case NU_WASM_SECTION_CUSTOM:
        section->name = nu_wasm_read_name(&r->reader);
        section->body =
            nu_str_make((const char *)r->reader.at, (size_t)(r->reader.end - r->reader.at));
        r->reader.at = r->reader.end;
        break;
    case NU_WASM_SECTION_TYPE:
        read_types(r);
        break;
    case NU_WASM_SECTION_IMPORT:
        read_imports(r);
        break;
    case NU_WASM_SECTION_FUNCTION:
        read_functions(r);
        break;
    case NU_WASM_SECTION_TABLE:
        read_tables(r);
        break;
    case NU_WASM_SECTION_MEMORY:
        read_memories(r);
        break;
    case NU_WASM_SECTION_EXPORT:
        read_exports(r);
        break;
    case NU_WASM_SECTION_START:
        read_start(r);
        break;
    default:
        r->reader.at = r->reader.end;
        break;
    }
    if (!r->reader.failure && r->reader.at != r->reader.end)
        nu_wasm_reader_fail(&r->reader, "a section is longer than what it holds");
}

/* Sections but custom ones stand at most once, which the readers above rely on. */
static void check_order(struct nu_wasm_reader *all, uint32_t *seen, uint8_t id)
{
    if (id == NU_WASM_SECTION_CUSTOM)
        return;
    if (id > 13)
        nu_wasm_reader_fail(all, "it has a section of an unknown kind");
    else if (*seen & 1u << id)
        nu_wasm_reader_fail(all, "it has a section twice");
    else if (id <= NU_WASM_SECTION_START && *seen >> id & ((1u << (9u - id)) - 1))
        nu_wasm_reader_fail(all, "its sections are out of order");
    *seen |= 1u << (id & 15);
}

static uint32_t count_sections(struct nu_wasm_reader all)
{
    uint32_t count = 0;
    while (all.at != all.end) {
        nu_wasm_read_byte(&all);
        nu_wasm_read_vector(&all);
        count++;
    }
    return count;
}

static void read_sections(struct reading *r, struct nu_wasm_reader *all)
{
    struct nu_wasm_module *module = r->module;
    uint32_t seen = 0;
    module->sections =
        nu_arena_calloc(r->arena, (count_sections(*all) + 1) * sizeof(*module->sections));
    while (all->at != all->end && !all->failure) {
        struct nu_wasm_section *section = &module->sections[module->section_count];
        section->id = nu_wasm_read_byte(all);
        section->body = nu_wasm_read_vector(all);
        check_order(all, &seen, section->id);
        if (all->failure)
            return;
        module->section_count++;
        nu_wasm_reader_init(&r->reader, section->body);
        read_body(r, section);
        if (r->reader.failure)
            nu_wasm_reader_fail(all, r->reader.failure);
    }
}

/* --- The module ------------------------------------------------------------------------------- */

static const char *check_head(struct nu_str bytes)
{
    if (!nu_str_starts_with(bytes, nu_str_make("\0asm", 4)))
        return "it is no WebAssembly module";
    if (nu_str_starts_with(nu_str_skip(bytes, 4), nu_str_make("\1\0\0\0", 4)))
        return NULL;
    if (nu_str_starts_with(nu_str_skip(bytes, 6), nu_str_make("\1\0", 2)))
        return "it is a WebAssembly component: build a core module (target wasm32-wasip1)";
    return "it is a WebAssembly module of another version than 1";
}

struct nu_wasm_module *nu_wasm_module_read(struct nu_arena *arena, struct nu_str bytes,
                                           struct nu_strbuf *error)
{
    const char *failure = check_head(bytes);
    struct nu_wasm_reader all;
    struct reading r = {.arena = arena, .module = nu_arena_calloc(arena, sizeof(*r.module))};
    r.module->bytes = bytes;
    if (!failure) {
        nu_wasm_reader_init(&all, nu_str_skip(bytes, 8));
        read_sections(&r, &all);
        failure = all.failure;
    }
    if (!failure && r.module->has_start && r.module->start >= r.module->function_count)
        failure = "its start function does not exist";
    if (!failure)
        return r.module;
    nu_strbuf_add_cstr(error, failure);
    return NULL;
}

const struct nu_wasm_item *nu_wasm_module_export(const struct nu_wasm_module *module,
                                                 const char *name, enum nu_wasm_kind kind)
{
    for (size_t i = 0; i < module->export_count; i++) {
        const struct nu_wasm_item *item = &module->exports[i];
        if (item->kind == kind && nu_str_eq(item->name, nu_str_from(name)))
            return item;
    }
    return NULL;
}

const char *nu_wasm_module_memory_name(const struct nu_wasm_module *module, struct nu_arena *arena)
{
    for (size_t i = 0; i < module->export_count; i++) {
        if (module->exports[i].kind == NU_WASM_MEMORY)
            return nu_arena_dup(arena, module->exports[i].name).ptr;
    }
    return NULL;
}

const char *nu_wasm_kind_name(enum nu_wasm_kind kind)
{
    static const char *const names[] = {"function", "table", "memory", "global", "tag"};
    return names[kind];
}

static const char *name_of_letter(char letter)
{
    switch (letter) {
    case 'i':
        return "i32";
    case 'l':
        return "i64";
    case 'f':
        return "f32";
    case 'd':
        return "f64";
    case 'v':
        return "v128";
    case 'r':
        return "funcref";
    default:
        return "externref";
    }
}

void nu_wasm_type_format(const char *type, struct nu_strbuf *out)
{
    const char *comma = "";
    nu_strbuf_add_char(out, '(');
    for (; *type != '='; type++, comma = ", ")
        nu_strbuf_addf(out, "%s%s", comma, name_of_letter(*type));
    nu_strbuf_add_cstr(out, ") -> ");
    if (!*++type)
        nu_strbuf_add_cstr(out, "()");
    for (comma = ""; *type; type++, comma = ", ")
        nu_strbuf_addf(out, "%s%s", comma, name_of_letter(*type));
}
