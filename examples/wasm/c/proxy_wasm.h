/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy-wasm ABI 0.2.1 for guests in plain C, built with clang --target=wasm32 and no library: a
 * filter includes this once, defines the callbacks it wants with PROXY_EXPORT, and that is all.
 */
#ifndef PROXY_WASM_H
#define PROXY_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_EXPORT(name) __attribute__((export_name(#name), visibility("default")))
#define PROXY_IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

enum { LOG_INFO = 2, LOG_WARN, LOG_ERROR };
/* Buffers. */
enum { REQUEST_BODY, RESPONSE_BODY, DOWNSTREAM_DATA, UPSTREAM_DATA, CALL_BODY, GRPC_RECEIVED };
enum { VM_CONFIGURATION = 6, PLUGIN_CONFIGURATION };
/* Maps. */
enum { REQUEST_HEADERS, REQUEST_TRAILERS, RESPONSE_HEADERS, RESPONSE_TRAILERS };
enum { GRPC_INITIAL_METADATA = 4, GRPC_TRAILING_METADATA, CALL_HEADERS, CALL_TRAILERS };
enum { COUNTER, GAUGE, HISTOGRAM };
enum { REQUEST, RESPONSE, DOWNSTREAM, UPSTREAM }; /* what goes on, or is closed */
enum { CONTINUE, PAUSE };                         /* what callbacks return */

PROXY_IMPORT(proxy_log) int proxy_log(int level, const char *text, size_t size);
PROXY_IMPORT(proxy_get_header_map_value)
int proxy_get_header_map_value(int map, const char *key, size_t key_size, char **value,
                               size_t *value_size);
PROXY_IMPORT(proxy_add_header_map_value)
int proxy_add_header_map_value(int map, const char *key, size_t key_size, const char *value,
                               size_t value_size);
PROXY_IMPORT(proxy_replace_header_map_value)
int proxy_replace_header_map_value(int map, const char *key, size_t key_size, const char *value,
                                   size_t value_size);
PROXY_IMPORT(proxy_remove_header_map_value)
int proxy_remove_header_map_value(int map, const char *key, size_t key_size);
PROXY_IMPORT(proxy_get_header_map_pairs)
int proxy_get_header_map_pairs(int map, char **pairs, size_t *size);
PROXY_IMPORT(proxy_set_header_map_pairs)
int proxy_set_header_map_pairs(int map, const char *pairs, size_t size);
PROXY_IMPORT(proxy_get_header_map_size) int proxy_get_header_map_size(int map, size_t *size);
PROXY_IMPORT(proxy_get_buffer_status)
int proxy_get_buffer_status(int buffer, size_t *size, int *flags);
PROXY_IMPORT(proxy_get_buffer_bytes)
int proxy_get_buffer_bytes(int buffer, size_t start, size_t max, char **bytes, size_t *size);
PROXY_IMPORT(proxy_set_buffer_bytes)
int proxy_set_buffer_bytes(int buffer, size_t start, size_t length, const char *bytes, size_t size);
PROXY_IMPORT(proxy_get_property)
int proxy_get_property(const char *path, size_t path_size, char **value, size_t *size);
PROXY_IMPORT(proxy_set_property)
int proxy_set_property(const char *path, size_t path_size, const char *value, size_t size);
PROXY_IMPORT(proxy_send_local_response)
int proxy_send_local_response(int status, const char *details, size_t details_size,
                              const char *body, size_t body_size, const char *headers,
                              size_t headers_size, int grpc_status);
PROXY_IMPORT(proxy_get_shared_data)
int proxy_get_shared_data(const char *key, size_t key_size, char **value, size_t *size,
                          uint32_t *cas);
PROXY_IMPORT(proxy_set_shared_data)
int proxy_set_shared_data(const char *key, size_t key_size, const char *value, size_t size,
                          uint32_t cas);
PROXY_IMPORT(proxy_register_shared_queue)
int proxy_register_shared_queue(const char *name, size_t size, uint32_t *token);
PROXY_IMPORT(proxy_resolve_shared_queue)
int proxy_resolve_shared_queue(const char *vm_id, size_t vm_id_size, const char *name, size_t size,
                               uint32_t *token);
PROXY_IMPORT(proxy_dequeue_shared_queue)
int proxy_dequeue_shared_queue(uint32_t token, char **bytes, size_t *size);
PROXY_IMPORT(proxy_enqueue_shared_queue)
int proxy_enqueue_shared_queue(uint32_t token, const char *bytes, size_t size);
PROXY_IMPORT(proxy_call_foreign_function)
int proxy_call_foreign_function(const char *name, size_t name_size, const char *arguments,
                                size_t size, char **results, size_t *results_size);
PROXY_IMPORT(proxy_define_metric)
int proxy_define_metric(int type, const char *name, size_t size, uint32_t *id);
PROXY_IMPORT(proxy_increment_metric) int proxy_increment_metric(uint32_t id, int64_t delta);
PROXY_IMPORT(proxy_record_metric) int proxy_record_metric(uint32_t id, uint64_t value);
PROXY_IMPORT(proxy_get_metric) int proxy_get_metric(uint32_t id, uint64_t *value);
PROXY_IMPORT(proxy_http_call)
int proxy_http_call(const char *cluster, size_t cluster_size, const char *headers,
                    size_t headers_size, const char *body, size_t body_size, const char *trailers,
                    size_t trailers_size, int timeout_ms, uint32_t *token);
PROXY_IMPORT(proxy_get_status)
int proxy_get_status(uint32_t *code, char **message, size_t *message_size);
PROXY_IMPORT(proxy_grpc_call)
int proxy_grpc_call(const char *service, size_t service_size, const char *name, size_t name_size,
                    const char *method, size_t method_size, const char *metadata,
                    size_t metadata_size, const char *message, size_t message_size,
                    uint32_t timeout, uint32_t *token);
PROXY_IMPORT(proxy_grpc_stream)
int proxy_grpc_stream(const char *service, size_t service_size, const char *name, size_t name_size,
                      const char *method, size_t method_size, const char *metadata,
                      size_t metadata_size, uint32_t *token);
PROXY_IMPORT(proxy_grpc_send)
int proxy_grpc_send(uint32_t token, const char *message, size_t size, int end);
PROXY_IMPORT(proxy_grpc_close) int proxy_grpc_close(uint32_t token);
PROXY_IMPORT(proxy_grpc_cancel) int proxy_grpc_cancel(uint32_t token);
#ifndef PROXY_WASM_ABI_0_1_0
PROXY_IMPORT(proxy_continue_stream) int proxy_continue_stream(int type);
PROXY_IMPORT(proxy_close_stream) int proxy_close_stream(int type);
#endif
PROXY_IMPORT(proxy_set_effective_context) int proxy_set_effective_context(uint32_t context);
PROXY_IMPORT(proxy_set_tick_period_milliseconds)
int proxy_set_tick_period_milliseconds(uint32_t period);

/* PROXY_WASM_ABI_0_1_0 makes a module of the first version: its callbacks of headers have no third
 * parameter, and two functions are not there. */
#ifdef PROXY_WASM_ABI_0_1_0
PROXY_EXPORT(proxy_abi_version_0_1_0) void proxy_abi_version_0_1_0(void)
#else
PROXY_EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1(void)
#endif
{
}

/* What the host puts into the guest's memory is never given back: one megabyte, round and round. */
static char heap_[1024 * 1024] __attribute__((aligned(16)));
static size_t heap_used_;

PROXY_EXPORT(malloc) void *proxy_malloc_(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof(heap_))
        return NULL;
    if (heap_used_ + size > sizeof(heap_))
        heap_used_ = 0;
    void *at = heap_ + heap_used_;
    heap_used_ += size;
    return at;
}

/* What the compiler may call. */
void *memcpy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *at, int byte, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((volatile char *)at)[i] = (char)byte;
    return at;
}

struct text {
    char *ptr;
    size_t size;
};

static inline size_t length_(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static inline bool is(struct text text, const char *s)
{
    size_t n = length_(s);
    if (text.size != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text.ptr[i] != s[i])
            return false;
    }
    return true;
}

static inline bool begins(struct text text, const char *s)
{
    size_t n = length_(s);
    return text.size >= n && is((struct text){text.ptr, n}, s);
}

#define LITERAL(s) s, sizeof(s) - 1

/* A line of the log: several texts in a row. */
static inline void log_(const char *a, struct text b)
{
    char line[512];
    size_t n = 0;
    for (; *a && n < sizeof(line); a++)
        line[n++] = *a;
    for (size_t i = 0; i < b.size && n < sizeof(line); i++)
        line[n++] = b.ptr[i];
    proxy_log(LOG_INFO, line, n);
}

/* A number as text, in a place that the next call uses again. */
static inline struct text number(uint64_t n)
{
    static char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    return (struct text){digits + at, sizeof(digits) - at};
}

static inline struct text header(int map, const char *name)
{
    struct text value = {0};
    if (proxy_get_header_map_value(map, name, length_(name), &value.ptr, &value.size) != 0)
        value.ptr = NULL;
    return value;
}

#endif
