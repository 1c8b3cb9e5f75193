/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters from configuration: the kinds of format strings, and where their errors point. */
#include "harness/format_fixture.h"

#include "config/config.h"
#include "envoy/config/core/v3/substitution_format_string.pb-c.h"
#include "format/format_from_proto.h"
#include "http/metadata_from_proto.h"

static struct fixture f;
static struct nu_config_ctx ctx;

static bool load(const char *yaml, struct nu_format_string *out)
{
    nu_config_ctx_init(&ctx, &f.arena);
    ProtobufCMessage *message =
        nu_config_read(&ctx, "c.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                       &envoy__config__core__v3__substitution_format_string__descriptor);
    assert_non_null(message);
    assert_true(nu_config_is_ok(&ctx));
    return nu_format_string_from_proto(
        &ctx, (struct Envoy__Config__Core__V3__SubstitutionFormatString *)message, &f.arena, out);
}

static void assert_loads(const char *yaml, const char *output, const char *content_type)
{
    struct nu_format_string format;
    assert_true(load(yaml, &format));
    assert_str(fixture_run(&f, format.formatter), output);
    assert_str(format.content_type, content_type);
    nu_config_ctx_finish(&ctx);
}

TEST(every_kind_of_format_string_is_compiled)
{
    fixture_init(&f);
    assert_loads("text_format: 'old %PROTOCOL%'", "old HTTP/1.1", "text/plain");
    assert_loads("text_format_source: {inline_string: '%REQ(x)%|%PROTOCOL%'}", "-|HTTP/1.1",
                 "text/plain");
    assert_loads("text_format_source: {inline_bytes: JVBST1RPQ09MJQ==}", "HTTP/1.1", "text/plain");
    assert_loads("{text_format_source: {inline_string: '%REQ(x)%|'}, omit_empty_values: true}", "|",
                 "text/plain");
    assert_loads("{text_format: 'x', content_type: text/html}", "x", "text/html");
    assert_loads("{json_format: {z: '%RESPONSE_CODE%', n: null, b: true, l: ['%PROTOCOL%', 15]}}",
                 "{\"b\":true,\"l\":[\"HTTP/1.1\",15],\"n\":null,\"z\":200}\n", "application/json");
    assert_loads("{json_format: {a: 1}, json_format_options: {sort_properties: false}}",
                 "{\"a\":1}\n", "application/json");
    assert_loads("text_format: ''", "", "text/plain");
    fixture_finish(&f);
}

TEST(formatter_extensions_add_operators)
{
    fixture_init(&f);
    assert_loads("text_format: '%REQ_WITHOUT_QUERY(:path)%'\n"
                 "formatters:\n"
                 "- name: a\n"
                 "  typed_config: {'@type': "
                 "type.googleapis.com/envoy.extensions.formatter.metadata.v3.Metadata}\n"
                 "- name: b\n"
                 "  typed_config: {'@type': type.googleapis.com/"
                 "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery}\n",
                 "/a/b", "text/plain");
    fixture_finish(&f);
}

static void assert_refused(const char *yaml, const char *expected)
{
    struct nu_format_string format;
    assert_false(load(yaml, &format));
    struct nu_strbuf errors = {0};
    nu_error_list_format(&ctx.errors, &errors);
    assert_str(nu_strbuf_str(&errors), expected);
    nu_strbuf_finish(&errors);
    nu_config_ctx_finish(&ctx);
}

TEST(errors_point_at_the_field)
{
    fixture_init(&f);
    assert_refused("# one\ntext_format: '%FOO%'",
                   "c.yaml:2:14: text_format: Not supported field in StreamInfo: FOO\n");
    assert_refused("json_format:\n  a: ['%REQ%']",
                   "c.yaml:2:3: json_format: REQ requires parameters\n");
    assert_refused("text_format: x\n"
                   "formatters:\n"
                   "- name: q\n"
                   "  typed_config: {'@type': "
                   "type.googleapis.com/envoy.config.core.v3.SubstitutionFormatString}\n",
                   "c.yaml:3:3: formatters[0]: Formatter not found: q\n");
    fixture_finish(&f);
}

TEST(metadata_is_taken_over_from_its_message)
{
    fixture_init(&f);
    nu_config_ctx_init(&ctx, &f.arena);
    ProtobufCMessage *message = nu_config_read(
        &ctx, "c.yaml", NU_STR("filter_metadata: {ns: {z: 1, a: {b: [true, null, x]}}, empty: {}}"),
        NU_CONFIG_YAML, &envoy__config__core__v3__metadata__descriptor);
    const struct nu_metadata *metadata =
        nu_metadata_from_proto((struct Envoy__Config__Core__V3__Metadata *)message, &f.arena);
    nu_value_to_json(&metadata->namespaces, &f.out);
    assert_str(nu_strbuf_str(&f.out),
               "{\"empty\":{},\"ns\":{\"a\":{\"b\":[true,null,\"x\"]},\"z\":1}}");
    assert_null(nu_metadata_from_proto(NULL, &f.arena));
    nu_config_ctx_finish(&ctx);
    fixture_finish(&f);
}

TEST_MAIN()
