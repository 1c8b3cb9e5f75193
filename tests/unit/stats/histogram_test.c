/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms: bins, tables that grow, and quantiles as Envoy computes them. */
#include "harness/test.h"

#include <math.h>
#include <stdlib.h>

#include "stats/histogram_internal.h"
#include "stats/value_internal.h"

static struct nu_histogram_snapshot *snapshot_of(const struct nu_histogram *histogram)
{
    static struct nu_histogram_bins bins;
    nu_histogram_bins_clear(&bins);
    nu_histogram_merge(histogram, &bins);
    return nu_histogram_snapshot_create(&bins);
}

/* The bin found the slow way: the first two digits and how many there are. */
static unsigned bin_by_text(uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    if (len <= 2)
        return (unsigned)value;
    return 100 + (unsigned)(len - 3) * 90 + (unsigned)(text[0] - '0') * 10 +
           (unsigned)(text[1] - '0') - 10;
}

TEST(a_bin_is_the_first_two_digits)
{
    for (uint64_t value = 0; value < 30000; value++)
        assert_int_equal(nu_histogram_bin(value), bin_by_text(value));
    for (unsigned i = 0; i < 20; i++) {
        uint64_t power = nu_powers_of_ten[i];
        assert_int_equal(nu_histogram_bin(power), bin_by_text(power));
        assert_int_equal(nu_histogram_bin(power - 1), bin_by_text(power - 1));
        assert_int_equal(nu_histogram_bin(power / 2 * 3 + 1), bin_by_text(power / 2 * 3 + 1));
    }
    for (unsigned bit = 0; bit < 64; bit++)
        assert_int_equal(nu_histogram_bin(UINT64_C(1) << bit), bin_by_text(UINT64_C(1) << bit));
    assert_int_equal(nu_histogram_bin(UINT64_MAX), bin_by_text(UINT64_MAX));
    assert_true(nu_histogram_bin(UINT64_MAX) < NU_HISTOGRAM_BINS);
}

TEST(bins_start_where_envoy_lets_them)
{
    assert_true(nu_histogram_bin_start(0) == 0 && nu_histogram_bin_width(0) == 0);
    assert_true(nu_histogram_bin_start(7) == 7 && nu_histogram_bin_width(7) == 0.1);
    assert_true(nu_histogram_bin_start(42) == 42 && nu_histogram_bin_width(42) == 1);
    unsigned bin = nu_histogram_bin(115);
    assert_true(nu_histogram_bin_start(bin) == 110.00000000000001);
    assert_true(nu_histogram_bin_width(bin) == 10);
    assert_true(nu_histogram_bin_start(nu_histogram_bin(2599)) == 2500);
}

TEST(a_table_grows_and_loses_nothing)
{
    struct nu_histogram histogram = {0};
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t value = 1; value < 2000000; value = value * 21 / 20 + 1)
            nu_histogram_record(&histogram, value);
    }
    struct nu_histogram_snapshot *snapshot = snapshot_of(&histogram);
    assert_int_equal(snapshot->count, nu_histogram_total(&histogram));
    uint64_t count = 0;
    for (uint32_t i = 0; i < snapshot->bucket_count; i++) {
        assert_int_equal(snapshot->buckets[i].count % 3, 0);
        assert_true(i == 0 || snapshot->buckets[i - 1].bin < snapshot->buckets[i].bin);
        count += snapshot->buckets[i].count;
    }
    assert_int_equal(count, snapshot->count);
    nu_histogram_snapshot_destroy(&snapshot);
    nu_histogram_finish(&histogram);
}

TEST(a_table_can_hold_every_bin)
{
    struct nu_histogram histogram = {0};
    for (uint64_t value = 0; value < 100; value++)
        nu_histogram_record(&histogram, value);
    for (unsigned power = 1; power < 18; power++) {
        for (uint64_t digits = 10; digits < 100; digits++)
            nu_histogram_record(&histogram, digits * nu_powers_of_ten[power]);
    }
    for (uint64_t digits = 10; digits <= 18; digits++)
        nu_histogram_record(&histogram, digits * nu_powers_of_ten[18]);
    struct nu_histogram_snapshot *snapshot = snapshot_of(&histogram);
    assert_int_equal(snapshot->count, 100 + 17 * 90 + 9);
    assert_int_equal(snapshot->bucket_count, 100 + 17 * 90 + 9);
    nu_histogram_snapshot_destroy(&snapshot);
    nu_histogram_finish(&histogram);
}

/* Samples, and what Envoy said of them: ten quantiles, sum, samples up to each bucket's bound. */
struct recorded {
    const char *samples;
    const char *quantiles;
    double sum;
    const char *below;
};

static const struct recorded recorded[] = {
#define X(samples, quantiles, sum, below) {samples, quantiles, sum, below},
#include "envoy_histograms.inc"
#undef X
};

static struct nu_histogram_snapshot *record(const char *samples)
{
    struct nu_histogram histogram = {0};
    for (char *end; *samples; samples = end)
        nu_histogram_record(&histogram, strtoull(samples, &end, 10));
    struct nu_histogram_snapshot *snapshot = snapshot_of(&histogram);
    nu_histogram_finish(&histogram);
    return snapshot;
}

TEST(quantiles_are_envoys_to_the_last_bit)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(recorded); i++) {
        struct nu_histogram_snapshot *snapshot = record(recorded[i].samples);
        double quantiles[NU_HISTOGRAM_QUANTILES];
        nu_histogram_quantiles(snapshot, nu_histogram_quantile_list, NU_HISTOGRAM_QUANTILES,
                               quantiles);
        const char *at = recorded[i].quantiles;
        for (unsigned q = 0; q < NU_HISTOGRAM_QUANTILES; q++) {
            char *end;
            assert_true(quantiles[q] == strtod(at, &end));
            at = end;
        }
        nu_histogram_snapshot_destroy(&snapshot);
    }
}

TEST(sums_and_bucket_counts_are_envoys)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(recorded); i++) {
        struct nu_histogram_snapshot *snapshot = record(recorded[i].samples);
        assert_true(nu_histogram_sum(snapshot) == recorded[i].sum);
        uint64_t below[NU_HISTOGRAM_BOUNDS];
        nu_histogram_counts_below(snapshot, nu_histogram_bound_list, NU_HISTOGRAM_BOUNDS, below);
        const char *at = recorded[i].below;
        for (unsigned b = 0; b < NU_HISTOGRAM_BOUNDS; b++) {
            char *end;
            assert_int_equal(below[b], strtoull(at, &end, 10));
            at = end;
        }
        nu_histogram_snapshot_destroy(&snapshot);
    }
}

TEST(no_samples_have_no_quantiles)
{
    double quantiles[NU_HISTOGRAM_QUANTILES];
    nu_histogram_quantiles(NULL, nu_histogram_quantile_list, NU_HISTOGRAM_QUANTILES, quantiles);
    for (unsigned i = 0; i < NU_HISTOGRAM_QUANTILES; i++)
        assert_true(isnan(quantiles[i]));
    assert_true(nu_histogram_sum(NULL) == 0);
    assert_int_equal(nu_histogram_count(NULL), 0);
}

TEST_MAIN()
