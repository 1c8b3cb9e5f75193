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

/* A connection and its streams, as who has them on a connection sets them up. */
struct connection {
    struct nu_connection_info own_info;
    struct nu_stream_info own;
    struct nu_connection_info info; /* that its streams see */
};

static struct connection connection;

static struct nu_filter_state *state_of_connection(struct nu_connection_info *info, bool make)
{
    assert_ptr_equal(info, &connection.info);
    return make ? nu_stream_info_filter_state(&connection.own) : connection.own.filter_state;
}

static struct nu_stream_info stream_on_connection(void)
{
    connection.own.arena = &arena;
    connection.own.connection = &connection.own_info;
    connection.info.filter_state = state_of_connection;
    return (struct nu_stream_info){.arena = &arena, .connection = &connection.info};
}

static void end_connection(void)
{
    connection = (struct connection){.own = {0}};
    nu_arena_finish(&arena);
}

static void assert_state(const struct nu_stream_info *info, const char *name, const char *text)
{
    const struct nu_filter_state_object *found = nu_stream_info_find_state(info, nu_str_from(name));
    assert_non_null(found);
    struct nu_strbuf out = {0};
    assert_true(found->object_class->to_text(found->object, &out));
    assert_str(nu_strbuf_str(&out), text);
    nu_strbuf_finish(&out);
}

TEST(filter_state_of_the_connection_is_seen_by_its_streams)
{
    const struct nu_str text = NU_STR("v");
    struct nu_stream_info stream = stream_on_connection();
    struct nu_stream_info earlier = stream_on_connection();
    struct nu_filter_state_object object = named("k", &text, NU_FILTER_STATE_CONNECTION);
    assert_null(nu_stream_info_find_state(&earlier, NU_STR("k")));
    assert_null(connection.own.filter_state);
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_OK);
    struct nu_stream_info later = stream_on_connection();
    assert_state(&stream, "k", "v");
    assert_state(&earlier, "k", "v");
    assert_state(&later, "k", "v");
    assert_state(&connection.own, "k", "v");
    assert_null(later.filter_state);
    assert_null(nu_filter_state_find(NULL, NU_STR("k")));
    end_connection();
}

TEST(filter_state_of_a_connection_keeps_all_spans_alike)
{
    const struct nu_str text = NU_STR("v");
    const struct nu_str other = NU_STR("w");
    struct nu_stream_info stream = stream_on_connection();
    struct nu_filter_state_object object = named("k", &text, NU_FILTER_STATE_FILTER_CHAIN);
    assert_int_equal(nu_stream_info_set_state(&connection.own, &object), NU_OK);
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_INVALID);
    object = named("k", &other, NU_FILTER_STATE_CONNECTION);
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_OK);
    assert_state(&connection.own, "k", "w");
    assert_null(stream.filter_state);
    end_connection();
}

TEST(filter_state_of_the_connection_yields_to_a_streams)
{
    const struct nu_str text = NU_STR("v");
    struct nu_stream_info stream = stream_on_connection();
    struct nu_stream_info other = stream_on_connection();
    struct nu_filter_state_object object = named("k", &text, NU_FILTER_STATE_REQUEST);
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_OK);
    object.life = NU_FILTER_STATE_CONNECTION;
    assert_false(nu_stream_info_may_set_state(&stream, &object));
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_INVALID);
    assert_null(nu_stream_info_find_state(&other, NU_STR("k")));
    end_connection();
}

TEST(filter_state_without_a_connection_is_the_streams)
{
    const struct nu_str text = NU_STR("v");
    struct nu_stream_info stream = {.arena = &arena};
    struct nu_filter_state_object object = named("k", &text, NU_FILTER_STATE_CONNECTION);
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_OK);
    assert_state(&stream, "k", "v");
    object.life = NU_FILTER_STATE_REQUEST;
    assert_int_equal(nu_stream_info_set_state(&stream, &object), NU_INVALID);
    nu_arena_finish(&arena);
}

TEST(filter_state_keeps_read_only_objects_and_life_spans)
{
    const struct nu_str one = NU_STR("1");
    const struct nu_str two = NU_STR("2");
    struct nu_stream_info info = {.arena = &arena};
    struct nu_filter_state_object object = named("k", &one, NU_FILTER_STATE_REQUEST);
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_OK);
    object.object = &two;
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_OK);
    assert_state(&info, "k", "2");
    object.life = NU_FILTER_STATE_FILTER_CHAIN;
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_INVALID);
    object.life = NU_FILTER_STATE_REQUEST;
    object.is_read_only = true;
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_INVALID);
    object = named("ro", &one, NU_FILTER_STATE_FILTER_CHAIN);
    object.is_read_only = true;
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_OK);
    object.is_read_only = false;
    assert_int_equal(nu_stream_info_set_state(&info, &object), NU_INVALID);
    nu_filter_state_end_filter_chain(info.filter_state);
    assert_null(nu_stream_info_find_state(&info, NU_STR("ro")));
    assert_state(&info, "k", "2");
    nu_arena_finish(&arena);
}

TEST_MAIN()
