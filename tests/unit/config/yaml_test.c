/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML reader: the same kinds of scalars as Envoy's, and bounds on what a file can ask for. */
#include "harness/doc.h"

TEST(plain_scalars_are_typed_as_envoy_does_it)
{
    static const struct doc_case cases[] = {
        {"[~, null, Null, NULL, ]", "[null,null,null,null]"},
        {"a:\nb: ", "{\"a\":null,\"b\":null}"},
        {"[nULL]", "[\"nULL\"]"},
        {"[true, True, TRUE, yes, on, y, Y]", "[true,true,true,true,true,true,true]"},
        {"[false, No, OFF, n]", "[false,false,false,false]"},
        {"[tRue, yEs, oN]", "[\"tRue\",\"yEs\",\"oN\"]"},
        {"[5, -7, +5, -0]", "[5,-7,5,0]"},
        {"[0x10, -0x10, 017]", "[16,-16,15]"},
        {"[2147483647, -2147483648]", "[2147483647,-2147483648]"},
        {"[2147483648, 0xffffffff]", "[\"2147483648\",\"4294967295\"]"},
        {"[18446744073709551615]", "[\"18446744073709551615\"]"},
        {"[08, 0o17, 1_000, 1e3, 5.5, .inf, 0x]",
         "[\"08\",\"0o17\",\"1_000\",\"1e3\",\"5.5\",\".inf\",\"0x\"]"},
        {"[2001-01-01, a b, 1 2]", "[\"2001-01-01\",\"a b\",\"1 2\"]"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(quotes_and_blocks_make_strings)
{
    static const struct doc_case cases[] = {
        {"['5', \"true\", 'null', \"\"]", "[\"5\",\"true\",\"null\",\"\"]"},
        {"a: |\n  5\n", "{\"a\":\"5\\n\"}"},
        {"a: >-\n  5\n", "{\"a\":\"5\"}"},
        {"a: \"\\u00e9\\n\"", "{\"a\":\"\xc3\xa9\\n\"}"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(tags_do_not_change_the_kind_but_undo_quotes)
{
    static const struct doc_case cases[] = {
        {"[!!str 5, !foo yes]", "[5,true]"},
        {"[!!int \"5\", !!bool 'on']", "[5,true]"},
        {"[! 5, ! true, ! '5']", "[\"5\",\"true\",\"5\"]"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(keys_are_texts)
{
    static const struct doc_case cases[] = {
        {"{5: a, on: b, ~: c, 0x10: d, 'q': e}",
         "{\"5\":\"a\",\"on\":\"b\",\"null\":\"c\",\"0x10\":\"d\",\"q\":\"e\"}"},
        {"{? [a] : b}", "error: t:1:4: YAML: a key must be a scalar"},
        {"{a:1}", "{\"a:1\":null}"},
        {"{\"a\":1}", "{\"a\":1}"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(members_tagged_ignore_are_left_out_and_may_hold_anchors)
{
    static const struct doc_case cases[] = {
        {"{!ignore a: {x: 1}, b: 2}", "{\"b\":2}"},
        {"!ignore a: &x {q: 1}\nb: *x\n", "{\"b\":{\"q\":1}}"},
        {"a: !ignore 5", "{\"a\":5}"},
        {"[!ignore {a: 1}]", "[{\"a\":1}]"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(aliases_repeat_their_anchor)
{
    static const struct doc_case cases[] = {
        {"[&x {a: 1}, *x, *x]", "[{\"a\":1},{\"a\":1},{\"a\":1}]"},
        {"[&x 5, *x]", "[5,5]"},
        {"[&x 1, &x 2, *x]", "[1,2,2]"},
        {"a: &k b\n*k : 1", "{\"a\":\"b\",\"b\":1}"},
        {"a: &x {q: 1}\nb: {<<: *x, r: 2}", "{\"a\":{\"q\":1},\"b\":{\"<<\":{\"q\":1},\"r\":2}}"},
        {"[*x]", "error: t:1:2: YAML: no anchor is called \"x\""},
        {"&x [*x]", "error: t:1:5: YAML: the alias \"x\" stands inside its anchor"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(aliases_of_aliases_cannot_grow_without_bound)
{
    struct nu_strbuf text = {0};
    nu_strbuf_add_cstr(&text, "- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        nu_strbuf_addf(&text, "- &a%d [", i);
        for (int j = 0; j < 10; j++)
            nu_strbuf_addf(&text, "*a%d, ", i - 1);
        nu_strbuf_add_cstr(&text, "]\n");
    }
    assert_doc(nu_doc_parse_yaml, text.data,
               "error: t:7:43: YAML: aliases expand to more than 10000000 nodes");
    nu_strbuf_finish(&text);
}

TEST(the_last_of_equal_keys_counts_and_is_warned_of)
{
    static const struct doc_case cases[] = {
        {"{a: 1, b: 2, a: 3}",
         "{\"b\":2,\"a\":3} warning: t:1:14: the key \"a\" was given before, at line 1"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(equal_keys_are_found_in_large_maps_too)
{
    struct nu_strbuf text = {0};
    struct nu_strbuf expected = {0};
    nu_strbuf_add_char(&expected, '{');
    for (int i = 0; i < 40; i++) {
        nu_strbuf_addf(&text, "k%d: 1\n", i);
        if (i != 3)
            nu_strbuf_addf(&expected, "\"k%d\":1,", i);
    }
    nu_strbuf_add_cstr(&text, "k3: 2\n");
    nu_strbuf_add_cstr(&expected,
                       "\"k3\":2} warning: t:41:1: the key \"k3\" was given before, at line 4");
    assert_doc(nu_doc_parse_yaml, text.data, expected.data);
    nu_strbuf_finish(&text);
    nu_strbuf_finish(&expected);
}

TEST(only_the_first_document_is_read)
{
    static const struct doc_case cases[] = {
        {"a: 1\n---\nb: [", "{\"a\":1}"},
        {"%YAML 1.2\n---\na: 1", "{\"a\":1}"},
        {"", "null"},
        {"# only a comment\n", "null"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{\"a\":1}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(tabs_between_tokens_are_let_pass)
{
    static const struct doc_case cases[] = {
        {"a:\n\t\t  # note\n  b: 1\n", "{\"a\":{\"b\":1}}"},
        {"a:\n  \t# note\n  b: 1\n", "{\"a\":{\"b\":1}}"},
        {"a:\n\t\n  b: 1\n", "{\"a\":{\"b\":1}}"},
        {"a:\r\n\t\r\n  b: 1\r\n", "{\"a\":{\"b\":1}}"},
        {"\t\na: 1", "{\"a\":1}"},
        {"\xef\xbb\xbf\t\na: b # \xc3\xa9\n\t# c\nd: 1", "{\"a\":\"b\",\"d\":1}"},
        {"a: \"\xc3\xa9\"\n \t\n\t# c\nb: '1'\n\t", "{\"a\":\"\xc3\xa9\",\"b\":\"1\"}"},
        {"{a: [b,\n\tc]}\n\t\n", "{\"a\":[\"b\",\"c\"]}"},
        {"a: {b: c}\n\t# d\ne: f", "{\"a\":{\"b\":\"c\"},\"e\":\"f\"}"},
        {"a:\n\tb: 1\n", "error: t:2:1: YAML: lines are indented by blanks, this one has a tab"},
        {"a: b\nc: @d\n",
         "error: t:2:4: YAML: found character that cannot start any token, while scanning for the "
         "next token that began at line 2"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(tabs_in_scalars_stay)
{
    static const struct doc_case cases[] = {
        {"a: \"b\n\t# c\n\td\"", "{\"a\":\"b # c d\"}"},
        {"a: 'b\n\t# c\n\t\n  \td'", "{\"a\":\"b # c\\nd\"}"},
        {"a: \"b\\\n\t# c\"", "{\"a\":\"b# c\"}"},
        {"a: |\n  b\n  \t# c\n  \t\n   \td\n", "{\"a\":\"b\\n\\t# c\\n\\t\\n \\td\\n\"}"},
        {"a: >\n  b\n  \t# c\n  \td\n", "{\"a\":\"b\\n\\t# c\\n\\td\\n\"}"},
        {"a: b\n  \tc\n", "{\"a\":\"b c\"}"},
        {"\t\na: \"b\xe2\x80\xa8\xc2\x85\"\nc: |\n d\n \t# e\n",
         "{\"a\":\"b\xe2\x80\xa8\\n\",\"c\":\"d\\n\\t# e\\n\"}"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

/* As in Envoy: a plain or a block scalar reads on, and a tab is none of the blanks it looks for. */
TEST(tabs_behind_scalars_that_read_on_are_refused)
{
    static const struct doc_case cases[] = {
        {"a: b\n\t# c\nd: e\n",
         "error: t:2:1: YAML: lines are indented by blanks, this one has a tab"},
        {"a: b\n\n\t\nd: e\n",
         "error: t:3:1: YAML: lines are indented by blanks, this one has a tab"},
        {"a: |\n  b\n\t# c\nd: e\n",
         "error: t:3:1: YAML: lines are indented by blanks, this one has a tab"},
        {"a: |\n  b\n \t# c\n  d\n",
         "error: t:3:2: YAML: lines are indented by blanks, this one has a tab"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(a_plain_address_may_begin_with_colons_in_brackets)
{
    static const struct doc_case cases[] = {
        {"{a: ::1, b: ::ffff:1.2.3.4 }", "{\"a\":\"::1\",\"b\":\"::ffff:1.2.3.4\"}"},
        {"[::1, ::2, \"::3\", '\xc3\xa9', ::4%lo]",
         "[\"::1\",\"::2\",\"::3\",\"\xc3\xa9\",\"::4%lo\"]"},
        {"\xef\xbb\xbf{a: # \xc3\xa9\n  ::1}", "{\"a\":\"::1\"}"},
        {"{a: b, ::1: c}", "{\"a\":\"b\",\"::1\":\"c\"}"},
        {"{a::1, b: fe80::1}", "{\"a::1\":null,\"b\":\"fe80::1\"}"},
        {"a: ::1\nb: \"[ ::1]\"", "{\"a\":\"::1\",\"b\":\"[ ::1]\"}"},
        {"{a: &x ::1}", "error: t:1:8: YAML: in brackets, quote what begins with a colon"},
        {"[:1]", "error: t:1:2: YAML: in brackets, quote what begins with a colon"},
        {"{a: b\nc: d}", "error: t:2:2: YAML: did not find expected ',' or '}', while parsing a "
                         "flow mapping that began at line 1"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(errors_say_where)
{
    static const struct doc_case cases[] = {
        {"a: [1, 2", "error: t:1:4: YAML: the list that begins here has no end"},
        {"a: [1, {b: 2]\n", "error: t:1:13: YAML: did not find expected ',' or '}', while parsing "
                            "a flow mapping that began at line 1"},
        {"a:\n  {", "error: t:2:3: YAML: the object that begins here has no end"},
        {"{a: {}\n# b\n", "error: t:1:1: YAML: the object that begins here has no end"},
        {"a: 1\n b: 2\n", "error: t:2:3: YAML: mapping values are not allowed in this context"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(bytes_that_are_no_text_are_named_with_their_place)
{
    static const struct doc_case cases[] = {
        {"\xff", "error: t:1:1: YAML: invalid leading UTF-8 octet: 0xff at byte 0"},
        {"\xef\xbb\xbf\xff", "error: t:1:1: YAML: invalid leading UTF-8 octet: 0xff at byte 3"},
        {"a: \x01", "error: t:1:4: YAML: control characters are not allowed: 0x01 at byte 3"},
        {"a:\r\n \xc3\xa9\x7f",
         "error: t:2:3: YAML: control characters are not allowed: 0x7f at byte 7"},
        {"a:\n\n\x1b", "error: t:3:1: YAML: control characters are not allowed: 0x1b at byte 4"},
        {"a\xc3", "error: t:1:2: YAML: incomplete UTF-8 octet sequence at byte 1"},
        {"\xff\xfe\x01", "error: t: YAML: incomplete UTF-16 character at byte 2"},
    };
    check_doc_cases(nu_doc_parse_yaml, cases);
}

TEST(nesting_is_bounded)
{
    struct nu_strbuf text = {0};
    struct nu_strbuf expected = {0};
    for (int i = 0; i < 100; i++)
        nu_strbuf_add_char(&text, '[');
    nu_strbuf_add(&expected, nu_strbuf_str(&text));
    for (int i = 0; i < 100; i++) {
        nu_strbuf_add_char(&text, ']');
        nu_strbuf_add_char(&expected, ']');
    }
    assert_doc(nu_doc_parse_yaml, text.data, expected.data);
    nu_strbuf_finish(&expected);
    nu_strbuf_clear(&text);
    for (int i = 0; i < 200; i++)
        nu_strbuf_add_char(&text, '[');
    assert_doc(nu_doc_parse_yaml, text.data, "error: t:1:101: nested more than 100 levels deep");
    nu_strbuf_finish(&text);
}

TEST(nodes_know_where_they_and_their_keys_stand)
{
    struct nu_arena arena;
    struct nu_error_list errors = {0};
    nu_arena_init(&arena);
    struct nu_doc_input in = {&arena, "t", NU_STR("a:\n  - x\n  - bcd: 5\n"), &errors, &errors};
    const struct nu_doc_node *root = nu_doc_parse_yaml(&in);
    const struct nu_doc_node *second = root->first->first->next;
    assert_int_equal(second->first->key_line, 3);
    assert_int_equal(second->first->key_column, 5);
    assert_int_equal(second->first->at.line, 3);
    assert_int_equal(second->first->at.column, 10);
    assert_string_equal(second->first->at.source, "t");
    nu_arena_finish(&arena);
}

TEST_MAIN()
