/* SPDX-License-Identifier: Apache-2.0 */
/* String, regex, path and query matchers, ranges of addresses, and their errors. */
#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/config/core/v3/address.pb-c.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "envoy/type/matcher/v3/path.pb-c.h"
#include "envoy/type/matcher/v3/string.pb-c.h"
#include "match/cidr_list.h"
#include "match/query_matcher.h"
#include "match/regex.h"
#include "match/string_matcher.h"
#include "runtime/runtime.h"

static struct nu_arena arena;
static struct nu_config_ctx ctx;
static struct nu_match_factory factory = {.ctx = &ctx, .arena = &arena};

static void start(void)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    factory.runtime = NULL;
}

static void end(void)
{
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

static void *read(const char *yaml, const ProtobufCMessageDescriptor *descriptor)
{
    void *message =
        nu_config_read(&ctx, "test.yaml", nu_str_from(yaml), NU_CONFIG_YAML, descriptor);
    assert_non_null(message);
    return message;
}

static bool compile(const char *yaml, struct nu_string_matcher *matcher)
{
    return nu_string_matcher_from_proto(
        &factory, read(yaml, &envoy__type__matcher__v3__string_matcher__descriptor), matcher);
}

static void expect_error(const char *want)
{
    struct nu_strbuf text = {0};
    nu_error_list_format(&ctx.errors, &text);
    assert_str(nu_str_first(nu_strbuf_str(&text), text.len - 1), want);
    nu_strbuf_finish(&text);
}

TEST(a_regex_must_match_the_whole_text)
{
    struct nu_string_matcher matcher;
    start();
    assert_true(compile("safe_regex: {regex: 'a+|b'}", &matcher));
    assert_true(nu_string_matches(&matcher, NU_STR("aaa")));
    assert_false(nu_string_matches(&matcher, NU_STR("aaac")));
    assert_false(nu_string_matches(&matcher, NU_STR("")));
    end();
}

TEST(case_is_ignored_where_asked)
{
    struct nu_string_matcher matcher;
    start();
    assert_true(compile("{contains: 'Bc', ignore_case: true}", &matcher));
    assert_true(nu_string_matches(&matcher, NU_STR("aBCd")));
    assert_true(compile("{contains: 'Bc'}", &matcher));
    assert_false(nu_string_matches(&matcher, NU_STR("aBCd")));
    assert_true(compile("{suffix: 'CD', ignore_case: true}", &matcher));
    assert_true(nu_string_matches(&matcher, NU_STR("abcd")));
    end();
}

TEST(one_of_a_list_is_enough)
{
    start();
    Envoy__Type__Matcher__V3__ListStringMatcher *proto =
        read("patterns: [{exact: a}, {prefix: b}]",
             &envoy__type__matcher__v3__list_string_matcher__descriptor);
    struct nu_string_matcher_list list;
    assert_true(
        nu_string_matcher_list_from_protos(&factory, proto->patterns, proto->n_patterns, &list));
    assert_true(nu_string_matches_any(&list, NU_STR("bx")));
    assert_false(nu_string_matches_any(&list, NU_STR("ax")));
    list.count = 0;
    assert_false(nu_string_matches_any(&list, NU_STR("a")));
    end();
}

TEST(a_path_is_matched_without_query_and_fragment)
{
    struct nu_string_matcher matcher;
    start();
    assert_true(nu_path_matcher_from_proto(
        &factory, read("path: {exact: /a}", &envoy__type__matcher__v3__path_matcher__descriptor),
        &matcher));
    assert_true(nu_path_matches(&matcher, NU_STR("/a?b")));
    assert_true(nu_path_matches(&matcher, NU_STR("/a#b")));
    assert_false(nu_path_matches(&matcher, NU_STR("/a/")));
    end();
}

TEST(a_wrong_regex_is_an_error_with_its_place)
{
    struct nu_string_matcher matcher;
    start();
    assert_false(compile("safe_regex:\n  regex: 'a('", &matcher));
    expect_error("test.yaml:2:10: safe_regex.regex: missing ): a(");
    end();
}

TEST(ignore_case_and_a_regex_exclude_each_other)
{
    struct nu_string_matcher matcher;
    start();
    assert_false(compile("{safe_regex: {regex: a}, ignore_case: true}", &matcher));
    expect_error("test.yaml:1:39: ignore_case: ignore_case has no effect for safe_regex.");
    end();
}

TEST(a_large_regex_is_refused)
{
    struct nu_string_matcher matcher;
    start();
    compile("safe_regex: {regex: 'a{1000}'}", &matcher);
    expect_error("test.yaml:1:21: safe_regex.regex: regex 'a{1000}' RE2 program size of 1004 > max "
                 "program size of 100 set for the error level threshold. Increase configured max "
                 "program size if necessary.");
    end();
}

TEST(a_regex_may_name_its_own_limit)
{
    struct nu_string_matcher matcher;
    start();
    compile("safe_regex: {regex: 'a{1000}', google_re2: {max_program_size: 2000}}", &matcher);
    assert_true(nu_config_is_ok(&ctx));
    compile("safe_regex: {regex: 'a{50}', google_re2: {max_program_size: 10}}", &matcher);
    expect_error("test.yaml:1:21: safe_regex.regex: regex 'a{50}' RE2 program size of 54 > max "
                 "program size of 10. Increase configured max program size if necessary.");
    end();
}

TEST(the_runtime_moves_the_limit)
{
    struct nu_string_matcher matcher;
    start();
    struct nu_runtime *runtime = nu_runtime_from_proto(
        read("layers: [{name: s, static_layer: {re2.max_program_size.error_level: 2000}}]",
             &envoy__config__bootstrap__v3__layered_runtime__descriptor),
        &ctx);
    factory.runtime = runtime;
    compile("safe_regex: {regex: 'a{1000}'}", &matcher);
    assert_true(nu_config_is_ok(&ctx));
    nu_runtime_unref(&runtime);
    end();
}

static bool query_matches(const char *yaml, const char *path)
{
    Envoy__Config__Route__V3__QueryParameterMatcher *proto =
        read(yaml, &envoy__config__route__v3__query_parameter_matcher__descriptor);
    struct nu_query_matcher_list list;
    assert_true(nu_query_matcher_list_from_protos(&factory, &proto, 1, &list));
    return nu_query_matches_all(&list, nu_str_from(path));
}

TEST(query_parameters_match_by_their_first_value)
{
    start();
    assert_true(query_matches("{name: a, string_match: {exact: b}}", "/?a=b&a=c"));
    assert_false(query_matches("{name: a, string_match: {exact: b}}", "/?a=c&a=b"));
    assert_true(query_matches("{name: a, string_match: {exact: '%62'}}", "/?a=%62"));
    assert_false(query_matches("{name: a, string_match: {exact: b}}", "/?a=%62"));
    assert_true(query_matches("{name: a, string_match: {exact: ''}}", "/?a"));
    assert_false(query_matches("{name: a, string_match: {exact: ''}}", "/?b"));
    end();
}

TEST(query_parameters_match_by_presence)
{
    start();
    assert_true(query_matches("{name: a}", "/?b&a="));
    assert_false(query_matches("{name: a}", "/?b"));
    assert_true(query_matches("{name: a, present_match: true}", "/?a"));
    assert_true(query_matches("{name: a, present_match: false}", "/"));
    assert_false(query_matches("{name: a, present_match: false}", "/?a=1"));
    end();
}

TEST(ranges_contain_addresses)
{
    start();
    Envoy__Config__Core__V3__CidrRange *protos[] = {
        read("{address_prefix: 10.1.2.3, prefix_len: 8}",
             &envoy__config__core__v3__cidr_range__descriptor),
        read("{address_prefix: '::1', prefix_len: 128}",
             &envoy__config__core__v3__cidr_range__descriptor),
    };
    struct nu_cidr_list list;
    struct nu_address address;
    assert_true(nu_cidr_list_from_protos(&factory, protos, 2, &list));
    assert_int_equal(nu_address_parse_ip(NU_STR("10.255.0.1"), 0, &address), NU_OK);
    assert_true(nu_cidr_list_contains(&list, &address));
    assert_int_equal(nu_address_parse_ip(NU_STR("::2"), 0, &address), NU_OK);
    assert_false(nu_cidr_list_contains(&list, &address));
    end();
}

TEST(a_wrong_range_is_an_error)
{
    start();
    Envoy__Config__Core__V3__CidrRange *proto = read(
        "{address_prefix: 1.2.3, prefix_len: 8}", &envoy__config__core__v3__cidr_range__descriptor);
    struct nu_cidr_list list;
    assert_false(nu_cidr_list_from_protos(&factory, &proto, 1, &list));
    expect_error("test.yaml:1:18: address_prefix: invalid ip/mask combo '1.2.3/8' (format is "
                 "<ip>/<# mask bits>)");
    end();
}

TEST_MAIN()
