/* SPDX-License-Identifier: Apache-2.0 */
/* The engine and its limits, with tests/guests/engine.wat as the guest. */
#include "harness/test.h"

#include <pthread.h>

#include "harness/guests.h"
#include "wasm/guest.h"

/* What host functions are given, and note. */
struct host {
    struct nu_wasm_guest guest;
    struct nu_wasm_function *nested;
    int notes[8];
    size_t note_count;
    bool call_trap;
};

static const char *on_note(void *arg, const union nu_wasm_value *args, union nu_wasm_value *result)
{
    struct host *host = arg;
    (void)result;
    if (host->note_count < NU_ARRAY_LEN(host->notes))
        host->notes[host->note_count++] = args[0].i32;
    return NULL;
}

static const char *on_sum(void *arg, const union nu_wasm_value *args, union nu_wasm_value *result)
{
    (void)arg;
    result->i64 = args[0].i32 + args[1].i64 + (int64_t)args[2].f32 + (int64_t)args[3].f64;
    return NULL;
}

/* Calls back with one less, until there is nothing left; or into a function that traps. */
static const char *on_call_back(void *arg, const union nu_wasm_value *args,
                                union nu_wasm_value *result)
{
    struct host *host = arg;
    union nu_wasm_value less = {.i32 = args[0].i32 - 1};
    result->i32 = 0;
    if (args[0].i32 == 0)
        return NULL;
    struct nu_wasm_function *function =
        host->call_trap ? nu_wasm_guest_find(&host->guest, "trap", "=") : host->nested;
    if (!nu_wasm_guest_call(&host->guest, function, "inner", &less, result))
        return "the guest is dead";
    result->i32 += 1;
    return NULL;
}

static const char *on_fail(void *arg, const union nu_wasm_value *args, union nu_wasm_value *result)
{
    (void)arg, (void)args, (void)result;
    return "enough is enough";
}

static const struct nu_wasm_import note = {"env", "note", "i=", on_note};
static const struct nu_wasm_import sum = {"env", "sum", "ilfd=l", on_sum};
static const struct nu_wasm_import call_back = {"env", "call_back", "i=i", on_call_back};
static const struct nu_wasm_import fail = {"env", "fail", "=", on_fail};
static const struct nu_wasm_import *const imports[] = {&note, &sum, &call_back, &fail};

static struct nu_wasm_program program;

static void open_program(struct nu_arena *arena, struct nu_wasm_program *out,
                         const struct nu_wasm_limits *limits)
{
    struct nu_strbuf error = {0};
    struct nu_wasm_module *module =
        nu_wasm_module_read(arena, nu_test_guest(arena, "engine"), &error);
    assert_non_null(module);
    if (!nu_wasm_program_init(out, nu_test_engine(), module, imports, limits, arena, &error))
        fail_msg("%s", error.data);
}

static void open_host(struct host *host)
{
    struct nu_strbuf error = {0};
    *host = (struct host){0};
    if (!nu_wasm_guest_init(&host->guest, &program, host, &error))
        fail_msg("%s", error.data);
    host->nested = nu_wasm_guest_find(&host->guest, "nested", "i=i");
    assert_non_null(host->nested);
}

static bool call(struct host *host, const char *name, const char *type,
                 const union nu_wasm_value *args, union nu_wasm_value *result)
{
    struct nu_wasm_function *function = nu_wasm_guest_find(&host->guest, name, type);
    assert_non_null(function);
    return nu_wasm_guest_call(&host->guest, function, name, args, result);
}

static int call_int(struct host *host, const char *name, int argument)
{
    union nu_wasm_value arg = {.i32 = argument};
    union nu_wasm_value result = {0};
    assert_true(call(host, name, "i=i", &arg, &result));
    return result.i32;
}

static void assert_dies(struct host *host, const char *name, const char *type, const char *why)
{
    union nu_wasm_value args[2] = {{.i32 = 1}, {.i32 = 0}};
    union nu_wasm_value result;
    assert_false(call(host, name, type, args, &result));
    assert_true(host->guest.dead);
    struct nu_str failure = nu_strbuf_str(&host->guest.failure);
    if (nu_str_find(failure, nu_str_from(why)) == NU_NPOS)
        fail_msg("'%s' is not in: %.*s", why, NU_STR_ARG(failure));
    assert_false(call(host, "started", "=i", NULL, &result));
}

TEST(numbers_of_all_types_cross_the_boundary_unchanged)
{
    struct host host;
    open_host(&host);
    union nu_wasm_value result = {0};
    const union nu_wasm_value ints[] = {{.i32 = INT32_MAX}, {.i32 = 2}};
    assert_true(call(&host, "add", "ii=i", ints, &result));
    assert_int_equal(result.i32, INT32_MIN + 1);
    const union nu_wasm_value mixed[] = {
        {.i32 = -5}, {.i64 = INT64_C(-9000000000000000000)}, {.f32 = 2.0f}, {.f64 = 3.0}};
    assert_true(call(&host, "mix", "ilfd=l", mixed, &result));
    assert_true(result.i64 == INT64_C(-9000000000000000000));
    assert_true(call(&host, "half_f32", "f=f", &(union nu_wasm_value){.f32 = 3.0f}, &result));
    assert_true(result.f32 == 1.5f);
    assert_true(call(&host, "half_f64", "d=d", &(union nu_wasm_value){.f64 = 1e300}, &result));
    assert_true(result.f64 == 5e299);
    nu_wasm_guest_finish(&host.guest);
}

TEST(an_export_is_found_by_its_name)
{
    struct host host;
    open_host(&host);
    assert_null(nu_wasm_guest_find(&host.guest, "no_such", "="));
    assert_null(nu_wasm_guest_find(&host.guest, "memory", "="));
    assert_null(nu_wasm_guest_find(&host.guest, "toString", "="));
    nu_wasm_guest_finish(&host.guest);
}

TEST(a_start_section_runs_when_the_host_says_so)
{
    struct host host;
    open_host(&host);
    union nu_wasm_value result = {0};
    assert_int_equal(host.note_count, 0);
    assert_true(call(&host, "started", "=i", NULL, &result));
    assert_int_equal(result.i32, 0);
    assert_true(call(&host, NU_WASM_START_EXPORT, "=", NULL, NULL));
    assert_int_equal(host.notes[0], 99);
    assert_true(call(&host, "started", "=i", NULL, &result));
    assert_int_equal(result.i32, 7);
    nu_wasm_guest_finish(&host.guest);
}

TEST(host_functions_may_call_the_guest)
{
    struct host host;
    open_host(&host);
    assert_int_equal(call_int(&host, "nested", 20), 20);
    nu_wasm_guest_finish(&host.guest);
}

TEST(a_trap_has_a_message_and_names_of_functions)
{
    struct host host;
    open_host(&host);
    assert_dies(&host, "trap", "=",
                "trap failed: RuntimeError: unreachable\n  0: innermost\n  1: middle\n  2: trap");
    nu_wasm_guest_finish(&host.guest);
}

TEST(each_kind_of_trap_says_what_it_is)
{
    static const char *const traps[][3] = {
        {"divide", "ii=i", "divide by zero"},
        {"far_load", "=i", "out of bounds"},
        {"recurse", "i=i", "Maximum call stack size exceeded"},
        {"host_fails", "=", "host_fails failed: enough is enough\n  0: host_fails"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(traps); i++) {
        struct host host;
        open_host(&host);
        assert_dies(&host, traps[i][0], traps[i][1], traps[i][2]);
        assert_int_equal(host.note_count, 0);
        nu_wasm_guest_finish(&host.guest);
    }
}

TEST(a_guest_cannot_catch_the_failure_of_a_host_function)
{
    struct host host;
    open_host(&host);
    assert_dies(&host, "host_fails_caught", "=", "enough is enough");
    assert_int_equal(host.note_count, 0);
    nu_wasm_guest_finish(&host.guest);
}

TEST(a_trap_below_a_host_function_ends_the_outer_call_too)
{
    struct host host;
    open_host(&host);
    host.call_trap = true;
    assert_dies(&host, "nested", "i=i", "inner failed: RuntimeError: unreachable\n  0: innermost");
    nu_wasm_guest_finish(&host.guest);
}

TEST(a_call_that_takes_too_long_is_ended_and_the_thread_lives)
{
    for (int i = 0; i < 2; i++) {
        struct host host;
        struct host other;
        open_host(&host);
        open_host(&other);
        assert_dies(&host, i ? "spin_through_host" : "spin", "=", "took longer than 100 ms");
        assert_int_equal(call_int(&other, "nested", 1), 1);
        nu_wasm_guest_finish(&host.guest);
        nu_wasm_guest_finish(&other.guest);
    }
}

TEST(memory_is_seen_where_it_is_after_it_grew)
{
    struct host host;
    open_host(&host);
    assert_int_equal(nu_wasm_guest_memory_size(&host.guest), 65536);
    memcpy(nu_wasm_guest_bytes(&host.guest, 100, 4), "\1\2\3\4", 4);
    assert_int_equal(call_int(&host, "peek", 100), 0x04030201);
    assert_int_equal(call_int(&host, "grow", 9), 1);
    assert_int_equal(nu_wasm_guest_memory_size(&host.guest), 655360);
    assert_int_equal(*nu_wasm_guest_bytes(&host.guest, 103, 1), 4);
    memcpy(nu_wasm_guest_bytes(&host.guest, 655356, 4), "\1\0\0\0", 4);
    assert_int_equal(call_int(&host, "peek", 655356), 1);
    nu_wasm_guest_finish(&host.guest);
}

TEST(bytes_outside_of_the_memory_are_not_given)
{
    struct host host;
    open_host(&host);
    assert_non_null(nu_wasm_guest_bytes(&host.guest, 0, 65536));
    assert_non_null(nu_wasm_guest_bytes(&host.guest, 65535, 1));
    assert_null(nu_wasm_guest_bytes(&host.guest, 0, 65537));
    assert_null(nu_wasm_guest_bytes(&host.guest, 65536, 1));
    assert_null(nu_wasm_guest_bytes(&host.guest, UINT32_MAX, UINT32_MAX));
    assert_null(nu_wasm_guest_bytes(&host.guest, 1, UINT32_MAX));
    assert_non_null(nu_wasm_guest_bytes(&host.guest, UINT32_MAX, 0));
    nu_wasm_guest_finish(&host.guest);
}

TEST(memory_and_tables_do_not_grow_beyond_their_limits)
{
    struct host host;
    open_host(&host);
    assert_int_equal(call_int(&host, "grow", 16), -1); /* 17 pages; the limit is 16 */
    assert_int_equal(call_int(&host, "grow", 15), 1);
    assert_int_equal(call_int(&host, "grow_table", 1000), -1);
    assert_int_equal(call_int(&host, "grow_table", 999), 1);
    nu_wasm_guest_finish(&host.guest);
}

static void *run_on_thread(void *arg)
{
    (void)arg;
    struct host host;
    open_host(&host);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(call_int(&host, "nested", 3), 3);
    nu_wasm_guest_finish(&host.guest);
    return NULL;
}

TEST(threads_share_code_and_nothing_else)
{
    pthread_t threads[4];
    for (size_t i = 0; i < NU_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_on_thread, NULL), 0);
    for (size_t i = 0; i < NU_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}

TEST(code_that_does_not_validate_is_refused_with_a_reason)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_strbuf error = {0};
    struct nu_wasm_program broken;
    /* A memory, its export and a function whose body is not what its type says. */
    static const char bytes[] = "\0asm\1\0\0\0\1\5\1\x60\0\1\x7f\3\2\1\0\5\3\1\0\1\7\5\1\1m\2\0"
                                "\x0a\4\1\2\0\x0b";
    struct nu_wasm_module *module =
        nu_wasm_module_read(arena, nu_str_make(bytes, sizeof(bytes) - 1), &error);
    assert_non_null(module);
    assert_false(nu_wasm_program_init(&broken, nu_test_engine(), module, imports,
                                      &nu_wasm_default_limits, arena, &error));
    assert_true(nu_str_find(nu_strbuf_str(&error), NU_STR("CompileError")) != NU_NPOS);
    nu_strbuf_finish(&error);
    nu_arena_destroy(&arena);
}

TEST(isolates_come_and_go_without_end)
{
    for (int i = 0; i < 30; i++) {
        struct host host;
        open_host(&host);
        assert_int_equal(call_int(&host, "nested", 1), 1);
        nu_wasm_guest_finish(&host.guest);
    }
}

int main(void)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_wasm_limits limits = nu_wasm_default_limits;
    limits.memory_bytes = 16 * 65536;
    limits.table_entries = 1000;
    limits.call_cpu_ns = 100 * 1000 * 1000;
    open_program(arena, &program, &limits);
    int failed = _cmocka_run_group_tests(__FILE__, nu_tests_, nu_test_count_, NULL, NULL);
    nu_wasm_program_finish(&program);
    nu_arena_destroy(&arena);
    return failed;
}
