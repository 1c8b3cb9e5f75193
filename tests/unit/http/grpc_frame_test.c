/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in a body of gRPC, as an Envoy 1.36 takes them. */
#include "harness/test.h"

#include "http/grpc_frame.h"

/* What a reader makes of a body: the messages in brackets, then why there is no further one. */
static const char *read_all(struct nu_grpc_reader *reader, struct nu_str body)
{
    static const char *const ends[] = {
        [NU_GRPC_READ_MORE] = "more",
        [NU_GRPC_READ_TOO_LONG] = "too long",
        [NU_GRPC_READ_BROKEN] = "broken",
    };
    static char out[256];
    size_t len = 0;
    enum nu_grpc_read end;
    struct nu_buf message = {0};
    nu_buf_append(&reader->bytes, body);
    while ((end = nu_grpc_reader_next(reader, &message)) == NU_GRPC_READ_MESSAGE) {
        char bytes[64];
        size_t n = nu_buf_copy_out(&message, 0, bytes, sizeof(bytes));
        len += (size_t)snprintf(out + len, sizeof(out) - len, "[%.*s] ", (int)n, bytes);
        nu_buf_clear(&message);
    }
    snprintf(out + len, sizeof(out) - len, "%s", ends[end]);
    return out;
}

static const char *read_body(struct nu_str body)
{
    struct nu_grpc_reader reader = {.max_bytes = 8};
    const char *out = read_all(&reader, body);
    nu_buf_clear(&reader.bytes);
    return out;
}

TEST(a_head_is_read_as_it_was_written)
{
    char head[NU_GRPC_HEAD_BYTES];
    nu_grpc_head_write(0x01020384, head);
    assert_memory_equal(head, "\0\1\2\3\x84", sizeof(head));
    assert_int_equal(nu_grpc_head_read(head).length, 0x01020384);
    assert_int_equal(nu_grpc_head_read("\1\xff\xff\xff\xff").flags, 1);
    assert_int_equal(nu_grpc_head_read("\1\xff\xff\xff\xff").length, UINT32_MAX);
}

TEST(messages_come_out_one_by_one)
{
    assert_string_equal(read_body(NU_STR("\0\0\0\0\3one\0\0\0\0\0\0\0\0\0\2ab\0\0")),
                        "[one] [] [ab] more");
}

TEST(a_message_in_pieces_comes_out_when_it_is_whole)
{
    struct nu_grpc_reader reader = {.max_bytes = 8};
    assert_string_equal(read_all(&reader, NU_STR("\0\0\0")), "more");
    assert_string_equal(read_all(&reader, NU_STR("\0\4ab")), "more");
    assert_string_equal(read_all(&reader, NU_STR("cd\0")), "[abcd] more");
    assert_int_equal(reader.bytes.len, 1);
    nu_buf_clear(&reader.bytes);
}

TEST(a_message_over_the_limit_is_told_by_its_head)
{
    assert_string_equal(read_body(NU_STR("\0\0\0\0\x8"
                                         "12345678")),
                        "[12345678] more");
    assert_string_equal(read_body(NU_STR("\0\0\0\0\x9")), "too long");
    assert_string_equal(read_body(NU_STR("\0\xff\xff\xff\xff")), "too long");
}

TEST(a_compressed_message_is_refused_unless_it_is_empty)
{
    assert_string_equal(read_body(NU_STR("\1\0\0\0\1x")), "broken");
    assert_string_equal(read_body(NU_STR("\1\0\0\0\0")), "[] more");
    assert_string_equal(read_body(NU_STR("\2\0\0\0\0")), "broken");
    assert_string_equal(read_body(NU_STR("\0\0\0\0\1a\x80\0\0\0\0")), "[a] broken");
}

TEST_MAIN()
