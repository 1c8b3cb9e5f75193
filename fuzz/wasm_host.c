/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that means no good: the input is what it does in its callbacks, calls of host functions with
 * any numbers, places and bytes, while a request and its response pass the filter. Of the input:
 *
 *     call:       a byte that names a function, then an argument for each of its parameters
 *     argument:   a byte, whose lowest three bits are a kind and the others a small number, and
 *                 what the kind wants
 *     0xff, n:    ends the callback, which returns n; 0xfe, n: sets what the allocator does
 */
#include "fuzz/target.h"
#include "harness/wasm_filter.h"

#include "base/log.h"

enum { CALLS_MAX = 64, END = 0xff, ALLOCATOR = 0xfe };

static const uint8_t *at;
static const uint8_t *end;
static int32_t last; /* result of a call */

static uint8_t take(void)
{
    return at < end ? *at++ : 0;
}

static uint32_t take_u32(void)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n |= (uint32_t)take() << 8 * i;
    return n;
}

/* A length and as many bytes, which become the guest's. */
static uint32_t take_bytes(struct fake_instance *in, uint32_t *size)
{
    *size = take();
    if (*size > (size_t)(end - at))
        *size = (uint32_t)(end - at);
    uint32_t place = fake_bytes(in, at, *size);
    at += *size;
    return place;
}

static void take_arguments(struct fake_instance *in, int64_t *arguments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = take();
        uint32_t n = kind >> 3;
        uint32_t size;
        switch (kind & 7) {
        case 0:
            arguments[i] = n;
            break;
        case 1:
            arguments[i] = take_u32();
            break;
        case 2:
            arguments[i] = take_bytes(in, &size);
            if (i + 1 < count)
                arguments[++i] = size;
            break;
        case 3:
            arguments[i] = -1 - (int64_t)n;
            break;
        case 4:
            arguments[i] = 8 + 8 * n;
            break;
        case 5:
            arguments[i] = (int64_t)in->size - n;
            break;
        case 6:
            arguments[i] = n ? fake_u32(in, 8 + 8 * (n - 1)) : (uint32_t)last;
            break;
        default:
            arguments[i] = (int64_t)1 << n;
        }
    }
}

static void call(struct fake_instance *in, const char *name)
{
    int64_t arguments[NU_WASM_ARGS_MAX] = {0};
    const struct nu_wasm_import *import =
        nu_wasm_host_function(fake_module_of(name), nu_str_from(name));
    take_arguments(in, arguments, (size_t)(strchr(import->type, '=') - import->type));
    last = fake_call(in, name, arguments, NU_WASM_ARGS_MAX);
}

static bool act(struct fake_instance *in, const union nu_wasm_value *args,
                union nu_wasm_value *result)
{
    (void)args;
    result->i32 = 0;
    for (int calls = 0; at < end && calls < CALLS_MAX; calls++) {
        uint8_t what = take();
        if (what == END) {
            result->i32 = take();
            return true;
        }
        if (what == ALLOCATOR)
            fake_malloc = take() % (FAKE_MALLOC_CALLS + 1);
        else
            call(in, fake_names[what % NU_ARRAY_LEN(fake_names)]);
    }
    return true;
}

/* The configuration is taken whatever the guest does: what it does with requests is the matter. */
static bool start(struct fake_instance *in, const union nu_wasm_value *args,
                  union nu_wasm_value *result)
{
    (void)in, (void)args;
    result->i32 = 1;
    return true;
}

static const struct fake_export exports[] = {
    {"proxy_on_vm_start", "ii=i", start},
    {"proxy_on_configure", "ii=i", start},
    {"proxy_on_tick", "i=", act},
    {"proxy_on_request_headers", "iii=i", act},
    {"proxy_on_request_body", "iii=i", act},
    {"proxy_on_request_trailers", "ii=i", act},
    {"proxy_on_response_headers", "iii=i", act},
    {"proxy_on_response_body", "iii=i", act},
    {"proxy_on_response_trailers", "ii=i", act},
    {"proxy_on_queue_ready", "ii=", act},
    {"proxy_on_http_call_response", "iiiii=", act},
    {"proxy_on_log", "i=", act},
    {"proxy_on_done", "i=i", act},
    {"proxy_on_delete", "i=", act},
    {NULL, NULL, NULL},
};
static const struct fake_guest guest = {.name = "hostile", .exports = exports};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct driver_header head[] = {
        {":method", "POST"}, {":path", "/p"}, {":authority", "a"}, {"a", "1"}, {NULL, NULL}};
    static struct wasm_filter w; /* one plug-in for all inputs, which each have a VM of it */
    nu_log_set_level(NU_LOG_OFF);
    if (!w.loop && !wasm_filter_load(&w, &guest, "", ""))
        abort();
    at = data;
    end = data + size;
    wasm_filter_begin(&w);
    w.driver.on_stuck = driver_end; /* a guest that pauses for good */
    driver_request(&w.driver, &(struct driver_message){
                                  .headers = head, .body = "abcdef", .cuts = 4, .trailers = true});
    if (w.driver.upstream.has_headers && !w.driver.over)
        driver_respond(&w.driver, &(struct driver_message){.body = "ok", .trailers = true});
    driver_wait(&w.driver, 5);
    wasm_filter_finish(&w);
    fake_malloc = FAKE_MALLOC_GIVES;
    return 0;
}
