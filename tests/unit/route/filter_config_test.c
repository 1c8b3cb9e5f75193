/* SPDX-License-Identifier: Apache-2.0 */
/* Settings for filters: the most specific level that speaks of a filter counts. */
#include "route_fixture.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/wrappers.pb-c.h"

/* A filter's configuration is a StringValue; the factory keeps its text. Filters called "none" do
 * not exist. */
static const void *make(void *context, struct nu_arena *config_memory, const char *name,
                        const struct Google__Protobuf__Any *config, bool is_optional)
{
    (void)context;
    if (strcmp(name, "none") == 0) {
        if (!is_optional)
            nu_config_error(&ctx, config, NULL, "no filter is called %s", name);
        return NULL;
    }
    const Google__Protobuf__StringValue *value = (const void *)nu_config_any(&ctx, config);
    return nu_arena_strdup(config_memory, value->value);
}

#define VALUE(text) "{'@type': type.googleapis.com/google.protobuf.StringValue, value: " text "}"
#define WRAPPED(fields) \
    "{'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, " fields "}"
#define SET(value) "typed_per_filter_config: {f: " value "}"

static void load_filters(const char *weighted, const char *route, const char *host, const char *top)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml,
                   "{%s%s virtual_hosts: [{name: v, domains: ['*'], %s%s routes: [{match: "
                   "{prefix: /}, %s%s route: {weighted_clusters: {clusters: [{name: c, weight: 1, "
                   "%s}]}}}]}]}",
                   top, *top ? "," : "", host, *host ? "," : "", route, *route ? "," : "",
                   weighted);
    load_with(yaml.data, (struct nu_route_factory){.filter_config = make});
    nu_strbuf_finish(&yaml);
}

/* The text that filter "f" gets, "disabled", or "-" for nothing. */
static struct nu_str setting(void)
{
    bool disabled = false;
    request("h", "/");
    assert_true(find());
    const char *text = nu_route_filter_config(&match, NU_STR("f"), &disabled);
    assert_null(nu_route_filter_config(&match, NU_STR("other"), &disabled));
    if (disabled)
        return NU_STR("disabled");
    return text ? nu_str_from(text) : NU_STR("-");
}

/* What all levels say, one behind the other. */
static void assert_all(const char *want)
{
    const void *all[NU_ROUTE_LEVELS];
    struct nu_strbuf text = {0};
    size_t count = nu_route_filter_configs(&match, NU_STR("f"), all);
    for (size_t i = 0; i < count; i++)
        nu_strbuf_addf(&text, "%s%s", i ? " " : "", (const char *)all[i]);
    assert_str(nu_strbuf_str(&text), want);
    nu_strbuf_finish(&text);
    assert_int_equal(nu_route_filter_configs(&match, NU_STR("other"), all), 0);
}

static void expect_all(const char *weighted, const char *route, const char *host, const char *top,
                       const char *want)
{
    load_filters(weighted, route, host, top);
    assert_non_null(table);
    request("h", "/");
    assert_true(find());
    assert_all(want);
    unload();
}

static void expect(const char *weighted, const char *route, const char *host, const char *top,
                   const char *want)
{
    load_filters(weighted, route, host, top);
    assert_non_null(table);
    assert_str(setting(), want);
    assert_int_equal(nu_route_has_filter_configs(&match), strcmp(want, "-") != 0);
    unload();
}

TEST(the_most_specific_level_counts)
{
    expect("", "", "", "", "-");
    expect("", "", "", SET(VALUE("c")), "c");
    expect("", "", SET(VALUE("v")), SET(VALUE("c")), "v");
    expect("", SET(VALUE("r")), SET(VALUE("v")), SET(VALUE("c")), "r");
    expect(SET(VALUE("w")), SET(VALUE("r")), SET(VALUE("v")), "", "w");
    expect(SET(VALUE("w")), "", "", "", "w");
}

TEST(a_filter_is_disabled_and_enabled_level_by_level)
{
    expect("", SET(WRAPPED("disabled: true")), "", "", "disabled");
    expect("", SET(WRAPPED("disabled: true")), SET(VALUE("v")), "", "disabled");
    expect("", SET(VALUE("r")), SET(WRAPPED("disabled: true")), "", "r");
    expect("", "", SET(VALUE("v")), SET(WRAPPED("disabled: true")), "v");
    expect(SET(WRAPPED("disabled: true")), "", "", "", "disabled");
}

TEST(all_levels_are_told_from_the_top_down)
{
    expect_all("", "", "", "", "");
    expect_all(SET(VALUE("w")), SET(VALUE("r")), SET(VALUE("v")), SET(VALUE("c")), "c v r w");
    expect_all("", SET(VALUE("r")), "", SET(VALUE("c")), "c r");
    expect_all("", "", SET(WRAPPED("disabled: true")), SET(VALUE("c")), "c");
}

TEST(a_wrapped_configuration_is_unwrapped)
{
    expect("", SET(WRAPPED("config: " VALUE("r"))), "", "", "r");
    expect("", SET(WRAPPED("disabled: true, config: " VALUE("r"))), "", "", "disabled");
}

TEST(an_optional_configuration_of_no_filter_is_left_out)
{
    expect("",
           "typed_per_filter_config: {none: " WRAPPED("is_optional: true, config: " VALUE("x")) "}",
           "", "", "-");
}

static void expect_error(const char *route, const char *want)
{
    load_filters("", route, "", "");
    assert_null(table);
    assert_int_equal(ctx.errors.count, 1);
    assert_str(nu_str_from(ctx.errors.items[0].message), want);
    unload();
}

TEST(wrong_settings_are_errors)
{
    expect_error(SET(WRAPPED("is_optional: true")),
                 "Empty route/virtual host per filter configuration for f filter");
    expect_error("typed_per_filter_config: {none: " VALUE("x") "}", "no filter is called none");
}

TEST(without_a_route_there_are_no_settings)
{
    bool disabled = false;
    load_with("{typed_per_filter_config: {f: " VALUE("c") "}, virtual_hosts: []}",
              (struct nu_route_factory){.filter_config = make});
    request("h", "/");
    assert_false(find());
    assert_false(nu_route_has_filter_configs(&match));
    assert_null(nu_route_filter_config(&match, NU_STR("f"), &disabled));
    assert_all("");
    unload();
}

TEST_MAIN()
