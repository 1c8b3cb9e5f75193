/* SPDX-License-Identifier: Apache-2.0 */
/* How long an answer to a health check stands. */
#include "filters/http/health_check/cache.h"

#include "harness/test.h"

enum { START_US = 1000000, PERIOD_US = 500000 };

static const struct nu_health_answer well = {.status = 200};
static const struct nu_health_answer spare = {.status = 204, .degraded = true};

static bool stands(const struct nu_health_cache *cache, uint64_t now_us)
{
    struct nu_health_answer answer;
    return nu_health_cache_get(cache, now_us, &answer);
}

TEST(empty_cache_has_no_answer)
{
    struct nu_health_cache cache;
    nu_health_cache_init(&cache, START_US, PERIOD_US);
    assert_false(stands(&cache, START_US));
    assert_false(stands(&cache, START_US + PERIOD_US));
}

TEST(answer_stands_until_its_period_ends)
{
    struct nu_health_cache cache;
    nu_health_cache_init(&cache, START_US, PERIOD_US);
    nu_health_cache_put(&cache, START_US + 400000, &well);
    assert_true(stands(&cache, START_US + PERIOD_US - 1));
    assert_false(stands(&cache, START_US + PERIOD_US));
}

TEST(answer_of_a_later_period_stands_as_long)
{
    struct nu_health_cache cache;
    nu_health_cache_init(&cache, START_US, PERIOD_US);
    nu_health_cache_put(&cache, START_US + 7 * PERIOD_US, &well);
    assert_true(stands(&cache, START_US + 8 * PERIOD_US - 1));
    assert_false(stands(&cache, START_US + 8 * PERIOD_US));
}

TEST(last_answer_counts_with_its_status)
{
    struct nu_health_cache cache;
    struct nu_health_answer answer;
    nu_health_cache_init(&cache, START_US, PERIOD_US);
    nu_health_cache_put(&cache, START_US, &well);
    nu_health_cache_put(&cache, START_US, &spare);
    assert_true(nu_health_cache_get(&cache, START_US, &answer));
    assert_int_equal(answer.status, 204);
    assert_true(answer.degraded);
}

TEST(without_a_period_nothing_is_kept)
{
    struct nu_health_cache cache;
    nu_health_cache_init(&cache, START_US, 0);
    nu_health_cache_put(&cache, START_US, &well);
    assert_false(stands(&cache, START_US));
}

TEST_MAIN()
