/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic metadata and filter state: what setting twice does, what is found afterwards. */
#include "harness/test.h"

#include "http/filter_state.h"
#include "http/metadata.h"
#include "http/stream_info.h"

static struct nu_arena arena;

static struct nu_value one_field(const char *name, struct nu_value value)
{
    struct nu_value record = nu_value_struct();
    nu_value_set(&record, &arena, nu_str_from(name), value);
    return record;
}

static void assert_space(const struct nu_metadata *metadata, const char *space,
                         const char *expected)
{
    struct nu_strbuf out = {0};
    nu_value_to_json(nu_metadata_find(metadata, nu_str_from(space), NULL, 0), &out);
    assert_str(nu_strbuf_str(&out), expected);
    nu_strbuf_finish(&out);
}

/* Two sets of the same key, as seen with Envoy's Lua filter. */
TEST(merge_replaces_a_field_whole)
{
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    struct nu_value first = one_field("s", one_field("a", nu_value_number(1)));
    struct nu_value second = one_field("s", one_field("b", nu_value_number(2)));
    struct nu_value other = one_field("t", nu_value_bool(true));
    nu_metadata_merge(metadata, NU_STR("ns"), &first);
    nu_metadata_merge(metadata, NU_STR("ns"), &other);
    nu_metadata_merge(metadata, NU_STR("ns"), &second);
    assert_space(metadata, "ns", "{\"s\":{\"b\":2},\"t\":true}");
    nu_arena_finish(&arena);
}

/* As seen with Envoy's set_metadata filter. */
TEST(update_merges_level_by_level)
{
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    struct nu_value first = one_field("s", one_field("a", nu_value_number(1)));
    struct nu_value second = one_field("s", one_field("b", nu_value_number(2)));
    nu_metadata_update(metadata, NU_STR("ns"), &first);
    nu_metadata_update(metadata, NU_STR("ns"), &second);
    assert_space(metadata, "ns", "{\"s\":{\"a\":1,\"b\":2}}");
    assert_int_equal(first.fields[0].value.count, 1);
    nu_arena_finish(&arena);
}

TEST(find_tells_an_empty_namespace_from_a_missing_one)
{
    struct nu_stream_info info = {.arena = &arena};
    assert_null(nu_metadata_find(info.dynamic_metadata, NU_STR("ns"), NULL, 0));
    struct nu_metadata *metadata = nu_stream_info_metadata(&info);
    assert_ptr_equal(nu_stream_info_metadata(&info), metadata);
    struct nu_value empty = nu_value_struct();
    nu_metadata_merge(metadata, NU_STR("ns"), &empty);
    assert_space(metadata, "ns", "{}");
    assert_null(nu_metadata_find(metadata, NU_STR("other"), NULL, 0));
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("k"), nu_value_string(NU_STR("v")));
    const struct nu_str key = NU_STR("k");
    assert_str(nu_value_text(nu_metadata_find(metadata, NU_STR("ns"), &key, 1)), "v");
    nu_arena_finish(&arena);
}

static struct nu_filter_state_object named(const char *name, const struct nu_str *text,
                                           enum nu_filter_state_life life)
{
    return (struct nu_filter_state_object){.name = nu_str_from(name),
                                           .object_class = &nu_filter_state_string,
                                           .object = text,
                                           .life = (uint8_t)life};
}

TEST(filter_state_of_the_connection_is_seen_by_its_streams)
{
    const struct nu_str text = NU_STR("v");
    struct nu_filter_state *connection = nu_filter_state_create(&arena, NULL);
    struct nu_filter_state *stream = nu_filter_state_create(&arena, connection);
    struct nu_filter_state_object object = named("k", &text, NU_FILTER_STATE_CONNECTION);
    assert_int_equal(nu_filter_state_set(stream, &object), NU_OK);
    assert_int_equal(nu_filter_state_set(connection, &object), NU_UNSUPPORTED);
    struct nu_filter_state *later = nu_filter_state_create(&arena, connection);
    const struct nu_filter_state_object *found = nu_filter_state_find(later, NU_STR("k"));
    assert_non_null(found);
    struct nu_strbuf out = {0};
    assert_true(found->object_class->to_text(found->object, &out));
    assert_str(nu_strbuf_str(&out), "v");
    nu_strbuf_finish(&out);
    assert_null(nu_filter_state_find(NULL, NU_STR("k")));
    nu_arena_finish(&arena);
}

TEST(filter_state_keeps_read_only_objects_and_life_spans)
{
    const struct nu_str one = NU_STR("1");
    const struct nu_str two = NU_STR("2");
    struct nu_filter_state *state = nu_filter_state_create(&arena, NULL);
    struct nu_filter_state_object object = named("k", &one, NU_FILTER_STATE_REQUEST);
    assert_int_equal(nu_filter_state_set(state, &object), NU_OK);
    object.object = &two;
    assert_int_equal(nu_filter_state_set(state, &object), NU_OK);
    assert_ptr_equal(nu_filter_state_find(state, NU_STR("k"))->object, &two);
    object.life = NU_FILTER_STATE_FILTER_CHAIN;
    assert_int_equal(nu_filter_state_set(state, &object), NU_INVALID);
    object = named("ro", &one, NU_FILTER_STATE_FILTER_CHAIN);
    object.is_read_only = true;
    assert_int_equal(nu_filter_state_set(state, &object), NU_OK);
    assert_int_equal(nu_filter_state_set(state, &object), NU_INVALID);
    nu_filter_state_end_filter_chain(state);
    assert_null(nu_filter_state_find(state, NU_STR("ro")));
    assert_non_null(nu_filter_state_find(state, NU_STR("k")));
    nu_arena_finish(&arena);
}

TEST_MAIN()
