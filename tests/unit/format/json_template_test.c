/* SPDX-License-Identifier: Apache-2.0 */
/* JSON templates. The expectations are what Envoy 1.36.4 wrote for the same template. */
#include "harness/format_fixture.h"

static struct fixture f;

static const struct nu_format_options log_options;
static const struct nu_format_options omit_options = {.omit_empty = true};

static struct nu_value text(const char *s)
{
    return nu_value_string(nu_str_from(s));
}

static void set(struct nu_value *record, const char *name, struct nu_value value)
{
    nu_value_set(record, &f.arena, nu_str_from(name), value);
}

struct string_case {
    const char *text;
    const char *expected;
    const char *omitted; /* with omit_empty_values; NULL: the same */
};

static const struct string_case strings[] = {
    {"%REQ(x-a)%", "\"av\\\"al\\\\ue\"", NULL},
    {"%RESPONSE_CODE%", "200", NULL},
    {"%REQ(x-none)%", "null", NULL},
    {"%DURATION%0", "\"20\"", NULL},
    {"lit", "\"lit\"", NULL},
    {"", "\"\"", NULL},
    {"%%", "\"%\"", NULL},
    {"q\"\\\x01\xc3\xa9/<\x7f", "\"q\\\"\\\\\\u0001\xc3\xa9/<\x7f\"", NULL},
    {"a%RESPONSE_CODE%b%REQ(x-none)%", "\"a200b-\"", "\"a200b\""},
    {"%REQ(x-none)%%REQ(x-none)%", "\"--\"", "\"\""},
    {"%RESPONSE_CODE%%RESPONSE_CODE%", "\"200200\"", NULL},
    {"%REQ(x-a)%%REQ(x-b)%", "\"av\\\"al\\\\ueb2\"", NULL},
    {"%REQ(x-c)%", "\"a\\tb\"", NULL},
    {"%REQ(x-u)%", "\"\\u00ff\\u00e9\\u00c3\\u00a9 </>\\u0080\"", NULL},
    {"x%REQ(x-w)%\"", "\"x\\u00ff\\u0022\\u005c\\u0009<\\\"\"", NULL},
    {"\xc3\xa9%REQ(x-u):1%", "\"\xc3\xa9\\u00ff\"", NULL},
    {"%REQ(x-u):1%%REQ(x-v)%\xc3\xa9", "\"\\u00ff\xc3\xa9\xc3\xa9\"", NULL},
    {"%CLUSTER_METADATA(ns:s)%", "{\"in\":\"x\",\"z\":1.5}", NULL},
    {"x%CLUSTER_METADATA(ns:s)%", "\"x{\\\"in\\\":\\\"x\\\",\\\"z\\\":1.5}\"", NULL},
    {"x%CLUSTER_METADATA(ns:k)%", "\"xv1\"", NULL},
    {"%RESPONSE_FLAGS%", "\"-\"", NULL},
    {"%LOCAL_REPLY_BODY%", "\"\"", NULL},
    {"%CUSTOM_FLAGS%", "\"\"", NULL},
    {"%ENVIRONMENT(NU_FORMAT_NONE)%", "\"-\"", NULL},
    {"%UPSTREAM_REMOTE_PORT%", "46791", NULL},
    {"%BYTES_RECEIVED%", "1e+05", NULL},
    {"%BYTES_RECEIVED%b", "\"100000b\"", NULL},
    {"%BYTES_SENT%", "1200000", NULL},
    {"%DOWNSTREAM_WIRE_BYTES_RECEIVED%", "123456", NULL},
};

TEST(a_string_that_is_one_operator_takes_its_type)
{
    fixture_init(&f);
    nu_headers_set(&f.request, NU_STR("x-a"), NU_STR("av\"al\\ue"));
    nu_headers_set(&f.request, NU_STR("x-b"), NU_STR("b2"));
    nu_headers_set(&f.request, NU_STR("x-c"), NU_STR("a\tb"));
    nu_headers_set(&f.request, NU_STR("x-u"), NU_STR("\xff\xe9\xc3\xa9 </>\x80"));
    nu_headers_set(&f.request, NU_STR("x-v"), NU_STR("\xc3\xa9"));
    nu_headers_set(&f.request, NU_STR("x-w"), NU_STR("\xff\"\\\t<"));
    f.info.bytes_received = 100000;
    f.info.bytes_sent = 1200000;
    f.info.wire_bytes_received = 123456;
    for (size_t i = 0; i < NU_ARRAY_LEN(strings); i++) {
        struct nu_value json = nu_value_struct();
        set(&json, "", text(strings[i].text));
        struct nu_str out = fixture_json(&f, &json, &log_options);
        assert_str(nu_str_make(out.ptr + 4, out.len - 5), strings[i].expected);
        out = fixture_json(&f, &json, &omit_options);
        assert_str(nu_str_make(out.ptr + 4, out.len - 5),
                   strings[i].omitted ? strings[i].omitted : strings[i].expected);
    }
    fixture_finish(&f);
}

TEST(members_are_sorted_and_nested_values_kept)
{
    fixture_init(&f);
    struct nu_value inner = nu_value_struct();
    set(&inner, "z", text("%PROTOCOL%"));
    set(&inner, "a", text("%REQ(x-none)%"));
    set(&inner, "m", nu_value_struct());
    struct nu_value deep = nu_value_list();
    nu_value_add(&deep, &f.arena, text("%REQ(x-none)%"));
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &f.arena, text("%DURATION%0"));
    nu_value_add(&list, &f.arena, text("lit"));
    nu_value_add(&list, &f.arena, nu_value_number(5));
    nu_value_add(&list, &f.arena, nu_value_number(1.5));
    nu_value_add(&list, &f.arena, deep);
    nu_value_add(&list, &f.arena, nu_value_struct());
    struct nu_value json = nu_value_struct();
    set(&json, "zeta", text("%REQ(x-a)%"));
    set(&json, "alpha", text("%RESPONSE_CODE%"));
    set(&json, "b", inner);
    set(&json, "lst", list);
    set(&json, "nul", nu_value_null());
    set(&json, "bool", nu_value_bool(true));
    set(&json, "neg", nu_value_number(-0.0));
    set(&json, "big", nu_value_number(1e15));
    set(&json, "big2", nu_value_number(123456789012345678.0));
    set(&json, "emptylist", nu_value_list());
    set(&json, "key\"\\\n\xc3\xa9\x7f", text("v"));
    static const char expected[] =
        "{\"alpha\":200,\"b\":{\"a\":null,\"m\":{},\"z\":\"HTTP/1.1\"},\"big\":1e+15,"
        "\"big2\":123456789012345680,\"bool\":true,\"emptylist\":[],"
        "\"key\\\"\\\\\\n\xc3\xa9\x7f\":\"v\",\"lst\":[\"20\",\"lit\",5,1.5,[null],{}],"
        "\"neg\":-0,\"nul\":null,\"zeta\":\"aval\"}";
    assert_str(fixture_json(&f, &json, &log_options), expected);
    /* Envoy 1.36 does not leave out what is null. */
    assert_str(fixture_json(&f, &json, &omit_options), expected);
    fixture_finish(&f);
}

TEST(a_template_without_operators_is_plain)
{
    fixture_init(&f);
    struct nu_value json = nu_value_struct();
    set(&json, "a", nu_value_number(1));
    struct nu_strbuf error = {0};
    const struct nu_formatter *formatter =
        nu_formatter_compile_json(&f.arena, &json, &log_options, &error);
    struct nu_str plain;
    assert_true(nu_formatter_is_plain(formatter, &plain));
    assert_true(nu_formatter_is_json(formatter));
    assert_str(plain, "{\"a\":1}\n");
    assert_str(fixture_run(&f, formatter), "{\"a\":1}\n");
    struct nu_value empty = nu_value_struct();
    assert_str(fixture_json(&f, &empty, &log_options), "{}");
    fixture_finish(&f);
}

TEST(the_first_mistake_in_a_template_is_reported)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"%FOO%", "Not supported field in StreamInfo: FOO"},
        {"%", "Incorrect configuration: %. Couldn't find valid command at position 0"},
        {"%REQ%", "REQ requires parameters"},
    };
    fixture_init(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_value list = nu_value_list();
        nu_value_add(&list, &f.arena, text("%PROTOCOL%"));
        nu_value_add(&list, &f.arena, text(cases[i].text));
        struct nu_value json = nu_value_struct();
        set(&json, "l", list);
        struct nu_strbuf error = {0};
        assert_null(nu_formatter_compile_json(&f.arena, &json, &log_options, &error));
        assert_str(nu_strbuf_str(&error), cases[i].error);
        nu_strbuf_finish(&error);
    }
    fixture_finish(&f);
}

TEST_MAIN()
