/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of conditions on an answer: what holds for its head, and what is never seen. */
#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/common/matcher/v3/matcher.pb-c.h"
#include "http/headers.h"
#include "match/predicate.h"

static struct nu_arena arena;
static struct nu_config_ctx ctx;

static const struct nu_match_predicate *load(const char *yaml)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const void *proto =
        nu_config_read(&ctx, "p.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                       &envoy__config__common__matcher__v3__match_predicate__descriptor);
    assert_non_null(proto);
    const struct nu_match_factory factory = {.ctx = &ctx, .arena = &arena};
    return nu_match_predicate_from_proto(&factory, proto);
}

static void unload(void)
{
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

#define STATUS(value) \
    "{http_response_headers_match: {headers: [{name: ':status', string_match: {exact: '" value \
    "'}}]}}"
#define HAS(name) \
    "{http_response_headers_match: {headers: [{name: " name ", present_match: true}]}}"
#define REQUEST "{http_request_headers_match: {headers: [{name: ':status', present_match: true}]}}"

/* For an answer 404 with x-a. */
static const struct {
    const char *predicate;
    bool holds;
} cases[] = {
    {STATUS("404"), true},
    {STATUS("500"), false},
    {"{http_response_headers_match: {headers: [{name: ':status', string_match: {exact: '404'}}, "
     "{name: x-b, present_match: true}]}}",
     false},
    {"{http_response_headers_match: {}}", true},
    {"{any_match: true}", true},
    {"{not_match: {any_match: true}}", false},
    {"{or_match: {rules: [" STATUS("500") ", " HAS("x-a") "]}}", true},
    {"{or_match: {rules: [" STATUS("500") ", " HAS("x-b") "]}}", false},
    {"{and_match: {rules: [" STATUS("404") ", " HAS("x-a") "]}}", true},
    {"{and_match: {rules: [" STATUS("404") ", " HAS("x-b") "]}}", false},
    {"{not_match: {and_match: {rules: [" STATUS("404") ", {not_match: " HAS("x-b") "}]}}}", false},
    {REQUEST, false},
    {"{not_match: " REQUEST "}", true},
    {"{http_request_trailers_match: {}}", false},
    {"{http_response_trailers_match: {}}", false},
    {"{http_request_generic_body_match: {patterns: [{string_match: a}]}}", false},
    {"{http_response_generic_body_match: {patterns: [{binary_match: YQ==}]}}", false},
    {"{or_match: {rules: [" REQUEST ", " STATUS("404") "]}}", true},
};

TEST(a_tree_holds_for_the_head_of_an_answer)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        const struct nu_match_predicate *predicate = load(cases[i].predicate);
        struct nu_headers headers;
        nu_headers_init(&headers, &arena, 4);
        nu_headers_add(&headers, NU_STR(":status"), NU_STR("404"));
        nu_headers_add(&headers, NU_STR("x-a"), NU_STR(""));
        assert_non_null(predicate);
        if (nu_match_predicate_holds(predicate, &headers) != cases[i].holds)
            fail_msg("%s", cases[i].predicate);
        unload();
    }
}

TEST(what_never_holds_is_warned_of)
{
    static const struct {
        const char *predicate;
        size_t warnings;
    } conditions[] = {
        {STATUS("404"), 0},
        {"{any_match: true}", 0},
        {REQUEST, 1},
        {"{not_match: " REQUEST "}", 1},
        {"{http_response_trailers_match: {}}", 1},
        {"{or_match: {rules: [{http_request_trailers_match: {}}, "
         "{http_request_generic_body_match: {patterns: [{string_match: a}]}}]}}",
         2},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(conditions); i++) {
        assert_non_null(load(conditions[i].predicate));
        assert_int_equal(ctx.warnings.count, conditions[i].warnings);
        unload();
    }
}

/* In a part that is never asked, too. */
static const char *const mistakes[][2] = {
    {"{}", "a rule is required"},
    {"{not_match: {http_request_headers_match: {headers: [{name: a, string_match: {safe_regex: "
     "{regex: '('}}}]}}}",
     "regex"},
    {"{http_response_generic_body_match: {patterns: [{binary_match: ''}]}}",
     "value length must be at least 1 bytes"},
};

TEST(mistakes_are_named)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(mistakes); i++) {
        struct nu_strbuf errors = {0};
        assert_null(load(mistakes[i][0]));
        nu_error_list_format(&ctx.errors, &errors);
        if (nu_str_find(nu_strbuf_str(&errors), nu_str_from(mistakes[i][1])) == NU_NPOS)
            fail_msg("%s: %.*s", mistakes[i][0], NU_STR_ARG(nu_strbuf_str(&errors)));
        nu_strbuf_finish(&errors);
        unload();
    }
}

TEST_MAIN()
