/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks: sizes, reference counts, the bounded free lists. */
#include "harness/test.h"

#include "base/block.h"
#include "harness/abort.h"

static const enum nu_block_class classes[] = {NU_BLOCK_SMALL, NU_BLOCK_MEDIUM, NU_BLOCK_LARGE};

TEST(header_and_data_are_whole_pieces_of_two_kilobytes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(classes); i++) {
        size_t total = nu_block_size(classes[i]) + sizeof(struct nu_block);
        assert_int_equal(total % 2048, 0);
    }
}

TEST(a_new_block_is_empty_and_has_one_reference)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(classes); i++) {
        struct nu_block *block = nu_block_get(classes[i]);
        assert_int_equal(block->refs, 1);
        assert_int_equal(block->fill, 0);
        assert_int_equal(block->size, nu_block_size(classes[i]));
        assert_int_equal(nu_block_room(block), block->size);
        memset(block->data, 'x', block->size);
        block->fill = 10;
        assert_int_equal(nu_block_room(block), block->size - 10);
        nu_block_unref(block);
    }
    nu_block_cache_clear();
}

TEST(the_smallest_class_that_holds_the_bytes_is_taken)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(classes); i++) {
        size_t size = nu_block_size(classes[i]);
        struct nu_block *exact = nu_block_get_size(size);
        struct nu_block *more = nu_block_get_size(size + 1);
        assert_int_equal(exact->block_class, classes[i]);
        assert_int_equal(more->block_class, classes[i] + 1);
        assert_true(more->size > size);
        nu_block_unref(exact);
        nu_block_unref(more);
    }
    struct nu_block *none = nu_block_get_size(0);
    assert_int_equal(none->block_class, NU_BLOCK_SMALL);
    nu_block_unref(none);
    nu_block_cache_clear();
}

TEST(a_block_is_given_back_with_its_last_reference)
{
    nu_block_cache_clear();
    struct nu_block *block = nu_block_get(NU_BLOCK_MEDIUM);
    nu_block_ref(block);
    nu_block_unref(block);
    assert_int_equal(nu_block_cache_bytes(), 0);
    nu_block_unref(block);
    assert_int_equal(nu_block_cache_bytes(), 16384);
    nu_block_cache_clear();
}

TEST(a_used_block_comes_back_fresh)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    block->fill = 99;
    nu_block_unref(block);
    struct nu_block *again = nu_block_get(NU_BLOCK_SMALL);
    assert_ptr_equal(again, block);
    assert_int_equal(again->refs, 1);
    assert_int_equal(again->fill, 0);
    assert_int_equal(again->size, nu_block_size(NU_BLOCK_SMALL));
    nu_block_unref(again);
    nu_block_cache_clear();
}

TEST(huge_blocks_hold_what_was_asked_and_are_not_kept)
{
    nu_block_cache_clear();
    struct nu_block *block = nu_block_get_size(1000000);
    assert_int_equal(block->block_class, NU_BLOCK_HUGE);
    assert_true(block->size >= 1000000);
    memset(block->data, 'x', block->size);
    nu_block_unref(block);
    assert_int_equal(nu_block_cache_bytes(), 0);
}

TEST(free_lists_are_bounded_after_a_burst)
{
    enum { BURST = 1500 };
    static struct nu_block *blocks[BURST];
    static const size_t most[] = {4 << 20, 2 << 20, 4 << 20};
    for (size_t i = 0; i < NU_ARRAY_LEN(classes); i++) {
        for (int j = 0; j < BURST; j++)
            blocks[j] = nu_block_get(classes[i]);
        for (int j = 0; j < BURST; j++)
            nu_block_unref(blocks[j]);
        assert_in_range(nu_block_cache_bytes(), most[i] - nu_block_size(classes[i]), most[i]);
        nu_block_cache_clear();
        assert_int_equal(nu_block_cache_bytes(), 0);
    }
}

TEST(dropping_a_reference_of_nothing_is_allowed)
{
    nu_block_unref(NULL);
}

#ifdef NU_DEBUG
static void drop_twice(void)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    nu_block_unref(block);
    nu_block_unref(block);
}

TEST(dropping_a_reference_too_many_is_found_in_debug_builds)
{
    assert_true(nu_test_aborts(drop_twice));
}
#endif

TEST_MAIN()
