/* SPDX-License-Identifier: Apache-2.0 */
/* The generated tables: they say of a message what its .proto file says. */
#include "harness/test.h"

#include "config/schema.h"
#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "envoy/config/core/v3/config_source.pb-c.h"
#include "envoy/config/route/v3/route_components.pb-c.h"

TEST(messages_are_found_by_full_name)
{
    assert_ptr_equal(nu_config_find_type(NU_STR("envoy.config.cluster.v3.Cluster")),
                     &envoy__config__cluster__v3__cluster__descriptor);
    assert_non_null(nu_config_find_type(NU_STR("google.protobuf.StringValue")));
    assert_non_null(nu_config_find_type(NU_STR("nuncio.filters.http.prime_authz.v1.PrimeAuthz")));
    assert_null(nu_config_find_type(NU_STR("envoy.config.cluster.v3.Cluste")));
    assert_null(nu_config_find_type(NU_STR("")));
}

TEST(every_message_is_found_by_its_own_name)
{
    for (size_t i = 0; i < nu_schema_message_count; i++)
        assert_ptr_equal(nu_schema_meta(nu_schema_messages[i].descriptor), &nu_schema_messages[i]);
}

TEST(map_entries_are_marked_and_are_no_types)
{
    struct nu_str name = NU_STR("envoy.config.core.v3.Metadata.FilterMetadataEntry");
    assert_true(nu_schema_find(name)->is_map_entry);
    assert_null(nu_config_find_type(name));
}

TEST(reserved_numbers_are_paired_with_their_names)
{
    const struct nu_message_meta *meta =
        nu_schema_meta(&envoy__config__cluster__v3__cluster__descriptor);
    assert_string_equal(nu_schema_reserved(meta, 40)->name, "filters");
    assert_string_equal(nu_schema_reserved(meta, 42)->name, "lrs_server");
    assert_string_equal(nu_schema_reserved(meta, 59)->name, "transport_socket_matcher");
    assert_null(nu_schema_reserved(meta, 1));
    assert_null(nu_schema_reserved(meta, 7));
}

static const struct nu_field_meta *field_of(const ProtobufCMessageDescriptor *descriptor,
                                            const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
    assert_non_null(field);
    return &nu_schema_meta(descriptor)->fields[field - descriptor->fields];
}

TEST(rules_stand_beside_their_field)
{
    const struct nu_field_meta *key =
        field_of(&envoy__config__core__v3__header_value__descriptor, "key");
    assert_int_equal(key->rule_count, 3);
    assert_int_equal(key->rules[0].kind, NU_RULE_MIN_LEN);
    assert_int_equal(key->rules[0].count, 1);
    assert_int_equal(key->rules[1].kind, NU_RULE_MAX_BYTES);
    assert_int_equal(key->rules[1].count, 16384);
    assert_int_equal(key->rules[2].kind, NU_RULE_HEADER_STRING);

    const struct nu_field_meta *status =
        field_of(&envoy__config__route__v3__direct_response_action__descriptor, "status");
    assert_int_equal(status->rule_count, 1);
    assert_true(status->rules[0].range.has_low && !status->rules[0].range.low_open);
    assert_true(status->rules[0].range.has_high && status->rules[0].range.high_open);
    assert_true(status->rules[0].range.low > 199.5 && status->rules[0].range.low < 200.5);
}

TEST(items_have_rules_of_their_own)
{
    const struct nu_field_meta *domains =
        field_of(&envoy__config__route__v3__virtual_host__descriptor, "domains");
    bool on_field = false;
    bool on_item = false;
    for (size_t i = 0; i < domains->rule_count; i++) {
        const struct nu_rule *rule = &domains->rules[i];
        on_field |= rule->scope == NU_RULE_ON_FIELD && rule->kind == NU_RULE_MIN_ITEMS;
        on_item |= rule->scope == NU_RULE_ON_ITEM && rule->kind == NU_RULE_HEADER_STRING;
    }
    assert_true(on_field && on_item);
}

TEST(ignored_and_deprecated_fields_are_marked)
{
    const ProtobufCMessageDescriptor *cluster = &envoy__config__cluster__v3__cluster__descriptor;
    assert_non_null(
        field_of(&envoy__config__core__v3__config_source__descriptor, "initial_fetch_timeout")
            ->ignored);
    assert_null(field_of(cluster, "name")->ignored);
    assert_true(field_of(cluster, "max_requests_per_connection")->deprecated);
    assert_false(field_of(cluster, "connect_timeout")->deprecated);
}

TEST(required_oneofs_are_marked)
{
    const struct nu_message_meta *route =
        nu_schema_meta(&envoy__config__route__v3__route__descriptor);
    assert_int_equal(route->oneof_count, 1);
    assert_string_equal(route->oneofs[0].name, "action");
    assert_true(route->oneofs[0].required);
    assert_int_equal(route->oneofs[0].first_number, 2);
}

TEST(enum_values_that_are_missing_are_told_apart)
{
    const ProtobufCEnumDescriptor *type = &envoy__config__core__v3__api_version__descriptor;
    assert_false(nu_schema_enum_is_missing(type, 0));
    assert_false(nu_schema_enum_is_missing(type, 2));
    assert_true(nu_schema_enum_is_missing(type, 1));
    assert_false(nu_schema_enum_is_missing(type, 99));
}

TEST(extensions_are_found_by_type_and_by_name)
{
    const struct nu_extension_info *info =
        nu_schema_extension_of_type(NU_STR("envoy.extensions.filters.http.lua.v3.Lua"));
    assert_string_equal(info->name, "envoy.filters.http.lua");
    assert_string_equal(info->category, "envoy.filters.http");
    info = nu_schema_extension_named(NU_STR("envoy.filters.http.router"));
    assert_string_equal(info->type, "envoy.extensions.filters.http.router.v3.Router");
    assert_null(nu_schema_extension_of_type(NU_STR("envoy.extensions.NoSuchThing")));
}

TEST(type_urls_name_what_stands_behind_the_last_slash)
{
    assert_str(nu_config_type_name(NU_STR("type.googleapis.com/a.B")), "a.B");
    assert_str(nu_config_type_name(NU_STR("a.B")), "a.B");
    assert_str(nu_config_type_name(NU_STR("x/y/a.B")), "a.B");
}

TEST_MAIN()
