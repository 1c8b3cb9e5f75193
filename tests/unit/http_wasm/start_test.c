/* SPDX-License-Identifier: Apache-2.0 */
/* How a guest is started: which of its functions run, in what order, and what it is told. */
#include "harness/wasm_filter.h"

static struct nu_strbuf seen;

static bool note(const char *name, union nu_wasm_value *result)
{
    nu_strbuf_addf(&seen, "%s%s", seen.len ? ", " : "", name);
    result->i32 = 1;
    return true;
}

#define NOTES(name) \
    static bool on_##name(struct fake_instance *in, const union nu_wasm_value *args, \
                          union nu_wasm_value *result) \
    { \
        (void)in, (void)args; \
        return note(#name, result); \
    }
NOTES(initialize)
NOTES(start)
NOTES(main_void)
NOTES(vm_start)

static bool on_main(struct fake_instance *in, const union nu_wasm_value *args,
                    union nu_wasm_value *result)
{
    (void)in;
    assert_int_equal(args[0].i32, 0);
    assert_int_equal(args[1].i32, 0);
    return note("main", result);
}

static const struct fake_export all[] = {
    {"_initialize", "=", on_initialize},
    {"_start", "=", on_start},
    {"main", "ii=i", on_main},
    {"__main_void", "=i", on_main_void},
    {"proxy_on_vm_start", "ii=i", on_vm_start},
    {NULL, NULL, NULL},
};

/* What ran of a guest with these exports when its configuration is tried out. */
static void assert_runs(const struct fake_export *exports, const char *expected)
{
    struct fake_guest guest = {.name = "starts", .exports = exports};
    struct wasm_filter w;
    nu_strbuf_clear(&seen);
    assert_true(wasm_filter_load(&w, &guest, "", ""));
    assert_str(nu_strbuf_str(&seen), expected);
    wasm_filter_drop(&w);
    fake_guest_count = 0;
}

TEST(a_reactor_is_initialized_and_its_main_called)
{
    assert_runs(all, "initialize, main, vm_start");
}

TEST(a_reactor_may_have_a_main_without_parameters)
{
    static const struct fake_export exports[] = {{"_initialize", "=", on_initialize},
                                                 {"__main_void", "=i", on_main_void},
                                                 {"proxy_on_vm_start", "ii=i", on_vm_start},
                                                 {NULL, NULL, NULL}};
    assert_runs(exports, "initialize, main_void, vm_start");
}

TEST(a_command_is_started_and_its_main_is_its_own_matter)
{
    assert_runs(&all[1], "start, vm_start");
}

TEST(a_guest_need_not_have_any_of_them)
{
    assert_runs(&all[4], "vm_start");
}

/* --- Configurations --------------------------------------------------------------------------------- */

enum { POINTER = 8, SIZE = 16 };

static const char *expected_vm;
static const char *expected_plugin;

static void assert_buffer(struct fake_instance *in, int64_t buffer, const char *expected)
{
    assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_bytes", buffer, 0, 0xffffffff, POINTER, SIZE),
                     NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, expected));
    assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_status", buffer, POINTER, SIZE), NU_WASM_OK);
    assert_int_equal(fake_u32(in, POINTER), strlen(expected));
    assert_int_equal(fake_u32(in, SIZE), 0);
}

static bool on_told_start(struct fake_instance *in, const union nu_wasm_value *args,
                          union nu_wasm_value *result)
{
    assert_int_equal(args[1].i32, strlen(expected_vm));
    assert_buffer(in, 6, expected_vm);
    return note("start", result);
}

static bool on_told_configure(struct fake_instance *in, const union nu_wasm_value *args,
                              union nu_wasm_value *result)
{
    assert_int_equal(args[1].i32, strlen(expected_plugin));
    assert_buffer(in, 7, expected_plugin);
    assert_buffer(in, 6, expected_vm);
    return note("configure", result);
}

static const struct fake_export told_exports[] = {
    {"proxy_on_vm_start", "ii=i", on_told_start},
    {"proxy_on_configure", "ii=i", on_told_configure},
    {NULL, NULL, NULL},
};
static const struct fake_guest told = {.name = "told", .exports = told_exports};

#define STRING "{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: "
#define BYTES "{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: "
#define STRUCT "{\"@type\": type.googleapis.com/google.protobuf.Struct, value: "
#define DURATION "{\"@type\": type.googleapis.com/google.protobuf.Duration, value: "
#define TYPED_STRUCT(package, type) \
    "{\"@type\": type.googleapis.com/" package ".TypedStruct, type_url: type.googleapis.com/" type \
    ", value: "

TEST(configurations_are_told_as_bytes)
{
    static const struct {
        const char *yaml; /* NULL: none */
        const char *bytes;
    } cases[] = {
        {NULL, ""},
        {STRING "some text}", "some text"},
        {STRING "''}", ""},
        {BYTES "YWL/}", "ab\xff"},
        {STRUCT "{a: {b: [1, x, null, true]}}}", "{\"a\":{\"b\":[1,\"x\",null,true]}}"},
        {DURATION "3s}", "\x08\x03"},
        {TYPED_STRUCT("xds.type.v3", "google.protobuf.Struct") "{value: {a: 1}}}", "{\"a\":1}"},
        {TYPED_STRUCT("udpa.type.v1", "google.protobuf.StringValue") "{value: ab}}", "ab"},
        {TYPED_STRUCT("xds.type.v3", "google.protobuf.BytesValue") "{value: YWL/}}", "ab\xff"},
        {TYPED_STRUCT("xds.type.v3", "google.protobuf.Duration") "{value: 3s}}", "\x08\x03"},
        {TYPED_STRUCT("xds.type.v3", "guest.v1.Own") "{a: [1, x]}}", "{\"a\":[1,\"x\"]}"},
        {TYPED_STRUCT("udpa.type.v1", "guest.v1.Own") "}", "{}"},
        {"{\"@type\": type.googleapis.com/xds.type.v3.TypedStruct, value: {a: 1}}", "{\"a\":1}"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct wasm_filter w;
        char text[256] = "";
        if (cases[i].yaml)
            snprintf(text, sizeof(text), "configuration: %s", cases[i].yaml);
        expected_vm = expected_plugin = cases[i].bytes;
        nu_strbuf_clear(&seen);
        assert_true(wasm_filter_load(&w, &told, text, text));
        assert_str(nu_strbuf_str(&seen), "start, configure");
        wasm_filter_drop(&w);
    }
}

/* --- Two plug-ins in a VM ----------------------------------------------------------------------------- */

static unsigned ticks[8];

static bool on_slow_configure(struct fake_instance *in, const union nu_wasm_value *args,
                              union nu_wasm_value *result)
{
    /* The first root is asked every 10 ms, the second every 30. */
    FAKE_CALL(in, "proxy_set_tick_period_milliseconds", args[0].i32 == 1 ? 10 : 30);
    result->i32 = 1;
    return true;
}

static bool on_tick(struct fake_instance *in, const union nu_wasm_value *args,
                    union nu_wasm_value *result)
{
    (void)in, (void)result;
    ticks[args[0].i32]++;
    return true;
}

static const struct fake_export tick_exports[] = {
    {"proxy_on_configure", "ii=i", on_slow_configure},
    {"proxy_on_tick", "i=", on_tick},
    {NULL, NULL, NULL},
};
static const struct fake_guest ticking = {.name = "ticking", .exports = tick_exports};

TEST(plugins_of_one_vm_tick_by_themselves)
{
    struct wasm_filter w;
    const struct nu_filter_class *cls;
    const void *second;
    memset(ticks, 0, sizeof(ticks));
    assert_true(wasm_filter_load(&w, &ticking, "", ""));
    const char *yaml =
        wasm_filter_yaml(&w.config.arena, &ticking, "configuration: " STRING "other}", "");
    assert_true(nu_http_wasm_factory.create(
        &w.factory, config_yaml(&w.config, nu_http_wasm_factory.type, yaml), &cls, &second));
    wasm_filter_begin(&w);
    driver_wait(&w.driver, 125);
    assert_true(ticks[1] > 2 * ticks[2]);
    assert_true(ticks[2] >= 3);
    wasm_filter_close(&w);
}

TEST_MAIN()
