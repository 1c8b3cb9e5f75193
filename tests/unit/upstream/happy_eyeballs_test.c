/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which several addresses are tried. */
#include "harness/test.h"

#include "upstream/hosts/happy_eyeballs.h"

struct order_case {
    uint8_t family;
    uint32_t count;
    const char *in, *out;
};

static const struct order_case cases[] = {
    {0, 0, "", ""},
    {0, 0, "1.0.0.1", "1.0.0.1"},
    {0, 0, "1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.2"},
    {0, 0, "1.0.0.1 1.0.0.2 ::1 ::2", "1.0.0.1 ::1 1.0.0.2 ::2"},
    {0, 0, "::1 ::2 ::3 1.0.0.1", "::1 1.0.0.1 ::2 ::3"},
    {NU_ADDRESS_IPV6, 1, "1.0.0.1 1.0.0.2 ::1", "::1 1.0.0.1 1.0.0.2"},
    {NU_ADDRESS_IPV6, 2, "1.0.0.1 1.0.0.2 ::1 ::2 ::3", "::1 ::2 1.0.0.1 ::3 1.0.0.2"},
    {NU_ADDRESS_IPV6, 3, "1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.2"},
    {NU_ADDRESS_IPV4, 2, "::1 1.0.0.1", "1.0.0.1 ::1"},
};

TEST(families_take_turns)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_address in[8], out[8];
        uint32_t count = 0;
        struct nu_str rest = nu_str_from(cases[i].in);
        while (rest.len)
            assert_int_equal(nu_address_parse_ip(nu_str_split(&rest, ' '), 0, &in[count++]), NU_OK);
        const struct nu_happy_eyeballs config = {cases[i].family, cases[i].count};
        nu_happy_eyeballs_sort(&config, in, count, out);
        struct nu_strbuf text = {0};
        for (uint32_t n = 0; n < count; n++) {
            char one[NU_ADDRESS_TEXT_MAX];
            size_t len = nu_address_format_ip(&out[n], one);
            nu_strbuf_addf(&text, "%s%.*s", n ? " " : "", (int)len, one);
        }
        assert_str(nu_strbuf_str(&text), cases[i].out);
        nu_strbuf_finish(&text);
    }
}

TEST_MAIN()
