/* SPDX-License-Identifier: Apache-2.0 */
/* Whom `nuncio health` asks, and how it reads the answer. */
#include "harness/test.h"

#include "server/health.h"

static void assert_url(const char *url, const char *host, unsigned port, const char *path)
{
    struct nu_health_target target;
    assert_true(nu_health_target_from_url(nu_str_from(url), &target));
    assert_string_equal(target.host, host);
    assert_int_equal(target.port, port);
    assert_string_equal(target.path, path);
    nu_health_target_finish(&target);
}

TEST(urls_default_to_ready)
{
    assert_url("http://127.0.0.1:9901", "127.0.0.1", 9901, "/ready");
    assert_url("http://127.0.0.1:9901/", "127.0.0.1", 9901, "/ready");
    assert_url("http://localhost/stats?x", "localhost", 80, "/stats?x");
    assert_url("http://[::1]:1/a", "::1", 1, "/a");
}

TEST(other_urls_are_refused)
{
    static const char *const urls[] = {"https://a:1/", "a:1", "", "http://", "/ready"};
    struct nu_health_target target;
    for (size_t i = 0; i < NU_ARRAY_LEN(urls); i++) {
        if (nu_health_target_from_url(nu_str_from(urls[i]), &target))
            fail_msg("%s was taken", urls[i]);
        nu_health_target_finish(&target);
    }
}

static void assert_bound(const char *bound, const char *asked)
{
    struct nu_health_target target;
    struct nu_address address;
    char text[NU_ADDRESS_TEXT_MAX];
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(bound), &address), NU_OK);
    nu_health_target_from_address(&address, &target);
    assert_str(nu_str_make(text, nu_address_format(&target.address, text)), asked);
    nu_health_target_finish(&target);
}

TEST(an_any_address_is_asked_by_loopback)
{
    assert_bound("0.0.0.0:9901", "127.0.0.1:9901");
    assert_bound("[::]:9901", "[::1]:9901");
    assert_bound("10.0.0.1:9901", "10.0.0.1:9901");
}

TEST(the_status_is_read_from_the_first_line)
{
    assert_int_equal(nu_health_read_status(NU_STR("HTTP/1.1 200 OK\r\n")), 200);
    assert_int_equal(nu_health_read_status(NU_STR("HTTP/1.0 503")), 503);
    assert_int_equal(nu_health_read_status(NU_STR("HTTP/1.1 2")), 0);
    assert_int_equal(nu_health_read_status(NU_STR("HTTP/1.1 abc")), 0);
    assert_int_equal(nu_health_read_status(NU_STR("SSH-2.0-OpenSSH_9.2")), 0);
    assert_int_equal(nu_health_read_status(NU_STR("")), 0);
}

TEST_MAIN()
