/* SPDX-License-Identifier: Apache-2.0 */
/* Path rules. The expected texts are what an Envoy 1.36 forwards for the same request. */
#include "harness/test.h"

#include "http/path.h"

static struct nu_arena arena;

struct pair {
    const char *in;
    const char *out; /* NULL: refused */
};

static const char *apply(const struct nu_path_rules *rules, const char *in,
                         enum nu_path_verdict *verdict)
{
    struct nu_str path = nu_str_from(in);
    *verdict = nu_path_apply(rules, &arena, &path);
    return nu_arena_dup(&arena, path).ptr;
}

static void check(const struct nu_path_rules *rules, const struct pair *pairs, size_t count)
{
    nu_arena_init(&arena);
    for (size_t i = 0; i < count; i++) {
        enum nu_path_verdict verdict;
        const char *out = apply(rules, pairs[i].in, &verdict);
        if (pairs[i].out)
            assert_str(nu_str_from(out), pairs[i].out);
        if ((verdict == NU_PATH_REJECT) != !pairs[i].out)
            fail_msg("%s: wrong verdict", pairs[i].in);
    }
    nu_arena_finish(&arena);
}

static const struct nu_path_rules normalize_only = {.normalize = true};
#define CHECK_NORMALIZED(...) \
    static const struct pair pairs[] = {__VA_ARGS__}; \
    check(&normalize_only, pairs, NU_ARRAY_LEN(pairs))

TEST(normalize_removes_dot_segments)
{
    CHECK_NORMALIZED({"/a/.", "/a/"}, {"/a/..", "/"}, {"/a/../", "/"}, {"/..", "/"},
                     {"/../..", "/"}, {"/../a", "/a"}, {"/a/./b", "/a/b"}, {"/a//../b", "/a/b"},
                     {"/a///../b", "/a//b"}, {"/a/b/../../../c", "/c"}, {"//../a", "/a"},
                     {"/a/./../b", "/b"}, {"/a/.//../b", "/a/b"}, {"/.", "/"},
                     {"/mid/content=5/../6", "/mid/6"});
}

TEST(normalize_keeps_names_that_only_contain_dots)
{
    CHECK_NORMALIZED({"/a/.../b", "/a/.../b"}, {"/a/..b", "/a/..b"}, {"/a/b..", "/a/b.."},
                     {"/.a", "/.a"}, {"/a/..;x/b", "/a/..;x/b"}, {"/a.b/c.d", "/a.b/c.d"});
}

TEST(normalize_sees_escaped_dots_but_not_escaped_slashes)
{
    CHECK_NORMALIZED({"/a/%2e%2E/b", "/b"}, {"/a/.%2e/b", "/b"}, {"/a/%2e/b", "/a/b"},
                     {"/a/%2e%2e%2fb", "/a/..%2fb"}, {"/a%2f..%2fb", "/a%2f..%2fb"},
                     {"/..%5c", "/..%5c"}, {"/a/%252e%252e/b", "/a/%252e%252e/b"});
}

TEST(normalize_turns_backslashes_into_slashes)
{
    CHECK_NORMALIZED({"/a\\b", "/a/b"}, {"/a/\\..\\b", "/a/b"}, {"/a\\b\\..\\c", "/a/c"},
                     {"/a/..\\b", "/b"}, {"/a?x=\\y", "/a?x=\\y"});
}

TEST(normalize_leaves_the_query_alone)
{
    CHECK_NORMALIZED({"/a?x/../y", "/a?x/../y"}, {"/a/..?x=|", "/?x=|"},
                     {"/a/b/..?%41/../", "/a/?%41/../"}, {"/?", "/?"});
}

TEST(normalize_unescapes_unreserved_characters_only)
{
    CHECK_NORMALIZED({"/%41%7a%30%2d%5F%7E%2e", "/Az0-_~."}, {"/%2f%5c%20%25", "/%2f%5c%20%25"},
                     {"/%c3%a9", "/%c3%a9"}, {"/%21%3a", "/%21%3a"});
}

TEST(normalize_escapes_what_a_path_may_not_hold)
{
    CHECK_NORMALIZED({"/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D"}, {"/\xc3\xa9", "/%C3%A9"},
                     {"/[]'()*+,;=:@!$&", "/[]'()*+,;=:@!$&"});
}

TEST(normalize_passes_bad_escapes_and_refuses_an_escaped_nul)
{
    CHECK_NORMALIZED({"/%", "/%"}, {"/%a", "/%a"}, {"/%zz", "/%zz"}, {"/%u0041", "/%u0041"},
                     {"/a/.%2", "/a/.%2"}, {"/a%00", NULL}, {"/a/..%00", NULL});
}

TEST(normalize_makes_no_new_escapes)
{
    CHECK_NORMALIZED({"/%%34%31", "/%2541"}, {"/%4%31", "/%2541"}, {"/%%341", "/%2541"},
                     {"/%%4%31", "/%%2541"}, {"/%2%35", "/%2525"}, {"/%%30%30", "/%2500"},
                     {"/%a%47", "/%aG"}, {"/%%41%42", "/%25AB"}, {"/%%41B", "/%25AB"},
                     {"/%%41%4g", "/%A%4g"}, {"/%4%2e1", "/%4.1"});
}

TEST(normalize_does_not_copy_a_plain_path)
{
    nu_arena_init(&arena);
    struct nu_str path = NU_STR("/static/app.min.js?v=%31");
    const char *before = path.ptr;
    assert_true(nu_path_normalize(&arena, &path));
    assert_ptr_equal(path.ptr, before);
    nu_arena_finish(&arena);
}

TEST(normalize_leaves_the_asterisk_form_alone)
{
    CHECK_NORMALIZED({"*", "*"}, {"", ""});
}

TEST(merge_slashes_joins_runs_before_the_query)
{
    static const struct nu_path_rules rules = {.merge_slashes = true};
    static const struct pair pairs[] = {
        {"/a//b", "/a/b"},  {"//a///b//", "/a/b/"}, {"/a//b?x//y", "/a/b?x//y"},
        {"/?a//", "/?a//"}, {"/a/%2fb", "/a/%2fb"}, {"//", "//"},
        {"///?x", "//?x"},  {"//..//a", "/../a"},   {"/a", "/a"},
    };
    check(&rules, pairs, NU_ARRAY_LEN(pairs));
}

TEST(escaped_slashes_are_rejected)
{
    static const struct nu_path_rules rules = {.escaped_slashes = NU_ESCAPED_SLASHES_REJECT};
    static const struct pair pairs[] = {
        {"/a%2fb", NULL}, {"/a%5Cb", NULL},         {"/a?x%2fy", "/a?x%2fy"},
        {"/a%2", "/a%2"}, {"/a%252fb", "/a%252fb"},
    };
    check(&rules, pairs, NU_ARRAY_LEN(pairs));
}

TEST(escaped_slashes_are_unescaped_before_normalisation)
{
    static const struct nu_path_rules rules = {
        .escaped_slashes = NU_ESCAPED_SLASHES_FORWARD, .normalize = true, .merge_slashes = true};
    static const struct pair pairs[] = {
        {"/a%2f..%2fb", "/b"}, {"/a%5Cb", "/a/b"},        {"/a/%2e%2e%2fb", "/b"},
        {"/a%2f%2fb", "/a/b"}, {"/a%2f%5c%2F%5C", "/a/"}, {"/a%2fb?x%2fy", "/a/b?x%2fy"},
        {"/%2f", "//"},
    };
    check(&rules, pairs, NU_ARRAY_LEN(pairs));
}

TEST(escaped_slashes_redirect_to_the_final_path)
{
    static const struct nu_path_rules rules = {.escaped_slashes = NU_ESCAPED_SLASHES_REDIRECT,
                                               .normalize = true};
    enum nu_path_verdict verdict;
    nu_arena_init(&arena);
    assert_str(nu_str_from(apply(&rules, "/a/%2e%2e%2Fb?u=v", &verdict)), "/b?u=v");
    assert_int_equal(verdict, NU_PATH_REDIRECT);
    assert_str(nu_str_from(apply(&rules, "/a/../b", &verdict)), "/b");
    assert_int_equal(verdict, NU_PATH_ACCEPT);
    nu_arena_finish(&arena);
}

TEST(fragments_are_refused_or_stripped)
{
    static const struct nu_path_rules reject = {0};
    static const struct nu_path_rules strip = {.strip_fragment = true};
    static const struct pair rejected[] = {{"/a#b", NULL}, {"/a?x#y", NULL}, {"/a%23b", "/a%23b"}};
    static const struct pair stripped[] = {
        {"/a#b", "/a"}, {"/a?x#y", "/a?x"}, {"/a#b?c", "/a"}, {"/#", "/"}};
    check(&reject, rejected, NU_ARRAY_LEN(rejected));
    check(&strip, stripped, NU_ARRAY_LEN(stripped));
}

TEST(paths_are_split_at_the_query)
{
    assert_str(nu_path_without_query(NU_STR("/a?b?c")), "/a");
    assert_str(nu_path_query(NU_STR("/a?b?c")), "?b?c");
    assert_int_equal(nu_path_query(NU_STR("/a")).len, 0);
    assert_str(nu_path_without_query_and_fragment(NU_STR("/a#b?c")), "/a");
    assert_str(nu_path_without_query_and_fragment(NU_STR("/a?b#c")), "/a");
    assert_str(nu_path_without_parameters(NU_STR("/a;x=1/b")), "/a");
}

TEST_MAIN()
