/* SPDX-License-Identifier: Apache-2.0 */
/* The two messages of gRPC's health checks. */
#include "upstream/health/grpc_wire.h"

#include "harness/test.h"

#define READ(literal) nu_health_grpc_read(nu_str_make(literal, sizeof(literal) - 1))

TEST(request_names_the_service)
{
    struct nu_strbuf out = {0};
    nu_health_grpc_write(&out, NU_STR("svc"));
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.data, "\0\0\0\0\5\x0a\3svc", 10);
    nu_strbuf_finish(&out);
}

TEST(request_without_a_service_is_empty)
{
    struct nu_strbuf out = {0};
    nu_health_grpc_write(&out, NU_STR(""));
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "\0\0\0\0\0", 5);
    nu_strbuf_finish(&out);
}

TEST(long_name_has_a_long_length)
{
    struct nu_strbuf out = {0};
    char name[300];
    memset(name, 'n', sizeof(name));
    nu_health_grpc_write(&out, nu_str_make(name, sizeof(name)));
    assert_int_equal(out.len, 5 + 3 + 300);
    assert_memory_equal(out.data, "\0\0\0\1\x2f\x0a\xac\2", 8);
    nu_strbuf_finish(&out);
}

TEST(serving_is_status_one)
{
    assert_int_equal(READ("\0\0\0\0\2\x08\1"), NU_HEALTH_GRPC_SERVING);
}

TEST(other_statuses_are_told_apart)
{
    assert_int_equal(READ("\0\0\0\0\2\x08\0"), NU_HEALTH_GRPC_OTHER);
    assert_int_equal(READ("\0\0\0\0\2\x08\2"), NU_HEALTH_GRPC_OTHER);
    assert_int_equal(READ("\0\0\0\0\2\x08\3"), NU_HEALTH_GRPC_OTHER);
    assert_int_equal(READ("\0\0\0\0\7\x08\x81\x80\x80\x80\x10\1"), NU_HEALTH_GRPC_BROKEN);
}

TEST(last_status_of_a_message_counts)
{
    assert_int_equal(READ("\0\0\0\0\4\x08\2\x08\1"), NU_HEALTH_GRPC_SERVING);
    assert_int_equal(READ("\0\0\0\0\4\x08\1\x08\2"), NU_HEALTH_GRPC_OTHER);
}

TEST(unknown_fields_are_passed_over)
{
    assert_int_equal(READ("\0\0\0\0\x16"
                          "\x10\5\x1a\2ab\x25"
                          "1234\x29"
                          "12345678\x08\1"),
                     NU_HEALTH_GRPC_SERVING);
}

TEST(field_that_ends_behind_its_message_is_broken)
{
    assert_int_equal(READ("\0\0\0\0\3\x1a\2a"), NU_HEALTH_GRPC_BROKEN);
}

TEST(status_inside_a_group_is_another_field)
{
    assert_int_equal(READ("\0\0\0\0\4\x13\x08\1\x14"), NU_HEALTH_GRPC_OTHER);
}

TEST(groups_that_do_not_close_are_broken)
{
    assert_int_equal(READ("\0\0\0\0\3\x13\x08\1"), NU_HEALTH_GRPC_BROKEN);
    assert_int_equal(READ("\0\0\0\0\1\x14"), NU_HEALTH_GRPC_BROKEN);
}

TEST(parts_of_a_message_wait_for_more)
{
    assert_int_equal(READ(""), NU_HEALTH_GRPC_MORE);
    assert_int_equal(READ("\0\0\0"), NU_HEALTH_GRPC_MORE);
    assert_int_equal(READ("\0\0\0\0\2\x08"), NU_HEALTH_GRPC_MORE);
}

TEST(empty_messages_do_not_count)
{
    assert_int_equal(READ("\0\0\0\0\0"), NU_HEALTH_GRPC_MORE);
    assert_int_equal(READ("\0\0\0\0\0\0\0\0\0\2\x08\1"), NU_HEALTH_GRPC_SERVING);
}

TEST(second_message_is_broken)
{
    assert_int_equal(READ("\0\0\0\0\2\x08\1\0\0\0\0\2\x08\1"), NU_HEALTH_GRPC_BROKEN);
}

TEST(compressed_message_is_broken)
{
    assert_int_equal(READ("\1\0\0\0\2\x08\1"), NU_HEALTH_GRPC_BROKEN);
}

TEST(unknown_flags_are_broken_at_once)
{
    assert_int_equal(READ("\2"), NU_HEALTH_GRPC_BROKEN);
}

TEST(varints_that_do_not_end_are_broken)
{
    assert_int_equal(READ("\0\0\0\0\2\x08\x81"), NU_HEALTH_GRPC_BROKEN);
    assert_int_equal(READ("\0\0\0\0\xc\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"),
                     NU_HEALTH_GRPC_BROKEN);
}

TEST(field_number_zero_is_broken)
{
    assert_int_equal(READ("\0\0\0\0\2\0\1"), NU_HEALTH_GRPC_BROKEN);
}

/* A host may send empty frames without end: each is looked at once. */
TEST(what_was_read_is_not_read_again)
{
    struct nu_health_grpc_reader reader = {0};
    char bytes[] = "\0\0\0\0\0\0\0\0\0\2\x08\1\0";
    assert_int_equal(nu_health_grpc_read_on(&reader, nu_str_make(bytes, 7)), NU_HEALTH_GRPC_MORE);
    assert_int_equal(reader.done, 5);
    bytes[0] = 2; /* it would be broken, if it were looked at */
    assert_int_equal(nu_health_grpc_read_on(&reader, nu_str_make(bytes, 12)),
                     NU_HEALTH_GRPC_SERVING);
    assert_int_equal(reader.done, 12);
    assert_int_equal(nu_health_grpc_read_on(&reader, nu_str_make(bytes, 13)),
                     NU_HEALTH_GRPC_SERVING);
}

TEST_MAIN()
