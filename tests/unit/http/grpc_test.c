/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's content types, statuses, messages and timeouts, as an Envoy 1.36 has them. */
#include "harness/test.h"

#include "http/grpc.h"
#include "http/headers.h"

TEST(content_types_are_told_by_the_exact_prefix)
{
    assert_true(nu_grpc_is_content_type(NU_STR("application/grpc")));
    assert_true(nu_grpc_is_content_type(NU_STR("application/grpc+proto")));
    assert_true(nu_grpc_is_content_type(NU_STR("application/grpc+json;a")));
    assert_false(nu_grpc_is_content_type(NU_STR("application/grpc;x")));
    assert_false(nu_grpc_is_content_type(NU_STR("application/grpc-web")));
    assert_false(nu_grpc_is_content_type(NU_STR("APPLICATION/GRPC")));
    assert_false(nu_grpc_is_content_type(NU_STR("")));
}

TEST(http_statuses_map_to_grpc)
{
    assert_int_equal(nu_grpc_status_from_http(400), 13);
    assert_int_equal(nu_grpc_status_from_http(401), 16);
    assert_int_equal(nu_grpc_status_from_http(403), 7);
    assert_int_equal(nu_grpc_status_from_http(404), 12);
    assert_int_equal(nu_grpc_status_from_http(429), 14);
    assert_int_equal(nu_grpc_status_from_http(503), 14);
    assert_int_equal(nu_grpc_status_from_http(500), 2);
    assert_int_equal(nu_grpc_status_from_http(200), 2);
}

TEST(grpc_statuses_map_to_http)
{
    assert_int_equal(nu_grpc_status_to_http(NU_GRPC_OK), 200);
    assert_int_equal(nu_grpc_status_to_http(NU_GRPC_UNAVAILABLE), 503);
    assert_int_equal(nu_grpc_status_to_http(NU_GRPC_UNAUTHENTICATED), 401);
    assert_int_equal(nu_grpc_status_to_http((enum nu_grpc_status)17), 500);
}

TEST(the_status_of_a_response_is_in_its_trailers_or_headers_or_follows_from_http)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_headers headers;
    struct nu_headers trailers;
    nu_headers_init(&headers, &arena, 2);
    nu_headers_init(&trailers, &arena, 2);
    int64_t status;
    assert_false(nu_grpc_response_status(NULL, NULL, 0, &status));
    assert_true(nu_grpc_response_status(&trailers, &headers, 503, &status));
    assert_int_equal(status, NU_GRPC_UNAVAILABLE);
    nu_headers_add(&headers, NU_STR("grpc-status"), NU_STR("99999999999"));
    assert_true(nu_grpc_response_status(&trailers, &headers, 503, &status));
    assert_int_equal(status, 99999999999);
    nu_headers_add(&trailers, NU_STR("grpc-status"), NU_STR("1x"));
    assert_true(nu_grpc_response_status(&trailers, &headers, 503, &status));
    assert_int_equal(status, -1);
    nu_headers_set(&trailers, NU_STR("grpc-status"), NU_STR(""));
    nu_headers_set(&headers, NU_STR("grpc-status"), NU_STR("0"));
    assert_true(nu_grpc_response_status(&trailers, &headers, 503, &status));
    assert_int_equal(status, NU_GRPC_OK);
    nu_arena_finish(&arena);
}

TEST(messages_are_percent_encoded)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_str plain = NU_STR("no healthy upstream {}");
    assert_ptr_equal(nu_grpc_message_encode(&arena, plain).ptr, plain.ptr);
    assert_str(nu_grpc_message_encode(&arena, NU_STR("a%b~\n\x7f\xc3")), "a%25b%7E%0A%7F%C3");
    nu_arena_finish(&arena);
}

TEST(timeouts_become_milliseconds_rounded_up)
{
    static const struct {
        const char *value;
        uint64_t ms;
    } cases[] = {
        {"1S", 1000},
        {"100m", 100},
        {"1H", 3600000},
        {"1M", 60000},
        {"5u", 1},
        {"1001u", 2},
        {"1n", 1},
        {"1500000n", 2},
        {"0S", 0},
        {"-0S", 0},
        {"+1S", 1000},
        {"1 S", 1000},
        {" 1S", 1000},
        {"000000001S", 1000},
        {"99999999H", 359999996400000},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        uint64_t ms;
        assert_true(nu_grpc_timeout_parse(nu_str_from(cases[i].value), &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

TEST(bad_timeouts_are_refused)
{
    static const char *const values[] = {"",    "S",    "1",          "1s", "-1S",
                                         "1Sx", "1.5S", "100000000m", "m",  "+m"};
    for (size_t i = 0; i < NU_ARRAY_LEN(values); i++) {
        uint64_t ms;
        assert_false(nu_grpc_timeout_parse(nu_str_from(values[i]), &ms));
    }
}

static struct nu_str timeout_text(uint64_t ms)
{
    static char text[NU_GRPC_TIMEOUT_LEN_MAX];
    return nu_str_make(text, nu_grpc_timeout_format(ms, text));
}

TEST(timeouts_are_written_in_at_most_eight_digits)
{
    assert_str(timeout_text(0), "0m");
    assert_str(timeout_text(3600000), "3600000m");
    assert_str(timeout_text(99999999), "99999999m");
    assert_str(timeout_text(12345678000), "12345678S");
    assert_str(timeout_text(359999996400000), "99999999H");
    assert_str(timeout_text(UINT64_MAX), "99999999H");
}

TEST_MAIN()
