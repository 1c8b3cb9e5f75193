/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that we write, as bytes and as our reader takes them. */
#include "harness/test.h"

#include "base/alloc.h"
#include "filters/listener/proxy_protocol/header.h"
#include "net/proxy_write.h"

#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"

static struct nu_address address(const char *text)
{
    struct nu_address out;
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &out), NU_OK);
    return out;
}

/* What is in the buffer, in one piece; owned by the caller. */
static struct nu_str take(struct nu_buf *buf)
{
    size_t len = buf->len;
    char *bytes = nu_alloc(len + 1);
    nu_buf_copy_out(buf, 0, bytes, len);
    nu_buf_clear(buf);
    return nu_str_make(bytes, len);
}

static void check_v1(const char *source, const char *destination, const char *expected)
{
    struct nu_proxy_data data = {.source = address(source), .destination = address(destination)};
    struct nu_buf out;
    nu_buf_init(&out);
    nu_proxy_write_v1(&data, &out);
    struct nu_str bytes = take(&out);
    assert_str(bytes, expected);
    nu_free(nu_unconst(bytes.ptr));
}

TEST(lines_of_version_1)
{
    check_v1("1.2.3.4:1000", "5.6.7.8:80", "PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n");
    check_v1("[2001:db8::1]:65535", "[::1]:0", "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n");
    check_v1("1.2.3.4:1000", "[::1]:80", "PROXY UNKNOWN\r\n");
}

TEST(version_2_without_a_client_is_local)
{
    struct nu_proxy_data mixed = {.source = address("1.2.3.4:1"),
                                  .destination = address("[::1]:1")};
    const struct nu_proxy_data *const list[] = {NULL, &mixed};
    for (size_t i = 0; i < NU_ARRAY_LEN(list); i++) {
        struct nu_buf out;
        nu_buf_init(&out);
        assert_true(nu_proxy_write_v2(list[i], &out));
        struct nu_str bytes = take(&out);
        assert_true(nu_str_eq(bytes, NU_STR(SIGNATURE "\x20\x00\x00\x00")));
        nu_free(nu_unconst(bytes.ptr));
    }
}

TEST(version_2_is_read_again_as_it_was_written)
{
    static const struct nu_proxy_tlv tlvs[] = {{1, NU_STR_INIT("h2")}, {0xea, {"", 0}}};
    static const char *const pairs[][2] = {{"1.2.3.4:1000", "5.6.7.8:80"},
                                           {"[2001:db8::1]:65535", "[::2]:1"}};
    for (size_t i = 0; i < NU_ARRAY_LEN(pairs); i++) {
        struct nu_proxy_data data = {.source = address(pairs[i][0]),
                                     .destination = address(pairs[i][1]),
                                     .tlvs = tlvs,
                                     .tlv_count = NU_ARRAY_LEN(tlvs)};
        struct nu_proxy_header header;
        struct nu_proxy_tlv tlv;
        struct nu_buf out;
        nu_buf_init(&out);
        assert_true(nu_proxy_write_v2(&data, &out));
        struct nu_str bytes = take(&out);
        assert_int_equal(nu_proxy_header_read(bytes, &header), NU_PROXY_HEADER_COMPLETE);
        assert_int_equal(header.size, bytes.len);
        assert_true(nu_address_eq(&header.source, &data.source));
        assert_true(nu_address_eq(&header.destination, &data.destination));
        for (size_t k = 0; k < NU_ARRAY_LEN(tlvs); k++) {
            assert_true(nu_proxy_tlv_next(&header.tlvs, &tlv));
            assert_int_equal(tlv.type, tlvs[k].type);
            assert_true(nu_str_eq(tlv.value, tlvs[k].value));
        }
        assert_int_equal(header.tlvs.len, 0);
        nu_free(nu_unconst(bytes.ptr));
    }
}

TEST(values_without_room_are_left_out)
{
    enum { HALF = 40000 };
    char *long_text = nu_calloc(1, HALF);
    struct nu_proxy_tlv tlvs[] = {{1, {long_text, HALF}}, {2, {long_text, HALF}}, {3, {"x", 1}}};
    struct nu_proxy_data data = {.source = address("1.2.3.4:1"),
                                 .destination = address("5.6.7.8:2"),
                                 .tlvs = tlvs,
                                 .tlv_count = NU_ARRAY_LEN(tlvs)};
    struct nu_proxy_header header;
    struct nu_proxy_tlv tlv;
    struct nu_buf out;
    nu_buf_init(&out);
    assert_false(nu_proxy_write_v2(&data, &out));
    struct nu_str bytes = take(&out);
    assert_int_equal(nu_proxy_header_read(bytes, &header), NU_PROXY_HEADER_COMPLETE);
    assert_int_equal(header.size, bytes.len);
    assert_true(nu_proxy_tlv_next(&header.tlvs, &tlv));
    assert_int_equal(tlv.type, 1);
    assert_true(nu_proxy_tlv_next(&header.tlvs, &tlv));
    assert_int_equal(tlv.type, 3);
    assert_int_equal(header.tlvs.len, 0);
    nu_free(nu_unconst(bytes.ptr));
    nu_free(long_text);
}

TEST_MAIN()
