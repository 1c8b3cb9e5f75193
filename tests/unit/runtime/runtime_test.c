/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime: layers, kinds of values, fractions, changes. What counts as what is an Envoy
 * 1.36's. */
#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "runtime/runtime.h"

static struct nu_arena arena;
static struct nu_config_ctx ctx;
static struct nu_runtime *runtime;

static void load(const char *yaml)
{
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    ProtobufCMessage *message =
        nu_config_read(&ctx, "test.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                       &envoy__config__bootstrap__v3__layered_runtime__descriptor);
    assert_non_null(message);
    runtime =
        nu_runtime_from_proto((const Envoy__Config__Bootstrap__V3__LayeredRuntime *)message, &ctx);
}

static void end(void)
{
    nu_runtime_unref(&runtime);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

static void load_layer(const char *fields)
{
    char yaml[4000];
    snprintf(yaml, sizeof(yaml),
             "layers:\n- name: s\n  static_layer: {%s}\n- name: a\n"
             "  admin_layer: {}\n",
             fields);
    load(yaml);
    assert_true(nu_config_is_ok(&ctx));
}

static void modify(const char *key, const char *value)
{
    struct nu_runtime_change change = {nu_str_from(key), nu_str_from(value)};
    struct nu_runtime *changed = nu_runtime_modify(runtime, &change, 1);
    assert_non_null(changed);
    nu_runtime_unref(&runtime);
    runtime = changed;
}

TEST(guards_of_envoys_features_are_warned_of)
{
    load_layer("envoy.reloadable_features.x: false, 'envoy': {restart_features.y: true}, "
               "'envoy.deprecated_features:z': true, envoy.features.w: true, "
               "envoy.resource_limits.listener.a: 1");
    assert_int_equal(ctx.warnings.count, 4);
    end();
    load_layer("a.envoy.reloadable_features.x: false");
    assert_int_equal(ctx.warnings.count, 0);
    end();
}

TEST(nested_structs_give_dotted_keys)
{
    load_layer("x: {y: {z: 1}, a.b: 2}, c.d: 3");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("x.y.z"), 9), 1);
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("x.a.b"), 9), 2);
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("c.d"), 9), 3);
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("x.y"), 9), 9);
    assert_int_equal(nu_runtime_key_count(runtime), 3);
    end();
}

TEST(higher_layers_win)
{
    load("layers:\n"
         "- {name: one, static_layer: {a: 1, b: 1}}\n"
         "- {name: two, static_layer: {a: 2}}\n");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("a"), 9), 2);
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("b"), 9), 1);
    assert_int_equal(nu_runtime_layer_count(runtime), 2);
    assert_false(nu_runtime_has_admin_layer(runtime));
    assert_null(nu_runtime_modify(runtime, NULL, 0));
    end();
}

TEST(integers_are_numbers_cut_to_their_whole_part)
{
    load_layer("a: 100.9, b: \"100.9\", c: -1, d: 1e+20, e: \" 0x64 \", f: \"100%\", g: true,"
               "h: \"18446744073709551615\", i: \"+7\", j: \"5.\", k: .5, l: nan, m: \"\"");
    static const struct {
        const char *key;
        uint64_t value;
    } cases[] = {{"a", 100}, {"b", 100}, {"c", 9},          {"d", 9},   {"e", 100},
                 {"f", 9},   {"g", 9},   {"h", UINT64_MAX}, {"i", 7},   {"j", 5},
                 {"k", 0},   {"l", 9},   {"m", 9},          {"none", 9}};
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_int_equal(nu_runtime_integer(runtime, nu_str_from(cases[i].key), 9), cases[i].value);
    end();
}

TEST(booleans_are_true_false_and_whole_numbers)
{
    load_layer("a: true, b: 5, c: \"1\", d: -1, e: false, f: 0, g: \"0\", h: \"true\", i: 0.5,"
               "j: {numerator: 1}, k: 3000000000");
    static const char yes[] = "abcd";
    static const char no[] = "efg";
    static const char neither[] = "hijkz";
    for (size_t i = 0; yes[i]; i++)
        assert_true(nu_runtime_bool(runtime, nu_str_make(&yes[i], 1), false));
    for (size_t i = 0; no[i]; i++)
        assert_false(nu_runtime_bool(runtime, nu_str_make(&no[i], 1), true));
    for (size_t i = 0; neither[i]; i++) {
        assert_false(nu_runtime_bool(runtime, nu_str_make(&neither[i], 1), false));
        assert_true(nu_runtime_bool(runtime, nu_str_make(&neither[i], 1), true));
    }
    end();
}

TEST(doubles_and_texts)
{
    load_layer("a: 1.5, b: \"-2.5\", c: text, d: true, e: 4294967396");
    assert_true(nu_runtime_double(runtime, NU_STR("a"), 0) == 1.5);
    assert_true(nu_runtime_double(runtime, NU_STR("b"), 0) == -2.5);
    assert_true(nu_runtime_double(runtime, NU_STR("c"), 7) == 7);
    assert_str(nu_runtime_string(runtime, NU_STR("a"), NU_STR("-")), "1.5");
    assert_str(nu_runtime_string(runtime, NU_STR("c"), NU_STR("-")), "text");
    assert_str(nu_runtime_string(runtime, NU_STR("d"), NU_STR("-")), "true");
    assert_str(nu_runtime_string(runtime, NU_STR("e"), NU_STR("-")), "4294967396");
    assert_str(nu_runtime_string(runtime, NU_STR("x"), NU_STR("-")), "-");
    end();
}

static const struct nu_fraction never = {0, 100};
static const struct nu_fraction always = {100, 100};

/* How many of the numbers 0 to 999999 are in: `none` and `all` as defaults. */
static void expect_share(const char *key, uint32_t want_never, uint32_t want_always)
{
    struct nu_str k = nu_str_from(key);
    uint32_t low = 0;
    uint32_t high = 0;
    for (uint32_t random = 0; random < 1000000; random += 37) {
        low += nu_runtime_fraction_enabled(runtime, k, never, random);
        high += nu_runtime_fraction_enabled(runtime, k, always, random);
    }
    uint32_t draws = (1000000 + 36) / 37;
    uint32_t slack = draws / 100;
    if (low > want_never + slack || low + slack < want_never || high > want_always + slack ||
        high + slack < want_always)
        fail_msg("%s: %u and %u of %u", key, low, high, draws);
}

TEST(fractions_are_percentages_or_objects)
{
    enum { ALL = (1000000 + 36) / 37 };
    load_layer("a: 100, b: 50, c: 0, d: 200, e: {numerator: 100}, "
               "f: {numerator: 5000, denominator: TEN_THOUSAND}, "
               "g: {numerator: 500000, denominator: MILLION}, h: {denominator: HUNDRED}, "
               "i: {numerator: \"100\"}, j: {numerator: -1}, k: {}");
    expect_share("a", ALL, ALL);
    expect_share("b", ALL / 2, ALL / 2);
    expect_share("c", 0, 0);
    expect_share("d", ALL, ALL);
    expect_share("e", ALL, ALL);
    expect_share("f", ALL / 2, ALL / 2);
    expect_share("g", ALL / 2, ALL / 2);
    expect_share("h", 0, 0);
    expect_share("i", 0, 0);
    expect_share("j", ALL, ALL);
    expect_share("k", 0, 0);
    end();
}

TEST(what_is_no_fraction_leaves_the_default)
{
    enum { ALL = (1000000 + 36) / 37 };
    load_layer("a: \"100%\", b: -1, c: true, d: {numerator: 100, extra: 1}, "
               "e: {numerator: 100, denominator: 1}, f: {numerator: 100, denominator: BAD}, "
               "g: \"numerator: 100\"");
    for (char key[2] = "a"; key[0] <= 'h'; key[0]++)
        expect_share(key, 0, ALL);
    end();
}

TEST(a_feature_is_on_for_its_percentage)
{
    load_layer("on: 100, some: 30");
    assert_true(nu_runtime_feature_enabled(runtime, NU_STR("on"), 0, 99));
    assert_true(nu_runtime_feature_enabled(runtime, NU_STR("some"), 0, 1029));
    assert_false(nu_runtime_feature_enabled(runtime, NU_STR("some"), 0, 1030));
    assert_true(nu_runtime_feature_enabled(runtime, NU_STR("none"), 10, 9));
    assert_false(nu_runtime_feature_enabled(runtime, NU_STR("none"), 10, 10));
    end();
}

TEST(no_runtime_gives_the_defaults)
{
    assert_true(nu_runtime_bool(NULL, NU_STR("a"), true));
    assert_int_equal(nu_runtime_integer(NULL, NU_STR("a"), 3), 3);
    assert_true(nu_runtime_fraction_enabled(NULL, NU_STR("a"), always, 5));
}

TEST(admin_values_are_yaml)
{
    load_layer("a: 1");
    modify("b", "true");
    assert_true(nu_runtime_bool(runtime, NU_STR("b"), false));
    modify("b", "yes");
    assert_true(nu_runtime_bool(runtime, NU_STR("b"), false));
    modify("b", "0.5");
    assert_true(nu_runtime_double(runtime, NU_STR("b"), 0) == 0.5);
    modify("b", "{\"numerator\":10000,\"denominator\":\"TEN_THOUSAND\"}");
    expect_share("b", (1000000 + 36) / 37, (1000000 + 36) / 37);
    assert_str(nu_runtime_string(runtime, NU_STR("b"), NU_STR("")),
               "{\"numerator\":10000,\"denominator\":\"TEN_THOUSAND\"}");
    modify("b", "numerator: 100");
    expect_share("b", (1000000 + 36) / 37, (1000000 + 36) / 37);
    modify("b", "fields {");
    assert_str(nu_runtime_string(runtime, NU_STR("b"), NU_STR("")), "fields {");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("b"), 3), 3);
    end();
}

TEST(a_change_leaves_the_old_snapshot_and_can_be_undone)
{
    load_layer("a: 1");
    struct nu_runtime *old = nu_runtime_ref(runtime);
    assert_false(nu_runtime_has_admin_overrides(runtime));
    modify("a", "2");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("a"), 0), 2);
    assert_int_equal(nu_runtime_integer(old, NU_STR("a"), 0), 1);
    assert_true(nu_runtime_has_admin_overrides(runtime));
    modify("c", "x");
    modify("a", "");
    modify("unheard", "");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("a"), 0), 1);
    assert_int_equal(nu_runtime_key_count(runtime), 2);
    nu_runtime_unref(&old);
    end();
}

TEST(an_admin_layer_may_lie_below_others)
{
    load("layers:\n- {name: a, admin_layer: {}}\n- {name: s, static_layer: {k: 1}}\n");
    modify("k", "2");
    assert_int_equal(nu_runtime_integer(runtime, NU_STR("k"), 0), 1);
    end();
}

TEST(without_layers_there_is_an_admin_layer_without_a_name)
{
    load("{}");
    assert_true(nu_runtime_has_admin_layer(runtime));
    struct nu_strbuf out = {0};
    nu_runtime_print(runtime, &out);
    assert_str(nu_strbuf_str(&out), "{\n \"layers\": [\n  \"\"\n ],\n \"entries\": {}\n}\n");
    nu_strbuf_finish(&out);
    end();
    runtime = nu_runtime_from_proto(NULL, NULL);
    assert_int_equal(nu_runtime_layer_count(runtime), 0);
    assert_false(nu_runtime_has_admin_layer(runtime));
    nu_runtime_unref(&runtime);
}

TEST(the_print_shows_every_layer)
{
    load_layer("b: 5, a: {numerator: 100}");
    modify("b", "7");
    struct nu_strbuf out = {0};
    nu_runtime_print(runtime, &out);
    assert_str(nu_strbuf_str(&out),
               "{\n"
               " \"layers\": [\n"
               "  \"s\",\n"
               "  \"a\"\n"
               " ],\n"
               " \"entries\": {\n"
               "  \"a\": {\n"
               "   \"layer_values\": [\n"
               "    \"fields {\\n  key: \\\"numerator\\\"\\n  value {\\n    number_value: 100\\n"
               "  }\\n}\\n\",\n"
               "    \"\"\n"
               "   ],\n"
               "   \"final_value\": \"fields {\\n  key: \\\"numerator\\\"\\n  value {\\n"
               "    number_value: 100\\n  }\\n}\\n\"\n"
               "  },\n"
               "  \"b\": {\n"
               "   \"layer_values\": [\n"
               "    \"5\",\n"
               "    \"7\"\n"
               "   ],\n"
               "   \"final_value\": \"7\"\n"
               "  }\n"
               " }\n"
               "}\n");
    nu_strbuf_finish(&out);
    end();
}

static void expect_error(const char *yaml, const char *want)
{
    load(yaml);
    struct nu_strbuf out = {0};
    nu_error_list_format(&ctx.errors, &out);
    assert_str(nu_str_trim(nu_str_first(nu_strbuf_str(&out), out.len ? out.len - 1 : 0)), want);
    nu_strbuf_finish(&out);
    end();
}

TEST(wrong_layers_are_errors_with_a_place)
{
    expect_error("layers:\n- name: s\n  static_layer: {x: {a: [1]}}\n",
                 "test.yaml:3:17: layers[0].static_layer: Invalid runtime entry value for x.a");
    expect_error("layers:\n- name: s\n  static_layer: {a: null}\n",
                 "test.yaml:3:17: layers[0].static_layer: Invalid runtime entry value for a");
    expect_error("layers:\n- {name: s, admin_layer: {}}\n- {name: s, static_layer: {}}\n",
                 "test.yaml:3:10: layers[1].name: Duplicate layer name: s");
    expect_error("layers:\n- {name: s, admin_layer: {}}\n- {name: t, admin_layer: {}}\n",
                 "test.yaml:3:26: layers[1].admin_layer: Too many admin layers specified in "
                 "LayeredRuntime, at most one may be specified");
}

TEST_MAIN()
