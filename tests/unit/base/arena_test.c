/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: every allocation is aligned and its own, everything is given back at once. */
#include "harness/test.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/random.h"
#include "harness/abort.h"

enum { SMALL_BYTES = 6144 };

static bool is_aligned(const void *ptr)
{
    return (uintptr_t)ptr % 16 == 0;
}

TEST(an_empty_arena_holds_no_memory)
{
    nu_block_cache_clear();
    struct nu_arena arena;
    nu_arena_init(&arena);
    assert_null(arena.blocks);
    nu_arena_finish(&arena);
    assert_int_equal(nu_block_cache_bytes(), 0);
}

TEST(a_small_arena_begins_with_the_block_it_asked_for_and_grows)
{
    nu_block_cache_clear();
    struct nu_arena arena;
    nu_arena_init_small(&arena, 480);
    assert_int_equal(arena.blocks->size, 480);
    char *first = nu_arena_alloc(&arena, 448);
    assert_true(is_aligned(first));
    assert_null(arena.blocks->next_free);
    memset(first, 'a', 448);
    char *second = nu_arena_alloc(&arena, 100);
    memset(second, 'b', 100);
    assert_int_equal(first[447], 'a');
    assert_non_null(arena.blocks->next_free);
    nu_arena_finish(&arena);
    assert_int_equal(nu_block_cache_bytes(),
                     nu_block_size(NU_BLOCK_SMALL) + sizeof(struct nu_block));
}

TEST(no_bytes_are_still_an_address)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    assert_non_null(nu_arena_alloc(&arena, 0));
    assert_non_null(nu_arena_alloc(&arena, 0));
    assert_non_null(nu_arena_calloc(&arena, 0));
    nu_arena_finish(&arena);
}

TEST(no_bytes_do_not_take_a_block)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    char *before = nu_arena_alloc(&arena, 16);
    for (int i = 0; i < 10; i++)
        nu_arena_alloc(&arena, 0);
    char *behind = nu_arena_alloc(&arena, 16);
    assert_null(arena.blocks->next_free);
    assert_true(behind > before && behind - before <= 16 * 11);
    nu_arena_finish(&arena);
}

/* Sizes around every border: alignment, the rest of a block, the classes, beyond them. */
TEST(allocations_are_aligned_and_do_not_overlap)
{
    enum { COUNT = 600 };
    static struct {
        unsigned char *ptr;
        size_t size;
    } got[COUNT];
    static const size_t borders[] = {1, 15, 16, 17, 6120, 6104, 16360, 16344, 65512, 65496, 70000};
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_random_seed(7);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t near = borders[nu_random_below(NU_ARRAY_LEN(borders))] + nu_random_below(3);
        got[i].size = i % 4 == 0 ? near : nu_random_below(300);
        got[i].ptr = nu_arena_alloc(&arena, got[i].size);
        assert_true(is_aligned(got[i].ptr));
        memset(got[i].ptr, (int)(i % 251), got[i].size);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < got[i].size; j++) {
            if (got[i].ptr[j] != i % 251)
                fail_msg("allocation %u was overwritten", i);
        }
    }
    nu_arena_finish(&arena);
}

TEST(a_first_allocation_of_any_size_fits)
{
    for (size_t size = 6000; size < 70000; size += 8) {
        struct nu_arena arena;
        nu_arena_init(&arena);
        char *ptr = nu_arena_alloc(&arena, size);
        ptr[0] = 'a';
        ptr[size - 1] = 'z';
        assert_true(ptr + size <= arena.blocks->data + arena.blocks->size);
        nu_arena_finish(&arena);
    }
}

TEST(small_objects_stay_in_one_block_beside_a_large_one)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    char *before = nu_arena_alloc(&arena, 32);
    char *large = nu_arena_alloc(&arena, 100000);
    char *behind = nu_arena_alloc(&arena, 32);
    assert_ptr_equal(behind, before + 32);
    memset(large, 'x', 100000);
    nu_arena_finish(&arena);
}

static void ask_for_nearly_everything(void)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_alloc(&arena, 1);
    volatile size_t size = SIZE_MAX - 4;
    nu_arena_alloc(&arena, size);
}

static void ask_for_a_bit_less(void)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_alloc(&arena, 1);
    volatile size_t size = SIZE_MAX - 40;
    nu_arena_alloc(&arena, size);
}

TEST(a_size_that_wraps_around_is_not_served)
{
    assert_true(nu_test_aborts(ask_for_nearly_everything));
    assert_true(nu_test_aborts(ask_for_a_bit_less));
}

TEST(all_blocks_go_back_to_the_free_lists)
{
    nu_block_cache_clear();
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_alloc(&arena, 6000);  /* a small block */
    nu_arena_alloc(&arena, 6000);  /* another one */
    nu_arena_alloc(&arena, 1000);  /* a medium one */
    nu_arena_alloc(&arena, 50000); /* a large one of its own */
    nu_arena_alloc(&arena, 90000); /* one that is not kept */
    nu_arena_finish(&arena);
    assert_int_equal(nu_block_cache_bytes(), 2 * SMALL_BYTES + 16384 + 65536);
    nu_block_cache_clear();
}

TEST(an_arena_behind_bytes_leaves_them_alone)
{
    nu_block_cache_clear();
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    memcpy(block->data, "GET /", 5);
    block->fill = 5;
    struct nu_arena *arena = nu_arena_create_behind(block);
    assert_int_equal(nu_block_room(block), 0);
    nu_block_unref(block);
    for (int i = 0; i < 150; i++)
        memset(nu_arena_alloc(arena, 40), 'x', 40);
    assert_memory_equal(block->data, "GET /", 5);
    nu_arena_destroy(&arena);
    assert_null(arena);
    assert_int_equal(nu_block_cache_bytes(), 2 * SMALL_BYTES);
    nu_block_cache_clear();
}

TEST(a_block_without_much_room_is_not_shared_with_an_arena)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    block->fill = 2000;
    struct nu_arena *arena = nu_arena_create_behind(block);
    assert_int_equal(block->refs, 1);
    assert_int_equal(block->fill, 2000);
    nu_arena_destroy(&arena);
    nu_block_unref(block);
    nu_block_cache_clear();
}

TEST(a_block_of_the_arena_needs_no_other_hold)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    struct nu_arena *arena = nu_arena_create_behind(block);
    nu_arena_hold_block(arena, block);
    assert_int_equal(block->refs, 2);
    nu_arena_destroy(&arena);
    assert_int_equal(block->refs, 1);
    nu_block_unref(block);
    nu_block_cache_clear();
}

TEST(a_finished_arena_may_be_used_again)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_strdup(&arena, "one");
    nu_arena_finish(&arena);
    assert_string_equal(nu_arena_strdup(&arena, "two"), "two");
    nu_arena_finish(&arena);
    nu_arena_finish(&arena);
}

TEST(zeroed_memory_is_zero_also_in_a_used_block)
{
    for (int round = 0; round < 2; round++) {
        struct nu_arena arena;
        nu_arena_init(&arena);
        char *ptr = nu_arena_calloc(&arena, 2000);
        for (int i = 0; i < 2000; i++)
            assert_int_equal(ptr[i], 0);
        memset(ptr, 0xff, 2000);
        nu_arena_finish(&arena);
    }
}

TEST(copies_are_terminated_behind_their_end)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_str copy = nu_arena_dup(&arena, nu_str_make("abcdef", 3));
    assert_str(copy, "abc");
    assert_int_equal(copy.ptr[3], '\0');
    struct nu_str empty = nu_arena_dup(&arena, nu_str_make(NULL, 0));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.ptr[0], '\0');
    struct nu_str both = nu_arena_concat(&arena, NU_STR("ab"), NU_STR("cd"));
    assert_str(both, "abcd");
    assert_int_equal(both.ptr[4], '\0');
    assert_str(nu_arena_concat(&arena, nu_str_make(NULL, 0), NU_STR("x")), "x");
    assert_str(nu_arena_concat(&arena, NU_STR("x"), nu_str_make(NULL, 0)), "x");
    assert_str(nu_arena_concat(&arena, nu_str_make(NULL, 0), nu_str_make(NULL, 0)), "");
    assert_string_equal(nu_arena_printf(&arena, "%s-%d", "x", 12), "x-12");
    assert_string_equal(nu_arena_printf(&arena, "%s", ""), "");
    nu_arena_finish(&arena);
}

static char trail[16];

static void note(void *obj)
{
    strncat(trail, obj, sizeof(trail) - strlen(trail) - 1);
}

TEST(callbacks_run_last_first_while_the_memory_is_there)
{
    trail[0] = '\0';
    struct nu_arena arena;
    nu_arena_init(&arena);
    for (const char *name = "abc"; *name; name++)
        nu_arena_on_free(&arena, note, nu_arena_printf(&arena, "%c", *name));
    nu_arena_finish(&arena);
    assert_string_equal(trail, "cba");
    nu_arena_finish(&arena);
    assert_string_equal(trail, "cba");
}

static void register_another(void *obj)
{
    nu_arena_on_free(obj, note, nu_arena_strdup(obj, "late"));
    nu_arena_alloc(obj, 8000);
}

TEST(a_callback_may_use_the_arena_that_is_being_finished)
{
    nu_block_cache_clear();
    trail[0] = '\0';
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_on_free(&arena, register_another, &arena);
    nu_arena_finish(&arena);
    assert_string_equal(trail, "late");
    assert_int_equal(nu_block_cache_bytes(), SMALL_BYTES + 16384);
    nu_block_cache_clear();
}

TEST(a_callback_may_use_the_created_arena_that_is_being_destroyed)
{
    nu_block_cache_clear();
    trail[0] = '\0';
    struct nu_arena *arena = nu_arena_create();
    nu_arena_on_free(arena, register_another, arena);
    nu_arena_destroy(&arena);
    assert_string_equal(trail, "late");
    assert_int_equal(nu_block_cache_bytes(), SMALL_BYTES + 16384);
    nu_block_cache_clear();
}

TEST(a_created_arena_lives_in_its_first_block)
{
    struct nu_arena *arena = nu_arena_create();
    char *ptr = nu_arena_alloc(arena, 100);
    assert_true(is_aligned(ptr));
    assert_true((char *)arena < ptr && ptr < (char *)arena + SMALL_BYTES);
    memset(ptr, 'x', 100);
    nu_arena_destroy(&arena);
    assert_null(arena);
    nu_arena_destroy(&arena);
}

TEST(a_held_block_stays_until_the_arena_goes)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_hold_block(&arena, block);
    nu_arena_hold_block(&arena, block);
    assert_int_equal(block->refs, 3);
    nu_arena_finish(&arena);
    assert_int_equal(block->refs, 1);
    nu_block_unref(block);
}

#ifdef NU_ASAN
int __asan_address_is_poisoned(const volatile void *ptr);

TEST(under_the_sanitizer_only_what_was_asked_for_may_be_touched)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_arena_alloc(&arena, 1);
    char *ptr = nu_arena_alloc(&arena, 11);
    assert_false(__asan_address_is_poisoned(ptr + 10));
    assert_true(__asan_address_is_poisoned(ptr + 11));
    assert_true(__asan_address_is_poisoned(ptr + 16));
    char *large = nu_arena_alloc(&arena, 60000);
    assert_false(__asan_address_is_poisoned(large + 59999));
    nu_arena_finish(&arena);
    assert_true(__asan_address_is_poisoned(ptr));
    assert_true(__asan_address_is_poisoned(large));
}
#endif

TEST_MAIN()
