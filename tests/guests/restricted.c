/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that answers each request with the status of host functions that it has called, for
 * tests/e2e/test_wasm_config.py. Which of its callbacks ran is in the answer as well.
 */
#include "proxy_wasm.h"

#define WASI_IMPORT(name) \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

WASI_IMPORT(random_get) int random_get(void *bytes, size_t size);
WASI_IMPORT(clock_time_get) int clock_time_get(int clock, uint64_t precision, uint64_t *time);
__attribute__((import_module("wasi_unstable"), import_name("random_get"))) int
old_random_get(void *bytes, size_t size);
PROXY_IMPORT(proxy_get_current_time_nanoseconds)
int proxy_get_current_time_nanoseconds(uint64_t *time);

static char answer[512];
static size_t used;
static uint64_t scratch;

static void say(const char *name, int status)
{
    struct text digits = number((uint64_t)status);
    for (; *name; name++)
        answer[used++] = *name;
    answer[used++] = '=';
    for (size_t i = 0; i < digits.size; i++)
        answer[used++] = digits.ptr[i];
    answer[used++] = ' ';
}

PROXY_EXPORT(_initialize) void initialize(void)
{
    say("initialize", 1);
}

PROXY_EXPORT(proxy_on_vm_start) int on_vm_start(uint32_t id, size_t size)
{
    (void)id, (void)size;
    say("vm_start", 1);
    return 1;
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, size_t n, int end)
{
    (void)id, (void)n, (void)end;
    size_t before = used;
    say("log", proxy_log(LOG_INFO, LITERAL("here")));
    say("time", proxy_get_current_time_nanoseconds(&scratch));
    say("continue", proxy_continue_stream(9));
    say("random", random_get(&scratch, sizeof(scratch)));
    say("old_random", old_random_get(&scratch, sizeof(scratch)));
    say("clock", clock_time_get(0, 0, &scratch));
    proxy_send_local_response(200, NULL, 0, answer, used, NULL, 0, -1);
    used = before;
    return PAUSE;
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, size_t n, int end)
{
    (void)id, (void)n, (void)end;
    proxy_add_header_map_value(RESPONSE_HEADERS, LITERAL("response"), LITERAL("seen"));
    return CONTINUE;
}
