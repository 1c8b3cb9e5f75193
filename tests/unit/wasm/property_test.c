/* SPDX-License-Identifier: Apache-2.0 */
/* Typed values as a guest gets them: the bytes are those of Envoy 1.36.4. */
#include "harness/test.h"

#include "http/metadata.h"
#include "http/stream_info.h"
#include "wasm/property.h"

static struct nu_arena arena;
static struct nu_stream_info info;
static struct nu_attribute_source source = {.arena = &arena, .info = &info};
static struct nu_strbuf shown;

/* In hex, or "unwritten". */
static struct nu_str write_out(struct nu_attribute value)
{
    struct nu_strbuf bytes = {0};
    nu_strbuf_clear(&shown);
    if (!nu_wasm_property_write(&source, &value, &bytes))
        nu_strbuf_add_cstr(&shown, "unwritten");
    else
        for (size_t i = 0; i < bytes.len; i++)
            nu_strbuf_addf(&shown, "%02x", (unsigned char)bytes.data[i]);
    nu_strbuf_finish(&bytes);
    return nu_strbuf_str(&shown);
}

static struct nu_attribute find(const char *path)
{
    struct nu_str rest = nu_str_from(path);
    struct nu_attribute value = nu_attribute_root(&source, nu_str_split(&rest, '/'));
    while (rest.ptr)
        value = nu_attribute_member(&source, &value, nu_str_split(&rest, '/'));
    return value;
}

static void setup(void)
{
    nu_arena_init(&arena);
    memset(&info, 0, sizeof(info));
    info.arena = &arena;
}

static void teardown(void)
{
    nu_strbuf_finish(&shown);
    nu_arena_finish(&arena);
}

TEST(single_values_are_little_endian)
{
    setup();
    assert_str(write_out(nu_attribute_bool(true)), "01");
    assert_str(write_out(nu_attribute_bool(false)), "00");
    assert_str(write_out(nu_attribute_int(-2)), "feffffffffffffff");
    assert_str(write_out(nu_attribute_uint(0x0102)), "0201000000000000");
    assert_str(write_out(nu_attribute_double(1)), "000000000000f03f");
    assert_str(write_out(nu_attribute_string(NU_STR("ab"))), "6162");
    assert_str(write_out(nu_attribute_bytes(NU_STR(""))), "");
    assert_str(write_out(nu_attribute_null()), "unwritten");
    assert_str(write_out(nu_attribute_none()), "unwritten");
    teardown();
}

TEST(maps_and_lists_are_pairs_within_pairs)
{
    setup();
    struct nu_metadata *metadata = nu_stream_info_metadata(&info);
    struct nu_value list = nu_value_list();
    struct nu_value record = nu_value_struct();
    nu_value_set(&record, &arena, NU_STR("x"), nu_value_bool(true));
    nu_value_add(&list, &arena, nu_value_number(1));
    nu_value_add(&list, &arena, nu_value_string(NU_STR("two")));
    nu_value_add(&list, &arena, record);
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("l"), list);
    assert_str(write_out(find("metadata/filter_metadata/ns/l")),
               "03000000080000000000000003000000000000001000000000000000"
               "000000000000f03f000074776f0000"
               "0100000001000000010000007800010000"
               "00");
    nu_metadata_set(metadata, NU_STR("one"), NU_STR("k"), nu_value_string(NU_STR("cv")));
    assert_str(write_out(find("metadata/filter_metadata/one")),
               "0100000001000000020000006b00637600");
    teardown();
}

TEST(empty_map_is_a_count_of_none)
{
    setup();
    assert_str(write_out(find("metadata/filter_metadata")), "00000000");
    assert_str(write_out(find("request/headers")), "00000000");
    assert_str(write_out(find("metadata")), "");
    teardown();
}

TEST(what_cannot_be_told_whole_is_not_written)
{
    setup();
    nu_metadata_set(nu_stream_info_metadata(&info), NU_STR("ns"), NU_STR("z"), nu_value_null());
    assert_str(write_out(find("request")), "unwritten");
    assert_str(write_out(find("filter_state")), "unwritten");
    assert_str(write_out(find("metadata/filter_metadata")), "unwritten"); /* of the null in it */
    teardown();
}

TEST_MAIN()
