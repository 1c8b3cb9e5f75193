/* SPDX-License-Identifier: Apache-2.0 */
/* What guests leave in filter state: whose memory it takes, and how much of it. */
#include "wasm/state_text.h"

#include "harness/test.h"

static struct nu_arena arena;

static struct nu_str filled(size_t size)
{
    static char bytes[2 << 20];
    assert_true(size <= sizeof(bytes));
    memset(bytes, 'x', size);
    return nu_str_make(bytes, size);
}

static size_t length_of(const struct nu_wasm_state_text *text)
{
    struct nu_strbuf out = {0};
    assert_true(nu_wasm_state_text_write(text, &out));
    size_t length = out.len;
    nu_strbuf_finish(&out);
    return length;
}

TEST(state_of_a_connection_may_be_set_again_and_again)
{
    struct nu_filter_state keeper = {.arena = &arena, .is_of_connection = true};
    struct nu_wasm_state_text *text =
        nu_wasm_state_text_create(&keeper, NU_STR("k"), NU_STR("first"));
    assert_non_null(text);
    for (size_t i = 0; i < 1000; i++)
        assert_true(nu_wasm_state_text_change(&keeper, text, filled(512 * 1024)));
    assert_int_equal(length_of(text), 512 * 1024);
    assert_true(text->own.cap < 2 * 1024 * 1024);
    assert_true(nu_wasm_state_text_change(&keeper, text, NU_STR("")));
    assert_int_equal(length_of(text), 0);
    nu_arena_finish(&arena);
}

TEST(state_of_a_connection_has_a_bound)
{
    struct nu_filter_state keeper = {.arena = &arena, .is_of_connection = true};
    assert_null(nu_wasm_state_text_create(&keeper, NU_STR("k"), filled(1 << 20)));
    struct nu_wasm_state_text *text =
        nu_wasm_state_text_create(&keeper, NU_STR("k"), filled(1 << 19));
    assert_non_null(text);
    assert_false(nu_wasm_state_text_change(&keeper, text, filled(1 << 20)));
    assert_int_equal(length_of(text), 1 << 19);
    assert_null(nu_wasm_state_text_create(&keeper, NU_STR("l"), filled(1 << 19)));
    assert_true(nu_wasm_state_text_change(&keeper, text, NU_STR("short")));
    assert_non_null(nu_wasm_state_text_create(&keeper, NU_STR("l"), filled(1 << 19)));
    size_t count = 0;
    while (nu_wasm_state_text_create(&keeper, NU_STR("m"), NU_STR("")))
        count++;
    assert_in_range(count, 1000, 10000);
    nu_arena_finish(&arena);
}

TEST(state_of_a_stream_is_the_guests_share)
{
    struct nu_filter_state keeper = {.arena = &arena};
    struct nu_wasm_state_text *text =
        nu_wasm_state_text_create(&keeper, NU_STR("k"), filled(2 << 20));
    assert_int_equal(length_of(text), 2 << 20);
    assert_true(nu_wasm_state_text_change(&keeper, text, NU_STR("short")));
    assert_int_equal(length_of(text), 5);
    assert_int_equal(keeper.guest_bytes, 0);
    nu_arena_finish(&arena);
}

TEST_MAIN()
