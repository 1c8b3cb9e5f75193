/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the encoding of WebAssembly modules, for what reads them and what writes them again.
 */
#ifndef NU_WASM_BINARY_INTERNAL_H
#define NU_WASM_BINARY_INTERNAL_H

#include "wasm/binary.h"

enum {
    NU_WASM_SECTION_CUSTOM = 0,
    NU_WASM_SECTION_TYPE = 1,
    NU_WASM_SECTION_IMPORT = 2,
    NU_WASM_SECTION_FUNCTION = 3,
    NU_WASM_SECTION_TABLE = 4,
    NU_WASM_SECTION_MEMORY = 5,
    NU_WASM_SECTION_EXPORT = 7,
    NU_WASM_SECTION_START = 8,
};

/* Types of tables' entries. */
enum {
    NU_WASM_FUNCREF = 0x70,
    NU_WASM_EXTERNREF = 0x6f,
};

/* A place in the bytes. After the first failure every read gives 0 and the text stays. */
struct nu_wasm_reader {
    const uint8_t *at;
    const uint8_t *end;
    const char *failure; /* NULL: none so far */
};

void nu_wasm_reader_init(struct nu_wasm_reader *reader, struct nu_str bytes);
void nu_wasm_reader_fail(struct nu_wasm_reader *reader, const char *failure);
uint8_t nu_wasm_read_byte(struct nu_wasm_reader *reader);
/* An unsigned number of up to 32 bits in LEB128. */
uint32_t nu_wasm_read_u32(struct nu_wasm_reader *reader);
struct nu_str nu_wasm_read_bytes(struct nu_wasm_reader *reader, size_t n);
/* A length and as many bytes. */
struct nu_str nu_wasm_read_vector(struct nu_wasm_reader *reader);
/* The same, of UTF-8. */
struct nu_str nu_wasm_read_name(struct nu_wasm_reader *reader);
/* A number of items, of which each takes `item_bytes` or more. */
uint32_t nu_wasm_read_count(struct nu_wasm_reader *reader, uint32_t item_bytes);
/* The bounds of a memory or table. Shared and 64-bit ones fail. */
struct nu_wasm_extent nu_wasm_read_extent(struct nu_wasm_reader *reader);
/* A table's type of entries. Newer forms fail. */
uint8_t nu_wasm_read_table_type(struct nu_wasm_reader *reader);

#endif
