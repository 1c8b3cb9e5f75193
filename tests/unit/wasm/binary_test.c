/* SPDX-License-Identifier: Apache-2.0 */
/* Modules byte by byte: what is read, what is refused, and what a prepared one looks like. */
#include "harness/test.h"

#include "wasm/binary.h"
#include "wasm/engine.h"

#define HEAD "\0asm\1\0\0\0"
/* Types 0: () -> (), 1: (i32, i64) -> i32. */
#define TYPES "\1\x0a\2\x60\0\0\x60\2\x7f\x7e\1\x7f"
#define IMPORTS "\2\x09\1\3env\1f\0\1"
#define FUNCTIONS "\3\2\1\0"
#define TABLE "\4\4\1\x70\0\5"
#define MEMORY "\5\3\1\0\2"
#define EXPORTS "\7\x0d\3\1m\2\0\1f\0\0\1s\0\1"
#define START "\x08\1\1"
#define CODE "\x0a\4\1\2\0\x0b"
#define CUSTOM "\0\5\3abcX"
/* env.m, a memory of 2 to 9 pages; env.t, a table of 5; x.e, one of up to 3 references. */
#define STORAGE "\2\x1e\3\3env\1m\2\1\2\x09\3env\1t\1\x70\0\5\1x\1e\1\x6f\1\0\3"

static struct nu_arena *arena;
static struct nu_strbuf error;

static int set_up(void **state)
{
    (void)state;
    arena = nu_arena_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    nu_arena_destroy(&arena);
    nu_strbuf_finish(&error);
    return 0;
}

static struct nu_wasm_module *parse(const char *bytes, size_t size)
{
    nu_strbuf_clear(&error);
    return nu_wasm_module_read(arena, nu_str_make(bytes, size), &error);
}
#define PARSE(bytes) parse(bytes, sizeof(bytes) - 1)

#define WHOLE HEAD TYPES IMPORTS FUNCTIONS TABLE MEMORY EXPORTS START CODE CUSTOM

TEST(imports_and_exports_have_names_kinds_and_types)
{
    struct nu_wasm_module *module = PARSE(WHOLE);
    assert_non_null(module);
    assert_int_equal(module->import_count, 1);
    assert_str(module->imports[0].module, "env");
    assert_str(module->imports[0].name, "f");
    assert_string_equal(module->imports[0].type, "il=i");
    assert_int_equal(module->export_count, 3);
    assert_string_equal(nu_wasm_module_export(module, "f", NU_WASM_FUNCTION)->type, "il=i");
    assert_string_equal(nu_wasm_module_export(module, "s", NU_WASM_FUNCTION)->type, "=");
    assert_null(nu_wasm_module_export(module, "m", NU_WASM_FUNCTION));
    assert_non_null(nu_wasm_module_export(module, "m", NU_WASM_MEMORY));
    assert_string_equal(nu_wasm_module_memory_name(module, arena), "m");
    assert_true(module->has_memory);
    assert_int_equal(module->memory.min, 2);
    assert_true(module->memory.max == UINT32_MAX);
    assert_true(module->has_start);
    assert_int_equal(module->start, 1);
    assert_str(module->sections[module->section_count - 1].name, "abc");
    assert_str(module->sections[module->section_count - 1].body, "X");
}

TEST(types_are_written_for_people)
{
    struct nu_strbuf text = {0};
    nu_wasm_type_format("ilfd=i", &text);
    assert_str(nu_strbuf_str(&text), "(i32, i64, f32, f64) -> i32");
    nu_strbuf_clear(&text);
    nu_wasm_type_format("=", &text);
    assert_str(nu_strbuf_str(&text), "() -> ()");
    nu_strbuf_finish(&text);
}

TEST(every_shorter_form_of_a_module_is_refused_or_whole_sections)
{
    static const char whole[] = WHOLE;
    size_t taken = 0;
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        char *copy = nu_arena_alloc(arena, size + 1); /* so that a read beyond it is seen */
        memcpy(copy, whole, size);
        taken += parse(copy, size) != NULL;
    }
    /* Cut behind its head, types, imports, functions, table, memory, exports, start and code. */
    assert_int_equal(taken, 9);
}

TEST(what_is_no_module_is_told_apart)
{
    assert_null(PARSE(""));
    assert_str(nu_strbuf_str(&error), "it is no WebAssembly module");
    assert_null(PARSE("\x7f"
                      "ELF\1\0\0\0"));
    assert_str(nu_strbuf_str(&error), "it is no WebAssembly module");
    assert_null(PARSE("\0asm\x0d\0\1\0"));
    assert_str(nu_strbuf_str(&error),
               "it is a WebAssembly component: build a core module (target wasm32-wasip1)");
    assert_null(PARSE("\0asm\2\0\0\0"));
    assert_str(nu_strbuf_str(&error), "it is a WebAssembly module of another version than 1");
}

TEST(broken_modules_are_refused_with_a_reason)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *why;
    } cases[] = {
#define CASE(bytes, why) {bytes, sizeof(bytes) - 1, why}
        CASE(HEAD "\1\x80\x80\x80\x80\x7f", "a number is too large"),
        CASE(HEAD "\1\xff\xff\xff\xff\xff\1", "a number is too large"),
        CASE(HEAD "\1\5\xff\xff\xff\xff\x0f", "it is cut off"),
        CASE(HEAD "\1\4\1\x5f\0\0", "it uses types that nuncio does not run"),
        CASE(HEAD "\1\5\1\x60\1\x64\0", "it uses types that nuncio does not run"),
        CASE(HEAD "\1\5\1\x60\0\0\0", "a section is longer than what it holds"),
        CASE(HEAD TYPES TYPES, "it has a section twice"),
        CASE(HEAD MEMORY TYPES, "its sections are out of order"),
        CASE(HEAD "\x0e\0", "it has a section of an unknown kind"),
        CASE(HEAD TYPES "\2\x09\1\3env\1f\0\2", "a function has no type"),
        CASE(HEAD TYPES "\2\x09\1\3env\1f\7\1", "it imports something of an unknown kind"),
        CASE(HEAD TYPES "\2\x09\1\3e\xffv\1f\0\1", "a name is not UTF-8"),
        CASE(HEAD "\5\3\1\3\2", "it has a shared or 64-bit memory or table, which nuncio does not "
                                "run"),
        CASE(HEAD "\5\5\2\0\2\0\2", "it has several memories, which nuncio does not run"),
        CASE(HEAD STORAGE MEMORY, "it has several memories, which nuncio does not run"),
        CASE(HEAD "\2\x0b\1\3env\1m\2\3\1\2", "it has a shared or 64-bit memory or table, which "
                                              "nuncio does not run"),
        CASE(HEAD "\2\x0a\1\3env\1m\2\4\1", "it has a shared or 64-bit memory or table, which "
                                            "nuncio does not run"),
        CASE(HEAD "\2\x0b\1\3env\1t\1\x6e\0\1",
             "it has a table of a kind that nuncio does not run"),
        CASE(HEAD "\2\x0a\1\3env\1m\2\1\1", "it is cut off"),
        CASE(HEAD "\4\4\1\x40\0\5", "it has a table of a kind that nuncio does not run"),
        CASE(HEAD "\7\5\1\1f\0\0", "it exports a function that it does not have"),
        CASE(HEAD TYPES FUNCTIONS "\x08\1\1", "its start function does not exist"),
        CASE(HEAD TYPES IMPORTS FUNCTIONS "\x08\1\0", "its start function takes or returns "
                                                      "something"),
#undef CASE
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        assert_null(parse(cases[i].bytes, cases[i].size));
        assert_str(nu_strbuf_str(&error), cases[i].why);
    }
}

TEST(a_prepared_module_has_bounds_and_exports_its_start)
{
    struct nu_strbuf out = {0};
    struct nu_wasm_module *module = PARSE(WHOLE);
    assert_true(nu_wasm_module_prepare(module, 16, 100, &out, &error));
    static const char wanted[] = HEAD TYPES IMPORTS FUNCTIONS "\4\5\1\x70\1\5\x64"
                                                              "\5\4\1\1\2\x10"
                                                              "\7\x1c\4\1m\2\0\1f\0\0\1s\0\1"
                                                              "\x0cnuncio.start\0\1" CODE CUSTOM;
    assert_int_equal(out.len, sizeof(wanted) - 1);
    assert_memory_equal(out.data, wanted, out.len);
    nu_strbuf_finish(&out);
}

TEST(a_module_that_asks_for_too_much_is_refused)
{
    struct nu_strbuf out = {0};
    struct nu_wasm_module *module = PARSE(WHOLE);
    assert_false(nu_wasm_module_prepare(module, 1, 100, &out, &error));
    assert_str(nu_strbuf_str(&error),
               "it needs 131072 bytes of memory from the start; the limit is 65536");
    nu_strbuf_clear(&error);
    assert_false(nu_wasm_module_prepare(module, 2, 4, &out, &error));
    assert_str(nu_strbuf_str(&error), "it needs a table of 5 entries; the limit is 4");
    nu_strbuf_finish(&out);
}

TEST(tables_share_their_limit)
{
    struct nu_strbuf out = {0};
    struct nu_wasm_module *module =
        PARSE(HEAD TYPES IMPORTS FUNCTIONS "\4\7\2\x70\0\5\x70\0\5" MEMORY EXPORTS CODE);
    assert_true(nu_wasm_module_prepare(module, 2, 10, &out, &error));
    assert_false(nu_wasm_module_prepare(module, 2, 9, &out, &error));
    assert_str(nu_strbuf_str(&error), "it needs a table of 5 entries; the limit is 4");
    nu_strbuf_finish(&out);
}

TEST(what_is_imported_is_made_within_the_limits)
{
    size_t count;
    struct nu_wasm_module *module = PARSE(HEAD STORAGE);
    assert_non_null(module);
    assert_true(module->has_memory && module->is_memory_imported);
    assert_null(nu_wasm_module_memory_name(module, arena));
    const struct nu_wasm_storage *all =
        nu_wasm_module_storage(module, 4, 20, arena, &count, &error);
    assert_non_null(all);
    assert_int_equal(count, 3);
    assert_string_equal(all[0].module, "env");
    assert_string_equal(all[0].name, "m");
    assert_int_equal(all[0].kind, NU_WASM_STORES_BYTES);
    assert_int_equal(all[0].min, 2);
    assert_int_equal(all[0].max, 4);
    assert_int_equal(all[1].kind, NU_WASM_STORES_FUNCTIONS);
    assert_int_equal(all[1].max, 10);
    assert_string_equal(all[2].module, "x");
    assert_int_equal(all[2].kind, NU_WASM_STORES_REFERENCES);
    assert_int_equal(all[2].max, 3);
    assert_null(nu_wasm_module_storage(module, 1, 20, arena, &count, &error));
    assert_str(nu_strbuf_str(&error),
               "it needs 131072 bytes of memory from the start; the limit is 65536");
    nu_strbuf_clear(&error);
    assert_null(nu_wasm_module_storage(module, 4, 8, arena, &count, &error));
    assert_str(nu_strbuf_str(&error), "it needs a table of 5 entries; the limit is 4");
}

int main(void)
{
    return _cmocka_run_group_tests(__FILE__, nu_tests_, nu_test_count_, set_up, tear_down);
}
