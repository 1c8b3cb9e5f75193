/* SPDX-License-Identifier: Apache-2.0 */
/* Slice buffers: bytes come out as they went in, blocks are freed exactly once. */
#include "harness/test.h"

#include "base/buf.h"

static struct nu_str content(const struct nu_buf *buf)
{
    static char text[70000];
    return nu_str_make(text, nu_buf_copy_out(buf, 0, text, sizeof(text)));
}

TEST(append_joins_small_pieces_in_one_slice)
{
    struct nu_buf buf = {0};
    nu_buf_append(&buf, NU_STR("hello "));
    nu_buf_append(&buf, NU_STR("world"));
    assert_str(content(&buf), "hello world");
    assert_ptr_equal(buf.first, buf.last);
    nu_buf_clear(&buf);
    assert_int_equal(buf.len, 0);
}

TEST(move_splits_a_slice_without_copying)
{
    struct nu_buf from = {0};
    struct nu_buf to = {0};
    nu_buf_append(&from, NU_STR("abcdef"));
    const char *bytes = from.first->ptr;
    nu_buf_move(&to, &from, 2);
    assert_str(content(&to), "ab");
    assert_str(content(&from), "cdef");
    assert_ptr_equal(to.first->ptr, bytes);
    assert_ptr_equal(from.first->ptr, bytes + 2);
    nu_buf_append(&to, NU_STR("X"));
    assert_str(content(&from), "cdef");
    assert_str(content(&to), "abX");
    nu_buf_clear(&to);
    nu_buf_clear(&from);
}

TEST(an_empty_commit_leaves_no_slice)
{
    struct nu_buf buf = {0};
    nu_buf_append(&buf, NU_STR("x"));
    nu_buf_reserve(&buf, 60000);
    nu_buf_commit(&buf, 0);
    assert_ptr_equal(buf.first, buf.last);
    nu_buf_clear(&buf);
    nu_buf_reserve(&buf, 10);
    nu_buf_commit(&buf, 0);
    assert_null(buf.first);
}

TEST(drain_and_prepend_keep_order)
{
    struct nu_buf a = {0};
    struct nu_buf b = {0};
    nu_buf_add_static(&a, NU_STR("one "));
    nu_buf_add_static(&a, NU_STR("two "));
    nu_buf_append(&b, NU_STR("zero "));
    nu_buf_prepend_all(&a, &b);
    nu_buf_drain(&a, 7);
    assert_str(content(&a), "e two ");
    nu_buf_drain(&a, 100);
    assert_true(nu_buf_is_empty(&a));
}

TEST_MAIN()
