/* SPDX-License-Identifier: Apache-2.0 */
/* Earliest deadline first: shares follow weights, also when these change. */
#include "harness/test.h"

#include "base/compiler.h"
#include "base/random.h"
#include "upstream/lb/edf.h"

enum { MAX_ITEMS = 1000 };

static double weights[MAX_ITEMS];

static double weight_of(void *arg, uint32_t item)
{
    (void)arg;
    return weights[item];
}

/* At any time no item is more than one pick away from its share. */
TEST(picks_are_spread_evenly)
{
    enum { ITEMS = 7, CYCLES = 200 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        double sum = 0;
        unsigned picked[ITEMS] = {0};
        struct nu_edf edf;
        nu_random_seed(seed);
        for (int i = 0; i < ITEMS; i++)
            sum += weights[i] = (double)(1 + nu_random_below(20));
        nu_edf_init(&edf, ITEMS, weight_of, NULL);
        for (unsigned n = 1; n < sum * CYCLES; n++) {
            picked[nu_edf_pick(&edf, weight_of, NULL)]++;
            for (int i = 0; i < ITEMS; i++) {
                double share = n * weights[i] / sum;
                assert_true(picked[i] > share - ITEMS && picked[i] < share + ITEMS);
            }
        }
        nu_edf_finish(&edf);
    }
}

TEST(item_without_weight_is_not_picked)
{
    struct nu_edf edf;
    weights[0] = 0;
    weights[1] = 3;
    weights[2] = 0;
    nu_edf_init(&edf, 3, weight_of, NULL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(nu_edf_pick(&edf, weight_of, NULL), 1);
    nu_edf_finish(&edf);
}

TEST(changed_weight_counts_from_the_next_pick_on)
{
    struct nu_edf edf;
    unsigned picked = 0;
    weights[0] = weights[1] = 1;
    nu_edf_init(&edf, 2, weight_of, NULL);
    for (int i = 0; i < 100; i++)
        nu_edf_pick(&edf, weight_of, NULL);
    weights[1] = 3;
    for (int i = 0; i < 400; i++)
        picked += nu_edf_pick(&edf, weight_of, NULL);
    assert_in_range(picked, 297, 301);
    weights[0] = 6;
    picked = 0;
    for (int i = 0; i < 900; i++)
        picked += nu_edf_pick(&edf, weight_of, NULL);
    assert_in_range(picked, 297, 303);
    nu_edf_finish(&edf);
}

TEST_MAIN()
