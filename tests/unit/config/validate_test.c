/* SPDX-License-Identifier: Apache-2.0 */
/* The API's rules, one by one, on messages that have them. */
#include "harness/config.h"

TEST(lengths)
{
    static const struct config_case cases[] = {
        {"{key: a}", "{\"key\":\"a\"}", NULL},
        {"{key: ''}", NULL, "t:1:7: key: value length must be at least 1 characters"},
        {"{key: a, raw_value: ''}", "{\"key\":\"a\"}", NULL},
    };
    check_yaml_cases("envoy.config.core.v3.HeaderValue", cases);
}

TEST(too_many_bytes)
{
    struct config_fixture f;
    struct nu_strbuf text = {0};
    config_open(&f);
    nu_strbuf_add_cstr(&text, "key: ");
    for (int i = 0; i < 16385; i++)
        nu_strbuf_add_char(&text, 'k');
    config_yaml(&f, "envoy.config.core.v3.HeaderValue", text.data);
    assert_config_errors(&f, "t:1:6: key: value length must be at most 16384 bytes");
    nu_strbuf_finish(&text);
    config_close(&f);
}

TEST(header_names_and_values)
{
    static const struct config_case loose[] = {
        {"{key: 'a b:(c)', value: \"x\\ty\"}", "{\"key\":\"a b:(c)\",\"value\":\"x\\ty\"}", NULL},
        {"{key: \"a\\n\"}", NULL, "t:1:7: key: value may not hold NUL, CR or LF"},
        {"{key: a, value: \"b\\r\"}", NULL, "t:1:17: value: value may not hold NUL, CR or LF"},
    };
    check_yaml_cases("envoy.config.core.v3.HeaderValue", loose);
    static const struct config_case strict[] = {
        {"{header: x-Token_1}", "{\"header\":\"x-Token_1\"}", NULL},
        {"{header: ''}", "{}", NULL},
        {"{header: 'a b'}", NULL, "t:1:10: header: value must be an HTTP header name"},
        {"{header: ':'}", NULL, "t:1:10: header: value must be an HTTP header name"},
    };
    check_yaml_cases("nuncio.filters.http.prime_authz.v1.PrimeAuthz", strict);
}

TEST(ranges_say_both_ends)
{
    static const struct config_case cases[] = {
        {"{status: 200}", "{\"status\":200}", NULL},
        {"{status: 599}", "{\"status\":599}", NULL},
        {"{status: 600}", NULL, "t:1:10: status: value must be inside range [200, 600)"},
        {"{}", NULL, "t:1:1: status: value must be inside range [200, 600)"},
    };
    check_yaml_cases("envoy.config.route.v3.DirectResponseAction", cases);
    static const struct config_case skipped[] = {
        {"{status: 0}", "{}", NULL},
        {"{status: 199}", NULL, "t:1:10: status: value must be inside range [200, 600)"},
        {"{max_digits: 1001}", NULL,
         "t:1:14: max_digits: value must be less than or equal to 1000"},
    };
    check_yaml_cases("nuncio.filters.http.prime_authz.v1.PrimeAuthz", skipped);
}

TEST(ranges_of_wrappers_hold_when_they_are_set)
{
    static const struct config_case cases[] = {
        {"{}", "{}", NULL},
        {"{load_balancing_weight: 1}", "{\"load_balancing_weight\":1}", NULL},
        {"{load_balancing_weight: 0}", NULL,
         "t:1:25: load_balancing_weight: value must be greater than or equal to 1"},
    };
    check_yaml_cases("envoy.config.endpoint.v3.LbEndpoint", cases);
}

TEST(ranges_of_durations)
{
    static const struct config_case cases[] = {
        {"{stats_flush_interval: 0.001s}", "{\"stats_flush_interval\":\"0.001s\"}", NULL},
        {"{stats_flush_interval: 0.0009s}", NULL,
         "t:1:24: stats_flush_interval: value must be inside range [0.001s, 300s)"},
        {"{stats_flush_interval: 300s}", NULL,
         "t:1:24: stats_flush_interval: value must be inside range [0.001s, 300s)"},
    };
    check_yaml_cases("envoy.config.bootstrap.v3.Bootstrap", cases);
    static const struct config_case required[] = {
        {"{}", NULL, "t:1:1: base_interval: value is required"},
        {"{base_interval: 1s, max_interval: 0s}", NULL,
         "t:1:35: max_interval: value must be greater than 0.001s"},
    };
    check_yaml_cases("envoy.config.cluster.v3.Cluster.RefreshRate", required);
}

TEST(patterns)
{
    static const struct config_case cases[] = {
        {"{path_separated_prefix: /a/b}", "{\"path_separated_prefix\":\"/a/b\"}", NULL},
        {"{path_separated_prefix: /a/}", NULL,
         "t:1:25: path_separated_prefix: value does not match regex pattern "
         "\"^[^?#]+[^?#/]$\""},
        {"{path_separated_prefix: '/a?b'}", NULL,
         "t:1:25: path_separated_prefix: value does not match regex pattern "
         "\"^[^?#]+[^?#/]$\""},
    };
    check_yaml_cases("envoy.config.route.v3.RouteMatch", cases);
}

TEST(numbers_of_items)
{
    static const struct config_case cases[] = {
        {"{filters: [{not_health_check_filter: {}}, {not_health_check_filter: {}}]}",
         "{\"filters\":[{\"not_health_check_filter\":{}},{\"not_health_check_filter\":{}}]}", NULL},
        {"{filters: [{not_health_check_filter: {}}]}", NULL,
         "t:1:11: filters: value must contain at least 2 item(s)"},
        {"{filters: [{}, {}]}", NULL,
         "t:1:12: filters[0]: value is required: filter_specifier\n"
         "t:1:16: filters[1]: value is required: filter_specifier"},
    };
    check_yaml_cases("envoy.config.accesslog.v3.AndFilter", cases);
}

TEST(rules_of_items_name_the_item)
{
    static const struct config_case cases[] = {
        {"{flags: [UH, XX, LH]}", NULL, NULL},
    };
    struct config_fixture f;
    config_open(&f);
    config_yaml(&f, "envoy.config.accesslog.v3.ResponseFlagFilter", cases[0].text);
    assert_int_equal(f.ctx.errors.count, 1);
    assert_string_equal(f.ctx.errors.items[0].path, "flags[1]");
    assert_int_equal(f.ctx.errors.items[0].position.column, 14);
    config_close(&f);
}

TEST(a_constant)
{
    static const struct config_case cases[] = {
        {"{disabled: true}", "{\"disabled\":true}", NULL},
        {"{disabled: false}", NULL, "t:1:12: disabled: value must equal true"},
        {"{}", NULL, "t:1:1: value is required: override"},
    };
    check_yaml_cases("nuncio.filters.http.prime_authz.v1.PrimeAuthzPerRoute", cases);
}

TEST(enums_need_a_name_where_the_api_says_so)
{
    static const struct config_case cases[] = {
        {"{numerator: 5, denominator: 2}", "{\"numerator\":5,\"denominator\":\"MILLION\"}", NULL},
        {"{numerator: 5, denominator: 9}", NULL,
         "t:1:29: denominator: value must be one of the defined enum values"},
    };
    check_yaml_cases("envoy.type.v3.FractionalPercent", cases);
    static const struct config_case open[] = {
        {"{headers_with_underscores_action: 9}", "{\"headers_with_underscores_action\":9}", NULL},
    };
    check_yaml_cases("envoy.config.core.v3.HttpProtocolOptions", open);
}

TEST_MAIN()
