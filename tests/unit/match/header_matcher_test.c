/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header matchers against a table that an Envoy 1.36 answered: every kind of condition, plain and
 * inverted, with a missing header taken for an empty one and not, for many values.
 */
#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "http/headers.h"
#include "match/header_matcher.h"

/* The values of the fields named x-h in one request; NULL ends them. */
static const char *const requests[][3] = {
    {NULL},
    {""},
    {"a"},
    {"A"},
    {"b"},
    {"abba"},
    {"ABBA"},
    {"a", "b"},
    {"a", ""},
    {"5"},
    {"-5"},
    {"10"},
    {"+5"},
    {" 5"},
    {"05"},
    {"5.0"},
    {"0x5"},
    {"9223372036854775807"},
    {"9223372036854775808"},
    {"5", "6"},
    {"aa"},
    {"-"},
    {"a, b"},
    {"", "a"},
};

static const struct {
    const char *condition;
    /* A '1' for each request that matches: plain, missing is empty, inverted, both. */
    const char *matched[4];
} table[] = {
    {"",
     {"011111111111111111111111", "111111111111111111111111", "100000000000000000000000",
      "000000000000000000000000"}},
    {"\"exact_match\": \"a\"",
     {"001000000000000000000000", "001000000000000000000000", "010111111111111111111111",
      "110111111111111111111111"}},
    {"\"prefix_match\": \"a\"",
     {"001001011000000000001010", "001001011000000000001010", "010110100111111111110101",
      "110110100111111111110101"}},
    {"\"suffix_match\": \"a\"",
     {"001001000000000000001001", "001001000000000000001001", "010110111111111111110110",
      "110110111111111111110110"}},
    {"\"contains_match\": \"a\"",
     {"001001011000000000001011", "001001011000000000001011", "010110100111111111110100",
      "110110100111111111110100"}},
    {"\"safe_regex_match\": {\"regex\": \"a+\"}",
     {"001000000000000000001000", "001000000000000000001000", "010111111111111111110111",
      "110111111111111111110111"}},
    {"\"safe_regex_match\": {\"google_re2\": {}, \"regex\": \"a\"}",
     {"001000000000000000000000", "001000000000000000000000", "010111111111111111111111",
      "110111111111111111111111"}},
    {"\"range_match\": {\"start\": -5, \"end\": 10}",
     {"000000000110111000000000", "000000000110111000000000", "011111111001000111111111",
      "111111111001000111111111"}},
    {"\"range_match\": {\"start\": 10, \"end\": -5}",
     {"000000000000000000000000", "000000000000000000000000", "011111111111111111111111",
      "111111111111111111111111"}},
    {"\"range_match\": {\"start\": 5, \"end\": 5}",
     {"000000000000000000000000", "000000000000000000000000", "011111111111111111111111",
      "111111111111111111111111"}},
    {"\"present_match\": true",
     {"011111111111111111111111", "111111111111111111111111", "100000000000000000000000",
      "000000000000000000000000"}},
    {"\"present_match\": false",
     {"100000000000000000000000", "000000000000000000000000", "011111111111111111111111",
      "111111111111111111111111"}},
    {"\"string_match\": {\"exact\": \"a\"}",
     {"001000000000000000000000", "001000000000000000000000", "010111111111111111111111",
      "110111111111111111111111"}},
    {"\"string_match\": {\"exact\": \"a\", \"ignore_case\": true}",
     {"001100000000000000000000", "001100000000000000000000", "010011111111111111111111",
      "110011111111111111111111"}},
    {"\"string_match\": {\"exact\": \"\"}",
     {"010000000000000000000000", "110000000000000000000000", "001111111111111111111111",
      "001111111111111111111111"}},
    {"\"string_match\": {\"prefix\": \"ab\"}",
     {"000001000000000000000000", "000001000000000000000000", "011110111111111111111111",
      "111110111111111111111111"}},
    {"\"string_match\": {\"prefix\": \"AB\", \"ignore_case\": true}",
     {"000001100000000000000000", "000001100000000000000000", "011110011111111111111111",
      "111110011111111111111111"}},
    {"\"string_match\": {\"suffix\": \"ba\"}",
     {"000001000000000000000000", "000001000000000000000000", "011110111111111111111111",
      "111110111111111111111111"}},
    {"\"string_match\": {\"suffix\": \"BA\", \"ignore_case\": true}",
     {"000001100000000000000000", "000001100000000000000000", "011110011111111111111111",
      "111110011111111111111111"}},
    {"\"string_match\": {\"contains\": \"bb\"}",
     {"000001000000000000000000", "000001000000000000000000", "011110111111111111111111",
      "111110111111111111111111"}},
    {"\"string_match\": {\"contains\": \"BB\", \"ignore_case\": true}",
     {"000001100000000000000000", "000001100000000000000000", "011110011111111111111111",
      "111110011111111111111111"}},
    {"\"string_match\": {\"safe_regex\": {\"regex\": \"a|b|\"}}",
     {"011010000000000000000000", "111010000000000000000000", "000101111111111111111111",
      "000101111111111111111111"}},
    {"\"string_match\": {\"safe_regex\": {\"regex\": \".*,.*\"}}",
     {"000000011000000000010011", "000000011000000000010011", "011111100111111111101100",
      "111111100111111111101100"}},
    {"\"string_match\": {\"exact\": \"a,b\"}",
     {"000000010000000000000000", "000000010000000000000000", "011111101111111111111111",
      "111111101111111111111111"}},
    {"\"string_match\": {\"exact\": \"a, b\"}",
     {"000000000000000000000010", "000000000000000000000010", "011111111111111111111101",
      "111111111111111111111101"}},
    {"\"string_match\": {\"exact\": \"a,\"}",
     {"000000001000000000000000", "000000001000000000000000", "011111110111111111111111",
      "111111110111111111111111"}},
};

static struct nu_arena arena;
static struct nu_config_ctx ctx;

static void fill(struct nu_headers *headers, const char *const *values)
{
    nu_headers_init(headers, &arena, 4);
    nu_headers_add(headers, NU_STR(":authority"), NU_STR("x"));
    for (; *values; values++)
        nu_headers_add(headers, NU_STR("x-h"), nu_str_from(*values));
}

static struct nu_header_matcher compile(const char *fields)
{
    struct nu_match_factory factory = {.ctx = &ctx, .arena = &arena};
    struct nu_header_matcher matcher;
    ProtobufCMessage *message =
        nu_config_read(&ctx, "test.yaml", nu_str_from(fields), NU_CONFIG_YAML,
                       &envoy__config__route__v3__header_matcher__descriptor);
    if (!nu_header_matcher_from_proto(
            &factory, (const Envoy__Config__Route__V3__HeaderMatcher *)message, &matcher))
        fail_msg("%s is refused", fields);
    return matcher;
}

static void check(size_t row, int variant)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml, "{name: X-H, invert_match: %s, treat_missing_header_as_empty: %s%s %s}",
                   variant & 2 ? "true" : "false", variant & 1 ? "true" : "false",
                   table[row].condition[0] ? "," : "", table[row].condition);
    struct nu_header_matcher matcher = compile(yaml.data);
    for (size_t i = 0; i < NU_ARRAY_LEN(requests); i++) {
        struct nu_headers headers;
        fill(&headers, requests[i]);
        if (nu_header_matches(&matcher, &headers) != (table[row].matched[variant][i] == '1'))
            fail_msg("%s, request %zu", yaml.data, i);
    }
    nu_strbuf_finish(&yaml);
}

TEST(every_condition_matches_what_envoy_matches)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    for (size_t row = 0; row < NU_ARRAY_LEN(table); row++) {
        for (int variant = 0; variant < 4; variant++)
            check(row, variant);
    }
    assert_true(nu_config_is_ok(&ctx));
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

TEST(host_means_the_authority_and_names_have_no_case)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    struct nu_headers headers;
    const char *none[] = {NULL};
    fill(&headers, none);
    struct nu_header_matcher matcher = compile("{name: Host, string_match: {exact: x}}");
    assert_true(nu_header_matches(&matcher, &headers));
    matcher = compile("{name: ':AUTHORITY', string_match: {exact: x}}");
    assert_true(nu_header_matches(&matcher, &headers));
    matcher = compile("{name: accept, string_match: {exact: 'a,b'}}");
    nu_headers_add(&headers, NU_STR("accept"), NU_STR("a"));
    assert_false(nu_header_matches(&matcher, &headers));
    nu_headers_add(&headers, NU_STR("accept"), NU_STR("b"));
    assert_true(nu_header_matches(&matcher, &headers));
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

TEST(all_conditions_of_a_list_must_hold)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    struct nu_header_matcher items[] = {
        compile("{name: x-h, present_match: true}"),
        compile("{name: x-h, string_match: {prefix: a}}"),
    };
    struct nu_header_matcher_list list = {items, 2};
    struct nu_headers headers;
    fill(&headers, (const char *const[]){"ab", NULL});
    assert_true(nu_header_matches_all(&list, &headers));
    fill(&headers, (const char *const[]){"ba", NULL});
    assert_false(nu_header_matches_all(&list, &headers));
    list.count = 0;
    assert_true(nu_header_matches_all(&list, &headers));
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

TEST_MAIN()
