/* SPDX-License-Identifier: Apache-2.0 */
/* Expected bytes of a health check. */
#include "upstream/health/payload.h"

#include "harness/test.h"

static bool matches(const struct nu_str *pieces, size_t count, const char *bytes)
{
    const struct nu_health_payload payload = {pieces, count};
    return nu_health_payload_matches(&payload, nu_str_from(bytes));
}

static const struct nu_str po_ng[] = {NU_STR_INIT("PO"), NU_STR_INIT("NG")};
static const struct nu_str aa[] = {NU_STR_INIT("aa"), NU_STR_INIT("aa")};

TEST(pieces_may_have_anything_around_them)
{
    assert_true(matches(po_ng, 2, "PONG"));
    assert_true(matches(po_ng, 2, "..PO..NG.."));
}

TEST(pieces_must_come_in_their_order)
{
    assert_false(matches(po_ng, 2, "NGPO"));
    assert_true(matches(po_ng, 2, "NGPONG"));
}

TEST(pieces_do_not_overlap)
{
    assert_false(matches(aa, 2, "aaa"));
    assert_true(matches(aa, 2, "aaaa"));
}

TEST(missing_bytes_do_not_match)
{
    assert_false(matches(po_ng, 2, "PON"));
    assert_false(matches(po_ng, 2, ""));
}

TEST(nothing_expected_matches_everything)
{
    assert_true(matches(NULL, 0, ""));
    assert_true(matches(NULL, 0, "x"));
}

/* Byte by byte, as a host may send them; tells how many were kept at most. */
static size_t look_slowly(const char *bytes, size_t *found)
{
    const struct nu_health_payload payload = {po_ng, 2};
    char kept[8];
    size_t len = 0, most = 0;
    *found = 0;
    for (; *bytes; bytes++) {
        kept[len++] = *bytes;
        size_t done = nu_health_payload_look(&payload, found, nu_str_make(kept, len));
        len -= done;
        memmove(kept, kept + done, len);
        most = len > most ? len : most;
    }
    return most;
}

TEST(pieces_are_found_in_bytes_that_come_one_by_one)
{
    size_t found;
    assert_int_equal(look_slowly("xPPyNGPOONNG", &found), 1);
    assert_int_equal(found, 2);
    assert_int_equal(look_slowly("NGxxPOxxxxxxxxxxxxxxxxxN", &found), 1);
    assert_int_equal(found, 1);
}

static size_t collect(size_t limit, size_t bytes)
{
    struct nu_strbuf out = {0};
    struct nu_buf data = {0};
    char text[64];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < bytes; i += 10) {
        nu_buf_append(&data, nu_str_make(text, bytes - i < 10 ? bytes - i : 10));
        nu_health_payload_collect(&out, &data, limit);
        assert_int_equal(data.len, 0);
    }
    size_t len = out.len;
    nu_strbuf_finish(&out);
    return len;
}

TEST(collecting_stops_at_the_limit)
{
    assert_int_equal(collect(25, 60), 25);
    assert_int_equal(collect(30, 60), 30);
    assert_int_equal(collect(100, 60), 60);
}

TEST(limit_of_zero_keeps_all)
{
    assert_int_equal(collect(0, 60), 60);
}

TEST_MAIN()
