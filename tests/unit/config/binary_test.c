/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from foreign bytes: nothing reaches protobuf-c that it cannot stand. */
#include "harness/config.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

#define CLUSTER "envoy.config.cluster.v3.Cluster"
#define EXTENSION "envoy.config.core.v3.TypedExtensionConfig"

/* Reads bytes as `type` and compares the JSON, or the errors. */
static void check(const char *type, struct nu_str bytes, const char *json, const char *errors)
{
    struct config_fixture f;
    config_open(&f);
    const void *message = config_read_as(&f, NU_CONFIG_BINARY, type, bytes);
    assert_config_errors(&f, errors);
    if (json)
        assert_config_json(message, json);
    else
        assert_true(f.ctx.errors.count > 0);
    config_close(&f);
}

TEST(a_message_comes_back_as_it_was_packed)
{
    static const char text[] =
        "{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"connect_timeout\":\"0.250s\","
        "\"dns_lookup_family\":\"V4_ONLY\",\"metadata\":{\"filter_metadata\":{\"x\":{\"y\":[1,null,"
        "{\"z\":true}]}}},\"load_assignment\":{\"cluster_name\":\"a\",\"endpoints\":[{\"priority\":"
        "1}"
        "]},\"typed_extension_protocol_options\":{\"k\":{\"@type\":\"type.googleapis.com/"
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions\",\"explicit_http_config\":{"
        "\"http_protocol_options\":{}}}}}";
    struct config_fixture f;
    config_open(&f);
    ProtobufCMessage *message = config_json(&f, CLUSTER, text);
    assert_config_errors(&f, "");
    uint8_t bytes[1000];
    assert_true(protobuf_c_message_get_packed_size(message) < sizeof(bytes));
    size_t len = protobuf_c_message_pack(message, bytes);
    struct nu_strbuf json = {0};
    struct nu_json writer;
    nu_json_init(&writer, &json, false);
    nu_config_print(&writer, message);
    check(CLUSTER, nu_str_make((const char *)bytes, len), json.data, "");
    nu_strbuf_finish(&json);
    config_close(&f);
}

TEST(broken_bytes_are_refused)
{
    static const struct {
        struct nu_str bytes;
        const char *error;
    } cases[] = {
        {NU_STR_INIT("\x0a"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x0a\x05"
                     "abc"),
         "t: Cluster: cut short"},
        {NU_STR_INIT("\x0a\xff\xff\xff\xff\xff\x01"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x80"), "t: Cluster: broken field number"},
        {NU_STR_INIT("\x00\x00"), "t: Cluster: broken field number"},
        {NU_STR_INIT("\x0b"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x0c"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x0f"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x08\x01"), "t: Cluster: wrong wire type"},
        {NU_STR_INIT("\x12\x01\x01"), "t: Cluster: wrong wire type"},
        {NU_STR_INIT("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "t: Cluster: cut short"},
        {NU_STR_INIT("\x0a\x01\xff"), "t: Cluster: a string is not UTF-8"},
        {NU_STR_INIT("\x0a\x03"
                     "a\0b"),
         "t: Cluster: NUL in a string"},
        {NU_STR_INIT("\x22\x02\x08\x80"), "t: Cluster: cut short"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        check(CLUSTER, cases[i].bytes, NULL, cases[i].error);
}

TEST(packed_numbers_fill_their_bytes)
{
    check("envoy.config.accesslog.v3.GrpcStatusFilter", NU_STR("\x0a\x02\x01\x05"),
          "{\"statuses\":[\"CANCELED\",\"NOT_FOUND\"]}", "");
    check("envoy.config.accesslog.v3.GrpcStatusFilter", NU_STR("\x08\x01\x08\x05"),
          "{\"statuses\":[\"CANCELED\",\"NOT_FOUND\"]}", "");
    check("envoy.config.accesslog.v3.GrpcStatusFilter", NU_STR("\x0a\x02\x01\x80"), NULL,
          "t: GrpcStatusFilter: broken packed numbers");
}

/* Makes the bytes the value of a length-delimited field. */
static void wrap(struct nu_strbuf *bytes, char tag)
{
    struct nu_strbuf outer = {0};
    nu_strbuf_add_char(&outer, tag);
    if (bytes->len >= 128)
        nu_strbuf_add_char(&outer, (char)(bytes->len | 0x80));
    nu_strbuf_add_char(&outer, (char)(bytes->len >= 128 ? bytes->len >> 7 : bytes->len));
    nu_strbuf_add(&outer, nu_strbuf_str(bytes));
    nu_strbuf_finish(bytes);
    *bytes = outer;
}

TEST(nesting_is_bounded)
{
    struct nu_strbuf bytes = {0};
    for (int i = 0; i < 49; i++) {
        wrap(&bytes, 0x32); /* Value.list_value */
        wrap(&bytes, 0x0a); /* ListValue.values */
    }
    struct config_fixture f;
    config_open(&f);
    assert_non_null(
        config_read_as(&f, NU_CONFIG_BINARY, "google.protobuf.ListValue", nu_strbuf_str(&bytes)));
    assert_config_errors(&f, "");
    config_close(&f);
    wrap(&bytes, 0x32);
    wrap(&bytes, 0x0a);
    check("google.protobuf.ListValue", nu_strbuf_str(&bytes), NULL,
          "t: ListValue: nested too deep");
    nu_strbuf_finish(&bytes);
}

/* `levels` Anys inside each other. */
static void nest_anys(struct nu_strbuf *out, int levels)
{
    static const char url[] = "x/google.protobuf.Any";
    struct nu_strbuf inner = {0};
    for (int i = 0; i < levels; i++) {
        Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
        any.type_url = nu_unconst(url);
        any.value.data = (uint8_t *)inner.data;
        any.value.len = inner.len;
        nu_strbuf_clear(out);
        size_t len = google__protobuf__any__pack(
            &any, (uint8_t *)nu_strbuf_reserve(out, google__protobuf__any__get_packed_size(&any)));
        nu_strbuf_commit(out, len);
        nu_strbuf_clear(&inner);
        nu_strbuf_add(&inner, nu_strbuf_str(out));
    }
    nu_strbuf_finish(&inner);
}

TEST(anys_inside_anys_are_bounded)
{
    struct nu_strbuf bytes = {0};
    struct config_fixture f;
    nest_anys(&bytes, 300);
    config_open(&f);
    config_read_as(&f, NU_CONFIG_BINARY, "google.protobuf.Any", nu_strbuf_str(&bytes));
    assert_config_errors(&f, "t: nested too deep");
    config_close(&f);
    nu_strbuf_finish(&bytes);
}

TEST(fields_are_judged_by_number_as_in_text_by_name)
{
    check(CLUSTER,
          NU_STR("\x0a\x01"
                 "a"
                 "\xc2\x02\x00"),
          NULL, "t: filters: known to Envoy, not implemented by nuncio");
    check("envoy.config.core.v3.ConfigSource",
          NU_STR("\x0a\x01"
                 "a"
                 "\x30\x01"),
          NULL, "t: resource_api_version: V2: known to Envoy, not implemented by nuncio");
    check(CLUSTER,
          NU_STR("\x0a\x01"
                 "a"
                 "\x38\x01"),
          NULL, "t: 7: no field of Cluster has this number");
}

/* enable_mptcp 30, use_original_dst 4 and bind_to_port 26 of Listener: false, false and true. */
TEST(values_that_ask_for_nothing_are_let_pass_in_bytes_too)
{
    static const char LISTENER[] = "envoy.config.listener.v3.Listener";
    check(LISTENER, NU_STR("\x0a\1a\xf0\1\0\x22\0\xd2\1\2\x08\1"), "{\"name\":\"a\"}", "");
    check(LISTENER, NU_STR("\x22\2\x08\0"), "{}", "");
    check(LISTENER, NU_STR("\xf0\1\1"), NULL,
          "t: enable_mptcp: known to Envoy, not implemented by nuncio");
    check(LISTENER, NU_STR("\x22\2\x08\1"), NULL,
          "t: use_original_dst: known to Envoy, not implemented by nuncio");
    check(LISTENER, NU_STR("\xd2\1\0"), NULL,
          "t: bind_to_port: known to Envoy, not implemented by nuncio");
}

TEST(unknown_numbers_can_be_let_pass)
{
    struct config_fixture f;
    config_open(&f);
    f.ctx.allow_unknown = true;
    config_read_as(&f, NU_CONFIG_BINARY, CLUSTER,
                   NU_STR("\x0a\x01"
                          "a"
                          "\x38\x01"
                          "\xc2\x02\x00"));
    assert_config_errors(&f, "t: filters: known to Envoy, not implemented by nuncio");
    assert_config_warnings(&f, "t: 7: no field of Cluster has this number");
    config_close(&f);
}

TEST(rules_hold_for_bytes_too)
{
    check(CLUSTER, NU_STR(""), NULL, "t: name: value length must be at least 1 characters");
}

/* An extension named "a" with an Any of this type and value. */
static void pack_extension(struct nu_strbuf *out, const char *url, struct nu_str value)
{
    struct nu_strbuf any = {0};
    nu_strbuf_addf(&any, "\x0a%c%s\x12%c", (char)strlen(url), url, (char)value.len);
    nu_strbuf_add(&any, value);
    nu_strbuf_addf(out, "\x0a\x01%c\x12%c", 'a', (char)any.len);
    nu_strbuf_add(out, nu_strbuf_str(&any));
    nu_strbuf_finish(&any);
}

static void check_any(const char *url, struct nu_str value, const char *json, const char *errors)
{
    struct nu_strbuf bytes = {0};
    pack_extension(&bytes, url, value);
    check(EXTENSION, nu_strbuf_str(&bytes), json, errors);
    nu_strbuf_finish(&bytes);
}

TEST(anys_are_opened_and_checked)
{
    check_any(
        "x/envoy.type.v3.Percent", NU_STR("\x09\0\0\0\0\0\0\xf0\x3f"),
        "{\"name\":\"a\",\"typed_config\":{\"@type\":\"x/envoy.type.v3.Percent\",\"value\":1}}",
        "");
    check_any("x/envoy.type.v3.Percent", NU_STR("\x09\0\0\0\0\0\0\xf0\xbf"), NULL,
              "t: typed_config.value: value must be inside range [0, 100]");
    check_any("x/envoy.type.v3.Percent", NU_STR("\x09"), NULL, "t: typed_config: cut short");
    check_any("x/no.Such", NU_STR(""), NULL, "t: typed_config: no such type: no.Such");
    check_any("x/envoy.extensions.filters.http.lua.v3.Lua", NU_STR("\x0a"), NULL,
              "t: typed_config: envoy.extensions.filters.http.lua.v3.Lua "
              "(envoy.filters.http.lua): known to Envoy, not implemented by nuncio");
    check_any("", NU_STR("x"), NULL, "t: typed_config: an Any with bytes and no type");
}

TEST(a_typed_struct_is_the_message_it_stands_for)
{
    /* {type_url: "x/envoy.type.v3.Percent", value: {value: 50}} */
    check_any("x/xds.type.v3.TypedStruct",
              NU_STR("\x0a\x17x/envoy.type.v3.Percent"
                     "\x12\x16\x0a\x14\x0a\x05value\x12\x0b\x11\0\0\0\0\0\0\x49\x40"),
              NULL, "t: typed_config: cut short");
    check_any(
        "x/xds.type.v3.TypedStruct",
        NU_STR("\x0a\x17x/envoy.type.v3.Percent"
               "\x12\x14\x0a\x12\x0a\x05value\x12\x09\x11\0\0\0\0\0\0\x49\x40"),
        "{\"name\":\"a\",\"typed_config\":{\"@type\":\"x/envoy.type.v3.Percent\",\"value\":50}}",
        "");
    check_any("x/udpa.type.v1.TypedStruct",
              NU_STR("\x0a\x17x/envoy.type.v3.Percent"
                     "\x12\x14\x0a\x12\x0a\x05valux\x12\x09\x11\0\0\0\0\0\0\x49\x40"),
              NULL, "t: typed_config.valux: no such field in Percent (did you mean value?)");
}

TEST_MAIN()
