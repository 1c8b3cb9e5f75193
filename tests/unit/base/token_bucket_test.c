/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets. Times are microseconds. */
#include "harness/test.h"

#include <pthread.h>

#include "base/token_bucket.h"

enum { SECOND = 1000000, START = 100 * SECOND };

static unsigned take_all(struct nu_token_bucket *bucket, uint64_t now_us)
{
    unsigned taken = 0;
    while (nu_token_bucket_take(bucket, now_us))
        taken++;
    return taken;
}

TEST(a_bucket_is_full_at_first)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 3, 1, SECOND, START);
    assert_int_equal(take_all(&bucket, START), 3);
}

TEST(a_bucket_may_begin_with_the_clock)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 3, 1, SECOND, 0);
    assert_int_equal(take_all(&bucket, 3 * SECOND), 3);
}

TEST(tokens_come_evenly)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 4, 2, SECOND, START);
    take_all(&bucket, START);
    assert_int_equal(take_all(&bucket, START + SECOND / 2 - 1), 0);
    assert_int_equal(take_all(&bucket, START + SECOND / 2), 1);
    assert_int_equal(take_all(&bucket, START + SECOND), 1);
}

TEST(a_bucket_holds_no_more_than_its_size)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 3, 3, SECOND, START);
    take_all(&bucket, START);
    assert_int_equal(take_all(&bucket, START + 100ull * SECOND), 3);
}

TEST(more_tokens_than_nanoseconds_are_one_each)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 5, UINT32_MAX, 1, START);
    assert_int_equal(take_all(&bucket, START), 5);
}

TEST(a_bucket_is_full_before_the_clock_ran_so_long)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 1000, 1, 60ull * SECOND, SECOND);
    assert_int_equal(take_all(&bucket, SECOND), 1000);
}

TEST(times_beyond_the_clock_are_cut)
{
    struct nu_token_bucket bucket;
    nu_token_bucket_init(&bucket, 1000000000, 1, 60ull * SECOND, START);
    for (unsigned i = 0; i < 100000; i++)
        assert_true(nu_token_bucket_take(&bucket, START));
    nu_token_bucket_init(&bucket, 3, 1, UINT64_MAX, START);
    assert_true(nu_token_bucket_take(&bucket, START));
}

static struct nu_token_bucket shared;

static void *take_some(void *arg)
{
    unsigned *taken = arg;
    for (unsigned i = 0; i < 20000; i++)
        *taken += nu_token_bucket_take(&shared, START);
    return NULL;
}

TEST(threads_share_what_there_is)
{
    enum { THREADS = 4, TOKENS = 30000 };
    pthread_t threads[THREADS];
    unsigned taken[THREADS] = {0};
    unsigned sum = 0;
    nu_token_bucket_init(&shared, TOKENS, 1000, SECOND, START);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_some, &taken[i]), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += taken[i];
    }
    assert_int_equal(sum, TOKENS);
}

TEST_MAIN()
