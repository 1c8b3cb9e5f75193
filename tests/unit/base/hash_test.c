/* SPDX-License-Identifier: Apache-2.0 */
/* The hash's spread, and the map against a plain array. */
#include "harness/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/random.h"

TEST(equal_bytes_have_equal_hashes_wherever_they_are)
{
    char text[64];
    for (size_t len = 0; len <= 40; len++) {
        memset(text, 'k', sizeof(text));
        uint64_t want = nu_hash(nu_str_make(text, len));
        for (size_t shift = 1; shift < 9; shift++) {
            memmove(text + shift, text, len);
            assert_true(nu_hash(nu_str_make(text + shift, len)) == want);
        }
    }
    assert_true(nu_hash(nu_str_make(NULL, 0)) == nu_hash(NU_STR("")));
}

TEST(every_byte_and_the_length_count)
{
    char text[40] = {0};
    uint64_t seen[NU_ARRAY_LEN(text) + 1];
    for (size_t len = 0; len <= sizeof(text); len++) {
        seen[len] = nu_hash(nu_str_make(text, len));
        for (size_t other = 0; other < len; other++)
            assert_true(seen[len] != seen[other]);
    }
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = 1;
        assert_true(nu_hash(nu_str_make(text, sizeof(text))) != seen[sizeof(text)]);
        text[i] = 0;
    }
}

TEST(bytes_behind_the_view_do_not_count)
{
    for (size_t len = 0; len <= 20; len++) {
        char *exact = nu_strndup("abcdefghijklmnopqrstuvwxyz", len);
        exact = nu_realloc(exact, len);
        assert_true(nu_hash(nu_str_make(exact, len)) ==
                    nu_hash(nu_str_make("abcdefghijklmnopqrstuvwxyz", len)));
        nu_free(exact);
    }
}

/* Flipping one bit of the key flips about half of the hash: 32 of 64, within wide bounds. */
TEST(one_bit_of_the_key_changes_half_of_the_hash)
{
    static const size_t lengths[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31};
    for (size_t k = 0; k < NU_ARRAY_LEN(lengths); k++) {
        char key[32] = "an-http-header-name-or-a-domain";
        unsigned flipped = 0;
        unsigned bits = (unsigned)lengths[k] * 8;
        uint64_t before = nu_hash(nu_str_make(key, lengths[k]));
        for (unsigned bit = 0; bit < bits; bit++) {
            key[bit / 8] = (char)(key[bit / 8] ^ 1 << bit % 8);
            flipped +=
                (unsigned)__builtin_popcountll(before ^ nu_hash(nu_str_make(key, lengths[k])));
            key[bit / 8] = (char)(key[bit / 8] ^ 1 << bit % 8);
        }
        assert_in_range(flipped / bits, 22, 42);
    }
}

/* 64 keys a bucket on average; a Poisson tail over 160 does not happen by chance. */
TEST(the_low_bits_spread_numbered_keys)
{
    static unsigned buckets[1024];
    char key[32];
    for (int i = 0; i < 65536; i++) {
        int len = snprintf(key, sizeof(key), "cluster_%d", i);
        buckets[nu_hash(nu_str_make(key, (size_t)len)) % 1024]++;
    }
    for (size_t i = 0; i < NU_ARRAY_LEN(buckets); i++)
        assert_in_range(buckets[i], 10, 160);
}

TEST(an_empty_map_finds_and_removes_nothing)
{
    struct nu_map map = {0};
    assert_null(nu_map_get(&map, NU_STR("x")));
    assert_null(nu_map_remove(&map, NU_STR("x")));
    size_t count = 0;
    nu_map_for_each(entry, &map)
    {
        count++;
    }
    assert_int_equal(count, 0);
    nu_map_finish(&map);
    nu_map_finish(&map);
}

TEST(put_replaces_and_returns_what_was_there)
{
    struct nu_map map = {0};
    int one;
    int two;
    assert_null(nu_map_put(&map, NU_STR("key"), &one));
    assert_ptr_equal(nu_map_put(&map, NU_STR("key"), &two), &one);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(nu_map_get(&map, NU_STR("key")), &two);
    assert_null(nu_map_get(&map, NU_STR("ke")));
    assert_null(nu_map_get(&map, NU_STR("keys")));
    assert_ptr_equal(nu_map_remove(&map, NU_STR("key")), &two);
    assert_null(nu_map_remove(&map, NU_STR("key")));
    assert_int_equal(map.count, 0);
    nu_map_finish(&map);
}

TEST(the_empty_key_is_a_key)
{
    struct nu_map map = {0};
    int value;
    assert_null(nu_map_put(&map, nu_str_make(NULL, 0), &value));
    assert_ptr_equal(nu_map_get(&map, NU_STR("")), &value);
    assert_ptr_equal(nu_map_get(&map, nu_str_make(NULL, 0)), &value);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(nu_map_remove(&map, NU_STR("")), &value);
    nu_map_finish(&map);
}

enum { KEYS = 300 };
static char key_texts[KEYS][16];
static int values[2][KEYS];
static int *model[KEYS];

static struct nu_str key_at(size_t i)
{
    if (!key_texts[i][0])
        snprintf(key_texts[i], sizeof(key_texts[i]), "key-%zu", i);
    return nu_str_from(key_texts[i]);
}

static void check_against_model(const struct nu_map *map)
{
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(nu_map_get(map, key_at(i)), model[i]);
        count += model[i] != NULL;
    }
    assert_int_equal(map->count, count);
    nu_map_for_each(entry, map)
    {
        count--;
        assert_ptr_equal(model[(int *)entry->value < values[1] ? (int *)entry->value - values[0]
                                                               : (int *)entry->value - values[1]],
                         entry->value);
    }
    assert_int_equal(count, 0);
}

TEST(any_row_of_puts_and_removes_agrees_with_an_array)
{
    struct nu_map map = {0};
    nu_random_seed(11);
    for (unsigned step = 0; step < 30000; step++) {
        /* Waves: the map fills up, then drains. */
        bool is_put = nu_random_below(10) < (step / 3000 % 2 ? 2u : 8u);
        size_t i = nu_random_below(KEYS);
        if (is_put) {
            int *value = &values[step % 2][i];
            assert_ptr_equal(nu_map_put(&map, key_at(i), value), model[i]);
            model[i] = value;
        } else {
            assert_ptr_equal(nu_map_remove(&map, key_at(i)), model[i]);
            model[i] = NULL;
        }
        if (step % 1000 == 0)
            check_against_model(&map);
    }
    check_against_model(&map);
    nu_map_finish(&map);
}

TEST(a_map_keeps_at_most_two_thirds_of_its_slots_in_use)
{
    struct nu_map map = {0};
    int value;
    for (size_t i = 0; i < KEYS; i++) {
        nu_map_put(&map, key_at(i), &value);
        assert_true(map.count * 3 <= map.cap * 2);
        assert_int_equal(map.cap & (map.cap - 1), 0);
    }
    nu_map_finish(&map);
}

/* The old key's memory may be gone as soon as its entry was replaced. */
TEST(a_replaced_entry_has_the_new_key)
{
    struct nu_map map = {0};
    int value;
    char *old_key = nu_strdup("same");
    nu_map_put(&map, nu_str_from(old_key), &value);
    nu_map_put(&map, NU_STR("same"), &value);
    nu_free(old_key);
    assert_ptr_equal(nu_map_get(&map, NU_STR("same")), &value);
    nu_map_finish(&map);
}

TEST(walks_can_be_nested_and_hold_an_if_and_else)
{
    struct nu_map map = {0};
    int value;
    for (size_t i = 0; i < 10; i++)
        nu_map_put(&map, key_at(i), &value);
    size_t same = 0;
    size_t different = 0;
    nu_map_for_each(a, &map)
    {
        nu_map_for_each(b, &map) if (nu_str_eq(a->key, b->key)) same++;
        else different++;
    }
    assert_int_equal(same, 10);
    assert_int_equal(different, 90);
    nu_map_finish(&map);
}

TEST_MAIN()
