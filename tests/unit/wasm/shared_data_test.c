/* SPDX-License-Identifier: Apache-2.0 */
/* Values that VMs share, and what a compare-and-set keeps from being lost. */
#include "harness/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "wasm/shared_data.h"

enum { THREADS = 4, ROUNDS = 2000 };

static enum nu_wasm_status read_value(struct nu_wasm_shared_data *space, const char *key,
                                      struct nu_strbuf *value, uint32_t *cas)
{
    nu_strbuf_clear(value);
    return nu_wasm_shared_data_read(space, nu_str_from(key), value, cas);
}

TEST(a_value_is_read_as_it_was_set)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_strbuf value = {0};
    uint32_t cas = 0;
    assert_int_equal(read_value(space, "k", &value, &cas), NU_WASM_NOT_FOUND);
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("k"), NU_STR("one"), 77), NU_WASM_OK);
    assert_int_equal(read_value(space, "k", &value, &cas), NU_WASM_OK);
    assert_str(nu_strbuf_str(&value), "one");
    assert_int_not_equal(cas, 0);
    nu_strbuf_finish(&value);
    nu_wasm_shared_data_unref(&space);
    assert_null(space);
}

TEST(a_value_that_somebody_else_set_is_left_alone)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_strbuf value = {0};
    struct nu_str key = NU_STR("k");
    uint32_t first = 0;
    uint32_t second = 0;
    assert_int_equal(nu_wasm_shared_data_write(space, key, NU_STR("one"), 0), NU_WASM_OK);
    assert_int_equal(read_value(space, "k", &value, &first), NU_WASM_OK);
    assert_int_equal(nu_wasm_shared_data_write(space, key, NU_STR("two"), first), NU_WASM_OK);
    assert_int_equal(nu_wasm_shared_data_write(space, key, NU_STR("three"), first),
                     NU_WASM_CAS_MISMATCH);
    assert_int_equal(read_value(space, "k", &value, &second), NU_WASM_OK);
    assert_str(nu_strbuf_str(&value), "two");
    assert_int_not_equal(first, second);
    assert_int_equal(nu_wasm_shared_data_write(space, key, NU_STR("four"), 0), NU_WASM_OK);
    nu_strbuf_finish(&value);
    nu_wasm_shared_data_unref(&space);
}

TEST(a_space_has_an_end)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_str half = {test_calloc(1, NU_WASM_SHARED_BYTES_MAX / 2),
                          NU_WASM_SHARED_BYTES_MAX / 2};
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("k"), half, 0), NU_WASM_OK);
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("l"), half, 0),
                     NU_WASM_INTERNAL_FAILURE);
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("k"), NU_STR(""), 0), NU_WASM_OK);
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("l"), half, 0), NU_WASM_OK);
    assert_int_equal(nu_wasm_shared_data_write(space, half, NU_STR(""), 0),
                     NU_WASM_INTERNAL_FAILURE);
    test_free(nu_unconst(half.ptr));
    nu_wasm_shared_data_unref(&space);
}

TEST(a_space_is_one_by_its_name_and_ends_with_its_last_holder)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_wasm_shared_data *same = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_wasm_shared_data *other = nu_wasm_shared_data_get(NU_STR(""));
    struct nu_strbuf value = {0};
    uint32_t cas;
    assert_ptr_equal(space, same);
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("k"), NU_STR("v"), 0), NU_WASM_OK);
    assert_int_equal(read_value(other, "k", &value, &cas), NU_WASM_NOT_FOUND);
    nu_wasm_shared_data_unref(&space);
    assert_int_equal(read_value(same, "k", &value, &cas), NU_WASM_OK);
    nu_wasm_shared_data_unref(&same);
    space = nu_wasm_shared_data_get(NU_STR("a"));
    assert_int_equal(read_value(space, "k", &value, &cas), NU_WASM_NOT_FOUND);
    nu_wasm_shared_data_unref(&space);
    nu_wasm_shared_data_unref(&other);
    nu_strbuf_finish(&value);
}

/* Adds one, again and again until nobody was in between. */
static void add_one(struct nu_wasm_shared_data *space)
{
    struct nu_strbuf value = {0};
    char text[16];
    uint32_t cas = 0;
    do {
        assert_int_equal(read_value(space, "n", &value, &cas), NU_WASM_OK);
        snprintf(text, sizeof(text), "%d", atoi(value.data) + 1);
    } while (nu_wasm_shared_data_write(space, NU_STR("n"), nu_str_from(text), cas) != NU_WASM_OK);
    nu_strbuf_finish(&value);
}

static void *add_many(void *arg)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        add_one(space);
    nu_wasm_shared_data_unref(&space);
    return NULL;
}

TEST(no_addition_of_racing_threads_is_lost)
{
    struct nu_wasm_shared_data *space = nu_wasm_shared_data_get(NU_STR("a"));
    struct nu_strbuf value = {0};
    pthread_t threads[THREADS];
    uint32_t cas;
    assert_int_equal(nu_wasm_shared_data_write(space, NU_STR("n"), NU_STR("0"), 0), NU_WASM_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read_value(space, "n", &value, &cas), NU_WASM_OK);
    assert_int_equal(atoi(value.data), THREADS * ROUNDS);
    nu_strbuf_finish(&value);
    nu_wasm_shared_data_unref(&space);
}

TEST_MAIN()
