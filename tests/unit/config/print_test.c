/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON: protobuf's mapping with the original names. */
#include "harness/config.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

TEST(durations_have_as_many_digits_as_they_need)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        const char *json;
    } cases[] = {
        {0, 0, "\"0s\""},
        {5, 0, "\"5s\""},
        {1, 500000000, "\"1.500s\""},
        {0, 1000, "\"0.000001s\""},
        {0, 1, "\"0.000000001s\""},
        {-1, -500000000, "\"-1.500s\""},
        {0, -1000000, "\"-0.001s\""},
        {INT64_MIN, 0, "\"-9223372036854775808s\""},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
        duration.seconds = cases[i].seconds;
        duration.nanos = cases[i].nanos;
        assert_config_json(&duration, cases[i].json);
    }
}

TEST(bytes_are_base64)
{
    static const struct config_case cases[] = {
        {"{inline_bytes: ''}", "{\"inline_bytes\":\"\"}", NULL},
        {"{inline_bytes: AA}", "{\"inline_bytes\":\"AA==\"}", NULL},
        {"{inline_bytes: AAEC}", "{\"inline_bytes\":\"AAEC\"}", NULL},
        {"{inline_bytes: AAECAw}", "{\"inline_bytes\":\"AAECAw==\"}", NULL},
        {"{inline_bytes: AAECAwQ}", "{\"inline_bytes\":\"AAECAwQ=\"}", NULL},
    };
    check_yaml_cases("envoy.config.core.v3.DataSource", cases);
}

TEST(a_oneof_member_is_printed_even_when_it_is_the_default)
{
    static const struct config_case cases[] = {
        {"{address: a, port_value: 0}", "{\"address\":\"a\",\"port_value\":0}", NULL},
    };
    check_yaml_cases("envoy.config.core.v3.SocketAddress", cases);
}

TEST(an_any_of_a_type_that_is_not_compiled_keeps_its_bytes)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    uint8_t bytes[] = {1, 2, 3};
    any.type_url = (char[]){"x/no.Such"};
    any.value.data = bytes;
    any.value.len = sizeof(bytes);
    assert_config_json(&any, "{\"@type\":\"x/no.Such\",\"value\":\"AQID\"}");
    any.type_url = (char[]){"x/envoy.type.v3.Percent"};
    assert_config_json(&any, "{\"@type\":\"x/envoy.type.v3.Percent\",\"value\":\"AQID\"}");
}

TEST(an_empty_any_is_an_empty_object)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    assert_config_json(&any, "{}");
}

TEST(a_value_without_kind_is_null)
{
    Google__Protobuf__Value value = GOOGLE__PROTOBUF__VALUE__INIT;
    assert_config_json(&value, "null");
}

TEST(secrets_are_not_printed_however_they_are_given)
{
    static const struct config_case cases[] = {
        {"{certificate_chain: {filename: c}, private_key: {filename: k}}",
         "{\"certificate_chain\":{\"filename\":\"c\"},\"private_key\":{\"filename\":"
         "\"[redacted]\"}}",
         NULL},
        {"{password: {inline_string: p}, private_key: {inline_bytes: AAEC}}",
         "{\"private_key\":{\"inline_bytes\":\"W3JlZGFjdGVkXQ==\"},\"password\":{"
         "\"inline_string\":\"[redacted]\"}}",
         NULL},
        {"{private_key: {environment_variable: E}, certificate_chain: {inline_string: c}}",
         "{\"certificate_chain\":{\"inline_string\":\"c\"},\"private_key\":{"
         "\"environment_variable\":\"[redacted]\"}}",
         NULL},
    };
    check_yaml_cases("envoy.extensions.transport_sockets.tls.v3.TlsCertificate", cases);
}

TEST(each_item_of_a_secret_list_is_one)
{
    static const struct config_case cases[] = {
        {"{keys: [{inline_string: a}, {inline_bytes: AAEC}]}",
         "{\"keys\":[{\"inline_string\":\"[redacted]\"},{\"inline_bytes\":\"W3JlZGFjdGVkXQ==\"}]}",
         NULL},
    };
    check_yaml_cases("envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys", cases);
}

TEST(secrets_inside_of_an_any_are_not_printed)
{
    static const struct config_case cases[] = {
        {"{name: x, typed_config: {'@type': "
         "x/envoy.extensions.transport_sockets.tls.v3.TlsCertificate, private_key: {filename: k}, "
         "certificate_chain: {filename: c}}}",
         "{\"name\":\"x\",\"typed_config\":{\"@type\":"
         "\"x/envoy.extensions.transport_sockets.tls.v3.TlsCertificate\",\"certificate_chain\":{"
         "\"filename\":\"c\"},\"private_key\":{\"filename\":\"[redacted]\"}}}",
         NULL},
    };
    check_yaml_cases("envoy.config.core.v3.TypedExtensionConfig", cases);
}

TEST_MAIN()
