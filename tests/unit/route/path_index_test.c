/* SPDX-License-Identifier: Apache-2.0 */
/* The path index gives what trying every rule in order gives. */
#include "harness/test.h"

#include "base/alloc.h"
#include "base/random.h"
#include "base/regex.h"
#include "route/path_index.h"

static struct nu_arena arena;

static struct nu_path_rule rule(enum nu_path_kind kind, const char *text)
{
    return (struct nu_path_rule){.kind = (uint8_t)kind, .text = nu_str_from(text)};
}

static struct nu_path_rule rule_nocase(enum nu_path_kind kind, const char *text)
{
    return (struct nu_path_rule){
        .kind = (uint8_t)kind, .ignore_case = true, .text = nu_str_from(text)};
}

/* Checks one path against all rules, and returns how many hold. */
static uint32_t check(const struct nu_path_index *index, const struct nu_path_rule *rules,
                      uint32_t count, struct nu_str path)
{
    struct nu_path_walk walk;
    uint32_t number;
    uint32_t held = 0;
    nu_path_walk_start(&walk, index, path);
    for (uint32_t i = 0; i < count; i++) {
        if (!nu_path_rule_holds(&rules[i], path))
            continue;
        if (!nu_path_walk_next(&walk, &number) || number != i)
            fail_msg("path %.*s: rule %u is missing", NU_STR_ARG(path), i);
        held++;
    }
    assert_false(nu_path_walk_next(&walk, &number));
    return held;
}

TEST(rules_come_in_their_order)
{
    struct nu_path_rule rules[] = {
        rule(NU_PATH_KIND_PREFIX, "/a/b"),    rule(NU_PATH_KIND_EXACT, "/a/b/c"),
        rule(NU_PATH_KIND_PREFIX, "/"),       rule(NU_PATH_KIND_SEPARATED, "/a"),
        rule(NU_PATH_KIND_PREFIX, "/a/b"),    rule(NU_PATH_KIND_PREFIX, ""),
        rule(NU_PATH_KIND_SEPARATED, "/a/b"), rule(NU_PATH_KIND_EXACT, "/a"),
    };
    nu_arena_init(&arena);
    uint32_t count = NU_ARRAY_LEN(rules);
    const struct nu_path_index *index = nu_path_index_create(&arena, rules, count);
    assert_int_equal(check(index, rules, count, NU_STR("/a/b/c")), 7);
    assert_int_equal(check(index, rules, count, NU_STR("/a/bc")), 5);
    assert_int_equal(check(index, rules, count, NU_STR("/a")), 4);
    assert_int_equal(check(index, rules, count, NU_STR("/ab")), 2);
    assert_int_equal(check(index, rules, count, NU_STR("")), 1);
    nu_arena_finish(&arena);
}

TEST(case_counts_rule_by_rule)
{
    struct nu_path_rule rules[] = {
        rule(NU_PATH_KIND_PREFIX, "/Ab"),           rule_nocase(NU_PATH_KIND_PREFIX, "/AB"),
        rule_nocase(NU_PATH_KIND_EXACT, "/ab"),     rule(NU_PATH_KIND_EXACT, "/ab"),
        rule_nocase(NU_PATH_KIND_SEPARATED, "/aB"),
    };
    nu_arena_init(&arena);
    uint32_t count = NU_ARRAY_LEN(rules);
    const struct nu_path_index *index = nu_path_index_create(&arena, rules, count);
    assert_int_equal(check(index, rules, count, NU_STR("/Ab")), 4);
    assert_int_equal(check(index, rules, count, NU_STR("/ab")), 4);
    assert_int_equal(check(index, rules, count, NU_STR("/AB/x")), 2);
    nu_arena_finish(&arena);
}

TEST(a_prefix_of_one_character_has_a_case_as_well)
{
    struct nu_path_rule with = rule(NU_PATH_KIND_PREFIX, "a");
    struct nu_path_rule without = rule_nocase(NU_PATH_KIND_PREFIX, "a");
    assert_true(nu_path_rule_holds(&with, NU_STR("ab")));
    assert_false(nu_path_rule_holds(&with, NU_STR("Ab")));
    assert_true(nu_path_rule_holds(&without, NU_STR("Ab")));
    assert_false(nu_path_rule_holds(&with, NU_STR("")));
}

TEST(no_rules_hold_for_nothing)
{
    nu_arena_init(&arena);
    const struct nu_path_index *index = nu_path_index_create(&arena, NULL, 0);
    assert_int_equal(check(index, NULL, 0, NU_STR("/a")), 0);
    nu_arena_finish(&arena);
}

/* More beginnings of one path than the walk has room for lists. */
TEST(many_beginnings_of_one_path_are_all_found)
{
    enum { COUNT = 100 };
    struct nu_path_rule rules[COUNT];
    char path[COUNT + 1];
    memset(path, 'a', sizeof(path));
    for (uint32_t i = 0; i < COUNT; i++) {
        rules[i] = rule(NU_PATH_KIND_PREFIX, "");
        rules[i].text = nu_str_make(path, (i * 37) % COUNT);
    }
    nu_arena_init(&arena);
    const struct nu_path_index *index = nu_path_index_create(&arena, rules, COUNT);
    assert_int_equal(check(index, rules, COUNT, nu_str_make(path, sizeof(path))), COUNT);
    assert_int_equal(check(index, rules, COUNT, nu_str_make(path, 10)), 11);
    nu_arena_finish(&arena);
}

static const char *const segments[] = {"a", "b", "A", "ab", "aa", "B", ""};

static size_t random_path(char *out)
{
    size_t len = 0;
    for (uint64_t n = nu_random_below(4); n > 0; n--) {
        const char *segment = segments[nu_random_below(NU_ARRAY_LEN(segments))];
        out[len++] = '/';
        for (; *segment; segment++)
            out[len++] = *segment;
    }
    return len;
}

static struct nu_path_rule random_rule(struct nu_regex *const *regexes)
{
    char text[32];
    if (nu_random_below(10) == 0)
        return (struct nu_path_rule){.kind = NU_PATH_KIND_REGEX,
                                     .regex = regexes[nu_random_below(3)]};
    return (struct nu_path_rule){
        .kind = (uint8_t)nu_random_below(3),
        .ignore_case = nu_random_below(3) == 0,
        .text = nu_arena_dup(&arena, nu_str_make(text, random_path(text))),
    };
}

TEST(random_rules_are_found_as_by_trying_each)
{
    struct nu_regex *regexes[] = {
        nu_regex_create(NU_STR("/a.*"), NULL),
        nu_regex_create(NU_STR(".*b"), NULL),
        nu_regex_create(NU_STR("(/[ab]+)*"), NULL),
    };
    nu_random_seed(7);
    for (int round = 0; round < 300; round++) {
        nu_arena_init(&arena);
        uint32_t count = (uint32_t)nu_random_below(200);
        struct nu_path_rule *rules = nu_arena_alloc(&arena, count * sizeof(*rules));
        for (uint32_t i = 0; i < count; i++)
            rules[i] = random_rule(regexes);
        const struct nu_path_index *index = nu_path_index_create(&arena, rules, count);
        for (int i = 0; i < 50; i++) {
            char path[32];
            check(index, rules, count, nu_str_make(path, random_path(path)));
        }
        nu_arena_finish(&arena);
    }
    for (size_t i = 0; i < NU_ARRAY_LEN(regexes); i++)
        nu_regex_destroy(&regexes[i]);
}

TEST_MAIN()
