/* SPDX-License-Identifier: Apache-2.0 */
/* Header maps as guests write and read them. */
#include "harness/test.h"

#include "http/headers.h"
#include "wasm/pairs.h"

#define ONE "\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0"
#define TWO "\2\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0a\0bc\0d\0\0"

static bool begin(struct nu_wasm_pairs *walk, const char *bytes, size_t size)
{
    return nu_wasm_pairs_begin(walk, nu_str_make(bytes, size));
}
#define BEGIN(walk, bytes) begin(walk, bytes, sizeof(bytes) - 1)

TEST(pairs_are_walked_in_their_order)
{
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    assert_true(BEGIN(&walk, TWO));
    assert_true(nu_wasm_pairs_next(&walk, &pair));
    assert_str(pair.name, "a");
    assert_str(pair.value, "bc");
    assert_true(nu_wasm_pairs_next(&walk, &pair));
    assert_str(pair.name, "d");
    assert_str(pair.value, "");
    assert_false(nu_wasm_pairs_next(&walk, &pair));
}

TEST(nothing_is_an_empty_map_in_three_forms)
{
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    assert_true(BEGIN(&walk, ""));
    assert_true(BEGIN(&walk, "\0"));
    assert_true(BEGIN(&walk, "\0\0\0\0"));
    assert_false(nu_wasm_pairs_next(&walk, &pair));
}

TEST(what_does_not_add_up_is_empty)
{
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    for (size_t size = 1; size < sizeof(ONE) - 1; size++) {
        assert_false(begin(&walk, ONE, size));
        assert_false(nu_wasm_pairs_next(&walk, &pair));
    }
    assert_false(BEGIN(&walk, ONE "x"));
    assert_false(BEGIN(&walk, "\1\0\0\0\1\0\0\0\2\0\0\0a\1bc\0"));
    assert_false(BEGIN(&walk, "\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\1"));
    assert_false(BEGIN(&walk, "\1\0\0\0\xff\xff\xff\xff\2\0\0\0a\0bc\0"));
    assert_false(BEGIN(&walk, "\xff\xff\xff\xff"));
}

TEST(more_than_1024_pairs_are_too_many)
{
    static char bytes[4 + 1025 * 10];
    struct nu_wasm_pairs walk;
    for (uint32_t count = 1024; count <= 1025; count++) {
        nu_wasm_put_u32((uint8_t *)bytes, count);
        assert_int_equal(begin(&walk, bytes, 4 + (size_t)count * 10), count == 1024);
    }
}

TEST(more_than_a_mebibyte_is_too_much)
{
    enum {
        MOST = 1024 * 1024,
        REST = 4 + 8 + 1 + 1 + 1
    }; /* of a pair: its lengths, "a", two NULs */
    static char bytes[MOST + 1];
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    for (uint32_t size = MOST; size <= MOST + 1; size++) {
        nu_wasm_put_u32((uint8_t *)bytes, 1);
        nu_wasm_put_u32((uint8_t *)bytes + 4, 1);
        nu_wasm_put_u32((uint8_t *)bytes + 8, size - REST);
        memset(bytes + 12, 0, size - 12);
        bytes[12] = 'a';
        assert_int_equal(begin(&walk, bytes, size), size == MOST);
        assert_int_equal(nu_wasm_pairs_next(&walk, &pair), size == MOST);
    }
}

TEST(a_map_is_written_as_it_is_read)
{
    struct nu_arena arena;
    struct nu_headers headers;
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 4);
    assert_int_equal(nu_wasm_pairs_size(&headers), 0);
    nu_headers_add(&headers, NU_STR("a"), NU_STR("bc"));
    nu_headers_add(&headers, NU_STR("d"), NU_STR(""));
    assert_int_equal(nu_wasm_pairs_size(&headers), sizeof(TWO) - 1);
    uint8_t out[sizeof(TWO) - 1];
    nu_wasm_pairs_write(&headers, out);
    assert_memory_equal(out, TWO, sizeof(out));
    nu_arena_finish(&arena);
}

TEST_MAIN()
