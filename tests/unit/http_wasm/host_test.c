/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions as a guest meets them: what they say of pointers that lie, of allocators that fail,
 * of memory that moves meanwhile. The guest does its calls in its callback of request headers.
 */
#include "harness/wasm_filter.h"

typedef void (*act_fn)(struct fake_instance *in);

static act_fn act;       /* what the guest does in request headers */
static unsigned acted;   /* how often it came to the end of that */
static act_fn act_later; /* ... in request data; may be NULL */

static bool on_headers(struct fake_instance *in, const union nu_wasm_value *args,
                       union nu_wasm_value *result)
{
    (void)args;
    result->i32 = 0;
    act(in);
    acted++;
    return true;
}

static bool on_body(struct fake_instance *in, const union nu_wasm_value *args,
                    union nu_wasm_value *result)
{
    (void)args;
    result->i32 = 0;
    if (act_later)
        act_later(in);
    return true;
}

static const struct fake_export exports[] = {
    {"proxy_on_request_headers", "iii=i", on_headers},
    {"proxy_on_request_body", "iii=i", on_body},
    {NULL, NULL, NULL},
};
static const struct fake_guest guest = {.name = "host", .exports = exports};
static const struct fake_guest *played = &guest;

static const struct driver_header request[] = {
    {":method", "GET"}, {":path", "/p"}, {"a", "1"}, {"b", ""}, {NULL, NULL}};

enum { POINTER = 8, SIZE = 16 }; /* where a guest wants to be told */

/* A request through the filter whose guest does `what`; the status that the client got, 0: none. */
static unsigned run(act_fn what)
{
    struct wasm_filter w;
    act = what;
    acted = 0;
    wasm_filter_open(&w, played, "");
    driver_request(&w.driver, &(struct driver_message){.headers = request, .body = "body"});
    unsigned status = w.driver.info.response_code;
    wasm_filter_close(&w);
    fake_malloc = FAKE_MALLOC_GIVES;
    act_later = NULL;
    return status;
}

/* The guest comes through, and the request goes on. */
static void run_well(act_fn what)
{
    assert_int_equal(run(what), 0);
    assert_int_equal(acted, 1);
}

/* The guest ends within a call, and the request with it. */
static void run_into_a_trap(act_fn what)
{
    assert_int_equal(run(what), 503);
    assert_int_equal(acted, 0);
}

/* --- Pointers that lie ---------------------------------------------------------------------------- */

/*
 * Every function that is given places in memory. Of each parameter: r a text and its size (the
 * next one), p a place for a number, P one for 64 bits, anything else a number.
 */
static const struct pointing {
    const char *name;
    const char *text; /* of the texts */
    const char *parameters;
    int64_t numbers[12]; /* those that are no places */
} pointing[] = {
    {"proxy_log", "a", "nr-", {2}},
    {"proxy_get_log_level", "a", "p", {0}},
    {"proxy_set_property", "a", "r-r-", {0}},
    {"proxy_get_property", "plugin_name", "r-pp", {0}},
    {"proxy_send_local_response", "a", "nr-r-r-n", {403}},
    {"proxy_get_shared_data", "a", "r-ppp", {0}},
    {"proxy_set_shared_data", "a", "r-r-n", {0}},
    {"proxy_register_shared_queue", "a", "r-p", {0}},
    {"proxy_resolve_shared_queue", "vm", "r-r-p", {0}},
    {"proxy_get_header_map_value", "a", "nr-pp", {0}},
    {"proxy_add_header_map_value", "a", "nr-r-", {0}},
    {"proxy_replace_header_map_value", "a", "nr-r-", {0}},
    {"proxy_remove_header_map_value", "a", "nr-", {0}},
    {"proxy_get_header_map_pairs", "a", "npp", {0}},
    {"proxy_set_header_map_pairs", "a", "nr-", {0}},
    {"proxy_get_header_map_size", "a", "np", {0}},
    {"proxy_get_buffer_status", "a", "npp", {6}},
    {"proxy_get_buffer_bytes", "a", "nnnpp", {6, 0, 100}},
    {"proxy_get_current_time_nanoseconds", "a", "P", {0}},
    {"proxy_call_foreign_function", "a", "r-r-nn", {0}},
    {"proxy_define_metric", "a", "nr-p", {0}},
    {"proxy_get_status", "", "ppp", {0}},
    {"proxy_http_call", "a", "r-r-r-r-np", {0}},
    {"envoy_resolve_dns", "a", "r-p", {0}},
};

static const struct pointing *now;
static size_t wrong; /* which of its parameters lies */
static uint32_t lie; /* and says this */
static uint32_t lie_size;

static void call_with_a_lie(struct fake_instance *in)
{
    int64_t args[12] = {0};
    size_t count = strlen(now->parameters);
    uint32_t key = fake_text(in, now->text);
    int64_t size = (int64_t)strlen(now->text);
    FAKE_CALL(in, "proxy_set_shared_data", key, size, key, size, 0); /* there to be found */
    FAKE_CALL(in, "proxy_register_shared_queue", key, size, POINTER);
    for (size_t i = 0; i < count; i++) {
        char kind = now->parameters[i];
        args[i] = now->numbers[i];
        if (kind == 'p' || kind == 'P')
            args[i] = i == wrong ? lie : POINTER + 8 * (int64_t)(i % 4);
        if (kind != 'r')
            continue;
        args[i] = i == wrong ? lie : key;
        args[i + 1] = i == wrong ? lie_size : size;
        i++;
    }
    int32_t status = fake_call(in, now->name, args, count);
    if (status != NU_WASM_INVALID_MEMORY_ACCESS)
        fail_msg("%s, parameter %zu: %d", now->name, wrong, status);
}

static void try_lies(uint32_t at, uint32_t size)
{
    lie = at;
    lie_size = size;
    for (size_t i = 0; i < NU_ARRAY_LEN(pointing); i++) {
        now = &pointing[i];
        for (wrong = 0; now->parameters[wrong]; wrong++) {
            if (strchr("rpP", now->parameters[wrong]))
                run_well(call_with_a_lie);
        }
    }
}

TEST(a_place_behind_the_memory_is_6)
{
    try_lies(FAKE_PAGE, 1);
}

TEST(a_place_that_ends_behind_the_memory_is_6)
{
    try_lies(FAKE_PAGE - 1, 2);
}

TEST(a_place_whose_end_wraps_around_is_6)
{
    try_lies(0xfffffffe, 0xfffffffe);
}

TEST(a_length_of_4_gib_less_one_is_6)
{
    lie = 64;
    lie_size = 0xffffffff;
    for (size_t i = 0; i < NU_ARRAY_LEN(pointing); i++) {
        now = &pointing[i];
        for (wrong = 0; now->parameters[wrong]; wrong++) {
            if (now->parameters[wrong] == 'r')
                run_well(call_with_a_lie);
        }
    }
}

static void use_odd_places(struct fake_instance *in)
{
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_value", 0, FAKE_TEXT(in, "a"), 13, 23),
                     NU_WASM_OK);
    assert_true(fake_shows(in, 13, 23, "1"));
    assert_int_equal(FAKE_CALL(in, "proxy_get_current_time_nanoseconds", 11), NU_WASM_OK);
}

TEST(places_need_no_alignment)
{
    run_well(use_odd_places);
}

static void ask_at_the_end(struct fake_instance *in)
{
    memcpy(in->memory + in->size - 1, "a", 1);
    assert_int_equal(
        FAKE_CALL(in, "proxy_get_header_map_value", 0, FAKE_PAGE - 1, 1, POINTER, SIZE),
        NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "1"));
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_size", 0, (int64_t)in->size - 4),
                     NU_WASM_OK);
}

TEST(the_last_byte_of_the_memory_is_the_guests)
{
    run_well(ask_at_the_end);
}

/* --- Allocators ------------------------------------------------------------------------------------ */

static int32_t get_header(struct fake_instance *in)
{
    return FAKE_CALL(in, "proxy_get_header_map_value", 0, FAKE_TEXT(in, "a"), POINTER, SIZE);
}

static void get_with_no_memory(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_GIVES_NOTHING;
    assert_int_equal(get_header(in), NU_WASM_INVALID_MEMORY_ACCESS);
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_pairs", 0, POINTER, SIZE),
                     NU_WASM_INVALID_MEMORY_ACCESS);
    assert_int_equal(
        FAKE_CALL(in, "proxy_get_property", FAKE_TEXT(in, "plugin_name"), POINTER, SIZE),
        NU_WASM_INVALID_MEMORY_ACCESS);
}

TEST(an_allocator_that_gives_nothing_is_6)
{
    run_well(get_with_no_memory);
}

static void get_with_lying_memory(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_LIES;
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_pairs", 0, POINTER, SIZE),
                     NU_WASM_INVALID_MEMORY_ACCESS);
}

TEST(an_allocator_that_lies_is_6)
{
    run_well(get_with_lying_memory);
}

static void get_nothing_with_no_memory(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_TRAPS;
    assert_int_equal(
        FAKE_CALL(in, "proxy_get_header_map_value", 0, FAKE_TEXT(in, "b"), POINTER, SIZE),
        NU_WASM_OK);
    assert_int_equal(fake_u32(in, POINTER), 0);
    assert_int_equal(fake_u32(in, SIZE), 0);
}

TEST(for_no_bytes_the_allocator_is_not_asked)
{
    run_well(get_nothing_with_no_memory);
}

static void get_while_it_grows(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_GROWS;
    uint8_t *before = in->memory;
    assert_int_equal(get_header(in), NU_WASM_OK);
    assert_true(in->memory != before);
    assert_true(fake_shows(in, POINTER, SIZE, "1"));
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_pairs", 0, POINTER, SIZE), NU_WASM_OK);
    assert_int_equal(
        FAKE_CALL(in, "proxy_set_shared_data", FAKE_TEXT(in, "k"), FAKE_TEXT(in, "v"), 0),
        NU_WASM_OK);
    assert_int_equal(FAKE_CALL(in, "proxy_get_shared_data", FAKE_TEXT(in, "k"), POINTER, SIZE, 24),
                     NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "v"));
    uint32_t path = fake_bytes(in, "request\0path", 12);
    assert_int_equal(FAKE_CALL(in, "proxy_get_property", path, 12, POINTER, SIZE), NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "/p"));
    assert_int_equal(FAKE_CALL(in, "proxy_set_property", FAKE_TEXT(in, "mine"), FAKE_TEXT(in, "x")),
                     NU_WASM_OK);
    assert_int_equal(FAKE_CALL(in, "proxy_get_property", FAKE_TEXT(in, "mine"), POINTER, SIZE),
                     NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "x"));
}

static void get_body_while_it_grows(struct fake_instance *in)
{
    assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_bytes", 0, 0, 100, POINTER, SIZE), NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "body"));
}

TEST(memory_may_move_while_something_is_got)
{
    act_later = get_body_while_it_grows;
    run_well(get_while_it_grows);
}

static void log_from_malloc(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_LOGS;
    assert_int_equal(get_header(in), NU_WASM_OK);
}

TEST(an_allocator_may_log)
{
    run_well(log_from_malloc);
}

static void call_from_malloc(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_CALLS;
    get_header(in);
}

TEST(an_allocator_that_calls_the_host_ends_the_guest)
{
    run_into_a_trap(call_from_malloc);
}

static void trap_in_malloc(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_TRAPS;
    get_header(in);
}

TEST(a_trap_in_the_allocator_ends_the_callback_too)
{
    run_into_a_trap(trap_in_malloc);
}

static void grow_without_end(struct fake_instance *in)
{
    fake_malloc = FAKE_MALLOC_GROWS;
    for (;;)
        get_header(in);
}

TEST(a_guest_out_of_memory_ends_with_its_request)
{
    run_into_a_trap(grow_without_end);
}

static unsigned given;

static bool give_block(struct fake_instance *in, const union nu_wasm_value *args,
                       union nu_wasm_value *result)
{
    given++;
    return fake_malloc_(in, args, result);
}

static void get_twice(struct fake_instance *in)
{
    given = 0;
    assert_int_equal(get_header(in), NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "1"));
    assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_pairs", 0, POINTER, SIZE), NU_WASM_OK);
    assert_int_equal(given, 2);
}

TEST(an_allocator_may_have_its_other_name)
{
    static const struct fake_export own[] = {
        {"proxy_on_request_headers", "iii=i", on_headers},
        {"proxy_on_memory_allocate", "i=i", give_block},
        {NULL, NULL, NULL},
    };
    static const struct fake_guest without_malloc = {
        .name = "own", .exports = own, .has_no_malloc = true};
    played = &without_malloc;
    run_well(get_twice);
    played = &guest;
}

/* --- Numbers that are none ------------------------------------------------------------------------- */

static void use_wrong_numbers(struct fake_instance *in)
{
    static const int64_t none[] = {8, 9, 255, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(none); i++) {
        int64_t n = none[i];
        uint32_t a = fake_text(in, "a");
        assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_value", n, a, 1, POINTER, SIZE), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_add_header_map_value", n, a, 1, a, 1), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_replace_header_map_value", n, a, 1, a, 1), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_remove_header_map_value", n, a, 1), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_pairs", n, POINTER, SIZE), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_set_header_map_pairs", n, a, 0), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_get_header_map_size", n, POINTER), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_continue_stream", n), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_close_stream", n), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_set_effective_context", n + 100000), 2);
        if (n == 8)
            continue; /* a buffer */
        assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_status", n, POINTER, SIZE), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_bytes", n, 0, 1, POINTER, SIZE), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_set_buffer_bytes", n, 0, 1, a, 1), 2);
        assert_int_equal(FAKE_CALL(in, "proxy_log", n, a, 1), 2);
    }
}

TEST(numbers_that_are_none_are_2)
{
    run_well(use_wrong_numbers);
}

static void use_all_of_64_bits(struct fake_instance *in)
{
    assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_bytes", 0, 1, 0xffffffff, POINTER, SIZE),
                     NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "ody"));
    assert_int_equal(
        FAKE_CALL(in, "proxy_get_buffer_bytes", 0, 0xffffffff, 0xffffffff, POINTER, SIZE),
        NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, ""));
    assert_int_equal(FAKE_CALL(in, "proxy_set_buffer_bytes", 0, 0, 0xffffffff, FAKE_TEXT(in, "x")),
                     NU_WASM_OK);
    assert_int_equal(
        FAKE_CALL(in, "proxy_set_buffer_bytes", 0, 0xffffffff, 0xffffffff, FAKE_TEXT(in, "y")),
        NU_WASM_OK);
    assert_int_equal(FAKE_CALL(in, "proxy_get_buffer_bytes", 0, 0, 100, POINTER, SIZE), NU_WASM_OK);
    assert_true(fake_shows(in, POINTER, SIZE, "xy"));
}

static void do_nothing(struct fake_instance *in)
{
    (void)in;
}

TEST(lengths_of_buffers_do_not_wrap_around)
{
    act_later = use_all_of_64_bits;
    run_well(do_nothing);
}

/* --- WASI ------------------------------------------------------------------------------------------- */

static uint64_t read_u64(const struct fake_instance *in, uint32_t at)
{
    uint64_t value;
    memcpy(&value, in->memory + at, sizeof(value));
    return value;
}

static void get_random_bytes(struct fake_instance *in)
{
    enum { AT = FAKE_HEAP_AT, COUNT = 32 };
    static const uint8_t zeros[COUNT];
    uint8_t first[COUNT];
    memset(in->memory + AT, 0, COUNT + 1);
    assert_int_equal(FAKE_CALL(in, "random_get", AT, COUNT), 0);
    memcpy(first, in->memory + AT, COUNT);
    assert_memory_not_equal(first, zeros, COUNT);
    assert_int_equal(in->memory[AT + COUNT], 0);
    assert_int_equal(FAKE_CALL(in, "random_get", AT, COUNT), 0);
    assert_memory_not_equal(first, in->memory + AT, COUNT);
    assert_int_equal(FAKE_CALL(in, "random_get", 0, 65536), 0); /* the most, and all there is */
}

TEST(random_bytes_are_random)
{
    run_well(get_random_bytes);
}

static void use_wasi(struct fake_instance *in)
{
    enum { BADF = 8, INVAL = 28, FAULT = 21 };
    uint32_t pieces = fake_bytes(in, "\0\0\0\0\1\0\0\0", 8);
    assert_int_equal(FAKE_CALL(in, "fd_write", 3, pieces, 1, POINTER), BADF);
    assert_int_equal(FAKE_CALL(in, "fd_write", 1, pieces, 1, POINTER), 0);
    assert_int_equal(FAKE_CALL(in, "fd_write", 1, 0xfffffff8, 1, POINTER), FAULT);
    assert_int_equal(FAKE_CALL(in, "fd_write", 1, pieces, 1, 0xfffffffe), FAULT);
    assert_int_equal(FAKE_CALL(in, "random_get", POINTER, 0), 0);
    assert_int_equal(FAKE_CALL(in, "random_get", FAKE_HEAP_AT, 4096), 0);
    assert_int_equal(FAKE_CALL(in, "random_get", 0, 65537), INVAL);
    assert_int_equal(FAKE_CALL(in, "random_get", FAKE_HEAP_AT, 65536), FAULT);
    assert_int_equal(FAKE_CALL(in, "clock_time_get", 0, 1, POINTER), 0);
    assert_int_equal(read_u64(in, POINTER), nu_clock_realtime_us() * 1000); /* of the test */
    assert_int_equal(FAKE_CALL(in, "clock_time_get", 1, 1, POINTER), 0);
    uint64_t before = read_u64(in, POINTER);
    assert_int_equal(FAKE_CALL(in, "clock_time_get", 1, 1, POINTER), 0);
    assert_true(before > 0 && read_u64(in, POINTER) >= before);
    assert_int_equal(FAKE_CALL(in, "clock_time_get", 2, 1, POINTER), 58);
    assert_int_equal(FAKE_CALL(in, "clock_time_get", 0, 1, -4), FAULT);
    assert_int_equal(FAKE_CALL(in, "environ_sizes_get", POINTER, SIZE), 0);
    assert_int_equal(FAKE_CALL(in, "environ_sizes_get", -1, SIZE), FAULT);
    assert_int_equal(fake_u32(in, POINTER), 0);
    assert_int_equal(fake_u32(in, SIZE), 0);
    memset(in->memory + POINTER, 0xff, 2 * sizeof(uint64_t));
    assert_int_equal(FAKE_CALL(in, "args_sizes_get", POINTER, SIZE), 0);
    assert_int_equal(fake_u32(in, POINTER), 0);
    assert_int_equal(fake_u32(in, SIZE), 0);
    assert_int_equal(FAKE_CALL(in, "args_get", POINTER, SIZE), 0);
    assert_int_equal(FAKE_CALL(in, "fd_prestat_get", 3, POINTER), BADF);
    assert_int_equal(FAKE_CALL(in, "poll_oneoff", POINTER, SIZE, 1, 24), 0);
    assert_int_equal(FAKE_CALL(in, "sched_yield"), 0);
}

TEST(wasi_answers_as_in_envoy)
{
    run_well(use_wasi);
}

static void exit_process(struct fake_instance *in)
{
    FAKE_CALL(in, "proc_exit", 3);
}

TEST(proc_exit_ends_the_guest)
{
    run_into_a_trap(exit_process);
}

TEST_MAIN()
