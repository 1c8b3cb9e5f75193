/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebAssembly module as bytes: what it imports and exports, and the few changes that nuncio makes
 * to it before an engine compiles it. Nothing here judges instructions: engines validate those.
 *
 * The bytes are foreign. What is allocated for them never exceeds a small multiple of their length.
 */
#ifndef NU_WASM_BINARY_H
#define NU_WASM_BINARY_H

#include "base/arena.h"

struct nu_wasm_storage;

enum nu_wasm_kind {
    NU_WASM_FUNCTION,
    NU_WASM_TABLE,
    NU_WASM_MEMORY,
    NU_WASM_GLOBAL,
    NU_WASM_TAG,
    NU_WASM_KIND_COUNT,
};

/* Bounds of a memory (in pages of 64 KiB) or of a table (in entries). */
struct nu_wasm_extent {
    uint32_t min;
    uint32_t max; /* UINT32_MAX if none is given */
};

/* An import or an export. Views into the module's bytes. */
struct nu_wasm_item {
    struct nu_str module; /* of an import; empty for an export */
    struct nu_str name;
    enum nu_wasm_kind kind;
    /* Of a function, as in wasm/engine.h; other letters: v: v128, r: funcref, x: externref. NULL
     * for anything else. */
    const char *type;
    struct nu_wasm_extent extent; /* of an imported memory or table */
    bool has_references;          /* of an imported table: externref, not funcref */
};

struct nu_wasm_section {
    uint8_t id;
    struct nu_str name; /* of a custom section */
    struct nu_str body; /* of a custom section: behind its name */
};

struct nu_wasm_module {
    struct nu_str bytes; /* borrowed */
    struct nu_wasm_item *imports;
    size_t import_count;
    struct nu_wasm_item *exports;
    size_t export_count;
    struct nu_wasm_section *sections; /* in their order */
    size_t section_count;
    bool has_memory;              /* its own or an imported one; there is no second */
    bool is_memory_imported;      /* the host makes it */
    struct nu_wasm_extent memory; /* of that */
    uint32_t table_count;         /* imported ones too */
    uint32_t function_count;      /* imported ones too */
    bool has_start;
    uint32_t start; /* index of the function that instantiation runs */
};

/*
 * Reads a module. NULL, with a text in `error` (one line), if it is none or of a kind that nuncio
 * does not run. The result lives in `arena` and points into `bytes`.
 */
struct nu_wasm_module *nu_wasm_module_read(struct nu_arena *arena, struct nu_str bytes,
                                           struct nu_strbuf *error);

/* The export of this name and kind, or NULL. */
const struct nu_wasm_item *nu_wasm_module_export(const struct nu_wasm_module *module,
                                                 const char *name, enum nu_wasm_kind kind);
/* The name of the first exported memory, in `arena`; NULL if there is none. */
const char *nu_wasm_module_memory_name(const struct nu_wasm_module *module, struct nu_arena *arena);
/* "function", "table", ... */
const char *nu_wasm_kind_name(enum nu_wasm_kind kind);
/* A type for people: "(i32, i64) -> i32". */
void nu_wasm_type_format(const char *type, struct nu_strbuf *out);

/* The name under which a prepared module exports what was its start function. */
#define NU_WASM_START_EXPORT "nuncio.start"

/*
 * What an engine makes for each instance because the module imports it, within the limits of
 * nu_wasm_module_prepare; in `arena`. NULL with a text in `error` if the module asks for more from the start.
 */
NU_MUST_USE const struct nu_wasm_storage *
nu_wasm_module_storage(const struct nu_wasm_module *module, uint32_t max_pages, uint32_t max_table,
                       struct nu_arena *arena, size_t *count, struct nu_strbuf *error);

/*
 * Writes the module for an engine: its memory cannot grow beyond `max_pages`, its tables not beyond
 * equal parts of `max_table`, and its start function, if it has one, is exported instead of run, so
 * that the host can call it when it holds the instance. False with a text in `error` if it asks for
 * more from the start.
 */
NU_MUST_USE bool nu_wasm_module_prepare(const struct nu_wasm_module *module, uint32_t max_pages,
                                        uint32_t max_table, struct nu_strbuf *out,
                                        struct nu_strbuf *error);

#endif
