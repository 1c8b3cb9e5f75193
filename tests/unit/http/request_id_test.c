/* SPDX-License-Identifier: Apache-2.0 */
/* Request identifiers and the trace decision in them. */
#include "harness/test.h"

#include "http/request_id.h"

static const char sample[] = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

TEST(new_identifiers_are_random_uuids_of_version_4)
{
    char id[NU_REQUEST_ID_LEN];
    char other[NU_REQUEST_ID_LEN];
    for (int i = 0; i < 1000; i++) {
        nu_request_id_create(id);
        assert_true(nu_request_id_is_uuid(nu_str_make(id, sizeof(id))));
        assert_int_equal(id[14], '4');
        assert_non_null(strchr("89ab", id[19]));
        for (size_t k = 0; k < sizeof(id); k++)
            assert_int_equal(id[k], nu_ascii_lower(id[k]));
    }
    nu_request_id_create(other);
    assert_memory_not_equal(id, other, sizeof(id));
}

TEST(every_digit_occurs_at_every_free_place)
{
    unsigned seen[NU_REQUEST_ID_LEN] = {0};
    for (int i = 0; i < 2000; i++) {
        char id[NU_REQUEST_ID_LEN];
        nu_request_id_create(id);
        for (size_t k = 0; k < sizeof(id); k++) {
            if (id[k] != '-')
                seen[k] |= 1u << nu_hex_value(id[k]);
        }
    }
    for (size_t k = 0; k < NU_REQUEST_ID_LEN; k++) {
        if (sample[k] == 'a' && k != 19)
            assert_int_equal(seen[k], 0xffff);
    }
    assert_int_equal(seen[19], 0x0f00);
}

TEST(a_trace_decision_is_taken_out_at_the_version_digit)
{
    static const char decided[] = "xxxxxxxxxxxxxx9xxxxxxxxxxxxxxxxxxxxxx";
    char id[sizeof(decided)];
    memcpy(id, decided, sizeof(id));
    assert_false(nu_request_id_clear_reason(id, NU_REQUEST_ID_LEN + 1));
    assert_string_equal(id, decided);
    assert_true(nu_request_id_clear_reason(id, NU_REQUEST_ID_LEN));
    assert_int_equal(id[14], '4');
    id[14] = '9';
    assert_string_equal(id, decided);
}

TEST(the_sampling_number_is_the_first_eight_digits)
{
    uint64_t number;
    assert_true(nu_request_id_number(NU_STR("0000ffFFz"), &number));
    assert_int_equal(number, 0xffff);
    assert_false(nu_request_id_number(NU_STR("0000fff"), &number));
    assert_false(nu_request_id_number(NU_STR("0000fffx"), &number));
}

TEST(the_form_of_a_uuid_is_checked)
{
    assert_true(nu_request_id_is_uuid(NU_STR("AAAAAAAA-0000-1aaa-faaa-aaaaaaaaaaaa")));
    assert_false(nu_request_id_is_uuid(NU_STR("aaaaaaaaa-aaa-4aaa-8aaa-aaaaaaaaaaaa")));
    assert_false(nu_request_id_is_uuid(NU_STR("gaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa")));
    assert_false(nu_request_id_is_uuid(NU_STR("")));
}

TEST_MAIN()
