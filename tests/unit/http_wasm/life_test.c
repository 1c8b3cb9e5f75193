/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a guest is called, in what order, and what it may decide then. The guest writes down its
 * callbacks, and does in each what the test has put there.
 */
#include "harness/wasm_filter.h"

static struct nu_strbuf seen;
static int32_t returns[NU_WASM_CALLBACK_COUNT];
static void (*acts[NU_WASM_CALLBACK_COUNT])(struct fake_instance *in, uint32_t id);
static bool traps[NU_WASM_CALLBACK_COUNT];

static bool note(struct fake_instance *in, enum nu_wasm_callback callback, const char *name,
                 const union nu_wasm_value *args, union nu_wasm_value *result)
{
    nu_strbuf_addf(&seen, "%s%s %d", seen.len ? ", " : "", name, args[0].i32);
    result->i32 = returns[callback];
    if (acts[callback])
        acts[callback](in, (uint32_t)args[0].i32);
    return !traps[callback];
}

#define CALLBACKS(X) \
    X(CONTEXT_CREATE, create) \
    X(VM_START, start) \
    X(CONFIGURE, configure) \
    X(TICK, tick) \
    X(REQUEST_HEADERS, headers) \
    X(REQUEST_BODY, body) \
    X(REQUEST_TRAILERS, trailers) \
    X(RESPONSE_HEADERS, response) \
    X(RESPONSE_BODY, response_body) \
    X(RESPONSE_TRAILERS, response_trailers) \
    X(LOG, log) \
    X(DONE, done) \
    X(DELETE, delete)

#define X(id, name) \
    static bool on_##name(struct fake_instance *in, const union nu_wasm_value *args, \
                          union nu_wasm_value *result) \
    { \
        return note(in, NU_WASM_ON_##id, #name, args, result); \
    }
CALLBACKS(X)
#undef X

static const struct fake_export exports[] = {
    {"proxy_on_context_create", "ii=", on_create},
    {"proxy_on_vm_start", "ii=i", on_start},
    {"proxy_on_configure", "ii=i", on_configure},
    {"proxy_on_tick", "i=", on_tick},
    {"proxy_on_request_headers", "iii=i", on_headers},
    {"proxy_on_request_body", "iii=i", on_body},
    {"proxy_on_request_trailers", "ii=i", on_trailers},
    {"proxy_on_response_headers", "iii=i", on_response},
    {"proxy_on_response_body", "iii=i", on_response_body},
    {"proxy_on_response_trailers", "ii=i", on_response_trailers},
    {"proxy_on_log", "i=", on_log},
    {"proxy_on_done", "i=i", on_done},
    {"proxy_on_delete", "i=", on_delete},
    {NULL, NULL, NULL},
};
static const struct fake_guest guest = {.name = "life", .exports = exports};

enum { SECOND_US = 1000 * 1000 };

static struct wasm_filter w;
static const struct driver_header head[] = {{":method", "POST"}, {":path", "/"}, {NULL, NULL}};
static const struct driver_message request = {.headers = head, .body = "abc"};
static const struct driver_message whole = {.headers = head, .body = "abc", .trailers = true};
static const struct driver_message ok = {.body = "ok"};

/* As every test begins. */
static void reset(void)
{
    memset(returns, 0, sizeof(returns));
    memset(acts, 0, sizeof(acts));
    memset(traps, 0, sizeof(traps));
    returns[NU_WASM_ON_VM_START] = returns[NU_WASM_ON_CONFIGURE] = returns[NU_WASM_ON_DONE] = 1;
    nu_strbuf_clear(&seen);
}

static void open_filter(const char *plugin)
{
    reset();
    wasm_filter_open(&w, &guest, plugin);
    nu_strbuf_clear(&seen);
}

static void assert_seen(const char *expected)
{
    assert_str(nu_strbuf_str(&seen), expected);
    nu_strbuf_clear(&seen);
}

static void assert_side(const struct driver_side *side, const char *expected)
{
    struct nu_strbuf text = {0};
    driver_describe(side, &text);
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

#define UPSTREAM_HAS "headers :method=POST :path=/; data abc; end"
#define CLIENT_HAS "headers :status=200; data ok; end"

/* --- The order ------------------------------------------------------------------------------------- */

TEST(a_plugin_is_tried_out_and_then_started_on_the_thread)
{
    reset();
    wasm_filter_open(&w, &guest, "");
    assert_seen("create 1, start 1, configure 1, create 1, start 1, configure 1");
    nu_strbuf_clear(&seen);
    driver_end(&w.driver); /* a request that never got to the filter */
    assert_seen("create 2, log 2, done 2, delete 2");
    wasm_filter_close(&w);
    assert_seen("done 1, delete 1");
}

TEST(callbacks_of_a_request_come_in_their_order)
{
    open_filter("");
    driver_request(&w.driver, &whole);
    assert_seen("create 2, headers 2, body 2, trailers 2");
    driver_respond(&w.driver, &(struct driver_message){.body = "ok", .trailers = true});
    assert_seen("response 2, response_body 2, response_trailers 2, log 2, done 2, delete 2");
    wasm_filter_close(&w);
}

TEST(a_message_without_a_body_has_headers_only)
{
    open_filter("");
    driver_request(&w.driver, &(struct driver_message){.headers = head});
    driver_respond(&w.driver, &(struct driver_message){0});
    assert_seen("create 2, headers 2, response 2, log 2, done 2, delete 2");
    wasm_filter_close(&w);
}

TEST(a_request_that_ends_early_has_its_log_and_its_end)
{
    open_filter("");
    driver_request(&w.driver, &request);
    driver_end(&w.driver);
    assert_seen("create 2, headers 2, body 2, log 2, done 2, delete 2");
    wasm_filter_close(&w);
    assert_seen("done 1, delete 1");
}

/* --- Roots ------------------------------------------------------------------------------------------ */

static int32_t said;

static void call_done(struct fake_instance *in, uint32_t id)
{
    (void)id;
    said = FAKE_CALL(in, "proxy_done");
}

TEST(proxy_done_for_nothing_is_1)
{
    open_filter("");
    acts[NU_WASM_ON_REQUEST_HEADERS] = call_done;
    driver_request(&w.driver, &request);
    assert_int_equal(said, NU_WASM_NOT_FOUND);
    wasm_filter_close(&w);
}

static void set_tick(struct fake_instance *in, uint32_t id)
{
    (void)id;
    FAKE_CALL(in, "proxy_set_tick_period_milliseconds", 10);
}

TEST(a_root_that_is_not_done_is_deleted_when_it_is)
{
    open_filter("");
    driver_end(&w.driver);
    nu_strbuf_clear(&seen);
    returns[NU_WASM_ON_DONE] = 0;
    acts[NU_WASM_ON_DONE] = set_tick;
    acts[NU_WASM_ON_TICK] = call_done;
    assert_false(nu_thread_services_end(&w.services, NU_THREADS_WORKERS));
    driver_wait(&w.driver, 1);
    assert_seen("done 1");
    driver_wait(&w.driver, 20);
    assert_seen("tick 1, delete 1");
    assert_int_equal(said, NU_WASM_OK);
    assert_true(nu_thread_services_end(&w.services, NU_THREADS_WORKERS));
    wasm_filter_close(&w);
}

static unsigned ticks;

static void count_tick(struct fake_instance *in, uint32_t id)
{
    (void)id;
    if (++ticks == 3)
        FAKE_CALL(in, "proxy_set_tick_period_milliseconds", 0);
    if (ticks == 2)
        FAKE_CALL(in, "proxy_set_tick_period_milliseconds", 30);
}

TEST(ticks_come_with_their_period_until_it_is_0)
{
    ticks = 0;
    open_filter("");
    acts[NU_WASM_ON_REQUEST_HEADERS] = set_tick;
    acts[NU_WASM_ON_TICK] = count_tick;
    driver_request(&w.driver, &request);
    driver_wait(&w.driver, 25);
    assert_int_equal(ticks, 2);
    driver_wait(&w.driver, 20);
    assert_int_equal(ticks, 2);
    driver_wait(&w.driver, 200);
    assert_int_equal(ticks, 3);
    wasm_filter_close(&w);
}

/* --- Pause and go on ------------------------------------------------------------------------------- */

static uint32_t held;

static void go_on_with_request(struct fake_instance *in, uint32_t id)
{
    (void)id;
    said = FAKE_CALL(in, "proxy_set_effective_context", held);
    if (said == NU_WASM_OK)
        FAKE_CALL(in, "proxy_continue_stream", 0);
}

static void hold(struct fake_instance *in, uint32_t id)
{
    held = id;
    set_tick(in, id);
}

/* The headers of a request without a body, which pause it; driver_wait lets a tick come. */
static void hold_request(void)
{
    returns[NU_WASM_ON_REQUEST_HEADERS] = 1;
    acts[NU_WASM_ON_REQUEST_HEADERS] = hold;
    driver_fill(&w.driver, &w.driver.request_headers, head);
    nu_chain_decode_headers(&w.driver.chain, &w.driver.request_headers, true);
}

TEST(a_tick_lets_a_request_go_on_that_its_headers_paused)
{
    open_filter("");
    acts[NU_WASM_ON_TICK] = go_on_with_request;
    hold_request();
    assert_side(&w.driver.upstream, "nothing");
    driver_wait(&w.driver, 12);
    assert_side(&w.driver.upstream, "headers :method=POST :path=/; data ; end");
    wasm_filter_close(&w);
}

TEST(a_tick_after_the_end_of_a_request_does_nothing)
{
    open_filter("");
    acts[NU_WASM_ON_TICK] = go_on_with_request;
    hold_request();
    driver_end(&w.driver);
    driver_wait(&w.driver, 12);
    assert_int_equal(said, NU_WASM_BAD_ARGUMENT);
    assert_side(&w.driver.upstream, "nothing");
    wasm_filter_close(&w);
}

static void go_on_at_once(struct fake_instance *in, uint32_t id)
{
    (void)id;
    FAKE_CALL(in, "proxy_continue_stream", 0);
    FAKE_CALL(in, "proxy_continue_stream", 1);
}

TEST(to_go_on_without_a_pause_is_to_go_on_once)
{
    open_filter("");
    acts[NU_WASM_ON_REQUEST_HEADERS] = acts[NU_WASM_ON_REQUEST_BODY] = go_on_at_once;
    acts[NU_WASM_ON_RESPONSE_HEADERS] = acts[NU_WASM_ON_RESPONSE_BODY] = go_on_at_once;
    driver_request(&w.driver, &request);
    assert_side(&w.driver.upstream, UPSTREAM_HAS);
    driver_respond(&w.driver, &ok);
    assert_side(&w.driver.client, CLIENT_HAS);
    wasm_filter_close(&w);
}

/* --- Replies ----------------------------------------------------------------------------------------- */

static void reply(struct fake_instance *in, uint32_t id)
{
    (void)id;
    said = FAKE_CALL(in, "proxy_send_local_response", 403, FAKE_TEXT(in, "a b"),
                     FAKE_TEXT(in, "no"), 0, 0, -1);
}

static void reply_for_held(struct fake_instance *in, uint32_t id)
{
    if (FAKE_CALL(in, "proxy_set_effective_context", held) == NU_WASM_OK)
        reply(in, id);
}

TEST(a_reply_may_come_from_each_callback_before_the_response)
{
    static const enum nu_wasm_callback from[] = {
        NU_WASM_ON_CONTEXT_CREATE, NU_WASM_ON_REQUEST_HEADERS, NU_WASM_ON_REQUEST_BODY,
        NU_WASM_ON_REQUEST_TRAILERS, NU_WASM_ON_RESPONSE_HEADERS};
    for (size_t i = 0; i < NU_ARRAY_LEN(from); i++) {
        open_filter("");
        acts[from[i]] = reply;
        driver_request(&w.driver, &whole);
        if (!w.driver.over)
            driver_respond(&w.driver, &ok);
        assert_int_equal(w.driver.info.response_code, 403);
        assert_str(w.driver.info.response_code_details, "a_b");
        wasm_filter_close(&w);
    }
}

static int64_t reply_status;

static void reply_with_status(struct fake_instance *in, uint32_t id)
{
    (void)id;
    said = FAKE_CALL(in, "proxy_send_local_response", reply_status, FAKE_TEXT(in, "d"), 0, 0, 0, 0,
                     -1);
}

/* Envoy sends whatever it is given. */
TEST(a_reply_with_a_status_that_none_has_is_500)
{
    static const int64_t statuses[] = {INT32_MIN, -1,  0,   1,   99,  100,        101,
                                       199,       200, 599, 600, 999, UINT16_MAX, INT32_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(statuses); i++) {
        open_filter("");
        acts[NU_WASM_ON_REQUEST_HEADERS] = reply_with_status;
        reply_status = statuses[i];
        driver_request(&w.driver, &request);
        assert_int_equal(said, NU_WASM_OK);
        bool is_one = reply_status == 200 || reply_status == 599;
        assert_int_equal(w.driver.info.response_code, is_one ? reply_status : 500);
        wasm_filter_close(&w);
    }
}

TEST(a_reply_may_come_from_a_tick)
{
    open_filter("");
    acts[NU_WASM_ON_TICK] = reply_for_held;
    hold_request();
    driver_wait(&w.driver, 12);
    assert_side(&w.driver.client, "headers :status=403; data no; end");
    wasm_filter_close(&w);
}

TEST(a_reply_after_the_response_is_none)
{
    static const enum nu_wasm_callback from[] = {NU_WASM_ON_LOG, NU_WASM_ON_DONE,
                                                 NU_WASM_ON_DELETE};
    for (size_t i = 0; i < NU_ARRAY_LEN(from); i++) {
        open_filter("");
        acts[from[i]] = reply;
        driver_request(&w.driver, &request);
        driver_respond(&w.driver, &ok);
        assert_side(&w.driver.client, CLIENT_HAS);
        assert_int_equal(said, NU_WASM_OK);
        wasm_filter_close(&w);
    }
}

/* --- Failures ---------------------------------------------------------------------------------------- */

TEST(a_trap_in_the_request_is_503_and_the_guest_is_not_called_again)
{
    static const enum nu_wasm_callback from[] = {
        NU_WASM_ON_CONTEXT_CREATE, NU_WASM_ON_REQUEST_HEADERS, NU_WASM_ON_REQUEST_BODY,
        NU_WASM_ON_REQUEST_TRAILERS, NU_WASM_ON_RESPONSE_HEADERS};
    static const char *const callbacks[] = {"create 2", "create 2, headers 2",
                                            "create 2, headers 2, body 2",
                                            "create 2, headers 2, body 2, trailers 2",
                                            "create 2, headers 2, body 2, trailers 2, response 2"};
    for (size_t i = 0; i < NU_ARRAY_LEN(from); i++) {
        open_filter("");
        traps[from[i]] = true;
        driver_request(&w.driver, &whole);
        if (!w.driver.over)
            driver_respond(&w.driver, &ok);
        assert_int_equal(w.driver.info.response_code, 503);
        assert_str(w.driver.info.response_code_details, "wasm_fail_stream");
        wasm_filter_close(&w);
        assert_seen(callbacks[i]);
    }
}

static void be_slow(struct fake_instance *in, uint32_t id)
{
    (void)in, (void)id;
    nu_clock_fake_advance(5 * SECOND_US);
}

static struct nu_wasm_context *root_after(uint64_t seconds)
{
    nu_clock_fake_advance(seconds * SECOND_US);
    nu_loop_run_once(w.driver.loop);
    return nu_wasm_plugin_root(w.entry.config);
}

TEST(a_guest_whose_start_took_long_starts_anew_after_ten_times_that)
{
    static const char *const plugins[] = {
        "", "failure_policy: FAIL_RELOAD, reload_config: {backoff: {base_interval: 1s}}"};
    for (size_t i = 0; i < NU_ARRAY_LEN(plugins); i++) {
        reset();
        acts[NU_WASM_ON_CONFIGURE] = be_slow;
        wasm_filter_open(&w, &guest, plugins[i]);
        traps[NU_WASM_ON_REQUEST_HEADERS] = true;
        assert_non_null(root_after(0));
        driver_request(&w.driver, &request);
        assert_null(root_after(49));
        assert_non_null(root_after(2));
        wasm_filter_close(&w);
    }
}

TEST(a_trap_where_the_plugin_fails_open_lets_the_request_pass)
{
    static const enum nu_wasm_callback from[] = {
        NU_WASM_ON_REQUEST_HEADERS, NU_WASM_ON_REQUEST_BODY, NU_WASM_ON_RESPONSE_HEADERS,
        NU_WASM_ON_RESPONSE_BODY,   NU_WASM_ON_LOG,          NU_WASM_ON_DONE};
    for (size_t i = 0; i < NU_ARRAY_LEN(from); i++) {
        open_filter("fail_open: true");
        traps[from[i]] = true;
        driver_request(&w.driver, &request);
        driver_respond(&w.driver, &ok);
        assert_side(&w.driver.upstream, UPSTREAM_HAS);
        assert_side(&w.driver.client, CLIENT_HAS);
        wasm_filter_close(&w);
    }
}

TEST(a_trap_in_a_tick_ends_the_requests_that_wait)
{
    open_filter("");
    traps[NU_WASM_ON_TICK] = true;
    hold_request();
    driver_wait(&w.driver, 12);
    assert_int_equal(w.driver.info.response_code, 503);
    wasm_filter_close(&w);
    assert_seen("create 2, headers 2, tick 1");
}

/* --- Configurations that are refused ------------------------------------------------------------------ */

static void assert_refused(const struct fake_guest *what, const char *why)
{
    struct nu_strbuf errors = {0};
    assert_false(wasm_filter_load(&w, what, "", ""));
    nu_error_list_format(&w.config.ctx.errors, &errors);
    if (!errors.data || !strstr(errors.data, why))
        fail_msg("%s: not because of %s", errors.data ? errors.data : "", why);
    nu_strbuf_finish(&errors);
    wasm_filter_drop(&w);
}

TEST(a_guest_that_says_no_or_traps_at_the_start_is_refused)
{
    static const enum nu_wasm_callback from[] = {NU_WASM_ON_VM_START, NU_WASM_ON_CONFIGURE};
    static const char *const no[] = {"proxy_on_vm_start returned false",
                                     "proxy_on_configure returned false"};
    static const char *const trapped[] = {"proxy_on_vm_start failed", "proxy_on_configure failed"};
    for (size_t i = 0; i < NU_ARRAY_LEN(from); i++) {
        reset();
        returns[from[i]] = 0;
        assert_refused(&guest, no[i]);
        reset();
        traps[from[i]] = true;
        assert_refused(&guest, trapped[i]);
    }
}

TEST(a_module_without_what_it_needs_is_refused)
{
    static const struct fake_guest unmarked = {
        .name = "unmarked", .exports = exports, .marker = "proxy_abi_version_9_9_9"};
    static const struct fake_guest without = {
        .name = "without", .exports = exports, .has_no_malloc = true};
    static const struct fake_export wrong_exports[] = {{"proxy_on_tick", "ii=", on_tick},
                                                       {NULL, NULL, NULL}};
    static const struct fake_guest wrong = {.name = "wrong", .exports = wrong_exports};
    reset();
    assert_refused(&unmarked, "proxy_abi_version_");
    assert_refused(&without, "malloc");
    assert_refused(&wrong, "proxy_on_tick");
}

static bool give_block(struct fake_instance *in, const union nu_wasm_value *args,
                       union nu_wasm_value *result)
{
    return fake_malloc_(in, args, result);
}

TEST(each_marker_and_either_allocator_will_do)
{
    static const struct fake_export own[] = {{"proxy_on_memory_allocate", "i=i", give_block},
                                             {NULL, NULL, NULL}};
    static const char *const markers[] = {"proxy_abi_version_0_1_0", "proxy_abi_version_0_2_0",
                                          "proxy_abi_version_0_2_1"};
    struct fake_guest some = {.name = "some", .exports = own, .has_no_malloc = true};
    for (size_t i = 0; i < NU_ARRAY_LEN(markers); i++) {
        some.marker = markers[i];
        wasm_filter_open(&w, &some, "");
        wasm_filter_close(&w);
    }
    fake_guest_count = 0;
}

TEST_MAIN()
