/* SPDX-License-Identifier: Apache-2.0 */
/* Varints: protobuf's encoding guide gives 150 as 96 01; the bounds follow from seven bits a byte. */
#include "harness/test.h"

#include "base/varint.h"

static const struct {
    uint64_t value;
    struct nu_str bytes;
} samples[] = {
    {0, NU_STR_INIT("\0")},
    {127, NU_STR_INIT("\x7f")},
    {128, NU_STR_INIT("\x80\x01")},
    {150, NU_STR_INIT("\x96\x01")},
    {16383, NU_STR_INIT("\xff\x7f")},
    {16384, NU_STR_INIT("\x80\x80\x01")},
    {UINT32_MAX, NU_STR_INIT("\xff\xff\xff\xff\x0f")},
    {UINT64_MAX, NU_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
};

TEST(numbers_are_written_in_few_bytes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(samples); i++) {
        char bytes[NU_VARINT_MAX];
        struct nu_strbuf out = {0};
        nu_strbuf_add_char(&out, '.');
        nu_varint_add(&out, samples[i].value);
        assert_true(nu_str_eq(nu_str_skip(nu_strbuf_str(&out), 1), samples[i].bytes));
        assert_int_equal(nu_varint_write(samples[i].value, bytes), samples[i].bytes.len);
        assert_memory_equal(bytes, samples[i].bytes.ptr, samples[i].bytes.len);
        nu_strbuf_finish(&out);
    }
}

TEST(numbers_are_read_and_what_follows_stays)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(samples); i++) {
        struct nu_strbuf text = {0};
        uint64_t value;
        nu_strbuf_add(&text, samples[i].bytes);
        nu_strbuf_add_cstr(&text, "rest");
        struct nu_str bytes = nu_strbuf_str(&text);
        assert_true(nu_varint_take(&bytes, &value));
        assert_true(value == samples[i].value);
        assert_str(bytes, "rest");
        nu_strbuf_finish(&text);
    }
}

TEST(more_bytes_than_needed_are_read_up_to_ten)
{
    struct nu_str longer = NU_STR("\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00");
    struct nu_str too_large = NU_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
    uint64_t value;
    assert_true(nu_varint_take(&longer, &value));
    assert_true(value == 5);
    assert_true(nu_varint_take(&too_large, &value));
    assert_true(value == UINT64_MAX);
}

TEST(a_number_without_end_is_none)
{
    struct nu_str bad[] = {
        nu_str_make(NULL, 0),
        NU_STR("\x80"),
        NU_STR("\xff\xff\xff"),
        NU_STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    };
    uint64_t value;
    for (size_t i = 0; i < NU_ARRAY_LEN(bad); i++)
        assert_false(nu_varint_take(&bad[i], &value));
}

TEST_MAIN()
