/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to messages: protobuf's JSON mapping with the leniency of Envoy. The cases were tried on
 * Envoy 1.36.4; where nuncio refuses more than it, the case says so.
 */
#include "harness/config.h"

#define CLUSTER "envoy.config.cluster.v3.Cluster"
#define OPTION "envoy.config.core.v3.SocketOption"

TEST(field_names_in_both_spellings)
{
    static const struct config_case cases[] = {
        {"{name: a, alt_stat_name: b}", "{\"name\":\"a\",\"alt_stat_name\":\"b\"}", NULL},
        {"{name: a, altStatName: b}", "{\"name\":\"a\",\"alt_stat_name\":\"b\"}", NULL},
        {"{name: a, Alt_Stat_Name: b}", NULL,
         "t:1:11: Alt_Stat_Name: no such field in Cluster (did you mean alt_stat_name?)"},
        {"{name: a, respectDnsTtl: yes, dns_lookup_family: v4_only}",
         "{\"name\":\"a\",\"dns_lookup_family\":\"V4_ONLY\",\"respect_dns_ttl\":true}", NULL},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(null_leaves_a_field_unset)
{
    static const struct config_case cases[] = {
        {"{name: a, type: null, connect_timeout: ~, circuit_breakers: }", "{\"name\":\"a\"}", NULL},
        {"{name: a, filters: null, health_checks: []}", "{\"name\":\"a\"}", NULL},
        {"{name: ~}", NULL, "t:1:8: name: value length must be at least 1 characters"},
        {"{name: a, foo: null}", NULL, "t:1:11: foo: no such field in Cluster"},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(strings_must_be_strings)
{
    static const struct config_case cases[] = {
        {"{name: 5}", NULL,
         "t:1:8: name: expected a string, not a number (quotes make it a string)"},
        {"{name: on}", NULL,
         "t:1:8: name: expected a string, not a boolean (quotes make it a string)"},
        {"{name: 5.5}", "{\"name\":\"5.5\"}", NULL},
        {"{name: '5'}", "{\"name\":\"5\"}", NULL},
        {"{name: [a]}", NULL, "t:1:8: name: expected a string, not a list"},
        {"{name: {a: b}}", NULL, "t:1:8: name: expected a string, not an object"},
        {"{name: \"a\\0b\"}", NULL, "t:1:8: name: a string may not hold a NUL character"},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(booleans_also_in_quotes)
{
    static const struct config_case cases[] = {
        {"{name: a, respect_dns_ttl: true}", "{\"name\":\"a\",\"respect_dns_ttl\":true}", NULL},
        {"{name: a, respect_dns_ttl: 'TRUE'}", "{\"name\":\"a\",\"respect_dns_ttl\":true}", NULL},
        {"{name: a, respect_dns_ttl: yEs}", "{\"name\":\"a\",\"respect_dns_ttl\":true}", NULL},
        {"{name: a, respect_dns_ttl: '1'}", "{\"name\":\"a\",\"respect_dns_ttl\":true}", NULL},
        {"{name: a, respect_dns_ttl: 'no'}", "{\"name\":\"a\"}", NULL},
        {"{name: a, respect_dns_ttl: 1}", NULL,
         "t:1:28: respect_dns_ttl: expected true or false, not a number"},
        {"{name: a, respect_dns_ttl: oN}", NULL,
         "t:1:28: respect_dns_ttl: expected true or false, not \"oN\""},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(enums_by_name_in_any_case_or_by_number)
{
    static const struct config_case cases[] = {
        {"{name: a, type: strict_dns}", "{\"name\":\"a\",\"type\":\"STRICT_DNS\"}", NULL},
        {"{name: a, type: 1}", "{\"name\":\"a\",\"type\":\"STRICT_DNS\"}", NULL},
        {"{name: a, type: ' +01'}", "{\"name\":\"a\",\"type\":\"STRICT_DNS\"}", NULL},
        {"{name: a, type: STATIC}", "{\"name\":\"a\",\"type\":\"STATIC\"}", NULL},
        {"{name: a, type: 77}", NULL, "t:1:17: type: value must be one of the defined enum values"},
        {"{name: a, type: strict-dns}", NULL,
         "t:1:17: type: DiscoveryType has no value \"strict-dns\" (did you mean STRICT_DNS?)"},
        {"{name: a, type: ''}", NULL,
         "t:1:17: type: DiscoveryType has no value \"\"; it has STATIC, STRICT_DNS, LOGICAL_DNS, "
         "EDS, ORIGINAL_DST"},
        {"{name: a, type: 1.0}", NULL,
         "t:1:17: type: DiscoveryType has no value \"1.0\"; it has STATIC, STRICT_DNS, "
         "LOGICAL_DNS, "
         "EDS, ORIGINAL_DST"},
        {"{name: a, type: on}", NULL,
         "t:1:17: type: expected the name of a value, not a boolean (quotes make it a string)"},
        {"{name: a, type: [STATIC]}", NULL,
         "t:1:17: type: expected the name of a value, not a list"},
    };
    static const struct config_case missing[] = {
        {"{path: a, resource_api_version: 'v2'}", NULL,
         "t:1:33: resource_api_version: V2: known to Envoy, not implemented by nuncio"},
        {"{path: a, resource_api_version: 1}", NULL,
         "t:1:33: resource_api_version: V2: known to Envoy, not implemented by nuncio"},
    };
    check_yaml_cases(CLUSTER, cases);
    check_yaml_cases("envoy.config.core.v3.ConfigSource", missing);
}

TEST(enums_in_json_may_be_whole_numbers)
{
    static const struct config_case cases[] = {
        {"{\"name\":\"a\",\"type\":1.0}", "{\"name\":\"a\",\"type\":\"STRICT_DNS\"}", NULL},
        {"{\"name\":\"a\",\"type\":1.5}", NULL, "t:1:20: type: expected an integer, not 1.5"},
        {"{\"name\":\"a\",\"type\":2147483648}", NULL, "t:1:20: type: 2147483648 is out of range"},
    };
    check_json_cases(CLUSTER, cases);
}

TEST(unsigned_integers)
{
    static const struct config_case cases[] = {
        {"{\"path\":\"p\",\"mode\":5}", "{\"path\":\"p\",\"mode\":5}", NULL},
        {"{\"path\":\"p\",\"mode\":\"+05\"}", "{\"path\":\"p\",\"mode\":5}", NULL},
        {"{\"path\":\"p\",\"mode\":5.0}", "{\"path\":\"p\",\"mode\":5}", NULL},
        {"{\"path\":\"p\",\"mode\":1.5e1}", "{\"path\":\"p\",\"mode\":15}", NULL},
        {"{\"path\":\"p\",\"mode\":-0}", "{\"path\":\"p\"}", NULL},
        {"{\"path\":\"p\",\"mode\":-1}", NULL, "t:1:20: mode: -1 is out of range"},
        {"{\"path\":\"p\",\"mode\":4294967296}", NULL, "t:1:20: mode: 4294967296 is out of range"},
        {"{\"path\":\"p\",\"mode\":\"4294967296\"}", NULL,
         "t:1:20: mode: 4294967296 is out of range"},
        {"{\"path\":\"p\",\"mode\":1e400}", NULL, "t:1:20: mode: 1e400 is out of range"},
        {"{\"path\":\"p\",\"mode\":5.5}", NULL, "t:1:20: mode: expected an integer, not 5.5"},
        {"{\"path\":\"p\",\"mode\":\"5.0\"}", NULL,
         "t:1:20: mode: expected an integer, not \"5.0\""},
        {"{\"path\":\"p\",\"mode\":\" 5\"}", NULL, "t:1:20: mode: expected an integer, not \" 5\""},
        {"{\"path\":\"p\",\"mode\":\"\"}", NULL, "t:1:20: mode: expected an integer, not \"\""},
        {"{\"path\":\"p\",\"mode\":true}", NULL, "t:1:20: mode: expected a number, not a boolean"},
        {"{\"path\":\"p\",\"mode\":[5]}", NULL, "t:1:20: mode: expected a number, not a list"},
    };
    check_json_cases("envoy.config.core.v3.Pipe", cases);
}

TEST(signed_64_bit_integers_lose_nothing)
{
    static const struct config_case cases[] = {
        {"{\"level\":9223372036854775807,\"int_value\":1}",
         "{\"level\":\"9223372036854775807\",\"int_value\":\"1\"}", NULL},
        {"{\"level\":\"-9223372036854775808\",\"int_value\":1}",
         "{\"level\":\"-9223372036854775808\",\"int_value\":\"1\"}", NULL},
        {"{\"level\":9007199254740993,\"int_value\":0}",
         "{\"level\":\"9007199254740993\",\"int_value\":\"0\"}", NULL},
        {"{\"level\":9223372036854775808,\"int_value\":1}", NULL,
         "t:1:10: level: 9223372036854775808 is out of range"},
        {"{\"level\":1e18,\"int_value\":1}", NULL, "t:1:10: level: 1e18 is out of range"},
    };
    check_json_cases(OPTION, cases);
}

TEST(bytes_in_either_base64)
{
    static const struct config_case cases[] = {
        {"buf_value: aGk=", "{\"buf_value\":\"aGk=\"}", NULL},
        {"buf_value: aGk", "{\"buf_value\":\"aGk=\"}", NULL},
        {"buf_value: -_8=", "{\"buf_value\":\"+/8=\"}", NULL},
        {"buf_value: '+_8='", "{\"buf_value\":\"+/8=\"}", NULL},
        {"buf_value: YR==", "{\"buf_value\":\"YQ==\"}", NULL},
        {"buf_value: ''", "{\"buf_value\":\"\"}", NULL},
        {"buf_value: aGk==", NULL, "t:1:12: buf_value: not valid base64"},
        {"buf_value: a", NULL, "t:1:12: buf_value: not valid base64"},
        {"buf_value: aG k=", NULL, "t:1:12: buf_value: not valid base64"},
        {"buf_value: ab=c", NULL, "t:1:12: buf_value: not valid base64"},
        {"buf_value: 5", NULL,
         "t:1:12: buf_value: expected a string with base64, not a number (quotes make it a "
         "string)"},
    };
    check_yaml_cases(OPTION, cases);
}

TEST(doubles)
{
    static const struct config_case cases[] = {
        {"{\"value\":5.5}", "{\"value\":5.5}", NULL},
        {"{\"value\":\"5.5\"}", "{\"value\":5.5}", NULL},
        {"{\"value\":\".5\"}", "{\"value\":0.5}", NULL},
        {"{\"value\":\"1e1\"}", "{\"value\":10}", NULL},
        {"{\"value\":\"NaN\"}", NULL, "t:1:10: value: value must be inside range [0, 100]"},
        {"{\"value\":\"Infinity\"}", NULL, "t:1:10: value: value must be inside range [0, 100]"},
        {"{\"value\":1e400}", NULL, "t:1:10: value: expected a number, not \"1e400\""},
        {"{\"value\":\"\"}", NULL, "t:1:10: value: expected a number, not \"\""},
        {"{\"value\":true}", NULL, "t:1:10: value: expected a number, not a boolean"},
    };
    check_json_cases("envoy.type.v3.Percent", cases);
}

TEST(wrappers_bare_or_as_objects)
{
    static const struct config_case cases[] = {
        {"{name: a, per_connection_buffer_limit_bytes: 5}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":5}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: {value: '5'}}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":5}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: {}}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":0}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: {value: null}}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":0}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: {valu: 5}}", NULL,
         "t:1:47: per_connection_buffer_limit_bytes.valu: no such field in UInt32Value (did you "
         "mean value?)"},
        {"{name: a, per_connection_buffer_limit_bytes: 0x10}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":16}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: 08}",
         "{\"name\":\"a\",\"per_connection_buffer_limit_bytes\":8}", NULL},
        {"{name: a, per_connection_buffer_limit_bytes: 1e3}", NULL,
         "t:1:46: per_connection_buffer_limit_bytes: expected an integer, not \"1e3\""},
        {"{name: a, wait_for_warm_on_init: false}",
         "{\"name\":\"a\",\"wait_for_warm_on_init\":false}", NULL},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(durations_in_seconds_or_as_objects)
{
    static const struct config_case cases[] = {
        {"{name: a, connect_timeout: 1s}", "{\"name\":\"a\",\"connect_timeout\":\"1s\"}", NULL},
        {"{name: a, connect_timeout: 0.25s}", "{\"name\":\"a\",\"connect_timeout\":\"0.250s\"}",
         NULL},
        {"{name: a, connect_timeout: 001.000000001s}",
         "{\"name\":\"a\",\"connect_timeout\":\"1.000000001s\"}", NULL},
        {"{name: a, connect_timeout: {seconds: '5', nanos: 1000}}",
         "{\"name\":\"a\",\"connect_timeout\":\"5.000001s\"}", NULL},
        {"{name: a, connect_timeout: 250ms}", NULL,
         "t:1:28: connect_timeout: \"250ms\" is no duration; only seconds are, as in 0.25s"},
        {"{name: a, connect_timeout: 5}", NULL,
         "t:1:28: connect_timeout: a duration needs its unit, as in 5s"},
        {"{name: a, connect_timeout: -1s}", NULL,
         "t:1:28: connect_timeout: value must be greater than 0s"},
        {"{name: a, connect_timeout: {seconds: 1, nanos: 1000000000}}", NULL,
         "t:1:28: connect_timeout: the duration is out of range"},
        {"{name: a, connect_timeout: {seconds: 1, nanos: -1}}", NULL,
         "t:1:28: connect_timeout: the duration is out of range"},
        {"{name: a, connect_timeout: 315576000001s}", NULL,
         "t:1:28: connect_timeout: the duration is out of range"},
        {"{name: a, connect_timeout: []}", NULL,
         "t:1:28: connect_timeout: expected a duration such as 1.5s, not a list"},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(durations_that_are_none)
{
    static const char *const texts[] = {"s",
                                        "-s",
                                        ".5s",
                                        "1.s",
                                        "+1s",
                                        "1,5s",
                                        "1ss",
                                        "1S",
                                        "1m",
                                        "1.0000000001s",
                                        "1e3s",
                                        "--1s",
                                        "1s ",
                                        "1 s",
                                        "1.5",
                                        "",
                                        "99999999999999999999s"};
    for (size_t i = 0; i < NU_ARRAY_LEN(texts); i++) {
        struct config_fixture f;
        struct nu_strbuf text = {0};
        config_open(&f);
        nu_strbuf_addf(&text, "{\"name\":\"a\",\"connect_timeout\":\"%s\"}", texts[i]);
        config_json(&f, CLUSTER, text.data);
        nu_strbuf_clear(&text);
        nu_strbuf_addf(&text,
                       "t:1:31: connect_timeout: \"%s\" is no duration; only seconds are, as in "
                       "0.25s",
                       texts[i]);
        assert_config_errors(&f, text.data);
        nu_strbuf_finish(&text);
        config_close(&f);
    }
}

TEST(a_single_value_stands_for_a_list)
{
    static const struct config_case cases[] = {
        {"clusters: {name: a}", "{\"clusters\":[{\"name\":\"a\"}]}", NULL},
        {"clusters: [[{name: a}], [[{name: b}]]]",
         "{\"clusters\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", NULL},
        {"clusters: []", "{}", NULL},
        {"clusters: ", "{}", NULL},
        {"clusters: a", NULL, "t:1:11: clusters[0]: expected an object (a Cluster), not a string"},
    };
    check_yaml_cases("envoy.config.bootstrap.v3.Bootstrap.StaticResources", cases);
}

TEST(a_null_in_a_list_is_an_empty_value)
{
    static const struct config_case cases[] = {
        {"{name: v, domains: ['*', null]}", "{\"name\":\"v\",\"domains\":[\"*\",\"\"]}", NULL},
        {"{name: v, domains: [null]}", "{\"name\":\"v\",\"domains\":[\"\"]}", NULL},
        {"{name: v, domains: null}", NULL,
         "t:1:20: domains: value must contain at least 1 item(s)"},
    };
    check_yaml_cases("envoy.config.route.v3.VirtualHost", cases);
    static const struct config_case messages[] = {
        {"clusters: [{name: a}, null]", NULL,
         "t:1:23: clusters[1].name: value length must be at least 1 characters"},
    };
    check_yaml_cases("envoy.config.bootstrap.v3.Bootstrap.StaticResources", messages);
}

TEST(objects_are_wanted_for_messages)
{
    static const struct config_case cases[] = {
        {"static_resources: []", NULL,
         "t:1:19: static_resources: expected an object (a StaticResources), not a list"},
        {"static_resources: foo", NULL,
         "t:1:19: static_resources: expected an object (a StaticResources), not a string"},
        {"static_resources: {}", "{\"static_resources\":{}}", NULL},
        {"[]", NULL, "t:1:1: expected an object (a Bootstrap), not a list"},
        {"", NULL, "t:1:1: expected an object (a Bootstrap), not an empty document"},
        {"x", NULL, "t:1:1: expected an object (a Bootstrap), not a string"},
    };
    check_yaml_cases("envoy.config.bootstrap.v3.Bootstrap", cases);
}

TEST(maps)
{
    static const struct config_case cases[] = {
        {"filter_metadata: {a: {b: 1}, 5: {}, on: ~}",
         "{\"filter_metadata\":{\"a\":{\"b\":1},\"5\":{},\"on\":{}}}", NULL},
        {"filter_metadata: []", NULL, "t:1:18: filter_metadata: expected an object, not a list"},
        {"filter_metadata: {a: []}", NULL,
         "t:1:22: filter_metadata[\"a\"]: expected an object, not a list"},
        {"filter_metadata: {'': {}}", NULL,
         "t:1:23: filter_metadata[\"\"]: value length must be at least 1 characters"},
    };
    check_yaml_cases("envoy.config.core.v3.Metadata", cases);
}

TEST(equal_keys_in_json)
{
    static const struct config_case cases[] = {
        {"{\"filter_metadata\":{\"a\":{},\"a\":{}}}", NULL,
         "t:1:32: filter_metadata[\"a\"]: the map has this key already"},
        {"{\"filter_metadata\":{\"a\":{\"b\":1,\"b\":2}}}", NULL,
         "t:1:36: filter_metadata[\"a\"]: the key \"b\" is there already"},
        {"{\"filter_metadata\":{\"a\":{}},\"filterMetadata\":{\"b\":{},\"a\":{}}}", NULL,
         "t:1:58: filter_metadata[\"a\"]: the map has this key already"},
    };
    check_json_cases("envoy.config.core.v3.Metadata", cases);
    static const struct config_case node[] = {
        {"{\"metadata\":{\"a\":1},\"metadata\":{\"a\":2}}", "{\"metadata\":{\"a\":2}}", NULL},
    };
    check_json_cases("envoy.config.core.v3.Node", node);
    static const struct config_case cluster[] = {
        {"{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":\"b\"}", NULL},
        {"{\"name\":\"a\",\"type\":\"STATIC\",\"type\":0}", NULL, "t:1:36: type: is set twice"},
        {"{\"name\":\"a\",\"metadata\":{},\"metadata\":{\"filterMetadata\":{\"x\":{}}}}",
         "{\"name\":\"a\",\"metadata\":{\"filter_metadata\":{\"x\":{}}}}", NULL},
    };
    check_json_cases(CLUSTER, cluster);
}

TEST(the_last_of_equal_keys_counts_in_yaml)
{
    static const struct config_case cases[] = {
        {"{name: a, type: EDS, type: STATIC, name: b}", "{\"name\":\"b\",\"type\":\"STATIC\"}",
         NULL},
    };
    check_yaml_cases(CLUSTER, cases);
}

TEST(one_member_of_a_oneof)
{
    static const struct config_case cases[] = {
        {"{prefix: /, path: ~}", "{\"prefix\":\"/\"}", NULL},
        {"{prefix: ''}", "{\"prefix\":\"\"}", NULL},
        {"{prefix: /, path: /}", NULL, "t:1:19: path: cannot be set together with prefix"},
        {"{}", NULL, "t:1:1: value is required: path_specifier"},
        {"{connect_matcher: {}}", "{\"connect_matcher\":{}}", NULL},
        {"{path_match_policy: {}}", NULL,
         "t:1:2: path_match_policy: known to Envoy, not implemented by nuncio"},
    };
    check_yaml_cases("envoy.config.route.v3.RouteMatch", cases);
}

TEST(fields_that_are_not_implemented_may_ask_for_nothing)
{
    static const struct config_case cases[] = {
        {"{bind_to_port: true, use_original_dst: false, enableMptcp: no, deprecated_v1: {}}", "{}",
         NULL},
        {"{bind_to_port: ~, deprecated_v1: []}", "{}", NULL},
        {"{bind_to_port: false, use_original_dst: true, deprecated_v1: {bind_to_port: true}}", NULL,
         "t:1:2: bind_to_port: known to Envoy, not implemented by nuncio\n"
         "t:1:23: use_original_dst: known to Envoy, not implemented by nuncio\n"
         "t:1:47: deprecated_v1: known to Envoy, not implemented by nuncio"},
        {"{internal_listener: {}, bind_to_port: '', use_original_dst: {}, enable_mptcp: 0}", NULL,
         "t:1:2: internal_listener: known to Envoy, not implemented by nuncio\n"
         "t:1:25: bind_to_port: known to Envoy, not implemented by nuncio\n"
         "t:1:43: use_original_dst: known to Envoy, not implemented by nuncio\n"
         "t:1:65: enable_mptcp: known to Envoy, not implemented by nuncio"},
    };
    static const struct config_case bootstrap[] = {
        {"{header_prefix: '', tracing: {}}", "{}", NULL},
        {"{header_prefix: x, tracing: {http: {}}}", NULL,
         "t:1:2: header_prefix: known to Envoy, not implemented by nuncio\n"
         "t:1:20: tracing: known to Envoy, not implemented by nuncio"},
    };
    check_yaml_cases("envoy.config.listener.v3.Listener", cases);
    check_yaml_cases("envoy.config.bootstrap.v3.Bootstrap", bootstrap);
}

TEST(structs_keep_any_value)
{
    static const struct config_case yaml[] = {
        {"metadata: {a: 1, b: [1, [2, [~]], {c: yes}], d: 2.5, e: 3000000000, f: {}, g: }",
         "{\"metadata\":{\"a\":1,\"b\":[1,[2,[null]],{\"c\":true}],\"d\":\"2.5\","
         "\"e\":\"3000000000\",\"f\":{},\"g\":null}}",
         NULL},
        {"metadata: {a: \"x\\0\"}", NULL,
         "t:1:15: metadata: a string may not hold a NUL character"},
    };
    static const struct config_case json[] = {
        {"{\"metadata\":{\"a\":2.5,\"b\":[[]],\"c\":1e3}}",
         "{\"metadata\":{\"a\":2.5,\"b\":[[]],\"c\":1000}}", NULL},
        {"{\"metadata\":{\"a\":1e400}}", NULL,
         "t:1:18: metadata: expected a number, not \"1e400\""},
    };
    check_yaml_cases("envoy.config.core.v3.Node", yaml);
    check_json_cases("envoy.config.core.v3.Node", json);
}

TEST(unknown_fields_can_be_let_pass)
{
    struct config_fixture f;
    config_open(&f);
    f.ctx.allow_unknown = true;
    void *message = config_yaml(&f, CLUSTER, "{name: a, foo: 1, lb_policy: BEST, filters: [{}]}");
    assert_config_errors(&f, "t:1:36: filters: known to Envoy, not implemented by nuncio");
    assert_config_warnings(&f, "t:1:11: foo: no such field in Cluster\n"
                               "t:1:30: lb_policy: LbPolicy has no value \"BEST\"; it has "
                               "ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, "
                               "CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG");
    assert_int_equal(f.ctx.unknown_fields, 2);
    assert_non_null(message);
    config_close(&f);
}

TEST_MAIN()
