/* SPDX-License-Identifier: Apache-2.0 */
/* What else filters may ask of the chain: settings of routes, timers, calls, values. */
#include "http/filter_state.h"

#include "harness/filter_probes.h"

/* --- Routes ----------------------------------------------------------------------------------- */

TEST(a_disabled_filter_sees_nothing)
{
    open_both();
    driver_close(&d);
    const struct nu_filter_entry entries[] = {
        {.cls = &probe, .name = NU_STR("a"), .config = &a, .disabled = true},
        {.cls = &probe, .name = NU_STR("b"), .config = &b},
    };
    driver_open(&d, entries, 2, 100);
    forget();
    request((struct driver_message)HAS_TRAILERS);
    respond((struct driver_message){.body = "r"});
    assert_seen("b.rq b.(x) b.(y) b.trailers b.rs b.(r$) b.log b.close");
    close_both();
}

static const struct nu_filter_class other_kind = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.other",
    .instance_size = sizeof(struct nu_filter),
};

TEST(route_configurations_are_for_filters_of_their_class)
{
    open_both();
    int settings = 1;
    struct nu_filter_route_config config = {.cls = &probe, .config = &settings};
    d.route_filter = "b";
    d.route_config = &config;
    nu_filter_clear_route_cache(a.instance);
    assert_int_equal(d.routed, 1);
    assert_null(a.instance->route_config);
    assert_ptr_equal(b.instance->route_config, &settings);
    config.cls = &other_kind;
    nu_filter_clear_route_cache(a.instance);
    assert_null(b.instance->route_config);
    close_both();
}

/* --- Timers, calls, workers ------------------------------------------------------------------- */

struct timed {
    struct nu_filter base;
    struct nu_filter_timer timer;
};

static int fired;

static void on_timed(struct nu_filter *self)
{
    fired++;
    nu_filter_continue_decoding(self);
}

static enum nu_headers_status wait_a_while(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    (void)end;
    struct timed *timed = nu_container_of(self, struct timed, base);
    timed->timer.on_timer = on_timed;
    nu_filter_timer_arm(self, &timed->timer, 20);
    return NU_HEADERS_STOP_ALL_AND_BUFFER;
}

static int workers_open;

static void open_worker(void *worker, const void *config)
{
    assert_int_equal(*(int *)worker, 0);
    assert_str(nu_str_from(config), "settings");
    *(int *)worker = 7;
    workers_open++;
}

static void close_worker(void *worker, const void *config)
{
    (void)config;
    assert_int_equal(*(int *)worker, 7);
    workers_open--;
}

static const struct nu_filter_class timed_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.timed",
    .instance_size = sizeof(struct timed),
    .worker_size = sizeof(int),
    .worker_open = open_worker,
    .worker_close = close_worker,
    .decode_headers = wait_a_while,
};

static const struct nu_filter_entry timed_entry = {
    .cls = &timed_class, .name = NU_STR_INIT("timed"), .config = "settings"};

TEST(a_timer_comes_once_and_may_continue)
{
    fired = 0;
    driver_open(&d, &timed_entry, 1, 100);
    request((struct driver_message)HAS_BODY);
    driver_wait(&d, 19);
    assert_upstream(&d, "nothing");
    driver_wait(&d, 60);
    assert_int_equal(fired, 1);
    assert_upstream(&d, "headers :method=GET; data xy; end");
    driver_close(&d);
}

TEST(a_timer_that_a_filter_forgot_goes_with_the_stream)
{
    fired = 0;
    driver_open(&d, &timed_entry, 1, 100);
    request((struct driver_message)HAS_BODY);
    driver_end(&d);
    driver_wait(&d, 60);
    assert_int_equal(fired, 0);
    driver_close(&d);
}

/* --- Instances -------------------------------------------------------------------------------- */

struct partly_zeroed {
    struct nu_filter base;
    char zeroed[40];
    char rest[200];
};

static bool found_dirt;

/* Leaves dirt in the memory that the next stream will get. */
static void look_and_soil(struct nu_filter *self)
{
    struct partly_zeroed *filter = nu_container_of(self, struct partly_zeroed, base);
    for (size_t i = 0; i < sizeof(filter->zeroed); i++)
        found_dirt |= filter->zeroed[i] != 0;
    memset(filter->zeroed, 0xa5, sizeof(filter->zeroed) + sizeof(filter->rest));
}

TEST(an_instance_is_zeroed_as_far_as_its_class_says)
{
    const struct nu_filter_class cls = {
        .abi = NUNCIO_FILTER_ABI,
        .name = "test.partly_zeroed",
        .instance_size = sizeof(struct partly_zeroed),
        .zeroed_size = offsetof(struct partly_zeroed, rest),
        .open = look_and_soil,
    };
    const struct nu_filter_entry entries[] = {{.cls = &cls, .name = NU_STR("a")},
                                              {.cls = &cls, .name = NU_STR("b")}};
    found_dirt = false;
    for (int i = 0; i < 2; i++) {
        driver_open(&d, entries, 2, 100);
        assert_false(found_dirt);
        driver_close(&d);
    }
}

TEST(a_thread_has_one_state_for_all_its_streams_until_the_configuration_goes)
{
    driver_open(&d, &timed_entry, 1, 100);
    assert_int_equal(workers_open, 1);
    assert_int_equal(*(int *)d.chain.filters[0]->worker, 7);
    void *worker = d.chain.filters[0]->worker;
    driver_end(&d);
    driver_start_chain(&d, 100);
    assert_ptr_equal(d.chain.filters[0]->worker, worker);
    assert_int_equal(workers_open, 1);
    d.over = false;
    driver_close(&d);
    assert_int_equal(workers_open, 0);
}

static struct nu_filter_call fake_call;
static int cancelled;

static struct nu_filter_call *fake_start(const struct nu_filter_client *client,
                                         struct nu_loop *loop,
                                         const struct nu_call_request *request)
{
    (void)client;
    (void)loop;
    return nu_str_eq(request->cluster, NU_STR("known")) ? &fake_call : NULL;
}

static void fake_cancel(struct nu_filter_call *call)
{
    assert_ptr_equal(call, &fake_call);
    cancelled++;
}

static const struct nu_filter_client fake_client = {.start = fake_start, .cancel = fake_cancel};

static uint32_t call_status;

static void on_called(struct nu_filter *self, const struct nu_call_result *result)
{
    assert_ptr_equal(self, a.instance);
    call_status = result->status;
}

static struct nu_filter_call *call(const char *cluster)
{
    const struct nu_call_request wanted = {.cluster = nu_str_from(cluster)};
    return nu_filter_http_call(a.instance, &wanted, on_called);
}

TEST(calls_end_with_their_result_or_with_the_stream)
{
    open_both();
    assert_null(call("known")); /* no client, no call */
    d.loop->client = &fake_client;
    cancelled = 0;
    assert_null(call("unknown"));
    assert_ptr_equal(call("known"), &fake_call);
    nu_filter_call_done(&fake_call, &(struct nu_call_result){.ok = true, .status = 204});
    assert_int_equal(call_status, 204);
    nu_filter_call_cancel(call("known"));
    assert_int_equal(cancelled, 1);
    assert_non_null(call("known"));
    driver_end(&d);
    assert_int_equal(cancelled, 2);
    assert_null(call("known"));
    close_both();
}

/* --- Values ----------------------------------------------------------------------------------- */

TEST(metadata_and_state_are_there_for_later_filters)
{
    open_both();
    nu_filter_set_metadata_string(a.instance, NU_STR("ns"), NU_STR("k"), NU_STR("v"));
    nu_filter_set_metadata_number(a.instance, NU_STR("ns"), NU_STR("n"), 2);
    nu_filter_set_metadata_bool(a.instance, NU_STR("ns"), NU_STR("b"), true);
    nu_filter_set_state(a.instance, NU_STR("s"), NU_STR("1"));
    nu_filter_set_state(a.instance, NU_STR("s"), NU_STR("2"));
    assert_str(nu_filter_metadata_string(b.instance, NU_STR("ns"), NU_STR("k")), "v");
    assert_null(nu_filter_metadata_string(b.instance, NU_STR("ns"), NU_STR("n")).ptr);
    assert_null(nu_filter_metadata_string(b.instance, NU_STR("other"), NU_STR("k")).ptr);
    assert_str(nu_filter_state(b.instance, NU_STR("s")), "2");
    assert_null(nu_filter_state(b.instance, NU_STR("t")).ptr);
    /* what others left is read by its text */
    static const struct nu_str text = NU_STR_INIT("other");
    const struct nu_filter_state_object object = {
        .name = NU_STR("o"), .object_class = &nu_filter_state_string, .object = &text};
    assert_int_equal(nu_stream_info_set_state(a.instance->chain->info, &object), NU_OK);
    assert_str(nu_filter_state(b.instance, NU_STR("o")), "other");
    close_both();
}

TEST(the_buffer_limits_are_each_directions_own)
{
    open_both();
    nu_filter_set_decoder_buffer_limit(a.instance, 10);
    nu_filter_set_encoder_buffer_limit(a.instance, 20);
    assert_int_equal(nu_filter_decoder_buffer_limit(b.instance), 10);
    assert_int_equal(nu_filter_encoder_buffer_limit(b.instance), 20);
    close_both();
}

TEST_MAIN()
