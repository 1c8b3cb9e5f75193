/* SPDX-License-Identifier: Apache-2.0 */
/* The spelling of names that come again, and what it costs to find. */
#include "harness/test.h"

#include "harness/h1_driver.h"
#include "http/headers.h"

/* The entries that the walk of h1_spelling.c looks at are counted. */
static size_t looked_at;
#undef nu_headers_for_each
#define nu_headers_for_each(header, headers) \
    for (struct nu_header *header = (headers)->entries, *header##_end = header + (headers)->used; \
         header < header##_end; header++) \
        if (looked_at++, header->name.ptr)

#include "codec/h1_spelling.c" /* NOLINT: with that walk */

enum { NAMES = 4000, TIMES = 3 };

static const char *const spellings[TIMES] = {"X-nAmE-", "x-name-", "X-NAME-"};

/* All names once, then all of them as they are spelt the next time; a known one among them. */
static void add_fields(struct nu_strbuf *bytes, unsigned from, unsigned names)
{
    for (unsigned time = 0; time < TIMES; time++) {
        const char *spelling = spellings[(from + time) % TIMES];
        nu_strbuf_addf(bytes, "%s: a\r\n", time ? "WARNING" : "Warning");
        for (unsigned i = 0; i < names; i++)
            nu_strbuf_addf(bytes, "%s%u: v\r\n", spelling, i);
    }
}

static struct h1_requests run;
static size_t right_head, right_trailers, looked_at_by_codec;

static size_t count_spelt(const struct nu_headers *headers, const char *spelling)
{
    size_t count = 0;
    if (!headers)
        return 0;
    nu_headers_for_each(header, headers)
    {
        if (header->name.ptr[0] == ':')
            continue;
        struct nu_str original = nu_str_make(header->original_name, header->name.len);
        count += original.ptr && (nu_str_starts_with(original, nu_str_from(spelling)) ||
                                  nu_str_eq(original, NU_STR("Warning")));
    }
    return count;
}

static void note(struct h1_heard *heard, struct nu_headers *trailers)
{
    looked_at_by_codec = looked_at;
    right_head = count_spelt(&heard->headers, spellings[0]);
    right_trailers = count_spelt(trailers, spellings[1]);
}

/* A request with `names` names in its head and in its trailers, in pieces of `step` bytes. */
static void receive(unsigned names, size_t step)
{
    struct nu_strbuf bytes = {0};
    h1_requests_init(&run);
    run.on_complete = note;
    run.wire.options.max_head_bytes = 1024 * 1024;
    run.wire.options.max_headers = TIMES * (NAMES + 1) + 2;
    run.wire.options.keep_names = NU_NAMES_AS_RECEIVED;
    nu_strbuf_add(&bytes, NU_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"));
    add_fields(&bytes, 0, names);
    nu_strbuf_add(&bytes, NU_STR("\r\n0\r\n"));
    add_fields(&bytes, 1, names);
    nu_strbuf_add(&bytes, NU_STR("\r\n"));
    looked_at = 0;
    struct nu_str all = nu_strbuf_str(&bytes);
    for (size_t at = 0; at < all.len; at += step) {
        h1_wire_receive(&run.wire,
                        nu_str_first(nu_str_skip(all, at), nu_min_size(step, all.len - at)), true);
        h1_requests_run(&run);
    }
    nu_strbuf_finish(&bytes);
    h1_requests_finish(&run);
    assert_int_equal(right_head, TIMES * (names + 1));
    assert_int_equal(right_trailers, TIMES * (names + 1));
}

TEST(a_name_that_comes_again_is_spelt_as_it_was_first_in_its_section)
{
    static const unsigned names[] = {1, 10, 11, 12, 30, 31, 32, 33, 34, 500};
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        receive(names[i], SIZE_MAX / 2);
        receive(names[i], 700);
    }
}

/* A client may send as many as the limit allows: what each costs must not grow with them. */
TEST(each_of_many_names_costs_the_same)
{
    receive(NAMES / 8, SIZE_MAX / 2);
    size_t few = looked_at_by_codec;
    receive(NAMES, SIZE_MAX / 2);
    assert_in_range(looked_at_by_codec, 0, few);
    assert_in_range(looked_at_by_codec, 0, 2 * FEW * (FEW + 1));
}

TEST_MAIN()
