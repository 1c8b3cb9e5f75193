/* SPDX-License-Identifier: Apache-2.0 */
/* google.protobuf.Any from text: types by URL, well-known types under "value", TypedStruct. */
#include "harness/config.h"

#include "envoy/config/core/v3/extension.pb-c.h"
#include "envoy/extensions/filters/http/router/v3/router.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"

#define EXTENSION "envoy.config.core.v3.TypedExtensionConfig"
#define ROUTER "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

TEST(the_type_may_stand_anywhere)
{
    static const struct config_case cases[] = {
        {"{name: a, typed_config: {'@type': " ROUTER ", suppress_envoy_headers: true}}",
         "{\"name\":\"a\",\"typed_config\":{\"@type\":\"" ROUTER
         "\",\"suppress_envoy_headers\":true}}",
         NULL},
        {"{name: a, typed_config: {suppressEnvoyHeaders: true, '@type': "
         "x/y/envoy.extensions.filters.http.router.v3.Router}}",
         "{\"name\":\"a\",\"typed_config\":{\"@type\":\"x/y/"
         "envoy.extensions.filters.http.router.v3.Router\",\"suppress_envoy_headers\":true}}",
         NULL},
    };
    check_yaml_cases(EXTENSION, cases);
}

TEST(types_that_cannot_be)
{
    static const struct config_case cases[] = {
        {"{name: a, typed_config: {suppress_envoy_headers: true}}", NULL,
         "t:1:25: typed_config: \"@type\" is missing: it says which message this is"},
        {"{name: a, typed_config: foo}", NULL,
         "t:1:25: typed_config: expected an object with an \"@type\", not a string"},
        {"{name: a, typed_config: []}", NULL,
         "t:1:25: typed_config: expected an object with an \"@type\", not a list"},
        {"{name: a, typed_config: {'@type': 5}}", NULL,
         "t:1:35: typed_config: \"@type\" must be a URL, such as "
         "type.googleapis.com/google.protobuf.StringValue"},
        {"{name: a, typed_config: {'@type': a.B}}", NULL,
         "t:1:35: typed_config: \"@type\" must be a URL, such as "
         "type.googleapis.com/google.protobuf.StringValue"},
        {"{name: a, typed_config: {'@type': /a.B}}", NULL,
         "t:1:35: typed_config: \"@type\" must be a URL, such as "
         "type.googleapis.com/google.protobuf.StringValue"},
        {"{name: a, typed_config: {'@type': \"x\\0/envoy.type.v3.Percent\"}}", NULL,
         "t:1:35: typed_config: \"@type\" must be a URL, such as "
         "type.googleapis.com/google.protobuf.StringValue"},
        {"{name: a, typed_config: {'@type': x/a.B}}", NULL,
         "t:1:35: typed_config: no such type: a.B"},
        {"{name: a, typed_config: {'@type': x/envoy.extensions.filters.http.router.v3.Ruter}}",
         NULL,
         "t:1:35: typed_config: no such type: envoy.extensions.filters.http.router.v3.Ruter (did "
         "you mean envoy.extensions.filters.http.router.v3.Router?)"},
        /* Nearer to the Route of another package. */
        {"{name: a, typed_config: {'@type': x/envoy.extensions.filters.http.router.v3.Routre}}",
         NULL,
         "t:1:35: typed_config: no such type: envoy.extensions.filters.http.router.v3.Routre (did "
         "you mean envoy.extensions.filters.http.router.v3.Router?)"},
        {"{name: a, typed_config: {'@type': x/envoy.config.filter.http.router.v2.Router}}", NULL,
         "t:1:35: typed_config: no such type: envoy.config.filter.http.router.v2.Router; it is of "
         "the v2 API, which Envoy removed (did you mean "
         "envoy.extensions.filters.http.router.v3.Router?)"},
        {"{name: a, typed_config: {'@type': x/envoy.extensions.filters.http.lua.v3.Lua}}", NULL,
         "t:1:35: typed_config: envoy.extensions.filters.http.lua.v3.Lua (envoy.filters.http.lua): "
         "known to Envoy, not implemented by nuncio"},
        {"{name: a, typed_config: {'@type': x/envoy.extensions.common.tap.v3.AdminConfig}}", NULL,
         "t:1:35: typed_config: envoy.extensions.common.tap.v3.AdminConfig: known to Envoy, not "
         "implemented by nuncio"},
    };
    check_yaml_cases(EXTENSION, cases);
}

TEST(a_name_alone_finds_no_extension)
{
    static const struct config_case cases[] = {
        {"{name: envoy.filters.http.router, typed_config: {}}", NULL,
         "t:1:49: typed_config: an object with an \"@type\" is required, a name alone finds "
         "nothing "
         "(\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router)"},
        {"{name: envoy.tls, typed_config: {}}", NULL,
         "t:1:33: typed_config: an object with an \"@type\" is required, a name alone finds "
         "nothing "
         "(\"@type\": type.googleapis.com/"
         "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext or type.googleapis.com/"
         "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext)"},
        {"name: a", NULL, "t:1:1: typed_config: value is required"},
        {"{name: envoy.file_access_log, typed_config: {}}", NULL,
         "t:1:45: typed_config: an object with an \"@type\" is required, a name alone finds "
         "nothing "
         "(\"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog)"},
        {"{name: mine, typed_config: {}}", NULL,
         "t:1:28: typed_config: an object with an \"@type\" is required, a name alone finds "
         "nothing"},
    };
    check_yaml_cases(EXTENSION, cases);
}

#define VALUE(type, rest) "{name: a, typed_config: {'@type': x/google.protobuf." type rest "}}"
#define VALUE_JSON(type, rest) \
    "{\"name\":\"a\",\"typed_config\":{\"@type\":\"x/google.protobuf." type "\"" rest "}}"

TEST(well_known_types_stand_under_value)
{
    static const struct config_case cases[] = {
        {VALUE("StringValue", ", value: x"), VALUE_JSON("StringValue", ",\"value\":\"x\""), NULL},
        {VALUE("StringValue", ""), VALUE_JSON("StringValue", ",\"value\":\"\""), NULL},
        {VALUE("Struct", ", value: {a: [b]}"), VALUE_JSON("Struct", ",\"value\":{\"a\":[\"b\"]}"),
         NULL},
        {VALUE("Duration", ", value: 1.5s"), VALUE_JSON("Duration", ",\"value\":\"1.500s\""), NULL},
        {VALUE("Timestamp", ", value: '2030-02-28T23:59:60Z'"), NULL,
         "t:1:71: typed_config: expected a time such as 2030-01-31T12:00:00Z"},
        {VALUE("Timestamp", ", value: '2030-02-28T12:30:00.5+02:00'"),
         VALUE_JSON("Timestamp", ",\"value\":\"2030-02-28T10:30:00.500Z\""), NULL},
        {VALUE("Timestamp", ", value: '1969-12-31T23:59:59Z'"),
         VALUE_JSON("Timestamp", ",\"value\":\"1969-12-31T23:59:59Z\""), NULL},
        {VALUE("Timestamp", ", value: '0051-01-31T00:00:00.25+01:30'"),
         VALUE_JSON("Timestamp", ",\"value\":\"0051-01-30T22:30:00.250Z\""), NULL},
        {VALUE("Timestamp", ", value: {seconds: 86400}"),
         VALUE_JSON("Timestamp", ",\"value\":\"1970-01-02T00:00:00Z\""), NULL},
        {VALUE("Struct", ", value: {}, z: 1"), NULL,
         "t:1:75: typed_config: beside the \"@type\" of a well-known type only \"value\" may "
         "stand"},
        {VALUE("UInt32Value", ", value: -1"), NULL, "t:1:73: typed_config: -1 is out of range"},
        {VALUE("Empty", ""), VALUE_JSON("Empty", ""), NULL},
        {VALUE("Empty", ", value: {}"), NULL, "t:1:60: typed_config.value: no such field in Empty"},
        {VALUE("Any", ", value: {'@type': " ROUTER "}"),
         VALUE_JSON("Any", ",\"value\":{\"@type\":\"" ROUTER "\"}"), NULL},
    };
    check_yaml_cases(EXTENSION, cases);
}

#define TYPED(struct_type, rest) \
    "{name: a, typed_config: {'@type': x/" struct_type ".TypedStruct" rest "}}"

TEST(a_typed_struct_is_the_message_it_stands_for)
{
    static const struct config_case cases[] = {
        {TYPED("xds.type.v3", ", type_url: " ROUTER ", value: {suppress_envoy_headers: true}"),
         "{\"name\":\"a\",\"typed_config\":{\"@type\":\"" ROUTER
         "\",\"suppress_envoy_headers\":true}}",
         NULL},
        {TYPED("udpa.type.v1", ", typeUrl: envoy.extensions.filters.http.router.v3.Router"),
         "{\"name\":\"a\",\"typed_config\":{\"@type\":\"" ROUTER "\"}}", NULL},
        {TYPED("xds.type.v3", ", type_url: " ROUTER ", value: {foo: true}"), NULL,
         "t:1:148: typed_config.foo: no such field in Router"},
        {TYPED("xds.type.v3", ", type_url: " ROUTER ", value: 5"), NULL,
         "t:1:147: typed_config: the value of a TypedStruct must be an object, not a number"},
        {TYPED("xds.type.v3", ", value: {}"), NULL,
         "t:1:25: typed_config: a TypedStruct needs its type in \"type_url\""},
        {TYPED("xds.type.v3", ", type_url: x/foo.Bar"), NULL,
         "t:1:72: typed_config: no such type: foo.Bar"},
        {TYPED("xds.type.v3", ", type_url: x/xds.type.v3.TypedStruct"), NULL,
         "t:1:72: typed_config: no such type: xds.type.v3.TypedStruct"},
        {TYPED("xds.type.v3", ", type_url: x/google.protobuf.StringValue, value: {value: x}"),
         "{\"name\":\"a\",\"typed_config\":{\"@type\":\"x/google.protobuf.StringValue\","
         "\"value\":\"x\"}}",
         NULL},
    };
    check_yaml_cases(EXTENSION, cases);
}

TEST(the_content_is_kept_beside_the_any)
{
    struct config_fixture f;
    config_open(&f);
    Envoy__Config__Core__V3__TypedExtensionConfig *extension =
        config_yaml(&f, EXTENSION,
                    "{name: a, typed_config: {'@type': " ROUTER ", suppress_envoy_headers: true}}");
    const ProtobufCMessage *content = nu_config_any(&f.ctx, extension->typed_config);
    assert_ptr_equal(content->descriptor,
                     &envoy__extensions__filters__http__router__v3__router__descriptor);
    assert_true(((const Envoy__Extensions__Filters__Http__Router__V3__Router *)content)
                    ->suppress_envoy_headers);
    assert_ptr_equal(nu_config_any_of(&f.ctx, extension, "typed_config", extension->typed_config,
                                      content->descriptor),
                     content);
    assert_config_errors(&f, "");
    config_close(&f);
}

TEST(another_type_than_the_one_wanted_is_an_error)
{
    struct config_fixture f;
    config_open(&f);
    Envoy__Config__Core__V3__TypedExtensionConfig *extension =
        config_yaml(&f, EXTENSION, "{name: a, typed_config: {'@type': " ROUTER "}}");
    assert_null(nu_config_any_of(&f.ctx, extension, "typed_config", extension->typed_config,
                                 &google__protobuf__any__descriptor));
    assert_null(nu_config_any_of(&f.ctx, extension, "typed_config", NULL,
                                 &google__protobuf__any__descriptor));
    assert_config_errors(
        &f, "t:1:25: typed_config: expected a google.protobuf.Any, not a "
            "envoy.extensions.filters.http.router.v3.Router\n"
            "t:1:25: typed_config: expected an object with the \"@type\" google.protobuf.Any");
    config_close(&f);
}

TEST(rules_hold_inside_an_any_and_paths_go_through_it)
{
    struct config_fixture f;
    config_open(&f);
    config_yaml(
        &f, EXTENSION,
        "name: a\n"
        "typed_config:\n"
        "  '@type': type.googleapis.com/"
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n"
        "  route_config:\n"
        "    virtual_hosts:\n"
        "    - {name: '', domains: ['*']}\n"
        "  http_filters:\n"
        "  - name: r\n"
        "    typed_config:\n"
        "      '@type': " ROUTER "\n"
        "      strict_check_headers: [x-envoy-retry-on, nonsense]\n");
    assert_config_errors(
        &f, "t:3:3: typed_config.stat_prefix: value length must be at least 1 characters\n"
            "t:6:14: typed_config.route_config.virtual_hosts[0].name: value length must be at "
            "least 1 characters\n"
            "t:11:48: typed_config.http_filters[0].typed_config.strict_check_headers[1]: value "
            "must be in list [x-envoy-upstream-rq-timeout-ms, "
            "x-envoy-upstream-rq-per-try-timeout-ms, x-envoy-max-retries, x-envoy-retry-grpc-on, "
            "x-envoy-retry-on]");
    config_close(&f);
}

TEST_MAIN()
