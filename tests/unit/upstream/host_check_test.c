/* SPDX-License-Identifier: Apache-2.0 */
/* The places of hosts' health checks. */
#include "upstream/hosts/host_check.h"

#include "base/alloc.h"
#include "harness/test.h"

TEST(copy_owns_its_texts)
{
    char path[] = "/run/a.sock";
    char name[] = "hc.example";
    const struct nu_host_check_place place = {
        .port = 0,
        .address = nu_address_unix(path),
        .hostname = nu_str_from(name),
    };
    struct nu_host_check_place *copy = nu_host_check_place_copy(&place);
    memset(path, 'x', sizeof(path) - 1);
    memset(name, 'x', sizeof(name) - 1);
    assert_string_equal(copy->address.path, "/run/a.sock");
    assert_str(copy->hostname, "hc.example");
    nu_free(copy);
}

TEST(copy_of_an_ip_address_is_the_same)
{
    struct nu_host_check_place place = {.port = 81};
    assert_int_equal(nu_address_parse_ip_port(NU_STR("[::1]:80"), &place.address), NU_OK);
    struct nu_host_check_place *copy = nu_host_check_place_copy(&place);
    assert_true(nu_host_check_place_eq(copy, &place));
    nu_free(copy);
}

TEST(nothing_is_copied_of_nothing)
{
    assert_null(nu_host_check_place_copy(NULL));
}

TEST(places_differ_in_each_part)
{
    const struct nu_host_check_place none = {0};
    struct nu_host_check_place other = {.is_off = true};
    assert_true(nu_host_check_place_eq(NULL, &none));
    assert_false(nu_host_check_place_eq(&none, &other));
    other = (struct nu_host_check_place){.port = 1};
    assert_false(nu_host_check_place_eq(&other, NULL));
    other = (struct nu_host_check_place){.hostname = NU_STR_INIT("a")};
    assert_false(nu_host_check_place_eq(&none, &other));
    other = (struct nu_host_check_place){0};
    assert_int_equal(nu_address_parse_ip_port(NU_STR("1.2.3.4:80"), &other.address), NU_OK);
    assert_false(nu_host_check_place_eq(&none, &other));
}

TEST_MAIN()
