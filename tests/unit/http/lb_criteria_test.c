/* SPDX-License-Identifier: Apache-2.0 */
/* Criteria for subsets of hosts. */
#include "harness/test.h"

#include "http/lb_criteria.h"

static struct nu_arena arena;

static void set(struct nu_metadata *metadata, const char *space, const char *key, const char *value)
{
    nu_metadata_set(metadata, nu_str_from(space), nu_str_from(key),
                    nu_value_string(nu_str_from(value)));
}

static void assert_json(const struct nu_value *value, const char *json)
{
    struct nu_strbuf out = {0};
    assert_non_null(value);
    nu_value_to_json(value, &out);
    assert_str(nu_strbuf_str(&out), json);
    nu_strbuf_finish(&out);
}

TEST(only_one_namespace_counts)
{
    nu_arena_init(&arena);
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    assert_null(nu_lb_criteria_of(NULL));
    set(metadata, "other", "a", "1");
    assert_null(nu_lb_criteria_of(metadata));
    set(metadata, "envoy.lb", "b", "2");
    set(metadata, "envoy.lb", "a", "1");
    assert_json(nu_lb_criteria_of(metadata), "{\"a\":\"1\",\"b\":\"2\"}");
    nu_arena_finish(&arena);
}

TEST(merging_adds_and_replaces)
{
    nu_arena_init(&arena);
    struct nu_metadata *first = nu_metadata_create(&arena);
    struct nu_metadata *second = nu_metadata_create(&arena);
    set(first, "envoy.lb", "b", "2");
    set(first, "envoy.lb", "c", "3");
    set(second, "envoy.lb", "c", "4");
    set(second, "envoy.lb", "a", "1");
    const struct nu_value *a = nu_lb_criteria_of(first);
    const struct nu_value *b = nu_lb_criteria_of(second);
    assert_null(nu_lb_criteria_merge(NULL, NULL, &arena));
    assert_ptr_equal(nu_lb_criteria_merge(a, NULL, &arena), a);
    assert_ptr_equal(nu_lb_criteria_merge(NULL, b, &arena), b);
    assert_json(nu_lb_criteria_merge(a, b, &arena), "{\"a\":\"1\",\"b\":\"2\",\"c\":\"4\"}");
    assert_json(a, "{\"b\":\"2\",\"c\":\"3\"}");
    nu_arena_finish(&arena);
}

TEST_MAIN()
