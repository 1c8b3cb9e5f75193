/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a service manager says about the sockets that it hands over. */
#include "harness/test.h"

#include "server/inherit.h"

TEST(descriptors_are_for_the_process_that_is_named)
{
    assert_int_equal(nu_inherit_count("7", "2", 7), 2);
    assert_int_equal(nu_inherit_count("8", "2", 7), 0);
    assert_int_equal(nu_inherit_count(NULL, "2", 7), 0);
    assert_int_equal(nu_inherit_count("7", NULL, 7), 0);
}

TEST(malformed_counts_are_none)
{
    static const char *const counts[] = {"", "-1", "two", "2x", "4097", "99999999999999999999"};
    for (size_t i = 0; i < NU_ARRAY_LEN(counts); i++)
        assert_int_equal(nu_inherit_count("7", counts[i], 7), 0);
    assert_int_equal(nu_inherit_count("", "1", 7), 0);
    assert_int_equal(nu_inherit_count("7", "0", 7), 0);
}

TEST(names_stand_between_colons)
{
    assert_str(nu_inherit_name("web:admin:x", 0), "web");
    assert_str(nu_inherit_name("web:admin:x", 1), "admin");
    assert_str(nu_inherit_name("web:admin:x", 2), "x");
    assert_str(nu_inherit_name("web:admin:x", 3), "");
    assert_str(nu_inherit_name("web::x", 1), "");
    assert_str(nu_inherit_name("web::x", 2), "x");
    assert_str(nu_inherit_name("", 0), "");
    assert_str(nu_inherit_name(NULL, 5), "");
}

TEST_MAIN()
