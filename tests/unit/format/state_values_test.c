/* SPDX-License-Identifier: Apache-2.0 */
/* Filter state that a configuration sets, and what of it is refused. */
#include "harness/config.h"

#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb-c.h"
#include "format/state_values.h"
#include "http/stream_info.h"

typedef Envoy__Extensions__Filters__Http__SetFilterState__V3__Config config_proto;

static struct config_fixture f;
static struct nu_stream_info info;

static bool load(const char *values, struct nu_state_values *out)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml, "on_request_headers: [%s]", values);
    config_open(&f);
    const config_proto *proto =
        config_yaml(&f, "envoy.extensions.filters.http.set_filter_state.v3.Config", yaml.data);
    nu_strbuf_finish(&yaml);
    return proto && nu_config_is_ok(&f.ctx) &&
           nu_state_values_from_proto(&f.ctx, proto->on_request_headers,
                                      proto->n_on_request_headers, &f.arena, out);
}

#define VALUE(key, text, more) \
    "{object_key: " key ", format_string: {text_format_source: {inline_string: '" text "'}}" more \
    "}"
#define STRING(key, text, more) VALUE(key, text, ", factory_key: envoy.string" more)

static void run(const struct nu_state_values *values)
{
    info = (struct nu_stream_info){.arena = &f.arena};
    const struct nu_format_context context = {.info = &info};
    nu_state_values_set(values, NU_FILTER_STATE_FILTER_CHAIN, &context, &info);
}

/* "-": there is no such object. */
static void assert_state(const char *name, const char *text)
{
    struct nu_strbuf out = {0};
    const struct nu_filter_state_object *object =
        nu_stream_info_find_state(&info, nu_str_from(name));
    if (object)
        assert_true(object->object_class->to_text(object->object, &out));
    else
        nu_strbuf_add_char(&out, '-');
    assert_str(nu_strbuf_str(&out), text);
    nu_strbuf_finish(&out);
}

TEST(values_are_set_in_their_order)
{
    struct nu_state_values values;
    assert_true(
        load(STRING("a", "1", "") "," STRING("a", "2", "") "," STRING("b", "", "") "," STRING(
                 "c", "", ", skip_if_empty: true") "," VALUE("envoy.string", "s", ""),
             &values));
    run(&values);
    assert_state("a", "2");
    assert_state("b", "");
    assert_state("c", "-");
    assert_state("envoy.string", "s");
    config_close(&f);
}

TEST(numbers_are_of_32_bits)
{
    struct nu_state_values values;
    assert_true(load(
        VALUE("envoy.upstream.dynamic_port", "0080", "") "," VALUE(
            "max", "4294967295",
            ", factory_key: envoy.upstream.dynamic_port") "," VALUE("over", "4294967296",
                                                                    ", factory_key: "
                                                                    "envoy.upstream.dynamic_port"),
        &values));
    run(&values);
    assert_state("envoy.upstream.dynamic_port", "80");
    assert_state("max", "4294967295");
    assert_state("over", "-");
    const struct nu_filter_state_object *object =
        nu_stream_info_find_state(&info, NU_STR("envoy.upstream.dynamic_port"));
    struct nu_value value = object->object_class->to_value(object->object, &f.arena);
    assert_int_equal(value.type, NU_VALUE_NUMBER);
    config_close(&f);
}

TEST(what_is_read_only_stays)
{
    struct nu_state_values values;
    assert_true(load(STRING("a", "1", ", read_only: true") "," STRING("a", "2", ""), &values));
    run(&values);
    assert_state("a", "1");
    nu_state_values_set(&values, NU_FILTER_STATE_REQUEST,
                        &(const struct nu_format_context){.info = &info}, &info);
    assert_state("a", "1");
    config_close(&f);
}

static void assert_refused(const char *value, const char *error)
{
    struct nu_state_values values;
    assert_false(load(value, &values));
    assert_config_errors(&f, error);
    config_close(&f);
}

TEST(what_cannot_be_set_is_refused)
{
    assert_refused(VALUE("a", "1", ""),
                   "t:1:35: on_request_headers[0].object_key: 'a' does not have an object factory");
    assert_refused(VALUE("a", "1", ", factory_key: envoy.network.ip"),
                   "t:1:110: on_request_headers[0].factory_key: envoy.network.ip: known to Envoy, "
                   "not implemented by nuncio");
    assert_refused(STRING("a", "1", ", shared_with_upstream: ONCE"),
                   "t:1:146: on_request_headers[0].shared_with_upstream: ONCE: known to Envoy, not "
                   "implemented by nuncio");
    assert_refused("{object_key: a}", "t:1:22: on_request_headers[0]: value is required: value");
}

TEST_MAIN()
