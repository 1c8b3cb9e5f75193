/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: what a search captures. */
#include "harness/test.h"

#include "base/regex.h"

TEST(find_gives_the_match_and_its_groups)
{
    struct nu_regex *regex = nu_regex_create(NU_STR("b((c)|(x))"), NULL);
    struct nu_str groups[5];
    assert_true(nu_regex_find(regex, NU_STR("abcd"), groups, 5));
    assert_str(groups[0], "bc");
    assert_str(groups[1], "c");
    assert_str(groups[2], "c");
    assert_null(groups[3].ptr);
    assert_null(groups[4].ptr);
    assert_false(nu_regex_find(regex, NU_STR("acbd"), groups, 5));
    nu_regex_destroy(&regex);
}

TEST_MAIN()
