/* SPDX-License-Identifier: Apache-2.0 */
/* The growable string: content, termination, growth. */
#include "harness/test.h"

#include "base/alloc.h"

/* The content, after checking that it is terminated where it ends. */
static struct nu_str content(const struct nu_strbuf *sb)
{
    if (sb->data)
        assert_int_equal(sb->data[sb->len], '\0');
    return nu_strbuf_str(sb);
}

TEST(a_zeroed_builder_is_empty_and_can_be_finished)
{
    struct nu_strbuf sb = {0};
    assert_true(nu_str_is_empty(nu_strbuf_str(&sb)));
    nu_strbuf_clear(&sb);
    nu_strbuf_finish(&sb);
    nu_strbuf_finish(&sb);
    assert_null(sb.data);
}

TEST(pieces_of_every_kind_are_joined)
{
    struct nu_strbuf sb = {0};
    nu_strbuf_add(&sb, NU_STR("a\0b"));
    nu_strbuf_add_char(&sb, '-');
    nu_strbuf_add_cstr(&sb, "cstr");
    nu_strbuf_add_u64(&sb, UINT64_MAX);
    nu_strbuf_addf(&sb, "[%s:%d]", "x", -1);
    assert_true(nu_str_eq(content(&sb), NU_STR("a\0b-cstr18446744073709551615[x:-1]")));
    nu_strbuf_finish(&sb);
}

TEST(adding_nothing_is_allowed)
{
    struct nu_strbuf sb = {0};
    nu_strbuf_add(&sb, nu_str_make(NULL, 0));
    nu_strbuf_add_cstr(&sb, NULL);
    nu_strbuf_addf(&sb, "%s", "");
    assert_str(content(&sb), "");
    nu_strbuf_finish(&sb);
    nu_strbuf_addf(&sb, "%s", "");
    assert_str(content(&sb), "");
    nu_strbuf_finish(&sb);
}

/* A printf that fits exactly, and those that miss by one, at every fill of the memory. */
TEST(formatted_text_is_whole_whatever_room_there_was)
{
    struct nu_strbuf sb = {0};
    char want[600];
    for (size_t before = 0; before < 200; before++) {
        for (size_t len = 0; len < 70; len += 3) {
            nu_strbuf_finish(&sb);
            memset(want, 'b', before);
            nu_strbuf_add(&sb, nu_str_make(want, before));
            memset(want + before, 'f', len);
            nu_strbuf_addf(&sb, "%.*s", (int)len, want + before);
            assert_true(nu_str_eq(content(&sb), nu_str_make(want, before + len)));
        }
    }
    nu_strbuf_finish(&sb);
}

TEST(growth_keeps_every_byte)
{
    struct nu_strbuf sb = {0};
    for (unsigned i = 0; i < 5000; i++) {
        nu_strbuf_add_char(&sb, (char)('a' + i % 26));
        assert_true(sb.len < sb.cap);
    }
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(sb.data[i], 'a' + i % 26);
    assert_int_equal(content(&sb).len, 5000);
    nu_strbuf_finish(&sb);
}

TEST(reserved_bytes_count_once_committed)
{
    struct nu_strbuf sb = {0};
    char *room = nu_strbuf_reserve(&sb, 100);
    memset(room, 'x', 100);
    nu_strbuf_commit(&sb, 3);
    assert_str(content(&sb), "xxx");
    assert_ptr_equal(nu_strbuf_reserve(&sb, 10), sb.data + 3);
    nu_strbuf_commit(&sb, 0);
    assert_str(content(&sb), "xxx");
    nu_strbuf_finish(&sb);
}

TEST(clear_keeps_the_memory)
{
    struct nu_strbuf sb = {0};
    nu_strbuf_add_cstr(&sb, "something");
    const char *data = sb.data;
    nu_strbuf_clear(&sb);
    assert_str(content(&sb), "");
    nu_strbuf_add_cstr(&sb, "else");
    assert_ptr_equal(sb.data, data);
    assert_str(content(&sb), "else");
    nu_strbuf_finish(&sb);
}

TEST(taken_memory_is_never_null_and_leaves_an_empty_builder)
{
    struct nu_strbuf sb = {0};
    char *empty = nu_strbuf_take(&sb);
    assert_string_equal(empty, "");
    nu_free(empty);
    nu_strbuf_add_cstr(&sb, "text");
    char *text = nu_strbuf_take(&sb);
    assert_string_equal(text, "text");
    assert_null(sb.data);
    assert_int_equal(sb.len, 0);
    nu_free(text);
}

TEST(heap_copies_are_terminated)
{
    char *a = nu_strdup("abc");
    char *b = nu_strndup("abcdef", 2);
    char *c = nu_strndup(NULL, 0);
    char *d = nu_asprintf("%s-%d", "x", 7);
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "");
    assert_string_equal(d, "x-7");
    nu_free(a);
    nu_free(b);
    nu_free(c);
    nu_free(d);
    nu_free(NULL);
}

TEST(zero_sized_memory_is_not_null)
{
    void *a = nu_alloc(0);
    void *b = nu_calloc(0, 8);
    void *c = nu_calloc(8, 0);
    void *d = nu_realloc(NULL, 0);
    assert_true(a && b && c && d);
    d = nu_realloc(d, 0);
    assert_non_null(d);
    nu_free(a);
    nu_free(b);
    nu_free(c);
    nu_free(d);
}

TEST_MAIN()
