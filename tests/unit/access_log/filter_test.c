/* SPDX-License-Identifier: Apache-2.0 */
/* Log filters. Which of the requests each filter lets pass was seen with Envoy 1.36.4. */
#include "harness/format_fixture.h"

#include "access_log/filter.h"
#include "config/config.h"
#include "envoy/config/accesslog/v3/accesslog.pb-c.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

static struct fixture f;
static struct nu_config_ctx ctx;
static struct nu_runtime *runtime;

static void open_world(const char *layer)
{
    fixture_init(&f);
    nu_config_ctx_init(&ctx, &f.arena);
    char yaml[256];
    snprintf(yaml, sizeof(yaml), "layers: [{name: s, static_layer: %s}]", layer);
    ProtobufCMessage *message =
        nu_config_read(&ctx, "runtime", nu_str_from(yaml), NU_CONFIG_YAML,
                       &envoy__config__bootstrap__v3__layered_runtime__descriptor);
    runtime =
        nu_runtime_from_proto((struct Envoy__Config__Bootstrap__V3__LayeredRuntime *)message, &ctx);
    assert_true(nu_config_is_ok(&ctx));
}

static void close_world(void)
{
    nu_runtime_unref(&runtime);
    nu_config_ctx_finish(&ctx);
    fixture_finish(&f);
}

static const struct nu_log_filter *load(const char *yaml)
{
    const struct nu_access_log_factory factory = {.ctx = &ctx, .arena = &f.arena};
    ProtobufCMessage *message =
        nu_config_read(&ctx, "filter.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                       &envoy__config__accesslog__v3__access_log_filter__descriptor);
    assert_non_null(message);
    return nu_log_filter_from_proto(
        &factory, (struct Envoy__Config__Accesslog__V3__AccessLogFilter *)message);
}

static bool accepts(const char *yaml)
{
    const struct nu_log_filter *filter = load(yaml);
    assert_non_null(filter);
    return nu_log_filter_accepts(filter, &f.context, runtime);
}

#define COMPARE(field, op, value, key) \
    "{" field ": {comparison: {op: " op ", value: {default_value: " value ", runtime_key: " key \
    "}}}}"

/* Which of the statuses 200, 400, 404 and 503 pass, a digit each. */
static unsigned statuses_that_pass(const char *yaml)
{
    static const uint32_t statuses[] = {200, 400, 404, 503};
    unsigned passed = 0;
    for (size_t i = 0; i < NU_ARRAY_LEN(statuses); i++) {
        f.info.response_code = statuses[i];
        passed = passed * 10 + accepts(yaml);
    }
    return passed;
}

TEST(status_codes_are_compared_with_a_constant_or_a_runtime_value)
{
    open_world("{over: 404}");
    assert_int_equal(statuses_that_pass(COMPARE("status_code_filter", "EQ", "404", "k")), 10);
    assert_int_equal(statuses_that_pass(COMPARE("status_code_filter", "GE", "404", "k")), 11);
    assert_int_equal(statuses_that_pass(COMPARE("status_code_filter", "LE", "404", "k")), 1110);
    assert_int_equal(statuses_that_pass(COMPARE("status_code_filter", "NE", "404", "k")), 1101);
    assert_int_equal(statuses_that_pass(COMPARE("status_code_filter", "GE", "500", "over")), 11);
    f.info.response_code = 0;
    assert_true(accepts(COMPARE("status_code_filter", "EQ", "0", "k")));
    close_world();
}

TEST(durations_are_compared_in_milliseconds)
{
    open_world("{}");
    f.info.end_us = f.info.start_us + 10999;
    assert_true(accepts(COMPARE("duration_filter", "EQ", "10", "k")));
    assert_true(accepts(COMPARE("duration_filter", "GE", "10", "k")));
    assert_false(accepts(COMPARE("duration_filter", "GE", "11", "k")));
    close_world();
}

TEST(filters_are_combined)
{
    open_world("{}");
    assert_int_equal(statuses_that_pass("{and_filter: {filters: [" COMPARE(
                         "status_code_filter", "GE", "400",
                         "k") ", " COMPARE("status_code_filter", "LE", "404", "k") "]}}"),
                     110);
    assert_int_equal(statuses_that_pass("{or_filter: {filters: [" COMPARE(
                         "status_code_filter", "EQ", "200",
                         "k") ", " COMPARE("status_code_filter", "EQ", "503", "k") "]}}"),
                     1001);
    close_world();
}

TEST(response_flags_match_any_of_a_list_or_any_at_all)
{
    open_world("{}");
    assert_false(accepts("{response_flag_filter: {}}"));
    nu_stream_info_set_flag(&f.info, NU_FLAG_NO_ROUTE_FOUND);
    assert_true(accepts("{response_flag_filter: {}}"));
    assert_true(accepts("{response_flag_filter: {flags: [UH, NR]}}"));
    assert_false(accepts("{response_flag_filter: {flags: [UH, DPE]}}"));
    close_world();
}

TEST(log_types_are_listed_or_excluded)
{
    open_world("{}");
    assert_true(accepts("{log_type_filter: {types: [DownstreamEnd]}}"));
    assert_false(accepts("{log_type_filter: {types: [DownstreamEnd], exclude: true}}"));
    assert_false(accepts("{log_type_filter: {types: [TcpConnectionStart]}}"));
    assert_false(accepts("{log_type_filter: {}}"));
    assert_true(accepts("{log_type_filter: {exclude: true}}"));
    close_world();
}

TEST(headers_of_the_request_are_matched_if_there_are_any)
{
    open_world("{}");
    assert_true(accepts("{header_filter: {header: {name: x-a, present_match: true}}}"));
    assert_true(accepts("{header_filter: {header: {name: X-A, string_match: {exact: aval}}}}"));
    assert_false(accepts("{header_filter: {header: {name: x-none, present_match: true}}}"));
    f.context.request_headers = NULL;
    assert_false(accepts("{header_filter: {header: {name: x-a, present_match: true}}}"));
    assert_true(accepts("{header_filter: {header: {name: x-a, present_match: false}}}"));
    close_world();
}

TEST(health_checks_can_be_left_out)
{
    open_world("{}");
    assert_true(accepts("{not_health_check_filter: {}}"));
    f.info.is_health_check = true;
    assert_false(accepts("{not_health_check_filter: {}}"));
    close_world();
}

static bool samples(const char *id, const char *yaml)
{
    char request_id[64];
    snprintf(request_id, sizeof(request_id), "%s-0000-4000-8000-000000000000", id);
    f.info.request_id = nu_str_from(request_id);
    return accepts(yaml);
}

#define SAMPLE(key, numerator, denominator) \
    "{runtime_filter: {runtime_key: " key ", percent_sampled: {numerator: " numerator \
    ", denominator: " denominator "}}}"

TEST(samples_are_taken_by_the_start_of_the_request_id)
{
    static const struct {
        const char *id;
        const char *filter;
        bool passes;
    } cases[] = {
        {"00000000", SAMPLE("n", "50", "HUNDRED"), true},
        {"00000031", SAMPLE("n", "50", "HUNDRED"), true},
        {"00000032", SAMPLE("n", "50", "HUNDRED"), false},
        {"00000064", SAMPLE("n", "50", "HUNDRED"), true},
        {"00002741", SAMPLE("n", "50", "HUNDRED"), true},
        {"ffffffff", SAMPLE("n", "50", "HUNDRED"), false},
        {"00000064", SAMPLE("n", "50", "TEN_THOUSAND"), false},
        {"00002741", SAMPLE("n", "50", "TEN_THOUSAND"), true},
        {"00002741", SAMPLE("n", "50", "MILLION"), false},
        {"00000031", SAMPLE("n", "50", "MILLION"), true},
        /* A number in the runtime is in units of the configured denominator; an object is not
         * read. */
        {"00000031", SAMPLE("forty", "5000", "TEN_THOUSAND"), false},
        {"00002710", SAMPLE("forty", "5000", "TEN_THOUSAND"), true},
        {"00000032", SAMPLE("object", "50", "HUNDRED"), false},
        {"00000031", SAMPLE("object", "50", "HUNDRED"), true},
        {"12345678", "{runtime_filter: {runtime_key: zero}}", false},
        {"12345678", "{runtime_filter: {runtime_key: none}}", false},
        {"12345678", "{runtime_filter: {runtime_key: all}}", true},
    };
    open_world("{forty: 40, zero: 0, all: 100, object: {numerator: 51, denominator: HUNDRED}}");
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_int_equal(samples(cases[i].id, cases[i].filter), cases[i].passes);
    close_world();
}

TEST(samples_without_a_usable_request_id_are_random)
{
    open_world("{}");
    unsigned independent = 0;
    unsigned without = 0;
    for (int i = 0; i < 200; i++) {
        independent += samples("00000000", "{runtime_filter: {runtime_key: n, percent_sampled: "
                                           "{numerator: 50}, use_independent_randomness: true}}");
        f.info.request_id = NU_STR("no-uuid");
        without += accepts(SAMPLE("n", "50", "HUNDRED"));
    }
    assert_in_range(independent, 40, 160);
    assert_in_range(without, 40, 160);
    close_world();
}

/* Responses: HTTP status and grpc-status, and which filters let them pass. */
TEST(grpc_statuses_are_matched_whatever_the_content_type)
{
    static const struct {
        uint32_t http;
        const char *grpc;
        const char *filter;
        bool passes;
    } cases[] = {
        {200, NULL, "{statuses: [OK]}", false},
        {200, NULL, "{statuses: [UNKNOWN]}", true},
        {200, "5", "{statuses: [NOT_FOUND]}", true},
        {200, "5", "{statuses: [NOT_FOUND], exclude: true}", false},
        {404, NULL, "{statuses: [UNIMPLEMENTED]}", true},
        {503, NULL, "{statuses: [UNAVAILABLE, UNIMPLEMENTED]}", true},
        {200, "abc", "{statuses: [INVALID_ARGUMENT]}", false},
        {200, "abc", "{statuses: [NOT_FOUND], exclude: true}", true},
        {200, "17", "{statuses: [NOT_FOUND], exclude: true}", true},
        {200, "5", "{}", false},
        {200, "5", "{exclude: true}", true},
        {0, NULL, "{statuses: [UNKNOWN]}", true},
    };
    open_world("{}");
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "{grpc_status_filter: %s}", cases[i].filter);
        nu_headers_remove(&f.response, NU_STR("grpc-status"));
        if (cases[i].grpc)
            nu_headers_add(&f.response, NU_STR("grpc-status"), nu_str_from(cases[i].grpc));
        f.info.response_code = cases[i].http;
        assert_int_equal(accepts(yaml), cases[i].passes);
    }
    close_world();
}

TEST(an_error_in_a_nested_filter_points_at_its_place)
{
    open_world("{}");
    assert_null(load("or_filter:\n"
                     "  filters:\n"
                     "  - not_health_check_filter: {}\n"
                     "  - header_filter: {header: {name: a, safe_regex_match: {regex: '('}}}\n"));
    assert_int_equal(ctx.errors.count, 1);
    assert_int_equal(ctx.errors.items[0].position.line, 4);
    close_world();
}

TEST_MAIN()
