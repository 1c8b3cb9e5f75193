/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-like values: order, lookup, merging, and the text that Envoy gives them. */
#include "harness/test.h"

#include <math.h>

#include "base/value.h"

static struct nu_arena arena;
static struct nu_strbuf out;

static struct nu_str json(const struct nu_value *value)
{
    nu_strbuf_clear(&out);
    nu_value_to_json(value, &out);
    return nu_strbuf_str(&out);
}

static struct nu_value text(const char *s)
{
    return nu_value_string(nu_str_from(s));
}

static void drop(void)
{
    nu_arena_finish(&arena);
    nu_strbuf_finish(&out);
}

TEST(a_struct_keeps_its_fields_sorted_whatever_the_order_of_setting)
{
    struct nu_value s = nu_value_struct();
    const char *names[] = {"m", "a", "z", "c", "b", "", "aa", "y", "x"};
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++)
        nu_value_set(&s, &arena, nu_str_from(names[i]), nu_value_number((double)i));
    nu_value_set(&s, &arena, NU_STR("a"), nu_value_bool(true));
    assert_str(json(&s),
               "{\"\":5,\"a\":true,\"aa\":6,\"b\":4,\"c\":3,\"m\":0,\"x\":8,\"y\":7,\"z\":2}");
    drop();
}

TEST(find_follows_a_path_and_stops_at_what_is_no_struct)
{
    struct nu_value inner = nu_value_struct();
    nu_value_set(&inner, &arena, NU_STR("k"), text("v"));
    struct nu_value outer = nu_value_struct();
    nu_value_set(&outer, &arena, NU_STR("in"), inner);
    const struct nu_str path[] = {NU_STR_INIT("in"), NU_STR_INIT("k"), NU_STR_INIT("deeper")};
    assert_ptr_equal(nu_value_find(&outer, path, 0), &outer);
    assert_str(nu_value_text(nu_value_find(&outer, path, 2)), "v");
    assert_null(nu_value_find(&outer, path, 3));
    assert_null(nu_value_find(&outer, path + 1, 1));
    assert_null(nu_value_get(NULL, NU_STR("k")));
    drop();
}

TEST(numbers_take_the_shorter_of_fixed_and_scientific)
{
    static const struct {
        double number;
        const char *expected; /* seen in a JSON log of Envoy 1.36.4 */
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {10000, "10000"},
        {100000, "1e+05"},
        {120000, "120000"},
        {1200000, "1200000"},
        {-100000, "-1e+05"},
        {0.001, "0.001"},
        {0.0001, "1e-04"},
        {0.00012, "0.00012"},
        {1.1e-5, "1.1e-05"},
        {100.5, "100.5"},
        {1.0 / 3, "0.3333333333333333"},
        {9007199254740993.0, "9007199254740992"},
        {1.2345678901234567e20, "123456789012345667584"},
        {1.2345678901234567e22, "1.2345678901234568e+22"},
        {1e21, "1e+21"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_value number = nu_value_number(cases[i].number);
        assert_str(json(&number), cases[i].expected);
    }
    drop();
}

TEST(strings_are_escaped_as_envoy_logs_them)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"q\"\\/<>&'", "\"q\\\"\\\\/<>&'\""},
        {"\x01\x1f\b\f\n\r\t", "\"\\u0001\\u001f\\b\\f\\n\\r\\t\""},
        {"\x7f\xc2\x80\xe2\x80\xa8\xc3\xa9", "\"\x7f\xc2\x80\xe2\x80\xa8\xc3\xa9\""},
        {"\xff\"\\\n\b\r\t\x01\x1f\x7f\xc3\xa9<'/&~",
         "\"\\u00ff\\u0022\\u005c\\u000a\\u0008\\u000d\\u0009\\u0001\\u001f\\u007f\\u00c3\\u00a9<'/"
         "&~\""},
        {"\"\\\x7f\xed\xa0\x80", "\"\\u0022\\u005c\\u007f\\u00ed\\u00a0\\u0080\""},
        {"\xf4\x90\x80\x80\"", "\"\\u00f4\\u0090\\u0080\\u0080\\u0022\""},
        {"12345678\xf4\x8f\xbf\xbf\xef\xbf\xbf\"", "\"12345678\xf4\x8f\xbf\xbf\xef\xbf\xbf\\\"\""},
        {"\xff\xe9\xc3\xa9 </>\x80", "\"\\u00ff\\u00e9\\u00c3\\u00a9 </>\\u0080\""},
        {"\xff\xfe"
         "a",
         "\"\\u00ff\\u00fea\""},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_value value = text(cases[i].text);
        assert_str(json(&value), cases[i].expected);
    }
    drop();
}

TEST(a_copy_is_equal_and_shares_nothing)
{
    char bytes[] = "text";
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &arena, text(bytes));
    nu_value_add(&list, &arena, nu_value_null());
    struct nu_value original = nu_value_struct();
    nu_value_set(&original, &arena, NU_STR("l"), list);
    nu_value_set(&original, &arena, NU_STR("e"), nu_value_struct());
    struct nu_value copy = nu_value_copy(&original, &arena);
    assert_true(nu_value_eq(&original, &copy));
    bytes[0] = 'n';
    assert_false(nu_value_eq(&original, &copy));
    assert_str(json(&copy), "{\"e\":{},\"l\":[\"text\",null]}");
    drop();
}

TEST(not_a_number_equals_nothing)
{
    struct nu_value nan = nu_value_number(NAN);
    struct nu_value one = nu_value_number(1);
    assert_false(nu_value_eq(&nan, &one));
    assert_false(nu_value_eq(&nan, &nan));
    assert_true(nu_value_eq(&one, &one));
}

TEST_MAIN()
