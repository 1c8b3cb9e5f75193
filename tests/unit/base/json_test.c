/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: commas, indents, escapes, numbers. */
#include "harness/test.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"

static void write_sample(struct nu_json *json)
{
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("a"));
    nu_json_u64(json, 1);
    nu_json_key(json, NU_STR("b"));
    nu_json_array_begin(json);
    nu_json_string(json, NU_STR("x"));
    nu_json_null(json);
    nu_json_array_begin(json);
    nu_json_array_end(json);
    nu_json_object_begin(json);
    nu_json_object_end(json);
    nu_json_bool(json, true);
    nu_json_array_end(json);
    nu_json_key(json, NU_STR("c"));
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("d"));
    nu_json_i64(json, INT64_MIN);
    nu_json_key(json, NU_STR("e"));
    nu_json_bool(json, false);
    nu_json_key(json, NU_STR("f"));
    nu_json_raw(json, NU_STR("[1]"));
    nu_json_object_end(json);
    nu_json_object_end(json);
}

TEST(compact_output_has_commas_and_no_blanks)
{
    struct nu_strbuf out = {0};
    struct nu_json json;
    nu_json_init(&json, &out, false);
    write_sample(&json);
    assert_str(nu_strbuf_str(&out), "{\"a\":1,\"b\":[\"x\",null,[],{},true],"
                                    "\"c\":{\"d\":-9223372036854775808,\"e\":false,\"f\":[1]}}");
    nu_strbuf_finish(&out);
}

TEST(pretty_output_is_indented_by_one_space_a_level)
{
    struct nu_strbuf out = {0};
    struct nu_json json;
    nu_json_init(&json, &out, true);
    write_sample(&json);
    assert_str(nu_strbuf_str(&out), "{\n"
                                    " \"a\": 1,\n"
                                    " \"b\": [\n"
                                    "  \"x\",\n"
                                    "  null,\n"
                                    "  [],\n"
                                    "  {},\n"
                                    "  true\n"
                                    " ],\n"
                                    " \"c\": {\n"
                                    "  \"d\": -9223372036854775808,\n"
                                    "  \"e\": false,\n"
                                    "  \"f\": [1]\n"
                                    " }\n"
                                    "}");
    nu_strbuf_finish(&out);
}

TEST(a_document_is_appended_to_what_was_there)
{
    struct nu_strbuf out = {0};
    struct nu_json json;
    nu_strbuf_add_cstr(&out, "[");
    nu_json_init(&json, &out, false);
    nu_json_u64(&json, UINT64_MAX);
    nu_json_init(&json, &out, false);
    nu_json_null(&json);
    assert_str(nu_strbuf_str(&out), "[18446744073709551615null");
    nu_strbuf_finish(&out);
}

TEST(scopes_may_be_nested_deeply)
{
    struct nu_strbuf out = {0};
    struct nu_json json;
    nu_json_init(&json, &out, false);
    for (int i = 0; i < 1000; i++)
        nu_json_array_begin(&json);
    for (int i = 0; i < 1000; i++)
        nu_json_array_end(&json);
    assert_int_equal(out.len, 2000);
    assert_int_equal(json.depth, 0);
    nu_strbuf_finish(&out);
}

static void assert_escaped(struct nu_str text, const char *want)
{
    struct nu_strbuf out = {0};
    nu_json_escape(&out, text);
    assert_str(nu_strbuf_str(&out), want);
    nu_strbuf_finish(&out);
}

TEST(quotes_backslashes_and_control_characters_are_escaped)
{
    assert_escaped(NU_STR(""), "\"\"");
    assert_escaped(nu_str_make(NULL, 0), "\"\"");
    assert_escaped(NU_STR("plain"), "\"plain\"");
    assert_escaped(NU_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_escaped(NU_STR("\n\r\t\b\f"), "\"\\n\\r\\t\\b\\f\"");
    assert_escaped(NU_STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"");
}

TEST(utf8_stays_and_other_bytes_become_the_replacement_character)
{
    assert_escaped(NU_STR("z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80"),
                   "\"z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80\"");
    assert_escaped(NU_STR("a\xff"), "\"a\xef\xbf\xbd\"");
    assert_escaped(NU_STR("\x80z"), "\"\xef\xbf\xbdz\"");
    assert_escaped(NU_STR("\xc3"), "\"\xef\xbf\xbd\"");
    assert_escaped(NU_STR("\xc3\""), "\"\xef\xbf\xbd\\\"\"");
    assert_escaped(NU_STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_escaped(NU_STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(every_byte_gives_well_formed_utf8)
{
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char text[] = {(char)a, (char)b};
            struct nu_strbuf out = {0};
            nu_json_escape(&out, nu_str_make(text, 2));
            assert_true(nu_str_is_utf8(nu_strbuf_str(&out)));
            nu_strbuf_finish(&out);
        }
    }
}

static void assert_number(double value, const char *want)
{
    struct nu_strbuf out = {0};
    struct nu_json json;
    nu_json_init(&json, &out, false);
    nu_json_double(&json, value);
    assert_str(nu_strbuf_str(&out), want);
    nu_strbuf_finish(&out);
}

/* What Envoy 1.36.4 prints for these in /config_dump. */
TEST(doubles_are_written_as_envoy_writes_them)
{
    assert_number(-0.0, "-0");
    assert_number(0.1, "0.1");
    assert_number(0.0001, "0.0001");
    assert_number(1e-7, "1e-07");
    assert_number(0.1234567890123456, "0.12345678901234559");
    assert_number(0.30000000000000004, "0.30000000000000004");
    assert_number(12345678.9, "12345678.9");
    assert_number(100000, "100000");
    assert_number(1e15, "1e+15");
    assert_number(9007199254740993.0, "9007199254740992");
    assert_number(123456789012345680.0, "1.2345678901234568e+17");
    assert_number(1e21, "1e+21");
    assert_number(1.5e300, "1.5e+300");
    assert_number(2.2250738585072014e-308, "2.2250738585072014e-308");
    assert_number(5e-324, "4.94065645841247e-324");
}

TEST(what_is_no_number_is_a_string)
{
    assert_number(NAN, "\"NaN\"");
    assert_number(INFINITY, "\"Infinity\"");
    assert_number(-INFINITY, "\"-Infinity\"");
}

TEST(doubles_read_back_as_they_were)
{
    uint64_t bits = 0x3ff123456789abcdu;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isnan(value) || isinf(value))
            continue;
        struct nu_strbuf out = {0};
        struct nu_json json;
        nu_json_init(&json, &out, false);
        nu_json_double(&json, value);
        double again = strtod(out.data, NULL);
        assert_memory_equal(&again, &value, sizeof(value));
        nu_strbuf_finish(&out);
    }
}

TEST_MAIN()
