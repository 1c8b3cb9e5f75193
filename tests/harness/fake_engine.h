/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wasm engine without WebAssembly: guests are C functions over an array of bytes, so that the host
 * and the filters run under sanitizers and in fuzz targets, where V8 cannot be.
 *
 *     static bool on_tick(struct fake_instance *in, const union nu_wasm_value *args,
 *                         union nu_wasm_value *result) { FAKE_CALL(in, "proxy_done"); return true; }
 *     static const struct fake_export exports[] = {{"proxy_on_tick", "i=", on_tick}, {0}};
 *     static const struct fake_guest guest = {.name = "mine", .exports = exports};
 *     fake_add(&guest);
 *     fake_module(&guest, &bytes);        a module of real bytes, which only names the guest
 *
 * A program that includes this has it in place of wasm/loader.c: nu_wasm_engine_load gives it. Memory
 * that grows always moves, and what was there is freed: a view kept too long is a use of freed memory.
 */
#ifndef NU_TESTS_HARNESS_FAKE_ENGINE_H
#define NU_TESTS_HARNESS_FAKE_ENGINE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wasm/abi.h"
#include "wasm/loader.h"

enum {
    FAKE_PAGE = 64 * 1024,
    FAKE_HEAP_AT = 32 * 1024, /* below it are the guest's own bytes */
    FAKE_PAGES_MAX = 64,
    FAKE_GUESTS_MAX = 16,
    FAKE_DEPTH_MAX = 64,
};

struct fake_instance;

/* Returns false to trap. */
typedef bool (*fake_function_fn)(struct fake_instance *in, const union nu_wasm_value *args,
                                 union nu_wasm_value *result);

struct fake_export {
    const char *name; /* NULL ends a list */
    const char *type;
    fake_function_fn run;
};

struct fake_guest {
    const char *name;
    const struct fake_export *exports; /* besides memory, malloc and the marker */
    const char *marker;                /* NULL: that of 0.2.1 */
    bool has_no_malloc;
};

/* What the guest's malloc does. */
enum fake_malloc {
    FAKE_MALLOC_GIVES,
    FAKE_MALLOC_GROWS, /* the memory, and moves it, each time */
    FAKE_MALLOC_GIVES_NOTHING,
    FAKE_MALLOC_LIES, /* gives what is not in the memory */
    FAKE_MALLOC_TRAPS,
    FAKE_MALLOC_LOGS,
    FAKE_MALLOC_CALLS, /* a host function that is not for it */
};

struct nu_wasm_code {
    atomic_int references;
    const struct fake_guest *guest;
};

struct nu_wasm_function {
    struct fake_instance *instance;
    const struct fake_export *what;
};

struct fake_instance {
    struct nu_wasm_code *code;
    const struct nu_wasm_import *const *imports;
    size_t import_count;
    void *host;
    uint8_t *memory;
    size_t size;
    uint32_t used;                    /* of the heap */
    uint32_t own;                     /* of the guest's own bytes */
    jmp_buf *returns[FAKE_DEPTH_MAX]; /* by calls that run: where a trap goes */
    size_t depth;
    struct nu_wasm_trap trap;
    char message[256];
    atomic_bool is_terminated;
    struct nu_wasm_function functions[NU_WASM_CALLBACK_COUNT + 8];
    size_t function_count;
};

static const struct fake_guest *fake_guests[FAKE_GUESTS_MAX];
static size_t fake_guest_count;
static _Thread_local enum fake_malloc fake_malloc;

static inline struct fake_instance *fake_of(const struct nu_wasm_instance *instance)
{
    return (struct fake_instance *)(uintptr_t)instance;
}

static inline void fake_add(const struct fake_guest *guest)
{
    for (size_t i = 0; i < fake_guest_count; i++) {
        if (fake_guests[i] == guest)
            return;
    }
    fake_guests[fake_guest_count++] = guest;
}

/* --- For guests --------------------------------------------------------------------------------- */

_Noreturn static inline void fake_trap(struct fake_instance *in, const char *message)
{
    snprintf(in->message, sizeof(in->message), "%s", message);
    in->trap = (struct nu_wasm_trap){.message = in->message, .frames = {"fake"}, .frame_count = 1};
    longjmp(*in->returns[in->depth - 1], 1);
}

static inline void fake_grow(struct fake_instance *in)
{
    if (in->size >= (size_t)FAKE_PAGES_MAX * FAKE_PAGE)
        fake_trap(in, "RuntimeError: out of memory");
    uint8_t *grown = nu_calloc(1, in->size + FAKE_PAGE);
    memcpy(grown, in->memory, in->size);
    nu_free(in->memory);
    in->memory = grown;
    in->size += FAKE_PAGE;
}

#ifdef __clang__
#pragma clang diagnostic ignored \
    "-Wgnu-zero-variadic-macro-arguments" /* of FAKE_CALL, a GNU form */
#endif
/* Calls a host function; a trap goes past the caller. What has no result gives 0. */
static inline int32_t fake_call(struct fake_instance *in, const char *name, const int64_t *args,
                                size_t count)
{
    const struct nu_wasm_import *import = NULL;
    for (size_t i = 0; i < in->import_count && !import; i++) {
        if (strcmp(in->imports[i]->name, name) == 0)
            import = in->imports[i];
    }
    if (!import)
        fake_trap(in, "the fake guest does not import this");
    union nu_wasm_value values[NU_WASM_ARGS_MAX] = {{0}};
    union nu_wasm_value result = {.i64 = 0};
    for (size_t i = 0; import->type[i] != '=' && i < count; i++) {
        if (import->type[i] == 'l')
            values[i].i64 = args[i];
        else
            values[i].i32 = (int32_t)args[i];
    }
    const char *refusal = import->call(in->host, values, &result);
    if (refusal)
        fake_trap(in, refusal);
    return result.i32;
}

#define FAKE_CALL(in, name, ...) \
    fake_call(in, name, (const int64_t[]){0, ##__VA_ARGS__} + 1, \
              sizeof((const int64_t[]){0, ##__VA_ARGS__}) / sizeof(int64_t) - 1)

/* Bytes of the guest's own, which stay where they are; round and round. */
static inline uint32_t fake_bytes(struct fake_instance *in, const void *bytes, size_t size)
{
    if (in->own + size > FAKE_HEAP_AT)
        in->own = 64;
    uint32_t at = in->own;
    if (size)
        memcpy(in->memory + at, bytes, size);
    in->own += (uint32_t)size;
    return at;
}

static inline uint32_t fake_text(struct fake_instance *in, const char *text)
{
    return fake_bytes(in, text, strlen(text));
}

#define FAKE_TEXT(in, text) fake_text(in, text), (int64_t)strlen(text)

static inline uint32_t fake_u32(const struct fake_instance *in, uint32_t at)
{
    uint32_t value;
    memcpy(&value, in->memory + at, sizeof(value));
    return value;
}

/* Whether the pointer and the size at these places show such bytes. */
static inline bool fake_shows(const struct fake_instance *in, uint32_t pointer_at, uint32_t size_at,
                              const char *text)
{
    uint32_t at = fake_u32(in, pointer_at);
    uint32_t size = fake_u32(in, size_at);
    return size == strlen(text) && (size == 0 || at + size <= in->size) &&
           (size == 0 || memcmp(in->memory + at, text, size) == 0);
}

static inline bool fake_malloc_(struct fake_instance *in, const union nu_wasm_value *args,
                                union nu_wasm_value *result)
{
    uint32_t size = (uint32_t)args[0].i32;
    switch (fake_malloc) {
    case FAKE_MALLOC_GIVES_NOTHING:
        result->i32 = 0;
        return true;
    case FAKE_MALLOC_LIES:
        result->i32 = (int32_t)(in->size - size / 2);
        return true;
    case FAKE_MALLOC_TRAPS:
        return false;
    case FAKE_MALLOC_CALLS:
        FAKE_CALL(in, "proxy_get_buffer_status", 0, 0, 4);
        break;
    case FAKE_MALLOC_LOGS:
        FAKE_CALL(in, "proxy_log", 0, FAKE_TEXT(in, "malloc"));
        break;
    case FAKE_MALLOC_GROWS:
        fake_grow(in);
        break;
    case FAKE_MALLOC_GIVES:
        break;
    }
    if (size > in->size - in->used)
        in->used = FAKE_HEAP_AT; /* nothing is kept for long */
    while (size > in->size - in->used)
        fake_grow(in);
    result->i32 = (int32_t)in->used;
    in->used += size;
    return true;
}

static inline bool fake_mark(struct fake_instance *in, const union nu_wasm_value *args,
                             union nu_wasm_value *result)
{
    (void)in, (void)args, (void)result;
    return true;
}

/* --- Modules ------------------------------------------------------------------------------------ */

/* The exports of a guest by their number, with those that all have; NULL behind the last. */
static inline const struct fake_export *fake_export_at(const struct fake_guest *guest, size_t i)
{
    static const struct fake_export allocator = {"malloc", "i=i", fake_malloc_};
    static _Thread_local struct fake_export marker;
    if (i == 0) {
        marker = (struct fake_export){guest->marker ? guest->marker : "proxy_abi_version_0_2_1",
                                      "=", fake_mark};
        return &marker;
    }
    if (!guest->has_no_malloc && i-- == 1)
        return &allocator;
    const struct fake_export *export = &guest->exports[i - 1];
    return export->name ? export : NULL;
}

static inline void fake_leb(struct nu_strbuf *out, uint32_t n)
{
    do {
        char byte = (char)(n & 0x7f);
        n >>= 7;
        if (n)
            byte = (char)(byte | 0x80);
        nu_strbuf_add(out, nu_str_make(&byte, 1));
    } while (n);
}

static inline void fake_vector(struct nu_strbuf *out, struct nu_str bytes)
{
    fake_leb(out, (uint32_t)bytes.len);
    nu_strbuf_add(out, bytes);
}

static inline void fake_section(struct nu_strbuf *out, char id, uint32_t count,
                                struct nu_strbuf *items)
{
    struct nu_strbuf body = {0};
    if (id)
        fake_leb(&body, count);
    nu_strbuf_add(&body, nu_strbuf_str(items));
    nu_strbuf_add(out, nu_str_make(&id, 1));
    fake_vector(out, nu_strbuf_str(&body));
    nu_strbuf_finish(&body);
    nu_strbuf_clear(items);
}

static inline void fake_type(struct nu_strbuf *out, const char *type)
{
    static const char codes[][2] = {{'i', 0x7f}, {'l', 0x7e}, {'f', 0x7d}, {'d', 0x7c}};
    const char *half = strchr(type, '=');
    nu_strbuf_add(out, NU_STR("\x60"));
    for (int results = 0; results < 2; results++) {
        const char *at = results ? half + 1 : type;
        fake_leb(out, (uint32_t)(results ? strlen(half + 1) : (size_t)(half - type)));
        for (; *at && *at != '='; at++) {
            for (size_t i = 0; i < NU_ARRAY_LEN(codes); i++) {
                if (codes[i][0] == *at)
                    nu_strbuf_add(out, nu_str_make(&codes[i][1], 1));
            }
        }
    }
}

/* The contract's host functions, all of which a fake guest imports. */
static const char *const fake_names[] = {"proxy_log",
                                         "proxy_get_log_level",
                                         "proxy_get_status",
                                         "proxy_set_property",
                                         "proxy_get_property",
                                         "proxy_send_local_response",
                                         "proxy_get_shared_data",
                                         "proxy_set_shared_data",
                                         "proxy_register_shared_queue",
                                         "proxy_resolve_shared_queue",
                                         "proxy_dequeue_shared_queue",
                                         "proxy_enqueue_shared_queue",
                                         "proxy_get_header_map_value",
                                         "proxy_add_header_map_value",
                                         "proxy_replace_header_map_value",
                                         "proxy_remove_header_map_value",
                                         "proxy_get_header_map_pairs",
                                         "proxy_set_header_map_pairs",
                                         "proxy_get_header_map_size",
                                         "proxy_get_buffer_status",
                                         "proxy_get_buffer_bytes",
                                         "proxy_set_buffer_bytes",
                                         "proxy_http_call",
                                         "proxy_grpc_call",
                                         "proxy_grpc_stream",
                                         "proxy_grpc_send",
                                         "proxy_grpc_close",
                                         "proxy_grpc_cancel",
                                         "proxy_set_tick_period_milliseconds",
                                         "proxy_get_current_time_nanoseconds",
                                         "proxy_define_metric",
                                         "proxy_increment_metric",
                                         "proxy_record_metric",
                                         "proxy_get_metric",
                                         "proxy_set_effective_context",
                                         "proxy_done",
                                         "proxy_call_foreign_function",
                                         "proxy_get_configuration",
                                         "proxy_continue_request",
                                         "proxy_continue_response",
                                         "proxy_clear_route_cache",
                                         "proxy_continue_stream",
                                         "proxy_close_stream",
                                         "envoy_resolve_dns",
                                         "pthread_equal",
                                         "emscripten_notify_memory_growth",
                                         "fd_write",
                                         "fd_read",
                                         "fd_seek",
                                         "fd_close",
                                         "fd_fdstat_get",
                                         "fd_prestat_get",
                                         "fd_prestat_dir_name",
                                         "path_open",
                                         "environ_sizes_get",
                                         "environ_get",
                                         "args_sizes_get",
                                         "args_get",
                                         "clock_time_get",
                                         "clock_res_get",
                                         "random_get",
                                         "sched_yield",
                                         "poll_oneoff",
                                         "proc_exit"};

static inline struct nu_str fake_module_of(const char *name)
{
    bool is_env = strncmp(name, "proxy_", 6) == 0 || strncmp(name, "envoy_", 6) == 0 ||
                  strncmp(name, "pthread", 7) == 0 || strncmp(name, "emscripten", 10) == 0;
    return is_env ? NU_STR("env") : NU_STR("wasi_snapshot_preview1");
}

static inline void fake_imports(struct nu_strbuf *types, struct nu_strbuf *imports, uint32_t *count)
{
    for (; *count < NU_ARRAY_LEN(fake_names); (*count)++) {
        const char *name = fake_names[*count];
        struct nu_str module = fake_module_of(name);
        fake_type(types, nu_wasm_host_function(module, nu_str_from(name))->type);
        fake_vector(imports, module);
        fake_vector(imports, nu_str_from(name));
        nu_strbuf_add(imports, nu_str_make("", 1)); /* a function */
        fake_leb(imports, *count);
    }
}

/* A module whose functions do nothing; what matters is the section that names the guest. */
static inline void fake_module(const struct fake_guest *guest, struct nu_strbuf *out)
{
    struct nu_strbuf types = {0};
    struct nu_strbuf imports = {0};
    struct nu_strbuf functions = {0};
    struct nu_strbuf exports = {0};
    struct nu_strbuf items = {0};
    uint32_t import_count = 0;
    uint32_t count = 0;
    fake_imports(&types, &imports, &import_count);
    fake_vector(&exports, NU_STR("memory"));
    nu_strbuf_add(&exports, nu_str_make("\2\0", 2));
    for (; fake_export_at(guest, count); count++) {
        const struct fake_export *export = fake_export_at(guest, count);
        fake_type(&types, export->type);
        fake_leb(&functions, import_count + count);
        fake_vector(&exports, nu_str_from(export->name));
        nu_strbuf_add(&exports, nu_str_make("", 1));
        fake_leb(&exports, import_count + count);
        nu_strbuf_add(&items, nu_str_make("\3\0\0\x0b", 4)); /* unreachable */
    }
    struct nu_strbuf code = items;
    items = (struct nu_strbuf){0};
    nu_strbuf_add(out, nu_str_make("\0asm\1\0\0\0", 8));
    fake_section(out, 1, import_count + count, &types);
    fake_section(out, 2, import_count, &imports);
    fake_section(out, 3, count, &functions);
    nu_strbuf_add(&items, nu_str_make("\0\1", 2));
    fake_section(out, 5, 1, &items);
    fake_section(out, 7, count + 1, &exports);
    fake_section(out, 10, count, &code);
    fake_vector(&items, NU_STR("fake"));
    nu_strbuf_add(&items, nu_str_from(guest->name));
    fake_section(out, 0, 0, &items);
    nu_strbuf_finish(&types), nu_strbuf_finish(&imports), nu_strbuf_finish(&functions);
    nu_strbuf_finish(&exports), nu_strbuf_finish(&items), nu_strbuf_finish(&code);
}

/* --- The engine --------------------------------------------------------------------------------- */

static bool fake_start(unsigned threads, char *error, size_t error_size)
{
    (void)threads, (void)error, (void)error_size;
    return true;
}

/* Called before something is compiled, on the thread that does it; may be NULL. */
static void (*fake_on_compile)(void);

static struct nu_wasm_code *fake_compile(const uint8_t *bytes, size_t size, char *error,
                                         size_t error_size)
{
    if (fake_on_compile)
        fake_on_compile();
    struct nu_arena *arena = nu_arena_create();
    struct nu_strbuf why = {0};
    struct nu_wasm_code *code = NULL;
    struct nu_wasm_module *module =
        nu_wasm_module_read(arena, nu_str_make((const char *)bytes, size), &why);
    for (size_t i = 0; module && !code && i < module->section_count; i++) {
        if (!nu_str_eq(module->sections[i].name, NU_STR("fake")))
            continue;
        for (size_t g = 0; g < fake_guest_count; g++) {
            if (!nu_str_eq(module->sections[i].body, nu_str_from(fake_guests[g]->name)))
                continue;
            code = nu_calloc(1, sizeof(*code));
            code->references = 1;
            code->guest = fake_guests[g];
        }
    }
    if (!code)
        snprintf(error, error_size, "no fake guest has this name");
    nu_strbuf_finish(&why);
    nu_arena_destroy(&arena);
    return code;
}

static void fake_code_ref(struct nu_wasm_code *code)
{
    atomic_fetch_add(&code->references, 1);
}

static void fake_code_unref(struct nu_wasm_code *code)
{
    if (atomic_fetch_sub(&code->references, 1) == 1)
        nu_free(code);
}

static struct nu_wasm_instance *fake_instantiate(struct nu_wasm_code *code,
                                                 const struct nu_wasm_instance_params *params,
                                                 char *error, size_t error_size)
{
    (void)error, (void)error_size;
    struct fake_instance *in = nu_calloc(1, sizeof(*in));
    fake_code_ref(code);
    in->code = code;
    in->imports = params->imports;
    in->import_count = params->import_count;
    in->host = params->host;
    in->size = FAKE_PAGE;
    in->memory = nu_calloc(1, in->size);
    in->used = FAKE_HEAP_AT;
    in->own = 64;
    return (struct nu_wasm_instance *)in;
}

static void fake_destroy(struct nu_wasm_instance *instance)
{
    struct fake_instance *in = fake_of(instance);
    if (!in)
        return;
    fake_code_unref(in->code);
    nu_free(in->memory);
    nu_free(in);
}

static struct nu_wasm_function *fake_find(struct nu_wasm_instance *instance, const char *name,
                                          const char *type)
{
    struct fake_instance *in = fake_of(instance);
    const struct fake_export *export;
    for (size_t i = 0; (export = fake_export_at(in->code->guest, i)) != NULL; i++) {
        if (strcmp(export->name, name) != 0 || strcmp(export->type, type) != 0)
            continue;
        struct nu_wasm_function *function = &in->functions[in->function_count++];
        *function = (struct nu_wasm_function){in, export};
        return function;
    }
    return NULL;
}

static enum nu_wasm_outcome fake_run(struct nu_wasm_instance *instance,
                                     struct nu_wasm_function *function,
                                     const union nu_wasm_value *args, union nu_wasm_value *result)
{
    struct fake_instance *in = fake_of(instance);
    union nu_wasm_value ignored;
    jmp_buf here;
    if (in->depth == FAKE_DEPTH_MAX)
        fake_trap(in, "RangeError: stack");
    size_t depth = in->depth;
    in->returns[in->depth++] = &here;
    if (setjmp(here) == 0) {
        if (!function->what->run(in, args, result ? result : &ignored))
            fake_trap(in, "RuntimeError: unreachable");
        in->depth = depth;
        return NU_WASM_DONE;
    }
    in->depth = depth;
    return atomic_load(&in->is_terminated) ? NU_WASM_TERMINATED : NU_WASM_TRAPPED;
}

static const struct nu_wasm_trap *fake_get_trap(const struct nu_wasm_instance *instance)
{
    return &fake_of(instance)->trap;
}

static uint8_t *fake_memory(struct nu_wasm_instance *instance, size_t *size)
{
    *size = fake_of(instance)->size;
    return fake_of(instance)->memory;
}

static void fake_terminate(struct nu_wasm_instance *instance)
{
    atomic_store(&fake_of(instance)->is_terminated, true);
}

static void fake_cancel_terminate(struct nu_wasm_instance *instance)
{
    atomic_store(&fake_of(instance)->is_terminated, false);
}

static const struct nu_wasm_engine fake_engine = {
    .abi = NU_WASM_ENGINE_ABI,
    .name = "fake",
    .version = "C",
    .start = fake_start,
    .compile = fake_compile,
    .code_ref = fake_code_ref,
    .code_unref = fake_code_unref,
    .instantiate = fake_instantiate,
    .destroy = fake_destroy,
    .find = fake_find,
    .call = fake_run,
    .trap = fake_get_trap,
    .memory = fake_memory,
    .terminate = fake_terminate,
    .cancel_terminate = fake_cancel_terminate,
};

const struct nu_wasm_engine *nu_wasm_engine_load(const char *path, struct nu_strbuf *error)
{
    (void)path, (void)error;
    return &fake_engine;
}

#endif
