/* SPDX-License-Identifier: Apache-2.0 */
/* CEL by its own means: rows of expressions that are true, that have no value, that are none. The rows
 * say what the language's definition says; Envoy 1.36.4 answered the same where it was asked. */
#include "harness/test.h"

#include "base/alloc.h"
#include "cel/cel.h"

/* --- Names ------------------------------------------------------------------------------------ */

/* `text` is "héllo", `n` 7; `m` a map that knows every name of one letter, and cannot be walked. */
static bool find_letter(const struct nu_cel_map *map, const struct nu_cel_value *key,
                        struct nu_arena *arena, struct nu_cel_value *value)
{
    (void)map, (void)arena;
    if (key->type != NU_CEL_STRING || key->text.len != 1)
        return false;
    *value = nu_cel_string(key->text);
    return true;
}

static bool no_keys(const struct nu_cel_map *map, struct nu_arena *arena, struct nu_cel_list *keys)
{
    (void)map, (void)arena, (void)keys;
    return false;
}

static bool find_name(const struct nu_cel_source *source, struct nu_str name,
                      struct nu_arena *arena, struct nu_cel_value *value)
{
    static const struct nu_cel_map letters = {.find = find_letter, .keys = no_keys};
    (void)source, (void)arena;
    if (nu_str_eq(name, NU_STR("text")))
        *value = nu_cel_string(NU_STR("h\xc3\xa9llo"));
    else if (nu_str_eq(name, NU_STR("n")))
        *value = nu_cel_int(7);
    else if (nu_str_eq(name, NU_STR("m")))
        *value = nu_cel_map(&letters);
    else
        return false;
    return true;
}

static const struct nu_cel_source names = {.find = find_name};

static struct nu_cel *compile(const char *text)
{
    struct nu_strbuf error = {0};
    struct nu_cel *cel = nu_cel_create(nu_str_from(text), &error);
    if (!cel)
        fail_msg("%s: %s", text, error.data);
    assert_null(error.data);
    return cel;
}

static void expect_true(const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct nu_arena arena;
        nu_arena_init(&arena);
        struct nu_cel *cel = compile(rows[i]);
        struct nu_cel_value value = nu_cel_evaluate(cel, &names, &arena);
        if (value.type != NU_CEL_BOOL || !value.boolean)
            fail_msg("%s: not true: %.*s", rows[i],
                     value.type == NU_CEL_ERROR ? (int)value.text.len : 0, value.text.ptr);
        nu_cel_destroy(&cel);
        assert_null(cel);
        nu_arena_finish(&arena);
    }
}

static void expect_error(const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct nu_arena arena;
        nu_arena_init(&arena);
        struct nu_cel *cel = compile(rows[i]);
        struct nu_cel_value value = nu_cel_evaluate(cel, &names, &arena);
        if (value.type != NU_CEL_ERROR)
            fail_msg("%s: has a value of type %d", rows[i], (int)value.type);
        assert_true(value.text.len > 0);
        nu_cel_destroy(&cel);
        nu_arena_finish(&arena);
    }
}

static void expect_none(const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct nu_strbuf error = {0};
        struct nu_cel *cel = nu_cel_create(nu_str_from(rows[i]), &error);
        if (cel)
            fail_msg("%s: was compiled", rows[i]);
        assert_true(error.len > 0);
        nu_strbuf_finish(&error);
    }
}

#define EXPECT(what, ...) \
    do { \
        static const char *const rows[] = {__VA_ARGS__}; \
        expect_##what(rows, NU_ARRAY_LEN(rows)); \
    } while (0)

/* --- Syntax ----------------------------------------------------------------------------------- */

TEST(literals)
{
    EXPECT(true, "true", "!false", "null == null", "1 == 0x1", "0xFFu == 255u", "007 == 7",
           "-9223372036854775808 < 0", "1.5 == 15e-1", ".5 == 0.5", "1e999 > 1.0", "'a' == \"a\"",
           "'''a\nb''' == 'a\\nb'", "r'\\n' == '\\\\n'", "size(b'\\xff') == 1",
           "size('\\xff') == 1", "'\\u00e9' == 'é'", "'\\U0001F600' == '😀'", "'\\101' == 'A'",
           "b'\\303\\251' == bytes('é')", "br'\\x' == b'\\\\x'", "'\"' == \"\\\"\"",
           "[1, 2,] == [1, 2]", "[,] == []", "{'a': 1,} == {'a': 1}", "{,} == {}",
           "1 == 1 // and so on", "\t1\n==\r1\f");
    EXPECT(none, "", "9223372036854775808", "-9223372036854775809", "18446744073709551616u", "'a",
           "'a\nb'", "'\\q'", "'\\ud800'", "'\\400'", "'\\1'", "b'\\u0041'", "rb'a'", "@", "1.",
           "'a' 'b'", "[1,,]", "[1", "(1", "{1:}", "{'a':1,,}", "1 2", "1 +", "'\xff'");
}

TEST(names_and_fields)
{
    EXPECT(true, "n == 7", "text == 'héllo'", "m.a == 'a'", "m['b'] == 'b'", "has(m.a)",
           "!has(m.ab)", "{'as': 1}.as == 1", "{'int': 1}.int == 1", ".n == 7",
           "[1].map(n, .n + n) == [8]");
    EXPECT(error, "nothing", "nothing.a", "m.ab", "m[1]", "n.a", "has(nothing.a)", "has(n.a)",
           "size(m)", "m.all(k, true)", "'a' in 'abc'", "'a'[0]");
    EXPECT(none, "as", "import", "a.in", "a.true", "a.1", "a..b", "has(n)", "has(m['a'])", "has(1)",
           "Name{}", "a.b{c: 1}", "n{}");
}

TEST(operators_bind_as_they_should)
{
    EXPECT(true, "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "7 - 2 - 1 == 4", "8 / 2 / 2 == 2",
           "-2 + 3 == 1", "- 2 + 3 == 1", "--1 == 1", "!!true", "true || false && false",
           "!(true || false) == false", "1 < 2 == true", "1 in [1] == true", "false ? 1 : 2 == 2",
           "-n == -7", "-[1][0] == -1", "!m.a.contains('b')");
    EXPECT(none, "1 ? 2", "true ? true ? 1 : 2 : 3", "1 ? 2 : 3 ?", "!", "-", "1 ==", "== 1",
           "a && ", "|| a", "1 = 1", "a & b");
}

/* --- Values ----------------------------------------------------------------------------------- */

TEST(arithmetic)
{
    EXPECT(true, "1 + 2 == 3", "1u + 2u == 3u", "1.5 + 1.5 == 3.0", "7 % 3 == 1", "-7 % 3 == -1",
           "7 % -3 == 1", "-7 / 2 == -3", "1.0 / 0.0 > 1e308", "-(-1) == 1", "2 * 3 == 6",
           "'a' + 'b' == 'ab'", "b'a' + b'b' == b'ab'", "[1] + [2] == [1, 2]",
           "-9223372036854775807 - 1 == -9223372036854775808");
    EXPECT(error, "9223372036854775807 + 1", "-9223372036854775808 - 1", "9223372036854775807 * 2",
           "-(-9223372036854775808)", "-9223372036854775808 / -1", "-9223372036854775808 % -1",
           "18446744073709551615u + 1u", "0u - 1u", "18446744073709551615u * 2u", "1 / 0", "1 % 0",
           "1u / 0u", "1u % 0u", "1 + 1u", "1 + 1.0", "5.0 % 2.0", "'a' + 1", "-1u - 0", "-(1u)",
           "-'a'", "!1", "{} + {}");
}

TEST(equality_and_order)
{
    EXPECT(true, "1 == 1.0", "1 == 1u", "1u == 1.0", "1 != '1'", "1 != null", "[1] == [1.0]",
           "{'a': 1} == {'a': 1u}", "{'a': 1} != {'b': 1}", "[1, 2] != [1]",
           "0.0 / 0.0 != 0.0 / 0.0", "!(0.0 / 0.0 < 1.0)", "!(0.0 / 0.0 >= 1)", "1 < 2u",
           "1u < 1.5", "-1 < 1u", "-1.5 < 0u", "18446744073709551615u > 9223372036854775807",
           "9223372036854775807 < 9223372036854775808.0", "1e300 > 18446744073709551615u",
           "-1e300 < -9223372036854775808", "'a' < 'b'", "'a' < 'aa'", "b'a' < b'b'",
           "false < true", "type(1) == int", "type(type(1)) == type", "type([]) == list",
           "type({}) == map", "type(null) == null_type", "type(1u) != int");
    EXPECT(error, "'a' < 1", "null < null", "[1] < [2]", "1 < '1'", "true < 1");
}

TEST(logic_does_without_errors_that_do_not_matter)
{
    EXPECT(true, "!(false && 1 / 0 == 1)", "!(1 / 0 == 1 && false)", "true || 1 / 0 == 1",
           "1 / 0 == 1 || true", "!(1 && false)", "1 || true", "true ? true : 1 / 0 == 1",
           "nothing.a == 1 || n == 7", "!(nothing && true && false)");
    EXPECT(error, "true && 1 / 0 == 1", "1 / 0 == 1 || false", "1 && true", "1 || false",
           "1 ? true : false", "1 / 0 == 1 ? true : true");
}

TEST(lists_and_maps)
{
    EXPECT(true, "[1, 2][0] == 1", "[1, 2][1u] == 2", "[1, 2][1.0] == 2", "{'a': 1}.a == 1",
           "{1: 2}[1u] == 2", "{1: 2}[1.0] == 2", "{true: 1}[true] == 1", "1.0 in [1]",
           "!(1u in [2])", "'a' in {'a': 1}", "1.0 in {1: 1}", "!(1.5 in {1: 1})", "null in [null]",
           "has({'a': null}.a)", "size([1, 2]) == 2", "{'a': 1}.size() == 1");
    EXPECT(error, "[1][1]", "[1][-1]", "[1][0.5]", "[1]['a']", "{'a': 1}['b']", "{'a': 1}.b",
           "{1.5: 1}", "{null: 1}", "{'a': 1, 'a': 2}", "[] in {1: 1}", "1 in 1", "[1 / 0]",
           "{'a': 1 / 0}");
}

TEST(macros)
{
    EXPECT(true, "[1, 2].all(x, x > 0)", "![1, 2].all(x, x > 1)", "[].all(x, x)",
           "![0, -1].all(x, 1 / x > 0)", "[1, 2].exists(x, x == 2)", "[0, 1].exists(x, 1 / x == 1)",
           "![].exists(x, true)", "[1, 2].exists_one(x, x == 2)", "![2, 2].exists_one(x, x == 2)",
           "[1, 2].map(x, x * 2) == [2, 4]", "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
           "[1, 2, 3].filter(x, x > 1) == [2, 3]", "{'a': 1}.map(k, k) == ['a']",
           "{'a': 1, 'b': 2}.all(k, k < 'c')",
           "[[1, 2], [3]].map(x, x.map(y, y + 1)) == [[2, 3], [4]]",
           "[1].map(x, [2].map(x, x)) == [[2]]", "[1].map(x, [2].map(y, x + y)) == [[3]]",
           "[{'a': 1}].exists(x, has(x.a))");
    EXPECT(error, "[1, 0].map(x, 1 / x)", "[0, 1].exists_one(x, 1 / x == 1)", "[1].filter(x, 1)",
           "[0, 2].exists(x, 1 / x == 1)", "[1, 2].all(x, 1)", "'abc'.all(x, true)",
           "[1].map(x, 1, x)", "1.map(x, x)");
    EXPECT(none, "[1].all(x)", "[1].all(x, true, true)", "[1].map(1, 2)", "[1].all(x.y, true)",
           "all(1, 2)", "[1].map(x, 1, 2, 3)");
}

TEST(texts)
{
    EXPECT(true, "size(text) == 5", "size(bytes(text)) == 6", "text.startsWith('h')",
           "text.endsWith('lo')", "text.contains('é')", "text.contains('')", "text.matches('l+')",
           "!text.matches('^l')", "matches(text, 'h.l')", "text.matches('h' + '.')");
    EXPECT(error, "text.startsWith(1)", "size(1)", "b'a'.matches('a')", "text.matches('(')",
           "text.matches('(' + '')");
    EXPECT(none, "text.nothing()", "nothing(text)", "size()", "size(1, 2)", "int('1', '2')",
           "text.startsWith()", "'1'.int()");
}

TEST(conversions)
{
    EXPECT(true, "int('-12') == -12", "int(1.9) == 1", "int(-1.9) == -1", "int(3u) == 3",
           "int(true) == 1", "uint(1) == 1u", "uint('12') == 12u", "uint(1.9) == 1u",
           "double(1) == 1.0", "double('1.5') == 1.5", "double(' .5 ') == 0.5",
           "double('inf') > 1e308", "string(1) == '1'", "string(-1) == '-1'", "string(1u) == '1'",
           "string(1.5) == '1.5'", "string(1e20) == '1e+20'", "string(b'a') == 'a'",
           "string(true) == 'true'", "bytes('é') == b'\\303\\251'", "bool('true')", "bool('1')",
           "!bool('False')", "dyn(1) == 1", "type(dyn('a')) == string");
    EXPECT(error, "int('a')", "int('')", "int('9223372036854775808')", "int(1e19)",
           "int(0.0 / 0.0)", "int(9223372036854775808u)", "uint(-1)", "uint(-0.5)", "uint('-1')",
           "double('a')", "double('')", "string(b'\\xff')", "string(null)", "string([1])",
           "bytes(1)", "bool('yes')", "bool(1)");
}

TEST(timestamps_and_durations)
{
    EXPECT(true, "timestamp('1970-01-01T00:01:00Z') == timestamp(60)",
           "timestamp('2020-02-29T00:00:00+01:00') == timestamp('2020-02-28T23:00:00Z')",
           "int(timestamp('0001-01-01T00:00:00Z')) == -62135596800",
           "int(timestamp('9999-12-31T23:59:59Z')) == 253402300799",
           "timestamp(5) - timestamp(3) == duration('2s')",
           "timestamp(1) - duration('2s') == timestamp(-1)",
           "duration('1h') + timestamp(0) == timestamp(3600)",
           "duration('90m') == duration('1.5h')", "duration('-1.5s') < duration('-1s')",
           "duration('1s') - duration('2s') == duration('-1s')", "duration('0') == duration('0s')",
           "string(duration('1.5s')) == '1.500s'", "string(duration('-1.5s')) == '-1.500s'",
           "string(duration('1ns')) == '0.000000001s'",
           "string(timestamp('2020-01-02T04:04:05.5+01:00')) == '2020-01-02T03:04:05.500Z'",
           "duration('1h1m1s1ms1us1ns') == duration('3661001001001ns')");
    EXPECT(true, "timestamp('2024-02-29T12:34:56.789Z').getFullYear() == 2024",
           "timestamp('2024-02-29T12:34:56.789Z').getMonth() == 1",
           "timestamp('2024-02-29T12:34:56.789Z').getDate() == 29",
           "timestamp('2024-02-29T12:34:56.789Z').getDayOfMonth() == 28",
           "timestamp('2024-02-29T12:34:56.789Z').getDayOfWeek() == 4",
           "timestamp('1969-12-28T12:34:56Z').getDayOfWeek() == 0",
           "timestamp('2024-12-31T12:34:56.789Z').getDayOfYear() == 365",
           "timestamp('2024-02-29T12:34:56.789Z').getHours() == 12",
           "timestamp('2024-02-29T12:34:56.789Z').getMinutes() == 34",
           "timestamp('1969-12-31T23:59:59.5Z').getSeconds() == 59",
           "timestamp('1969-12-31T23:59:59.5Z').getMilliseconds() == 500",
           "timestamp('2024-02-29T23:34:56Z').getMonth('+01:00') == 2",
           "timestamp('2024-02-29T00:34:56Z').getDate('-01:00') == 28",
           "timestamp('2024-02-29T23:34:56Z').getMinutes('05:30') == 4",
           "timestamp('2024-02-29T23:34:56Z').getHours('UTC') == 23",
           "duration('90m30.5s').getHours() == 1", "duration('90m30.5s').getMinutes() == 90",
           "duration('-90m30.5s').getSeconds() == -5430",
           "duration('90m30.5s').getMilliseconds() == 500");
    EXPECT(error, "timestamp('2019-02-29T00:00:00Z')", "timestamp('2020-01-02')",
           "timestamp('2020-01-02T24:00:00Z')", "timestamp('0000-01-01T00:00:00Z')",
           "timestamp(253402300800)", "timestamp(1.5)", "timestamp(253402300799) + duration('1s')",
           "timestamp(1) + timestamp(1)", "duration('1s') - timestamp(0)", "duration('1')",
           "duration('')", "duration('1d')", "duration('.s')", "duration('87660001h')",
           "duration('99999999999999999999s')", "duration('1s') * 2",
           "timestamp(1) < duration('1s')", "duration('1s').getDate()",
           "timestamp(0).getHours('Nowhere')", "'a'.getHours()");
}

/* --- Bounds ----------------------------------------------------------------------------------- */

/* `count` times `part`, between the others. */
static struct nu_cel_value try_long(const char *before, const char *part, size_t count,
                                    const char *after, bool *compiled)
{
    struct nu_strbuf text = {0};
    struct nu_strbuf error = {0};
    struct nu_arena arena;
    struct nu_cel_value value = nu_cel_int(0);
    nu_strbuf_add_cstr(&text, before);
    for (size_t i = 0; i < count; i++)
        nu_strbuf_add_cstr(&text, part);
    nu_strbuf_add_cstr(&text, after);
    struct nu_cel *cel = nu_cel_create(nu_strbuf_str(&text), &error);
    *compiled = cel != NULL;
    nu_arena_init(&arena);
    if (cel)
        value = nu_cel_evaluate(cel, &names, &arena);
    nu_arena_finish(&arena);
    nu_cel_destroy(&cel);
    nu_strbuf_finish(&text);
    nu_strbuf_finish(&error);
    return value;
}

TEST(what_is_too_deep_or_too_long_is_no_expression)
{
    bool compiled;
    static const struct {
        const char *before;
        const char *part;
        const char *after;
    } rows[] = {{"", "(", "1"},    {"", "[", ""},         {"", "!", "true"},
                {"", "- ", "n"},   {"1", "+1", ""},       {"n", ".a", ""},
                {"n", "[0]", ""},  {"", "1 ? 1 : ", "1"}, {"", "[1].map(x, ", "1"},
                {"", "{1:", "1"},  {"", "size(", "'a'"},  {"'", "aaaaaaaaaaaaaaaa", "'"},
                {"[1", ",1", "]"}, {"true", "&&true", ""}};
    for (size_t i = 0; i < NU_ARRAY_LEN(rows); i++) {
        try_long(rows[i].before, rows[i].part, 20000, rows[i].after, &compiled);
        assert_false(compiled);
    }
    try_long("true", "&&true", 5000, "", &compiled);
    assert_true(compiled);
    try_long("1", "+1", 150, "", &compiled);
    assert_true(compiled);
}

TEST(an_evaluation_may_take_so_much)
{
    static const char ten[] = "[1,2,3,4,5,6,7,8,9,0]";
    bool compiled;
    struct nu_strbuf text = {0};
    for (int i = 0; i < 8; i++)
        nu_strbuf_addf(&text, "%s.all(x%d, ", ten, i);
    nu_strbuf_add_cstr(&text, "true");
    struct nu_cel_value value =
        try_long(text.data, ")", 8, " || true", &compiled); /* not to be done without */
    assert_true(compiled);
    assert_int_equal(value.type, NU_CEL_ERROR);
    nu_strbuf_clear(&text);
    nu_strbuf_add_cstr(&text, "['0123456789012345678901234567890123456789']");
    for (int i = 0; i < 30; i++)
        nu_strbuf_add_cstr(&text, ".map(x, x + x)");
    value = try_long(text.data, "", 0, "", &compiled);
    assert_true(compiled);
    assert_int_equal(value.type, NU_CEL_ERROR);
    nu_strbuf_clear(&text);
    nu_strbuf_add_cstr(&text, "[[1]]");
    for (int i = 0; i < 40; i++)
        nu_strbuf_add_cstr(&text, ".map(x, [x, x])");
    char *half = nu_strbuf_take(&text);
    nu_strbuf_addf(&text, "%s == %s", half, half);
    nu_free(half);
    value = try_long(text.data, "", 0, "", &compiled);
    assert_true(compiled);
    assert_int_equal(value.type, NU_CEL_ERROR);
    nu_strbuf_finish(&text);
}

/* --- What an evaluation may take ---------------------------------------------------------------- */

/* A map of a thousand keys, made anew for whoever asks. */
static bool thousand_keys(const struct nu_cel_map *map, struct nu_arena *arena,
                          struct nu_cel_list *keys)
{
    struct nu_cel_value *items = nu_arena_alloc(arena, 1000 * sizeof(*items));
    (void)map;
    for (int i = 0; i < 1000; i++)
        items[i] = nu_cel_string(NU_STR("a"));
    *keys = (struct nu_cel_list){1000, items};
    return true;
}

enum { LARGE = 256 * 1024, MEMORY_MAX = 16 * 1024 * 1024 };

/* `headers`, such a map; `one` and `half`, long texts of these numbers. */
static bool find_large(const struct nu_cel_source *source, struct nu_str name,
                       struct nu_arena *arena, struct nu_cel_value *value)
{
    static const struct nu_cel_map map = {.find = find_letter, .keys = thousand_keys};
    static char one[LARGE];
    static char half[LARGE];
    (void)source, (void)arena;
    memset(one, ' ', sizeof(one));
    memset(half, '0', sizeof(half));
    memcpy(half, ".5", 2);
    one[LARGE - 1] = '1';
    if (nu_str_eq(name, NU_STR("headers")))
        *value = nu_cel_map(&map);
    else if (nu_str_eq(name, NU_STR("one")))
        *value = nu_cel_string(nu_str_make(one, sizeof(one)));
    else if (nu_str_eq(name, NU_STR("half")))
        *value = nu_cel_string(nu_str_make(half, sizeof(half)));
    else
        return false;
    return true;
}

/* Whether WHAT has been found true for all of so many items, or took too much; with bounds on the memory. */
static bool is_true_of(size_t count, const char *what)
{
    static const struct nu_cel_source source = {.find = find_large};
    struct nu_strbuf text = {0};
    struct nu_arena arena;
    size_t bytes = 0;
    nu_strbuf_add_cstr(&text, "[0");
    for (size_t i = 1; i < count; i++)
        nu_strbuf_add_cstr(&text, ",0");
    nu_strbuf_addf(&text, "].all(i, %s)", what);
    struct nu_cel *cel = compile(text.data);
    nu_arena_init(&arena);
    struct nu_cel_value value = nu_cel_evaluate(cel, &source, &arena);
    for (const struct nu_block *block = arena.blocks; block; block = block->next_free)
        bytes += block->size;
    assert_true(bytes < MEMORY_MAX);
    bool is_true = value.type == NU_CEL_BOOL && value.boolean;
    if (!is_true)
        assert_str(value.text, "the evaluation takes too much");
    nu_arena_finish(&arena);
    nu_cel_destroy(&cel);
    nu_strbuf_finish(&text);
    return is_true;
}

TEST(lists_that_are_begun_and_never_made_count)
{
    struct nu_strbuf what = {0};
    nu_strbuf_add_cstr(&what, "[1/0");
    for (int i = 0; i < 14000; i++)
        nu_strbuf_add_cstr(&what, ",i");
    nu_strbuf_add_cstr(&what, "] == [] || true");
    assert_true(is_true_of(10, what.data));
    assert_false(is_true_of(10000, what.data));
    nu_strbuf_finish(&what);
}

/* Within one step of the evaluation. */
TEST(keys_that_are_compared_count)
{
    for (int count = 20; count <= 1000; count += 980) {
        struct nu_strbuf what = {0};
        nu_strbuf_add_cstr(&what, "!({'x': 1} in [headers");
        for (int i = 1; i < count; i++)
            nu_strbuf_add_cstr(&what, ", headers");
        nu_strbuf_add_cstr(&what, "])");
        assert_int_equal(is_true_of(1, what.data), count == 20);
        nu_strbuf_finish(&what);
    }
}

TEST(a_name_costs_what_its_search_does)
{
    static const struct nu_cel_source dear = {.find = find_name,
                                              .search_cost = NU_CEL_COST_MAX / 2};
    static const char *const rows[] = {"n == 7", "n == 7 && n == 7"};
    for (size_t i = 0; i < NU_ARRAY_LEN(rows); i++) {
        struct nu_arena arena;
        struct nu_cel *cel = compile(rows[i]);
        nu_arena_init(&arena);
        struct nu_cel_value value = nu_cel_evaluate(cel, &dear, &arena);
        assert_int_equal(value.type, i == 0 ? NU_CEL_BOOL : NU_CEL_ERROR);
        nu_arena_finish(&arena);
        nu_cel_destroy(&cel);
    }
}

/* One list in another, `steps` times DEEP, which no expression may be itself. */
static void add_deep(struct nu_strbuf *text, int steps)
{
    enum { DEEP = 40 };
    nu_strbuf_add_cstr(text, "[0]");
    for (int i = 0; i < steps; i++) {
        nu_strbuf_add_cstr(text, ".map(x, ");
        for (int k = 0; k < DEEP; k++)
            nu_strbuf_add_char(text, '[');
        nu_strbuf_add_char(text, 'x');
        for (int k = 0; k < DEEP; k++)
            nu_strbuf_add_char(text, ']');
        nu_strbuf_add_char(text, ')');
    }
}

TEST(how_deep_values_are_compared_has_a_bound)
{
    for (int steps = 4; steps <= 5; steps++) {
        struct nu_strbuf what = {0};
        nu_strbuf_add_cstr(&what, "[");
        add_deep(&what, steps);
        nu_strbuf_add_cstr(&what, "].all(a, a == a)");
        assert_int_equal(is_true_of(1, what.data), steps == 4);
        nu_strbuf_finish(&what);
    }
}

TEST(what_a_source_makes_counts)
{
    assert_true(is_true_of(100, "size(headers) == 1000"));
    assert_false(is_true_of(10000, "size(headers) == 1000"));
}

TEST(texts_that_are_read_count)
{
    static const char *const rows[] = {"int(one) == 1", "uint(one) == 1u",
                                       "duration(half + 's') != i",
                                       "timestamp('2026-01-01T00:00:00' + half + 'Z') != i"};
    for (size_t i = 0; i < NU_ARRAY_LEN(rows); i++) {
        assert_true(is_true_of(5, rows[i]));
        assert_false(is_true_of(100, rows[i]));
    }
}

TEST(patterns_count_for_what_they_are_made_of)
{
    assert_true(is_true_of(50, "'a'.matches('a' + 'b*')"));
    assert_false(is_true_of(200, "'a'.matches('a' + 'b*')"));
    assert_true(is_true_of(3, "!half.matches('x')"));
    assert_false(is_true_of(3, "!half.matches('(x|y|z)*(a|b)[ab]{600}c')"));
}

TEST(a_large_pattern_is_none)
{
    EXPECT(true, "'\u00e9'.matches(r'^\\pL{2}$') == false");
    EXPECT(error, "text.matches(r'(\\pL{100})')", "text.matches(r'(\\pL{10' + r'0})')");
}

TEST(so_much_of_patterns_is_compiled_ahead)
{
    struct nu_strbuf text = {0};
    for (int i = 0; i < 20; i++)
        nu_strbuf_addf(&text, "%stext.matches('^l%01000d')", i ? " || " : "", i);
    struct nu_cel *cel = compile(text.data);
    assert_int_equal(nu_cel_pattern_count(cel), 8);
    nu_cel_destroy(&cel);
    nu_strbuf_finish(&text);
}

TEST(a_value_outlives_its_expression_s_evaluation)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_cel *cel = compile("{'a': [n, text + '!']}");
    struct nu_cel_value value = nu_cel_evaluate(cel, &names, &arena);
    struct nu_cel_value key = nu_cel_string(NU_STR("a"));
    struct nu_cel_value item;
    assert_int_equal(value.type, NU_CEL_MAP);
    assert_true(value.map->find(value.map, &key, &arena, &item));
    assert_int_equal(item.type, NU_CEL_LIST);
    assert_int_equal(item.list->items[0].integer, 7);
    assert_str(item.list->items[1].text, "h\xc3\xa9llo!");
    nu_cel_destroy(&cel);
    nu_arena_finish(&arena);
}

TEST(errors_say_where_they_are)
{
    struct nu_strbuf error = {0};
    assert_null(nu_cel_create(NU_STR("1 + @"), &error));
    assert_true(nu_str_starts_with(nu_strbuf_str(&error), NU_STR("at 5: ")));
    nu_strbuf_clear(&error);
    assert_null(nu_cel_create(NU_STR("no(1)"), &error));
    assert_true(nu_str_find(nu_strbuf_str(&error), NU_STR("no")) != NU_NPOS);
    nu_strbuf_finish(&error);
}

TEST(nanoseconds)
{
    int64_t ns;
    assert_true(nu_cel_time_to_ns(nu_cel_time_from_ns(-1), &ns));
    assert_int_equal(ns, -1);
    assert_int_equal(nu_cel_time_from_ns(-1).seconds, -1);
    assert_int_equal(nu_cel_time_from_ns(-1).nanos, 999999999);
    assert_false(nu_cel_time_to_ns((struct nu_cel_time){INT64_MAX / 2, 0}, &ns));
}

TEST_MAIN()
