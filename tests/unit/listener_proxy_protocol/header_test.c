/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers, whole and at every cut. */
#include "filters/listener/proxy_protocol/header.h"

#include "harness/test.h"
#include "net/proxy_header.h"

#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
#define BYTES(text) NU_STR_INIT(text)

struct accepted {
    struct nu_str bytes;
    const char *source; /* NULL: no addresses */
    const char *destination;
    uint8_t version;
};

static void check_address(const struct nu_address *address, const char *expected)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    assert_str(nu_str_make(text, len), expected);
}

/* Takes the header whole, with bytes behind it left alone, and nothing of it in part. */
static void check_accepted(const struct accepted *want)
{
    struct nu_proxy_header header;
    char room[256];
    for (size_t i = 0; i < want->bytes.len; i++)
        assert_int_equal(nu_proxy_header_read(nu_str_first(want->bytes, i), &header),
                         NU_PROXY_HEADER_PARTIAL);
    memcpy(room, want->bytes.ptr, want->bytes.len);
    memcpy(room + want->bytes.len, "GET", 3);
    assert_int_equal(nu_proxy_header_read(nu_str_make(room, want->bytes.len + 3), &header),
                     NU_PROXY_HEADER_COMPLETE);
    assert_int_equal(header.size, want->bytes.len);
    assert_int_equal(header.version, want->version);
    assert_int_equal(header.has_addresses, want->source != NULL);
    if (!want->source)
        return;
    check_address(&header.source, want->source);
    check_address(&header.destination, want->destination);
}

TEST(headers_of_both_versions)
{
    static const struct accepted list[] = {
        {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n"), "1.2.3.4:1000", "5.6.7.8:80", 1},
        {BYTES("PROXY TCP6 ::1 2001:db8::2 65535 1\r\n"), "[::1]:65535", "[2001:db8::2]:1", 1},
        {BYTES("PROXY UNKNOWN\r\n"), NULL, NULL, 1},
        {BYTES("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), NULL, NULL, 1},
        {BYTES(SIGNATURE "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50"),
         "1.2.3.4:1000", "5.6.7.8:80", 2},
        {BYTES(SIGNATURE "\x21\x21\x00\x24"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
                         "\x00\x07\x00\x08"),
         "[::1]:7", "[::2]:8", 2},
        {BYTES(SIGNATURE "\x21\x11\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50"
                         "\x04\x00\x01x"),
         "1.2.3.4:1000", "5.6.7.8:80", 2},
        {BYTES(SIGNATURE "\x20\x00\x00\x00"), NULL, NULL, 2},
        {BYTES(SIGNATURE "\x20\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50"), NULL,
         NULL, 2},
        {BYTES(SIGNATURE "\x20\x99\x00\x03xyz"), NULL, NULL, 2},
        {BYTES(SIGNATURE "\x21\x12\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50"),
         "1.2.3.4:1000", "5.6.7.8:80", 2},
        {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01000 080\r\n"), "1.2.3.4:1000", "5.6.7.8:80", 1},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(list); i++)
        check_accepted(&list[i]);
}

TEST(broken_headers)
{
    static const struct nu_str list[] = {
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1000\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1000 80 x\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 70000 80\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 +1 80\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 80\r\r\n"),
        BYTES("PROXY TCP4 0.0.0.0 5.6.7.8 1 80\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 255.255.255.255 1 80\r\n"),
        BYTES("PROXY TCP4 224.0.0.1 5.6.7.8 1 80\r\n"),
        BYTES("PROXY TCP6 ff02::1 ::2 1 80\r\n"),
        BYTES("PROXY UNKNOWNX\r\n"),
        BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 -1 80\r\n"),
        BYTES("PROXY TCP4 ::1 ::2 1 80\r\n"),
        BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 80\r\n"),
        BYTES("PROXY TCP4  1.2.3.4 5.6.7.8 1 80\r\n"),
        BYTES("PROXY UDP4 1.2.3.4 5.6.7.8 1 80\r\n"),
        BYTES("PROXY \r\n"),
        BYTES(SIGNATURE "\x11\x11\x00\x0c"),
        BYTES(SIGNATURE "\x22\x11\x00\x00"),
        BYTES(SIGNATURE "\x21\x11\x00\x04\x01\x02\x03\x04"),
        BYTES(SIGNATURE "\x21\x00\x00\x03xyz"),
        BYTES(SIGNATURE "\x21\x10\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x03\xe8\x00\x50"),
        BYTES(SIGNATURE "\x21\x11\x00\x0c\x00\x00\x00\x00\x05\x06\x07\x08\x03\xe8\x00\x50"),
        BYTES(SIGNATURE "\x21\x31\x00\x00"),
    };
    struct nu_proxy_header header;
    for (size_t i = 0; i < NU_ARRAY_LEN(list); i++) {
        assert_int_equal(nu_proxy_header_read(list[i], &header), NU_PROXY_HEADER_MALFORMED);
        assert_in_range(header.version, 1, 2);
    }
}

TEST(other_bytes_are_no_header)
{
    struct nu_proxy_header header;
    assert_int_equal(nu_proxy_header_read(NU_STR("GET / HTTP/1.1\r\n"), &header),
                     NU_PROXY_HEADER_NONE);
    assert_int_equal(nu_proxy_header_read(NU_STR("PROXX"), &header), NU_PROXY_HEADER_NONE);
    assert_int_equal(nu_proxy_header_read(NU_STR("\r\n\r\nx"), &header), NU_PROXY_HEADER_NONE);
    assert_int_equal(nu_proxy_header_read(
                         NU_STR("PROXY TCP4 1.2.3.4 5.6.7.8 1000 80 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
                         &header),
                     NU_PROXY_HEADER_NONE);
}

TEST(values_behind_the_addresses)
{
    struct nu_str rest = BYTES("\x01\x00\x02h2\xea\x00\x00\x05\x00\x01");
    struct nu_proxy_tlv tlv;
    assert_true(nu_proxy_tlv_next(&rest, &tlv));
    assert_int_equal(tlv.type, 1);
    assert_str(tlv.value, "h2");
    assert_true(nu_proxy_tlv_next(&rest, &tlv));
    assert_int_equal(tlv.type, 0xea);
    assert_int_equal(tlv.value.len, 0);
    assert_false(nu_proxy_tlv_next(&rest, &tlv)); /* a byte is missing */
    assert_int_equal(rest.len, 3);
    rest = nu_str_make(NULL, 0);
    assert_false(nu_proxy_tlv_next(&rest, &tlv));
}

/* --- Written headers -------------------------------------------------------------------------- */

static struct nu_address parse(const char *text)
{
    struct nu_address address = {0};
    if (text)
        assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &address), NU_OK);
    return address;
}

TEST(what_is_written_is_read_back)
{
    static const char *const pairs[][2] = {
        {"1.2.3.4:1000", "5.6.7.8:80"},
        {"[::1]:65535", "[2001:db8::2]:1"},
        {"10.0.0.1:1", "203.200.201.202:65535"},
        {"[fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535",
         "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"1.2.3.4:1000", "[::1]:80"},
        {"1.2.3.4:1000", NULL},
        {NULL, NULL},
    };
    for (int version = NU_PROXY_V1; version <= NU_PROXY_V2; version++) {
        for (size_t i = 0; i < NU_ARRAY_LEN(pairs); i++) {
            struct nu_address source = parse(pairs[i][0]);
            struct nu_address destination = parse(pairs[i][1]);
            struct nu_buf out = {0};
            struct nu_proxy_header header;
            char bytes[256];
            nu_proxy_header_write(&out, (enum nu_proxy_version)version, &source, &destination);
            size_t len = nu_buf_copy_out(&out, 0, bytes, sizeof(bytes));
            assert_int_equal(nu_proxy_header_read(nu_str_make(bytes, len), &header),
                             NU_PROXY_HEADER_COMPLETE);
            assert_int_equal(header.size, len);
            assert_int_equal(header.version, version);
            assert_int_equal(header.has_addresses, i < 4);
            if (header.has_addresses) {
                assert_true(nu_address_eq(&header.source, &source));
                assert_true(nu_address_eq(&header.destination, &destination));
            }
            nu_buf_clear(&out);
        }
    }
}

TEST(scopes_stay_at_home)
{
    struct nu_address source = parse("[fe80::1]:7");
    struct nu_address destination = parse("[fe80::2]:8");
    struct nu_buf out = {0};
    char bytes[256];
    source.scope = 3;
    destination.scope = 3;
    nu_proxy_header_write(&out, NU_PROXY_V1, &source, &destination);
    size_t len = nu_buf_copy_out(&out, 0, bytes, sizeof(bytes));
    assert_str(nu_str_make(bytes, len), "PROXY TCP6 fe80::1 fe80::2 7 8\r\n");
    nu_buf_clear(&out);
}

TEST(no_version_writes_nothing)
{
    struct nu_address address = parse("1.2.3.4:1");
    struct nu_buf out = {0};
    nu_proxy_header_write(&out, NU_PROXY_NONE, &address, &address);
    assert_int_equal(out.len, 0);
}

TEST_MAIN()
