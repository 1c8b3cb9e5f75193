/* SPDX-License-Identifier: Apache-2.0 */
/* Address values: text and kernel forms both ways, equality, ranges. */
#include "harness/test.h"

#include <netinet/in.h>

#include "base/address.h"

static struct nu_address parse(const char *text)
{
    struct nu_address address = {0};
    assert_int_equal(nu_address_parse_ip(nu_str_from(text), 0, &address), NU_OK);
    return address;
}

static void assert_format(const struct nu_address *address, const char *with_port, const char *ip)
{
    char out[NU_ADDRESS_TEXT_MAX];
    assert_str(nu_str_make(out, nu_address_format(address, out)), with_port);
    assert_str(nu_str_make(out, nu_address_format_ip(address, out)), ip);
}

TEST(an_address_is_24_bytes)
{
    assert_int_equal(sizeof(struct nu_address), 24);
}

TEST(ip_addresses_are_parsed_and_printed)
{
    static const struct {
        const char *text;
        enum nu_address_family family;
        const char *ip;
        const char *with_port;
    } table[] = {
        {"127.0.0.1", NU_ADDRESS_IPV4, "127.0.0.1", "127.0.0.1:80"},
        {"0.0.0.0", NU_ADDRESS_IPV4, "0.0.0.0", "0.0.0.0:80"},
        {"255.255.255.255", NU_ADDRESS_IPV4, "255.255.255.255", "255.255.255.255:80"},
        {"::", NU_ADDRESS_IPV6, "::", "[::]:80"},
        {"::1", NU_ADDRESS_IPV6, "::1", "[::1]:80"},
        {"2001:DB8:0:0:0:0:0:1", NU_ADDRESS_IPV6, "2001:db8::1", "[2001:db8::1]:80"},
        {"::ffff:1.2.3.4", NU_ADDRESS_IPV6, "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", NU_ADDRESS_IPV6,
         "1111:2222:3333:4444:5555:6666:7777:8888", "[1111:2222:3333:4444:5555:6666:7777:8888]:80"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address address = {0};
        assert_int_equal(nu_address_parse_ip(nu_str_from(table[i].text), 80, &address), NU_OK);
        assert_int_equal(address.family, table[i].family);
        assert_int_equal(address.port, 80);
        assert_int_equal(address.scope, 0);
        assert_true(nu_address_is_ip(&address));
        assert_format(&address, table[i].with_port, table[i].ip);
    }
}

TEST(what_is_no_ip_address_is_invalid)
{
    static const struct nu_str table[] = {
        NU_STR_INIT(""),
        NU_STR_INIT("1.2.3"),
        NU_STR_INIT("1.2.3.4.5"),
        NU_STR_INIT("1.2.3.256"),
        NU_STR_INIT("1.2.3.04"),
        NU_STR_INIT("1.2.3.4 "),
        NU_STR_INIT(" 1.2.3.4"),
        NU_STR_INIT("1.2.3.4:80"),
        NU_STR_INIT("0x7f.1"),
        NU_STR_INIT("1.2.3.4\0"),
        NU_STR_INIT("1.2.3.4\0.example"),
        NU_STR_INIT("::1\0"),
        NU_STR_INIT("[::1]"),
        NU_STR_INIT(":::"),
        NU_STR_INIT("::1::"),
        NU_STR_INIT("12345::"),
        NU_STR_INIT("localhost"),
        NU_STR_INIT("1111:2222:3333:4444:5555:6666:7777:8888:9999"),
        NU_STR_INIT("1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address address = {.port = 77};
        if (nu_address_parse_ip(table[i], 0, &address) != NU_INVALID)
            fail_msg("\"%.*s\" is taken", NU_STR_ARG(table[i]));
        assert_int_equal(address.port, 77);
    }
}

TEST(a_numeric_scope_is_parsed_and_printed)
{
    struct nu_address address;
    assert_int_equal(nu_address_parse_ip(NU_STR("fe80::1%4294967295"), 80, &address), NU_OK);
    assert_int_equal(address.scope, UINT32_MAX);
    assert_format(&address, "[fe80::1%4294967295]:80", "fe80::1%4294967295");
    assert_int_equal(nu_address_parse_ip_port(NU_STR("[fe80::1%2]:80"), &address), NU_OK);
    assert_int_equal(address.scope, 2);
    assert_format(&address, "[fe80::1%2]:80", "fe80::1%2");
    static const char *const bad[] = {"fe80::1%",    "fe80::1%eth0", "fe80::1%4294967296", "%1",
                                      "fe80::1%1%1", "1.2.3.4%1",    "fe80::1%+1"};
    for (size_t i = 0; i < NU_ARRAY_LEN(bad); i++)
        assert_int_equal(nu_address_parse_ip(nu_str_from(bad[i]), 0, &address), NU_INVALID);
}

TEST(addresses_with_a_port_are_parsed)
{
    static const struct {
        const char *text;
        uint16_t port;
        const char *again;
    } table[] = {
        {"1.2.3.4:0", 0, "1.2.3.4:0"},
        {"1.2.3.4:65535", 65535, "1.2.3.4:65535"},
        {"[::1]:8080", 8080, "[::1]:8080"},
        {"[::ffff:1.2.3.4]:1", 1, "[::ffff:1.2.3.4]:1"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address address;
        char out[NU_ADDRESS_TEXT_MAX];
        assert_int_equal(nu_address_parse_ip_port(nu_str_from(table[i].text), &address), NU_OK);
        assert_int_equal(address.port, table[i].port);
        assert_str(nu_str_make(out, nu_address_format(&address, out)), table[i].again);
    }
}

TEST(malformed_addresses_with_a_port_are_invalid_and_leave_the_result_alone)
{
    static const struct nu_str table[] = {
        NU_STR_INIT(""),
        NU_STR_INIT(":80"),
        NU_STR_INIT("1.2.3.4"),
        NU_STR_INIT("1.2.3.4:"),
        NU_STR_INIT("1.2.3.4:65536"),
        NU_STR_INIT("1.2.3.4:-1"),
        NU_STR_INIT("1.2.3.4:+1"),
        NU_STR_INIT("1.2.3.4:18446744073709551696"),
        NU_STR_INIT("::1"),
        NU_STR_INIT("::1:80"),
        NU_STR_INIT("[::1]"),
        NU_STR_INIT("[::1]80"),
        NU_STR_INIT("[::1:80"),
        NU_STR_INIT("::1]:80"),
        NU_STR_INIT("[1.2.3.4]:80"),
        NU_STR_INIT("[]:80"),
        NU_STR_INIT("[:80"),
        NU_STR_INIT("[[::1]]:80"),
        NU_STR_INIT("host:80"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address address = {.port = 77};
        if (nu_address_parse_ip_port(table[i], &address) != NU_INVALID)
            fail_msg("\"%.*s\" is taken", NU_STR_ARG(table[i]));
        assert_int_equal(address.port, 77);
        assert_int_equal(address.family, NU_ADDRESS_NONE);
    }
}

static struct nu_address through_kernel_form(const struct nu_address *address, socklen_t *len)
{
    struct sockaddr_storage storage;
    assert_int_equal(nu_address_to_sockaddr(address, &storage, len), NU_OK);
    return nu_address_from_sockaddr((struct sockaddr *)&storage, *len);
}

TEST(ip_addresses_survive_the_kernel_form)
{
    socklen_t len;
    struct nu_address v4;
    assert_int_equal(nu_address_parse_ip_port(NU_STR("1.2.3.4:513"), &v4), NU_OK);
    struct nu_address back = through_kernel_form(&v4, &len);
    assert_int_equal(len, sizeof(struct sockaddr_in));
    assert_true(nu_address_eq(&v4, &back));
    struct nu_address v6;
    assert_int_equal(nu_address_parse_ip_port(NU_STR("[fe80::1]:513"), &v6), NU_OK);
    v6.scope = 3;
    back = through_kernel_form(&v6, &len);
    assert_int_equal(len, sizeof(struct sockaddr_in6));
    assert_int_equal(back.scope, 3);
    assert_true(nu_address_eq(&v6, &back));
}

TEST(the_kernel_form_has_network_byte_order)
{
    struct nu_address v4;
    struct sockaddr_storage storage;
    struct sockaddr_in in;
    socklen_t len;
    assert_int_equal(nu_address_parse_ip_port(NU_STR("1.2.3.4:513"), &v4), NU_OK);
    assert_int_equal(nu_address_to_sockaddr(&v4, &storage, &len), NU_OK);
    memcpy(&in, &storage, sizeof(in));
    assert_int_equal(in.sin_family, AF_INET);
    assert_memory_equal(&in.sin_port, "\x02\x01", 2);
    assert_memory_equal(&in.sin_addr, "\x01\x02\x03\x04", 4);
}

TEST(a_kernel_form_that_is_too_short_or_unknown_is_no_address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_APPLETALK};
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct nu_address address = nu_address_from_sockaddr((struct sockaddr *)&in, sizeof(in) - 1);
    assert_int_equal(address.family, NU_ADDRESS_NONE);
    address = nu_address_from_sockaddr((struct sockaddr *)&in6, sizeof(in6) - 1);
    assert_int_equal(address.family, NU_ADDRESS_NONE);
    address = nu_address_from_sockaddr(&other, sizeof(other));
    assert_int_equal(address.family, NU_ADDRESS_NONE);
    address = nu_address_from_sockaddr(&local, 0);
    assert_int_equal(address.family, NU_ADDRESS_NONE);
    address = nu_address_from_sockaddr(&local, sizeof(local.sa_family));
    assert_int_equal(address.family, NU_ADDRESS_UNIX);
    assert_null(address.path);
}

TEST(nothing_has_no_kernel_form)
{
    struct nu_address none = {0};
    struct sockaddr_storage storage;
    socklen_t len;
    assert_int_equal(nu_address_to_sockaddr(&none, &storage, &len), NU_INVALID);
    assert_format(&none, "", "");
    assert_false(nu_address_is_ip(&none));
}

TEST(a_unix_path_has_its_terminator_in_the_kernel_form)
{
    struct nu_address address = nu_address_unix("/tmp/socket");
    struct sockaddr_storage storage;
    struct sockaddr_un un;
    socklen_t len;
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_OK);
    memcpy(&un, &storage, sizeof(un));
    assert_int_equal(un.sun_family, AF_UNIX);
    assert_string_equal(un.sun_path, "/tmp/socket");
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + sizeof("/tmp/socket"));
    assert_format(&address, "/tmp/socket", "/tmp/socket");
    assert_int_equal(address.port, 0);
    assert_false(nu_address_is_ip(&address));
    assert_false(nu_address_is_any(&address));
    assert_false(nu_address_is_loopback(&address));
}

TEST(an_abstract_name_begins_with_nul_and_has_no_terminator)
{
    struct nu_address address = nu_address_unix("@name");
    struct sockaddr_storage storage;
    struct sockaddr_un un;
    socklen_t len;
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_OK);
    memcpy(&un, &storage, sizeof(un));
    assert_memory_equal(un.sun_path, "\0name", 5);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_format(&address, "@name", "@name");
}

/* One byte of path, even a NUL, would name an abstract socket. */
TEST(an_unnamed_unix_address_has_no_path_in_the_kernel_form)
{
    struct nu_address address = nu_address_unix(NULL);
    struct sockaddr_storage storage;
    socklen_t len;
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_OK);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path));
    assert_format(&address, "", "");
}

TEST(a_unix_path_that_does_not_fit_is_too_large)
{
    char path[200];
    struct sockaddr_storage storage;
    socklen_t len;
    memset(path, 'p', sizeof(path));
    path[107] = '\0';
    struct nu_address address = nu_address_unix(path);
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_OK);
    path[107] = 'p';
    path[108] = '\0';
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_TOO_LARGE);
    path[0] = '@';
    assert_int_equal(nu_address_to_sockaddr(&address, &storage, &len), NU_TOO_LARGE);
}

TEST(a_long_unix_path_is_cut_when_printed)
{
    char path[200];
    char out[NU_ADDRESS_TEXT_MAX];
    memset(path, 'p', sizeof(path));
    path[199] = '\0';
    struct nu_address address = nu_address_unix(path);
    assert_int_equal(nu_address_format(&address, out), NU_ADDRESS_TEXT_MAX);
    assert_memory_equal(out, path, NU_ADDRESS_TEXT_MAX);
}

TEST(equality_is_by_value)
{
    struct nu_address a = parse("1.2.3.4");
    struct nu_address b = parse("1.2.3.4");
    assert_true(nu_address_eq(&a, &b));
    memset(b.ip + 4, 0xff, 12); /* what an IPv4 address does not use */
    assert_true(nu_address_eq(&a, &b));
    b.port = 1;
    assert_false(nu_address_eq(&a, &b));
    struct nu_address mapped = parse("::ffff:1.2.3.4");
    assert_false(nu_address_eq(&a, &mapped));
    struct nu_address scoped = parse("fe80::1");
    struct nu_address other_scope = scoped;
    other_scope.scope = 2;
    assert_false(nu_address_eq(&scoped, &other_scope));
    char path[] = "/a";
    struct nu_address local = nu_address_unix("/a");
    struct nu_address same = nu_address_unix(path);
    struct nu_address other = nu_address_unix("/b");
    struct nu_address unnamed = nu_address_unix(NULL);
    assert_true(nu_address_eq(&local, &same));
    assert_false(nu_address_eq(&local, &other));
    assert_false(nu_address_eq(&local, &unnamed));
    assert_true(nu_address_eq(&unnamed, &unnamed));
    struct nu_address none = {0};
    assert_true(nu_address_eq(&none, &none));
    assert_false(nu_address_eq(&none, &a));
}

TEST(any_and_loopback_are_known)
{
    static const struct {
        const char *ip;
        bool is_any, is_loopback;
    } table[] = {
        {"0.0.0.0", true, false},
        {"::", true, false},
        {"127.0.0.1", false, true},
        {"127.255.255.254", false, true},
        {"126.255.255.255", false, false},
        {"128.0.0.1", false, false},
        {"::1", false, true},
        {"::2", false, false},
        {"0.0.0.1", false, false},
        {"::ffff:0.0.0.0", false, false},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address address = parse(table[i].ip);
        assert_int_equal(nu_address_is_any(&address), table[i].is_any);
        assert_int_equal(nu_address_is_loopback(&address), table[i].is_loopback);
    }
}

TEST(ranges_hold_their_addresses_and_no_other)
{
    static const struct {
        const char *base;
        unsigned prefix_len;
        const char *ip;
        bool is_inside;
    } table[] = {
        {"10.0.0.0", 8, "10.255.255.255", true},
        {"10.0.0.0", 8, "11.0.0.0", false},
        {"10.1.2.3", 8, "10.9.9.9", true}, /* host bits do not count */
        {"192.168.1.128", 25, "192.168.1.128", true},
        {"192.168.1.128", 25, "192.168.1.255", true},
        {"192.168.1.128", 25, "192.168.1.127", false},
        {"192.168.1.4", 31, "192.168.1.5", true},
        {"192.168.1.4", 31, "192.168.1.6", false},
        {"1.2.3.4", 32, "1.2.3.4", true},
        {"1.2.3.4", 32, "1.2.3.5", false},
        {"1.2.3.4", 0, "255.255.255.255", true},
        {"1.2.3.4", 0, "::1", false},
        {"::", 0, "ffff::", true},
        {"::", 0, "1.2.3.4", false},
        {"2001:db8::", 32, "2001:db8:ffff::1", true},
        {"2001:db8::", 32, "2001:db9::", false},
        {"2001:db8::", 33, "2001:db8:8000::", false},
        {"2001:db8::", 33, "2001:db8:7fff::", true},
        {"::1", 128, "::1", true},
        {"::1", 128, "::2", false},
        {"::", 127, "::1", true},
        {"1.2.3.0", 24, "::ffff:1.2.3.4", false}, /* mapped is not IPv4 */
        {"::ffff:1.2.3.0", 120, "::ffff:1.2.3.4", true},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_address base = parse(table[i].base);
        struct nu_address ip = parse(table[i].ip);
        struct nu_cidr cidr;
        assert_int_equal(nu_cidr_make(&base, table[i].prefix_len, &cidr), NU_OK);
        if (nu_cidr_contains(&cidr, &ip) != table[i].is_inside)
            fail_msg("%s in %s/%u", table[i].ip, table[i].base, table[i].prefix_len);
    }
}

TEST(a_range_is_kept_without_host_bits_port_and_scope)
{
    struct nu_address base;
    struct nu_cidr cidr;
    assert_int_equal(nu_address_parse_ip_port(NU_STR("[2001:db8:ffff:ffff::1]:80"), &base), NU_OK);
    base.scope = 4;
    assert_int_equal(nu_cidr_make(&base, 35, &cidr), NU_OK);
    assert_format(&cidr.base, "[2001:db8:e000::]:0", "2001:db8:e000::");
    assert_int_equal(cidr.base.scope, 0);
    assert_int_equal(cidr.prefix_len, 35);
}

/* Envoy 1.36.4 matches 127.0.0.1 and not 127.0.0.2 with 127.0.0.1/64. */
TEST(a_prefix_longer_than_the_address_is_the_whole_address)
{
    struct nu_address v4 = parse("1.2.3.4");
    struct nu_address other = parse("1.2.3.5");
    struct nu_cidr cidr;
    assert_int_equal(nu_cidr_make(&v4, 64, &cidr), NU_OK);
    assert_int_equal(cidr.prefix_len, 32);
    assert_true(nu_cidr_contains(&cidr, &v4));
    assert_false(nu_cidr_contains(&cidr, &other));
    struct nu_address v6 = parse("::1");
    assert_int_equal(nu_cidr_make(&v6, 300, &cidr), NU_OK);
    assert_int_equal(cidr.prefix_len, 128);
}

TEST(only_ip_addresses_make_a_range_and_lie_in_one)
{
    struct nu_address v4 = parse("1.2.3.4");
    struct nu_address local = nu_address_unix("/a");
    struct nu_cidr cidr;
    assert_int_equal(nu_cidr_make(&local, 0, &cidr), NU_INVALID);
    assert_int_equal(nu_cidr_make(&v4, 32, &cidr), NU_OK);
    assert_false(nu_cidr_contains(&cidr, &local));
}

TEST_MAIN()
