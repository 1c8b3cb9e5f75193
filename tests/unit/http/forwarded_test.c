/* SPDX-License-Identifier: Apache-2.0 */
/* x-forwarded-for and internal addresses, as an Envoy 1.36 reads them. */
#include "harness/test.h"

#include "http/forwarded.h"

static struct nu_str text_of(const struct nu_address *address)
{
    static char text[NU_ADDRESS_TEXT_MAX];
    return nu_str_make(text, nu_address_format(address, text));
}

static void expect(const char *xff, unsigned skip, const char *want, bool want_single)
{
    struct nu_address address;
    bool single = false;
    bool found = nu_forwarded_last(nu_str_from(xff), skip, &address, &single);
    if (found != (want != NULL))
        fail_msg("%s, skip %u: found %d", xff, skip, found);
    if (!want)
        return;
    assert_str(text_of(&address), want);
    assert_int_equal(single, want_single);
}

TEST(the_last_address_is_the_client)
{
    expect("1.2.3.4", 0, "1.2.3.4:0", true);
    expect("1.2.3.4, 5.6.7.8", 0, "5.6.7.8:0", false);
    expect(" 1.2.3.4\t", 0, "1.2.3.4:0", true);
    expect(",1.2.3.4", 0, "1.2.3.4:0", false);
    expect("::1", 0, "[::1]:0", true);
    expect("bad,10.0.0.2", 0, "10.0.0.2:0", false);
}

TEST(trusted_hops_are_skipped_from_the_right)
{
    expect("1.1.1.1,2.2.2.2", 1, "1.1.1.1:0", false);
    expect("1.1.1.1,2.2.2.2", 2, NULL, false);
    expect("1.2.3.4,", 1, "1.2.3.4:0", false);
    expect("1.2.3.4", 1, NULL, false);
}

TEST(what_is_no_plain_address_is_none)
{
    static const char *const values[] = {"",           "bad",   "1.2.3.4,", "1.2.3.4,bad",
                                         "1.2.3.4:80", "[::1]", "[::1]:80", "01.2.3.4",
                                         "1.2.3",      ","};
    for (size_t i = 0; i < NU_ARRAY_LEN(values); i++)
        expect(values[i], 0, NULL, false);
}

TEST(the_peer_is_appended_by_a_bare_comma)
{
    struct nu_arena arena;
    struct nu_address v4 = {.family = NU_ADDRESS_IPV4, .port = 80, .ip = {1, 2, 3, 4}};
    struct nu_address v6 = {.family = NU_ADDRESS_IPV6, .ip = {[15] = 1}};
    struct nu_address unix_peer = nu_address_unix(NULL);
    nu_arena_init(&arena);
    assert_str(nu_forwarded_append(&arena, NU_STR(""), &v4), "1.2.3.4");
    assert_str(nu_forwarded_append(&arena, NU_STR("9.9.9.9, 8.8.8.8"), &v6),
               "9.9.9.9, 8.8.8.8,::1");
    assert_str(nu_forwarded_append(&arena, NU_STR("9.9.9.9"), &unix_peer), "9.9.9.9");
    nu_arena_finish(&arena);
}

static bool is_internal(const char *ip)
{
    struct nu_address address;
    assert_int_equal(nu_address_parse_ip(nu_str_from(ip), 0, &address), NU_OK);
    return nu_internal_ranges_contain(&nu_internal_ranges_private, &address);
}

TEST(default_internal_ranges_are_envoys)
{
    static const char *const internal[] = {"10.255.255.255", "172.31.1.1", "192.168.255.1",
                                           "127.0.0.1",      "::1",        "fd12::1"};
    static const char *const external[] = {
        "127.5.5.5", "172.32.0.1", "172.15.1.1", "192.169.0.1", "fc00::1",
        "fe80::1",   "::",         "0.0.0.0",    "100.64.0.1",  "::ffff:10.0.0.1"};
    for (size_t i = 0; i < NU_ARRAY_LEN(internal); i++)
        assert_true(is_internal(internal[i]));
    for (size_t i = 0; i < NU_ARRAY_LEN(external); i++)
        assert_false(is_internal(external[i]));
}

TEST(unix_peers_are_internal_only_by_choice)
{
    struct nu_address peer = nu_address_unix(NULL);
    struct nu_internal_ranges ranges = {0};
    assert_false(nu_internal_ranges_contain(&ranges, &peer));
    ranges.unix_sockets = true;
    assert_true(nu_internal_ranges_contain(&ranges, &peer));
}

TEST_MAIN()
