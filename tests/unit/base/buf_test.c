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

/* What every buffer must be like between calls. */
static void check(const struct nu_buf *buf)
{
    size_t len = 0;
    const struct nu_slice *last = NULL;
    for (const struct nu_slice *slice = buf->first; slice; slice = slice->next) {
        assert_true(slice->len > 0);
        len += slice->len;
        last = slice;
    }
    assert_int_equal(buf->len, len);
    assert_ptr_equal(buf->last, last);
    assert_int_equal(nu_buf_is_empty(buf), len == 0);
}

static size_t count_slices(const struct nu_buf *buf)
{
    size_t count = 0;
    for (const struct nu_slice *slice = buf->first; slice; slice = slice->next)
        count++;
    return count;
}

TEST(small_pieces_put_first_share_blocks)
{
    enum { PIECES = 20000 };
    static char expected[PIECES];
    struct nu_buf buf = {0};
    nu_buf_prepend(&buf, NU_STR(""));
    assert_null(buf.first);
    for (size_t i = 0; i < PIECES; i++) {
        char piece = (char)('a' + i % 26);
        nu_buf_prepend(&buf, nu_str_make(&piece, 1));
        expected[PIECES - 1 - i] = piece;
    }
    check(&buf);
    assert_int_equal(buf.len, PIECES);
    assert_true(count_slices(&buf) <= 2 * PIECES / nu_block_size(NU_BLOCK_SMALL) + 1);
    static char bytes[PIECES];
    nu_buf_copy_out(&buf, 0, bytes, PIECES);
    assert_memory_equal(bytes, expected, PIECES);
    nu_buf_clear(&buf);
}

TEST(a_piece_put_first_leaves_shared_bytes_alone)
{
    struct nu_buf buf = {0};
    struct nu_buf other = {0};
    nu_buf_append(&buf, NU_STR("two"));
    nu_buf_share(&other, &buf);
    nu_buf_prepend(&buf, NU_STR("one "));
    assert_str(content(&other), "two");
    assert_str(content(&buf), "one two");
    nu_buf_clear(&buf);
    nu_buf_clear(&other);
}

/* Three slices: a static one, a range of a block, and copied bytes. */
static void make_three(struct nu_buf *buf)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    memcpy(block->data, "--block--", 9);
    block->fill = 9;
    nu_buf_add_static(buf, NU_STR("static"));
    nu_buf_add_block(buf, block, nu_str_make(block->data + 2, 5));
    nu_buf_append(buf, NU_STR("copied"));
    nu_block_unref(block);
    assert_int_equal(count_slices(buf), 3);
}

TEST(an_appended_text_of_any_length_comes_out_again)
{
    static char text[200000];
    static char out[200000];
    static const size_t lengths[] = {1, 6119, 6120, 6121, 16360, 16361, 65512, 65513, 200000};
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 31 + i / 256);
    for (size_t i = 0; i < NU_ARRAY_LEN(lengths); i++) {
        struct nu_buf buf = {0};
        nu_buf_append(&buf, nu_str_make(text, lengths[i]));
        check(&buf);
        assert_int_equal(nu_buf_copy_out(&buf, 0, out, sizeof(out)), lengths[i]);
        assert_memory_equal(out, text, lengths[i]);
        nu_buf_clear(&buf);
    }
}

TEST(nothing_appended_leaves_no_slice)
{
    struct nu_buf buf = {0};
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    nu_buf_append(&buf, nu_str_make(NULL, 0));
    nu_buf_add_static(&buf, NU_STR(""));
    nu_buf_add_block(&buf, block, nu_str_make(block->data, 0));
    assert_null(buf.first);
    assert_int_equal(block->refs, 1);
    check(&buf);
    nu_block_unref(block);
}

TEST(static_bytes_are_not_copied_and_not_written_behind)
{
    static const char text[] = "constant";
    struct nu_buf buf = {0};
    nu_buf_add_static(&buf, nu_str_make(text, 5));
    nu_buf_append(&buf, NU_STR("!"));
    assert_ptr_equal(buf.first->ptr, text);
    assert_string_equal(text, "constant");
    assert_str(content(&buf), "const!");
    check(&buf);
    nu_buf_clear(&buf);
}

TEST(a_shared_block_is_filled_by_one_buffer_only)
{
    struct nu_buf a = {0};
    struct nu_buf b = {0};
    nu_buf_append(&a, NU_STR("common"));
    nu_buf_share(&b, &a);
    assert_int_equal(a.first->block->refs, 2);
    nu_buf_append(&a, NU_STR(" for a"));
    nu_buf_append(&b, NU_STR(" for b"));
    assert_str(content(&a), "common for a");
    assert_str(content(&b), "common for b");
    nu_buf_clear(&a);
    assert_str(content(&b), "common for b");
    check(&b);
    nu_buf_clear(&b);
}

TEST(a_range_inside_a_block_is_not_overwritten_by_appending)
{
    struct nu_buf buf = {0};
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    memcpy(block->data, "abcdef", 6);
    block->fill = 6;
    nu_buf_add_block(&buf, block, nu_str_make(block->data, 3));
    nu_buf_append(&buf, NU_STR("XYZ"));
    assert_memory_equal(block->data, "abcdef", 6);
    assert_str(content(&buf), "abcXYZ");
    nu_buf_clear(&buf);
    assert_int_equal(block->refs, 1);
    nu_buf_add_block(&buf, block, nu_str_make(block->data + 3, 3));
    nu_buf_append(&buf, NU_STR("ghi"));
    assert_str(content(&buf), "defghi");
    assert_int_equal(count_slices(&buf), 1);
    assert_int_equal(block->fill, 9);
    nu_buf_clear(&buf);
    nu_block_unref(block);
}

TEST(reserved_room_is_contiguous_and_counts_once_committed)
{
    static const size_t sizes[] = {0, 1, 100, 6120, 6121, 16384, 65536, 100000};
    for (size_t i = 0; i < NU_ARRAY_LEN(sizes); i++) {
        struct nu_buf buf = {0};
        nu_buf_append(&buf, NU_STR("head "));
        char *room = nu_buf_reserve(&buf, sizes[i]);
        assert_non_null(room);
        if (sizes[i])
            memset(room, 'x', sizes[i]);
        nu_buf_commit(&buf, nu_min_size(sizes[i], 3));
        check(&buf);
        assert_int_equal(buf.len, 5 + nu_min_size(sizes[i], 3));
        nu_buf_append(&buf, NU_STR(" tail"));
        check(&buf);
        nu_buf_clear(&buf);
    }
}

TEST(no_bytes_may_be_reserved_at_the_end_of_anything)
{
    struct nu_buf buf = {0};
    assert_non_null(nu_buf_reserve(&buf, 0));
    nu_buf_commit(&buf, 0);
    check(&buf);
    nu_buf_add_static(&buf, NU_STR("static"));
    assert_non_null(nu_buf_reserve(&buf, 0));
    nu_buf_commit(&buf, 0);
    check(&buf);
    assert_str(content(&buf), "static");
    nu_buf_clear(&buf);
}

TEST(a_reservation_that_was_not_used_leaves_no_slice)
{
    struct nu_buf buf = {0};
    nu_buf_reserve(&buf, 10);
    char *room = nu_buf_reserve(&buf, 20000);
    memset(room, 'x', 20000);
    nu_buf_commit(&buf, 20000);
    check(&buf);
    nu_buf_reserve(&buf, 60000);
    nu_buf_reserve(&buf, 60000);
    nu_buf_commit(&buf, 0);
    check(&buf);
    assert_int_equal(count_slices(&buf), 1);
    nu_buf_clear(&buf);
}

TEST(a_dropped_reservation_is_freed_with_the_buffer)
{
    struct nu_buf buf = {0};
    nu_buf_reserve(&buf, 10);
    assert_true(nu_buf_is_empty(&buf));
    nu_buf_clear(&buf);
    check(&buf);
}

TEST(moving_any_number_of_bytes_keeps_all_of_them_in_order)
{
    enum { LEN = 17 };
    for (size_t n = 0; n <= LEN + 1; n++) {
        struct nu_buf from = {0};
        struct nu_buf to = {0};
        make_three(&from);
        nu_buf_append(&to, NU_STR(">"));
        nu_buf_move(&to, &from, n);
        check(&from);
        check(&to);
        assert_int_equal(to.len, 1 + nu_min_size(n, LEN));
        assert_int_equal(from.len, LEN - nu_min_size(n, LEN));
        nu_buf_move_all(&to, &from);
        check(&from);
        check(&to);
        assert_str(content(&to), ">staticblockcopied");
        nu_buf_clear(&to);
    }
}

TEST(appending_if_there_is_room_takes_no_block)
{
    struct nu_buf buf = {0};
    assert_false(nu_buf_append_if_room(&buf, NU_STR("head")));
    assert_int_equal(buf.len, 0);
    nu_buf_add_static(&buf, NU_STR("constant "));
    assert_false(nu_buf_append_if_room(&buf, NU_STR("head")));
    nu_buf_append(&buf, NU_STR("own "));
    assert_true(nu_buf_append_if_room(&buf, NU_STR("head")));
    assert_str(content(&buf), "constant own head");
    assert_int_equal(count_slices(&buf), 2);
    nu_buf_commit(&buf, nu_block_room(buf.last->block) - 3);
    assert_false(nu_buf_append_if_room(&buf, NU_STR("head")));
    assert_true(nu_buf_append_if_room(&buf, NU_STR("end")));
    assert_int_equal(nu_block_room(buf.last->block), 0);
    check(&buf);
    nu_buf_clear(&buf);
}

TEST(gathering_copies_a_few_bytes_behind_the_last_ones)
{
    struct nu_buf to = {0};
    struct nu_buf from = {0};
    nu_buf_append(&to, NU_STR("head "));
    nu_buf_append(&from, NU_STR("body"));
    nu_buf_gather(&to, &from);
    assert_str(content(&to), "head body");
    assert_int_equal(count_slices(&to), 1);
    assert_int_equal(from.len, 0);
    assert_null(from.first);
    nu_buf_clear(&to);
}

TEST(gathering_moves_what_is_long_or_in_pieces_or_does_not_fit)
{
    char text[600];
    memset(text, 'x', sizeof(text));
    for (int kind = 0; kind < 4; kind++) {
        struct nu_buf to = {0};
        struct nu_buf from = {0};
        if (kind != 2)
            nu_buf_append(&to, NU_STR("head"));
        if (kind == 3)
            nu_buf_commit(&to, nu_block_room(to.last->block));
        if (kind == 0)
            nu_buf_append(&from, nu_str_make(text, sizeof(text)));
        else
            nu_buf_append(&from, NU_STR("ab"));
        if (kind == 1)
            nu_buf_add_static(&from, NU_STR("cd"));
        size_t len = to.len + from.len;
        size_t slices = count_slices(&to) + count_slices(&from);
        nu_buf_gather(&to, &from);
        check(&to);
        assert_int_equal(to.len, len);
        assert_int_equal(count_slices(&to), slices);
        assert_int_equal(from.len, 0);
        nu_buf_clear(&to);
    }
}

TEST(small_pieces_that_wait_hold_few_blocks)
{
    enum { PIECES = 10000 };
    for (int shared = 0; shared < 2; shared++) {
        struct nu_buf to = {0};
        for (int i = 0; i < PIECES; i++) {
            struct nu_buf from = {0};
            nu_buf_append(&from, i % 2 ? NU_STR("a") : NU_STR("bc"));
            nu_buf_add_static(&from, NU_STR("-")); /* the block has no room right behind it */
            if (shared)
                nu_buf_collect_shared(&to, &from);
            else
                nu_buf_collect(&to, &from);
            assert_int_equal(from.len, shared ? 2 + (i + 1) % 2 : 0);
            nu_buf_clear(&from);
        }
        assert_int_equal(to.len, PIECES / 2 * 5);
        assert_true(nu_str_eq(nu_str_first(content(&to), 10), NU_STR("bc-a-bc-a-")));
        assert_true(count_slices(&to) < 20);
        nu_buf_clear(&to);
    }
}

TEST(large_pieces_that_wait_are_not_copied)
{
    static const char large[512];
    struct nu_buf to = {0};
    struct nu_buf from = {0};
    struct nu_buf shared = {0};
    nu_buf_append(&to, NU_STR("head"));
    nu_buf_append(&shared, NU_STR("head"));
    nu_buf_append(&from, nu_str_make(large, sizeof(large)));
    const char *where = from.first->ptr;
    nu_buf_collect_shared(&shared, &from);
    assert_ptr_equal(shared.last->ptr, where);
    nu_buf_collect(&to, &from);
    assert_ptr_equal(to.last->ptr, where);
    assert_int_equal(from.len, 0);
    nu_buf_clear(&shared);
    nu_buf_clear(&to);
}

TEST(moving_nothing_changes_nothing)
{
    struct nu_buf from = {0};
    struct nu_buf to = {0};
    nu_buf_move(&to, &from, 10);
    nu_buf_move_all(&to, &from);
    nu_buf_prepend_all(&to, &from);
    check(&to);
    make_three(&to);
    nu_buf_move_all(&to, &from);
    nu_buf_prepend_all(&to, &from);
    check(&to);
    assert_str(content(&to), "staticblockcopied");
    nu_buf_move(&from, &to, 0);
    assert_null(from.first);
    nu_buf_prepend_all(&from, &to);
    check(&from);
    check(&to);
    assert_str(content(&from), "staticblockcopied");
    nu_buf_clear(&from);
}

TEST(blocks_are_counted_through_moves_splits_and_shares)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    memcpy(block->data, "abcdef", 6);
    block->fill = 6;
    struct nu_buf a = {0};
    struct nu_buf b = {0};
    nu_buf_add_block(&a, block, nu_str_make(block->data, 6));
    assert_int_equal(block->refs, 2);
    nu_buf_move(&b, &a, 6);
    assert_int_equal(block->refs, 2);
    nu_buf_move(&a, &b, 2);
    assert_int_equal(block->refs, 3);
    nu_buf_share(&a, &b);
    assert_int_equal(block->refs, 4);
    assert_str(content(&a), "abcdef");
    nu_buf_drain(&a, 2);
    assert_int_equal(block->refs, 3);
    nu_buf_clear(&b);
    assert_int_equal(block->refs, 2);
    nu_buf_drain(&a, 4);
    assert_int_equal(block->refs, 1);
    nu_block_unref(block);
}

TEST(draining_any_number_of_bytes_leaves_the_rest)
{
    for (size_t n = 0; n <= 18; n++) {
        struct nu_buf buf = {0};
        make_three(&buf);
        nu_buf_drain(&buf, n);
        check(&buf);
        assert_str(content(&buf), &"staticblockcopied"[nu_min_size(n, 17)]);
        nu_buf_clear(&buf);
    }
}

TEST(any_range_can_be_copied_out)
{
    struct nu_buf buf = {0};
    make_three(&buf);
    for (size_t offset = 0; offset <= 18; offset++) {
        for (size_t n = 0; n <= 18; n++) {
            char out[18];
            size_t got = nu_buf_copy_out(&buf, offset, out, n);
            assert_int_equal(got, offset < 17 ? nu_min_size(n, 17 - offset) : 0);
            assert_memory_equal(out, &"staticblockcopied"[nu_min_size(offset, 17)], got);
        }
    }
    assert_int_equal(nu_buf_copy_out(&buf, 0, NULL, 0), 0);
    nu_buf_clear(&buf);
}

TEST(an_iovec_takes_slices_from_the_front_as_far_as_it_goes)
{
    struct nu_buf buf = {0};
    struct iovec iov[4];
    size_t bytes = 99;
    assert_int_equal(nu_buf_to_iovec(&buf, iov, 4, &bytes), 0);
    assert_int_equal(bytes, 0);
    make_three(&buf);
    assert_int_equal(nu_buf_to_iovec(&buf, iov, 2, &bytes), 2);
    assert_int_equal(bytes, 11);
    assert_memory_equal(iov[0].iov_base, "static", 6);
    assert_memory_equal(iov[1].iov_base, "block", 5);
    assert_int_equal(nu_buf_to_iovec(&buf, iov, 4, &bytes), 3);
    assert_int_equal(bytes, 17);
    nu_buf_clear(&buf);
}

TEST(a_long_chain_gives_all_its_slices_back)
{
    struct nu_buf buf = {0};
    nu_block_cache_clear();
    for (int i = 0; i < 500; i++) {
        struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
        block->data[0] = 'x';
        block->fill = 1;
        nu_buf_add_block(&buf, block, nu_str_make(block->data, 1));
        nu_block_unref(block);
    }
    check(&buf);
    nu_buf_clear(&buf);
    assert_int_equal(nu_block_cache_bytes(), 500 * 6144);
    nu_block_cache_clear();
    nu_buf_cache_clear();
    nu_buf_append(&buf, NU_STR("again"));
    assert_str(content(&buf), "again");
    nu_buf_clear(&buf);
    nu_buf_cache_clear();
}

#ifdef NU_ASAN
int __asan_address_is_poisoned(const volatile void *ptr);

TEST(under_the_sanitizer_drained_bytes_may_not_be_touched)
{
    struct nu_buf buf = {0};
    nu_buf_append(&buf, NU_STR("text"));
    const struct nu_slice *slice = buf.first;
    const char *text = slice->ptr;
    nu_buf_drain(&buf, 3);
    assert_false(__asan_address_is_poisoned(text));
    nu_buf_drain(&buf, 1);
    assert_true(__asan_address_is_poisoned(text));
    assert_true(__asan_address_is_poisoned(&slice->ptr));
    nu_buf_append(&buf, NU_STR("again"));
    assert_str(content(&buf), "again");
    nu_buf_clear(&buf);
}
#endif

TEST_MAIN()
