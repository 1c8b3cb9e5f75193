/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of RFC 4648, section 10. */
#include "harness/test.h"

#include "base/base64.h"

TEST(bytes_become_base64)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe", "//4="},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(vectors); i++) {
        struct nu_strbuf out = {0};
        nu_base64_add(&out, nu_str_from(vectors[i][0]));
        assert_str(nu_strbuf_str(&out), vectors[i][1]);
        nu_strbuf_finish(&out);
    }
}

TEST_MAIN()
