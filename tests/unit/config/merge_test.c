/* SPDX-License-Identifier: Apache-2.0 */
/* --config-yaml over the file: protobuf's merge, with the places of both. */
#include "harness/config.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

#define BOOTSTRAP "envoy.config.bootstrap.v3.Bootstrap"

/* Reads both texts, merges and validates. */
static Envoy__Config__Bootstrap__V3__Bootstrap *merge(struct config_fixture *f, const char *base,
                                                      const char *over)
{
    const ProtobufCMessageDescriptor *type = nu_config_find_type(NU_STR(BOOTSTRAP));
    ProtobufCMessage *lower =
        nu_config_read(&f->ctx, "base", nu_str_from(base), NU_CONFIG_YAML, type);
    ProtobufCMessage *upper =
        nu_config_read(&f->ctx, "over", nu_str_from(over), NU_CONFIG_YAML, type);
    nu_config_merge(&f->ctx, lower, upper);
    nu_config_validate(&f->ctx, lower);
    return (void *)lower;
}

static void check(const char *base, const char *over, const char *json, const char *errors)
{
    struct config_fixture f;
    config_open(&f);
    const void *message = merge(&f, base, over);
    assert_config_errors(&f, errors);
    if (json)
        assert_config_json(message, json);
    config_close(&f);
}

TEST(scalars_are_replaced_and_messages_merged)
{
    check("node: {id: a, cluster: b}", "node: {id: c, locality: {zone: z}}",
          "{\"node\":{\"id\":\"c\",\"cluster\":\"b\",\"locality\":{\"zone\":\"z\"}}}", "");
    check("node: {id: a}", "node: {id: ''}", "{\"node\":{\"id\":\"a\"}}", "");
    check("{}", "node: {id: a}", "{\"node\":{\"id\":\"a\"}}", "");
}

TEST(repeated_fields_are_appended)
{
    check("static_resources: {clusters: [{name: a}]}",
          "static_resources: {clusters: [{name: b}], listeners: {name: l}}",
          "{\"static_resources\":{\"listeners\":[{\"name\":\"l\"}],\"clusters\":[{\"name\":\"a\"},"
          "{\"name\":\"b\"}]}}",
          "");
    check("node: {client_features: [a]}", "node: {client_features: [b]}",
          "{\"node\":{\"client_features\":[\"a\",\"b\"]}}", "");
}

TEST(map_entries_are_replaced_by_key)
{
    check("static_resources: {clusters: []}\nnode: {metadata: {a: 1, b: {x: 1}}}",
          "node: {metadata: {b: {y: 2}, c: 3}}",
          "{\"node\":{\"metadata\":{\"a\":1,\"b\":{\"y\":2},\"c\":3}},\"static_resources\":{}}",
          "");
}

TEST(wrappers_and_durations_are_merged_as_messages)
{
    check("stats_flush_interval: 5s\nstats_config: {use_all_default_tags: true}",
          "stats_flush_interval: 0.5s\nstats_config: {use_all_default_tags: false}",
          "{\"stats_flush_interval\":\"5.500s\",\"stats_config\":{\"use_all_default_tags\":true}}",
          "");
}

TEST(a_oneof_takes_the_upper_member)
{
    check("admin: {address: {pipe: {path: /a}}}",
          "admin: {address: {socket_address: {address: b, port_value: 1}}}",
          "{\"admin\":{\"address\":{\"socket_address\":{\"address\":\"b\",\"port_value\":1}}}}",
          "");
}

#define ENGINE(fields) "default_regex_engine: {name: r, typed_config: {" fields "}}"

TEST(an_any_is_replaced_as_a_whole)
{
    check(ENGINE("'@type': x/google.protobuf.StringValue, value: x"),
          ENGINE("'@type': x/envoy.extensions.regex_engines.v3.GoogleRE2"),
          "{\"default_regex_engine\":{\"name\":\"r\",\"typed_config\":{\"@type\":\"x/"
          "envoy.extensions.regex_engines.v3.GoogleRE2\"}}}",
          "");
}

TEST(errors_name_the_document_that_a_value_came_from)
{
    struct config_fixture f;
    config_open(&f);
    Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap =
        merge(&f, "node: {id: a, client_features: [x]}\nstatic_resources: {clusters: [{name: a}]}",
              "static_resources: {clusters: [{name: b}]}\nnode: {cluster: q, client_features: z}");
    nu_config_error(&f.ctx, bootstrap->node, "id", "1");
    nu_config_error(&f.ctx, bootstrap->node, "cluster", "2");
    nu_config_error_at(&f.ctx, bootstrap->node, "client_features", 0, "3");
    nu_config_error_at(&f.ctx, bootstrap->node, "client_features", 1, "4");
    nu_config_error(&f.ctx, bootstrap->static_resources->clusters[1], "name", "5");
    nu_config_error(&f.ctx, bootstrap->static_resources->clusters[0], "name", "6");
    assert_config_errors(&f, "base:1:12: node.id: 1\n"
                             "over:2:17: node.cluster: 2\n"
                             "base:1:33: node.client_features[0]: 3\n"
                             "over:2:37: node.client_features[1]: 4\n"
                             "over:1:38: static_resources.clusters[1].name: 5\n"
                             "base:2:38: static_resources.clusters[0].name: 6");
    config_close(&f);
}

TEST(rules_hold_for_the_outcome)
{
    check("layered_runtime: {layers: {name: a}}", "layered_runtime: {layers: {admin_layer: {}}}",
          NULL,
          "base:1:27: layered_runtime.layers[0]: value is required: layer_specifier\n"
          "over:1:27: layered_runtime.layers[1].name: value length must be at least 1 characters");
}

TEST_MAIN()
