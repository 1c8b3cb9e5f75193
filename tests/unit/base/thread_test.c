/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: numbers, names, what a thread gives back when it leaves. */
#include "harness/test.h"

#include <pthread.h>

#include "base/block.h"
#include "base/buf.h"
#include "base/thread.h"
#include "harness/abort.h"

static void run(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *read_index(void *out)
{
    *(unsigned *)out = nu_thread_index();
    return NULL;
}

static void *enter_and_read(void *out)
{
    nu_thread_enter(5, "worker-5");
    *(unsigned *)out = nu_thread_index();
    nu_thread_leave();
    return NULL;
}

TEST(a_thread_has_the_number_that_it_was_given)
{
    unsigned index = 99;
    assert_int_equal(nu_thread_index(), NU_THREAD_MAIN);
    run(enter_and_read, &index);
    assert_int_equal(index, 5);
    run(read_index, &index);
    assert_int_equal(index, 0);
    assert_int_equal(nu_thread_index(), NU_THREAD_MAIN);
}

static void *read_name(void *out)
{
    nu_thread_enter(1, "a-worker-with-a-long-name");
    pthread_getname_np(pthread_self(), out, 32);
    return NULL;
}

TEST(a_long_name_is_cut_to_what_the_kernel_keeps)
{
    char name[32] = "";
    run(read_name, name);
    assert_string_equal(name, "a-worker-with-a");
}

static void enter_too_far(void)
{
    nu_thread_enter(NU_THREAD_MAX, "x");
}

TEST(a_number_beyond_the_table_is_a_bug)
{
    assert_true(nu_test_aborts(enter_too_far));
}

static void *use_and_leave(void *out)
{
    nu_thread_enter(2, "w");
    struct nu_buf buf = {0};
    for (int i = 0; i < 1000; i++)
        nu_buf_add_static(&buf, NU_STR("x"));
    nu_buf_append(&buf, NU_STR("y"));
    nu_buf_clear(&buf);
    size_t before = nu_block_cache_bytes();
    nu_thread_leave();
    *(bool *)out = before == 6144 && nu_block_cache_bytes() == 0;
    return NULL;
}

TEST(a_leaving_thread_frees_its_caches)
{
    bool freed = false;
    run(use_and_leave, &freed);
    assert_true(freed);
}

TEST_MAIN()
