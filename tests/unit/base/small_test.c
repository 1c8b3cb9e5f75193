/* SPDX-License-Identifier: Apache-2.0 */
/* Small objects: room, reuse, growth, the bound of the free lists. */
#include "harness/test.h"

#include "base/small.h"

TEST(every_size_has_its_room)
{
    for (size_t size = 0; size < 10000; size += 37) {
        char *p = nu_small_alloc(size);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 'x', size);
        nu_small_free(p);
    }
    nu_small_cache_clear();
}

TEST(what_was_freed_is_given_out_again)
{
    void *first = nu_small_alloc(100);
    nu_small_free(first);
    assert_int_equal(nu_small_cache_bytes(), 128);
    void *second = nu_small_alloc(90);
    assert_ptr_equal(first, second);
    assert_int_equal(nu_small_cache_bytes(), 0);
    nu_small_free(second);
    nu_small_cache_clear();
    assert_int_equal(nu_small_cache_bytes(), 0);
}

TEST(cleared_memory_is_zero_after_reuse)
{
    char *dirty = nu_small_alloc(64);
    memset(dirty, 'x', 64);
    nu_small_free(dirty);
    char *clean = nu_small_calloc(8, 8);
    for (int i = 0; i < 64; i++)
        assert_int_equal(clean[i], 0);
    nu_small_free(clean);
    nu_small_cache_clear();
}

TEST(growth_keeps_the_bytes)
{
    char *p = nu_small_realloc(NULL, 10);
    memcpy(p, "0123456789", 10);
    for (size_t size = 11; size < 20000; size *= 2) {
        p = nu_small_realloc(p, size);
        assert_memory_equal(p, "0123456789", 10);
    }
    p = nu_small_realloc(p, 10);
    assert_memory_equal(p, "0123456789", 10);
    nu_small_free(p);
    nu_small_free(NULL);
    nu_small_cache_clear();
}

TEST(a_free_list_keeps_a_bounded_number_of_bytes)
{
    enum { COUNT = 1000, SIZE = 1000 };
    static void *all[COUNT];
    nu_small_cache_clear();
    for (int i = 0; i < COUNT; i++)
        all[i] = nu_small_alloc(SIZE);
    for (int i = 0; i < COUNT; i++)
        nu_small_free(all[i]);
    assert_int_equal(nu_small_cache_bytes(), 256 * 1024);
    nu_small_cache_clear();
}

TEST_MAIN()
