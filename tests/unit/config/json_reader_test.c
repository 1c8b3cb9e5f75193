/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: RFC 8259, and beyond it exactly what Envoy's reader lets pass. */
#include "harness/doc.h"

TEST(values_of_every_kind)
{
    static const struct doc_case cases[] = {
        {"{\"a\": [1, -2.5e+3, \"x\", true, false, null, {}, []]}",
         "{\"a\":[1,-2.5e+3,\"x\",true,false,null,{},[]]}"},
        {" \t\r\n{}\n", "{}"},
        {"5", "5"},
        {"18446744073709551616", "18446744073709551616"},
    };
    check_doc_cases(nu_doc_parse_json, cases);
}

TEST(string_escapes)
{
    static const struct doc_case cases[] = {
        {"\"\\b\\f\\n\\r\\t\\\"\\\\\\/\\'\"", "\"\\b\\f\\n\\r\\t\\\"\\\\/'\""},
        {"\"\\u00e9\\u20AC\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\\ud83d\"", "error: t:1:8: JSON: a high surrogate without a low one"},
        {"\"\\ud83dx\"", "error: t:1:8: JSON: a high surrogate without a low one"},
        {"\"\\ude00\"", "error: t:1:8: JSON: a low surrogate without a high one"},
        {"\"\\u12\"", "error: t:1:4: JSON: \\u wants four hexadecimal digits"},
        {"\"\\x41\"", "error: t:1:3: JSON: no such escape in a string"},
        {"\"\xff\"", "error: t:1:3: JSON: the string that ends here is not UTF-8"},
        {"\"abc", "error: t:1:5: JSON: the text ends here, inside a string"},
        {"\"abc\\", "error: t:1:6: JSON: the text ends here, inside a string"},
        {"\"abc\\\"", "error: t:1:7: JSON: the text ends here, inside a string"},
    };
    check_doc_cases(nu_doc_parse_json, cases);
}

TEST(what_envoy_lets_pass_beyond_the_rfc)
{
    static const struct doc_case cases[] = {
        {"{'a': 'b\"'}", "{\"a\":\"b\\\"\"}"},
        {"{a: 1, _b2: 2}", "{\"a\":1,\"_b2\":2}"},
        {"{\"a\": [1,],}", "{\"a\":[1]}"},
        {"{\"a\": \"x\ty\nz\"}", "{\"a\":\"x\\ty\\nz\"}"},
    };
    check_doc_cases(nu_doc_parse_json, cases);
}

TEST(what_envoy_refuses)
{
    static const struct doc_case cases[] = {
        {"", "error: t:1:1: JSON: the text ends here, a value was expected"},
        {"// c\n{}", "error: t:1:1: JSON: a value was expected"},
        {"\xef\xbb\xbf{}", "error: t:1:1: JSON: a value was expected"},
        {"{} {}", "error: t:1:4: JSON: something follows the end of the document"},
        {"{,}", "error: t:1:2: JSON: a quoted member name was expected"},
        {"[,]", "error: t:1:2: JSON: a value was expected"},
        {"[1,,]", "error: t:1:4: JSON: a value was expected"},
        {"{\"a\" 1}", "error: t:1:6: JSON: ':' was expected behind a member name"},
        {"{\"a\":1 \"b\":2}", "error: t:1:8: JSON: ',' or '}' was expected"},
        {"[1 2]", "error: t:1:4: JSON: ',' or ']' was expected"},
        {"{\"a\":1]", "error: t:1:7: JSON: ',' or '}' was expected"},
        {"{\"a\":", "error: t:1:6: JSON: the text ends here, a value was expected"},
        {"[1", "error: t:1:3: JSON: the text ends here, ',' or ']' was expected"},
        {"{null:1}", "error: t:1:2: JSON: a quoted member name was expected"},
        {"{1:1}", "error: t:1:2: JSON: a quoted member name was expected"},
        {"{a-b:1}", "error: t:1:3: JSON: ':' was expected behind a member name"},
        {"nul", "error: t:1:1: JSON: a value was expected"},
        {"TRUE", "error: t:1:1: JSON: a value was expected"},
        {"NaN", "error: t:1:1: JSON: a value was expected"},
        {"{\v}", "error: t:1:2: JSON: a quoted member name was expected"},
    };
    check_doc_cases(nu_doc_parse_json, cases);
}

TEST(numbers_have_the_rfcs_grammar)
{
    static const struct doc_case cases[] = {
        {"[0, -0, 10, 0.5, 1E5, 1e-5]", "[0,-0,10,0.5,1E5,1e-5]"},
        {"01", "error: t:1:3: JSON: the text ends here, a number may not begin with an extra 0"},
        {"[-]", "error: t:1:3: JSON: a digit is missing"},
        {"[+1]", "error: t:1:2: JSON: a value was expected"},
        {"[.5]", "error: t:1:2: JSON: a value was expected"},
        {"[5.]", "error: t:1:4: JSON: a digit is missing behind the point"},
        {"[1e]", "error: t:1:4: JSON: a digit is missing in the exponent"},
    };
    check_doc_cases(nu_doc_parse_json, cases);
}

TEST(equal_names_are_kept_and_warned_of)
{
    assert_doc(nu_doc_parse_json, "{\"a\":1,\n\"a\":2}",
               "{\"a\":1,\"a\":2} warning: t:2:1: the key \"a\" was given before, at line 1");
}

TEST(nesting_is_bounded)
{
    char text[301];
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    text[200] = '\0';
    assert_doc(nu_doc_parse_json, text, text);
    memset(text, '[', 300);
    text[300] = '\0';
    assert_doc(nu_doc_parse_json, text, "error: t:1:101: JSON: nested more than 100 levels deep");
}

TEST(long_names_and_strings_are_whole)
{
    struct nu_strbuf text = {0};
    nu_strbuf_add_cstr(&text, "{\"");
    for (int i = 0; i < 5000; i++)
        nu_strbuf_add_char(&text, 'k');
    nu_strbuf_add_cstr(&text, "\":1}");
    assert_doc(nu_doc_parse_json, text.data, text.data);
    nu_strbuf_finish(&text);
}

TEST(lines_and_columns_count_from_one)
{
    struct nu_arena arena;
    struct nu_error_list errors = {0};
    nu_arena_init(&arena);
    struct nu_doc_input in = {&arena, "t", NU_STR("{\n  \"a\": 5,\n\n  'b': \"x\ny\", c: 1}"),
                              &errors, &errors};
    const struct nu_doc_node *root = nu_doc_parse_json(&in);
    assert_int_equal(root->first->key_line, 2);
    assert_int_equal(root->first->key_column, 3);
    assert_int_equal(root->first->at.column, 8);
    assert_int_equal(root->last->key_line, 5);
    assert_int_equal(root->last->key_column, 5);
    nu_arena_finish(&arena);
}

TEST_MAIN()
