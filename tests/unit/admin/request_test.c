/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its handler: parameters, methods, paths. */
#include "fixture.h"

static void check_params(const char *text, const char *const *expected, size_t count)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_admin_request request = {.arena = &arena};
    nu_admin_parse_params(&request, nu_str_from(text));
    assert_int_equal(request.param_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_str(request.params[i].name, expected[2 * i]);
        assert_str(request.params[i].value, expected[2 * i + 1]);
    }
    nu_arena_finish(&arena);
}

TEST(parameters_are_split_and_decoded)
{
    check_params("", NULL, 0);
    check_params("a", (const char *const[]){"a", ""}, 1);
    check_params("a=1&b=2", (const char *const[]){"a", "1", "b", "2"}, 2);
    check_params("&&a=1&", (const char *const[]){"a", "1"}, 1);
    check_params("a=b=c", (const char *const[]){"a", "b=c"}, 1);
    check_params("%61+b=%3d%26%", (const char *const[]){"a b", "=&%"}, 1);
    check_params("a=%4", (const char *const[]){"a", "%4"}, 1);
    check_params("a=%zz", (const char *const[]){"a", "%zz"}, 1);
    check_params("=x", (const char *const[]){"", "x"}, 1);
}

TEST(the_first_of_parameters_with_one_name_counts)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_admin_request request = {.arena = &arena};
    nu_admin_parse_params(&request, NU_STR("x=1&x=2"));
    assert_str(nu_admin_param(&request, "x"), "1");
    assert_true(nu_admin_has_param(&request, "x"));
    assert_false(nu_admin_has_param(&request, "y"));
    nu_arena_finish(&arena);
}

TEST(the_table_is_sorted_and_complete)
{
    for (const struct nu_admin_path *row = nu_admin_paths; row->path; row++) {
        assert_non_null(row->help);
        assert_non_null(row->handle);
        if (row[1].path)
            assert_true(strcmp(row->path, row[1].path) < 0);
        assert_ptr_equal(nu_admin_find_path(nu_str_from(row->path)), row);
    }
    assert_null(nu_admin_find_path(NU_STR("/ready/")));
    assert_null(nu_admin_find_path(NU_STR("")));
}

TEST(what_changes_something_wants_post)
{
    struct admin_fixture f;
    admin_open(&f);
    assert_answer(&f, "GET", "/quitquitquit", 405, "Method GET not allowed, POST required.");
    assert_answer(&f, "PUT", "/quitquitquit", 405, "Method PUT not allowed, POST required.");
    assert_int_equal(f.quits, 0);
    assert_answer(&f, "POST", "/quitquitquit", 200, "OK\n");
    assert_int_equal(f.quits, 1);
    admin_close(&f);
}

TEST(only_allowed_paths_are_answered_when_some_are_named)
{
    struct admin_fixture f;
    struct nu_string_matcher ready = {.kind = NU_STRING_MATCH_EXACT, .text = NU_STR("/ready")};
    admin_open(&f);
    f.admin.allowed_paths = (struct nu_string_matcher_list){.items = &ready, .count = 1};
    assert_answer(&f, "GET", "/ready", 200, "LIVE\n");
    assert_answer(&f, "POST", "/quitquitquit", 403, "request to path /quitquitquit not allowed");
    assert_answer(&f, "GET", "/nosuch", 403, "request to path /nosuch not allowed");
    assert_int_equal(f.quits, 0);
    admin_close(&f);
}

TEST(each_state_has_its_answer)
{
    static const struct {
        enum nu_server_state state;
        uint32_t status;
        const char *text;
    } cases[] = {
        {NU_SERVER_LIVE, 200, "LIVE\n"},
        {NU_SERVER_DRAINING, 503, "DRAINING\n"},
        {NU_SERVER_PRE_INITIALIZING, 503, "PRE_INITIALIZING\n"},
        {NU_SERVER_INITIALIZING, 503, "INITIALIZING\n"},
    };
    struct admin_fixture f;
    admin_open(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        f.state = cases[i].state;
        assert_answer(&f, "GET", "/ready", cases[i].status, cases[i].text);
    }
    admin_close(&f);
}

TEST(how_to_drain_is_read_from_the_parameters)
{
    struct admin_fixture f;
    admin_open(&f);
    assert_answer(&f, "POST", "/drain_listeners?skip_exit", 400, "skip_exit requires graceful\n");
    assert_int_equal(f.drains, 0);
    assert_answer(&f, "POST", "/drain_listeners?inboundonly", 200, "OK\n");
    assert_true(f.drain.inbound_only && !f.drain.graceful && !f.drain.skip_exit);
    assert_answer(&f, "POST", "/drain_listeners?graceful&skip_exit=", 200, "OK\n");
    assert_true(!f.drain.inbound_only && f.drain.graceful && f.drain.skip_exit);
    admin_close(&f);
}

TEST_MAIN()
