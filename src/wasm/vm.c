/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a VM: instantiate, start (its constructors and main), then for each plug-in a root
 * context (context.c), then streams, until nobody needs it or it fails.
 */
#include "wasm/vm.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "wasm/http_stream.h"
#include "wasm/pairs.h"
#include "wasm/restriction.h"
#include "wasm/shared_data.h"
#include "wasm/shared_queue.h"
#include "wasm/tcp_stream.h"
#include "wasm/vm_internal.h"
#include "wasm/wasm_stats.h"

/* --- What VMs are made of --------------------------------------------------------------------- */

struct nu_wasm_vm_spec *nu_wasm_vm_spec_create(void)
{
    struct nu_wasm_vm_spec *spec = nu_calloc(1, sizeof(*spec));
    atomic_init(&spec->references, 1);
    nu_arena_init(&spec->arena);
    return spec;
}

struct nu_wasm_vm_spec *nu_wasm_vm_spec_ref(struct nu_wasm_vm_spec *spec)
{
    atomic_fetch_add_explicit(&spec->references, 1, memory_order_relaxed);
    return spec;
}

void nu_wasm_vm_spec_unref(struct nu_wasm_vm_spec **spec_ptr)
{
    struct nu_wasm_vm_spec *spec = *spec_ptr;
    *spec_ptr = NULL;
    if (!spec || atomic_fetch_sub_explicit(&spec->references, 1, memory_order_acq_rel) > 1)
        return;
    nu_wasm_program_finish(&spec->program);
    nu_wasm_shared_data_unref(&spec->shared);
    nu_arena_finish(&spec->arena);
    nu_free(spec);
}

/* --- Calls ------------------------------------------------------------------------------------ */

int32_t nu_wasm_vm_call(struct nu_wasm_context *context, enum nu_wasm_callback callback,
                        const union nu_wasm_value *args, int32_t otherwise)
{
    struct nu_wasm_vm *vm = context->vm;
    struct nu_wasm_context *current = vm->current;
    struct nu_wasm_context *effective = vm->effective;
    union nu_wasm_value result = {.i32 = otherwise};
    if (!vm->callbacks[callback])
        return otherwise;
    nu_debug_assert(vm->guest.depth == 0);
    vm->current = context;
    vm->effective = context;
    bool ok = nu_wasm_guest_call(&vm->guest, vm->callbacks[callback],
                                 nu_wasm_callback_name(callback), args, &result);
    vm->current = current;
    vm->effective = effective;
    if (nu_unlikely(vm->guest.memory_bytes != nu_wasm_report_bytes(&vm->report)))
        nu_wasm_report_memory(vm);
    return ok ? result.i32 : otherwise;
}

static void tell_failure(const struct nu_wasm_vm *vm)
{
    struct nu_str rest = nu_strbuf_str(&vm->guest.failure);
    struct nu_str line = nu_str_split(&rest, '\n');
    if (!line.len)
        return; /* ended by us, who said why */
    nu_log(NU_LOG_WASM, NU_LOG_ERROR, "Function: %.*s", NU_STR_ARG(line));
    if (rest.ptr)
        nu_log(NU_LOG_WASM, NU_LOG_ERROR, "Proxy-Wasm plugin in-VM backtrace:");
    while (rest.ptr) {
        line = nu_str_split(&rest, '\n');
        nu_log(NU_LOG_WASM, NU_LOG_ERROR, "%.*s", NU_STR_ARG(line));
    }
}

/* Streams that wait for the guest will wait no longer, nor will roots that end. */
static void wake_contexts(struct nu_wasm_vm *vm)
{
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
        {
            if (context->stream)
                nu_wasm_http_stream_wake(context->stream);
            if (context->tcp)
                nu_wasm_tcp_stream_wake(context->tcp);
            else if (context->waits_for_done)
                nu_wasm_root_done(context);
        }
    }
}

/* What others put into its queues goes to who registered them before. */
static void leave_queues(struct nu_wasm_vm *vm)
{
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
            nu_wasm_queue_leave(&context->queues);
    }
}

bool nu_wasm_vm_is_dead(struct nu_wasm_vm *vm)
{
    if (!vm->guest.dead || vm->died_us)
        return vm->guest.dead;
    vm->died_us = nu_loop_now_us(vm->loop);
    nu_wasm_report_death(vm);
    tell_failure(vm);
    wake_contexts(vm);
    leave_queues(vm);
    nu_wasm_callouts_cancel(vm, NULL);
    return true;
}

/* --- The guest's memory ----------------------------------------------------------------------- */

bool nu_wasm_vm_read(struct nu_wasm_vm *vm, const union nu_wasm_value *at, struct nu_str *out)
{
    uint32_t size = (uint32_t)at[1].i32;
    const uint8_t *bytes = nu_wasm_guest_bytes(&vm->guest, (uint32_t)at[0].i32, size);
    *out = nu_str_make((const char *)bytes, bytes ? size : 0);
    return bytes != NULL;
}

bool nu_wasm_vm_put_u32(struct nu_wasm_vm *vm, int32_t at, uint32_t value)
{
    uint8_t *place = nu_wasm_guest_bytes(&vm->guest, (uint32_t)at, 4);
    if (place)
        nu_wasm_put_u32(place, value);
    return place != NULL;
}

bool nu_wasm_vm_put_u64(struct nu_wasm_vm *vm, int32_t at, uint64_t value)
{
    uint8_t *place = nu_wasm_guest_bytes(&vm->guest, (uint32_t)at, 8);
    if (place)
        nu_wasm_put_u64(place, value);
    return place != NULL;
}

/* The guest's allocator acts for the VM, and may ask for next to nothing. */
static uint32_t call_allocator(struct nu_wasm_vm *vm, uint32_t size)
{
    struct nu_wasm_context *current = vm->current;
    struct nu_wasm_context *effective = vm->effective;
    union nu_wasm_value args = {.i32 = (int32_t)size};
    union nu_wasm_value result = {.i32 = 0};
    vm->current = vm->effective = &vm->own;
    vm->allocating = true;
    bool ok = nu_wasm_guest_call(&vm->guest, vm->allocate, "malloc", &args, &result);
    vm->allocating = false;
    vm->current = current;
    vm->effective = effective;
    return ok ? (uint32_t)result.i32 : 0;
}

uint8_t *nu_wasm_vm_allocate(struct nu_wasm_vm *vm, size_t size, int32_t pointer_at,
                             int32_t size_at)
{
    if (size > UINT32_MAX)
        return NULL;
    uint32_t at = call_allocator(vm, (uint32_t)size);
    uint8_t *bytes = at ? nu_wasm_guest_bytes(&vm->guest, at, (uint32_t)size) : NULL;
    if (bytes && nu_wasm_vm_put_u32(vm, pointer_at, at) &&
        nu_wasm_vm_put_u32(vm, size_at, (uint32_t)size))
        return bytes;
    return NULL;
}

enum nu_wasm_status nu_wasm_vm_give(struct nu_wasm_vm *vm, struct nu_str bytes, int32_t pointer_at,
                                    int32_t size_at)
{
    if (bytes.len == 0) {
        bool ok = nu_wasm_vm_put_u32(vm, pointer_at, 0) && nu_wasm_vm_put_u32(vm, size_at, 0);
        return ok ? NU_WASM_OK : NU_WASM_INVALID_MEMORY_ACCESS;
    }
    uint8_t *out = nu_wasm_vm_allocate(vm, bytes.len, pointer_at, size_at);
    if (!out)
        return NU_WASM_INVALID_MEMORY_ACCESS;
    memcpy(out, bytes.ptr, bytes.len);
    return NU_WASM_OK;
}

const char *nu_wasm_vm_refuses(struct nu_wasm_vm *vm, const char *name, enum nu_wasm_when when)
{
    if (vm->allocating && when != NU_WASM_ALWAYS)
        snprintf(vm->text, sizeof(vm->text), "%s is not for the guest's allocator", name);
    else if (vm->starting && when == NU_WASM_ONLY_RUNNING)
        snprintf(vm->text, sizeof(vm->text), "%s is not for code that starts the guest", name);
    else
        return NULL;
    return vm->text;
}

/* --- Starting --------------------------------------------------------------------------------- */

static void find_functions(struct nu_wasm_vm *vm)
{
    vm->allocate = nu_wasm_guest_find(&vm->guest, "malloc", "i=i");
    if (!vm->allocate)
        vm->allocate = nu_wasm_guest_find(&vm->guest, "proxy_on_memory_allocate", "i=i");
    for (size_t i = 0; i < NU_WASM_CALLBACK_COUNT; i++) {
        enum nu_wasm_callback callback = (enum nu_wasm_callback)i;
        const char *name = nu_wasm_callback_name(callback);
        if (nu_wasm_restriction_allows(vm->spec->restriction, name))
            vm->callbacks[i] = nu_wasm_guest_find(&vm->guest, name,
                                                  nu_wasm_callback_type(callback, vm->spec->abi));
    }
}

/* Calls an export without a result that counts, if there is one of this type. */
static bool run(struct nu_wasm_vm *vm, const char *name, const char *type)
{
    const struct nu_wasm_item *item =
        nu_wasm_module_export(vm->spec->program.module, name, NU_WASM_FUNCTION);
    union nu_wasm_value args[2] = {{.i32 = 0}, {.i32 = 0}};
    union nu_wasm_value result;
    bool is_section = strcmp(name, NU_WASM_START_EXPORT) == 0;
    if (!is_section && (!item || strcmp(item->type, type) != 0))
        return false;
    struct nu_wasm_function *function = nu_wasm_guest_find(&vm->guest, name, type);
    if (!function)
        return false;
    vm->starting = true;
    nu_wasm_guest_set_starting(&vm->guest, true);
    bool ok = nu_wasm_guest_call(&vm->guest, function, is_section ? "the start function" : name,
                                 args, &result);
    nu_wasm_guest_set_starting(&vm->guest, false);
    vm->starting = false;
    return ok;
}

/* As a reactor (_initialize, then main), or else as a command (_start). */
static void start(struct nu_wasm_vm *vm)
{
    const struct nu_wasm_module *module = vm->spec->program.module;
    if (module->has_start)
        run(vm, NU_WASM_START_EXPORT, "=");
    if (!nu_wasm_module_export(module, "_initialize", NU_WASM_FUNCTION)) {
        run(vm, "_start", "=");
        return;
    }
    run(vm, "_initialize", "=");
    if (!run(vm, "main", "ii=i"))
        run(vm, "__main_void", "=i");
}

static void count_new(struct nu_wasm_vm *vm)
{
    if (!vm->spec->stats)
        return;
    struct nu_wasm_runtime_stats *stats = nu_stat_set_block(vm->spec->stats);
    nu_counter_inc(&stats->created);
    nu_gauge_inc(&stats->active);
}

static void count_gone(struct nu_wasm_vm *vm)
{
    if (!vm->spec->stats)
        return;
    struct nu_wasm_runtime_stats *stats = nu_stat_set_block(vm->spec->stats);
    nu_gauge_dec(&stats->active);
}

struct nu_wasm_vm *nu_wasm_vm_create(struct nu_wasm_vm_spec *spec, struct nu_loop *loop,
                                     const struct nu_wasm_trial *trial, struct nu_strbuf *error)
{
    struct nu_wasm_vm *vm = nu_calloc(1, sizeof(*vm));
    nu_list_init(&vm->link);
    vm->spec = nu_wasm_vm_spec_ref(spec);
    vm->loop = loop;
    vm->trial = trial;
    vm->references = 1;
    vm->own.vm = vm;
    vm->own.root = &vm->own;
    vm->current = vm->effective = &vm->own;
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++)
        nu_list_init(&vm->contexts[i]);
    count_new(vm);
    nu_wasm_callouts_init(&vm->callouts);
    nu_list_init(&vm->report.link);
    if (nu_wasm_guest_init(&vm->guest, &spec->program, vm, error)) {
        nu_wasm_report_begin(vm); /* from here on others look at the guest */
        find_functions(vm);
        start(vm);
    }
    if (vm->guest.instance && !vm->guest.dead)
        return vm;
    if (vm->guest.dead)
        nu_strbuf_add(error, nu_strbuf_str(&vm->guest.failure));
    nu_wasm_vm_unref(&vm);
    return NULL;
}

struct nu_wasm_vm *nu_wasm_vm_get(struct nu_wasm_vm_spec *spec, struct nu_loop *loop,
                                  struct nu_list *vms, struct nu_strbuf *error)
{
    struct nu_wasm_vm **slot = &spec->vms[nu_thread_index()];
    if (*slot && !nu_wasm_vm_is_dead(*slot)) {
        (*slot)->references++;
        return *slot;
    }
    *slot = nu_wasm_vm_create(spec, loop, NULL, error);
    if (*slot)
        nu_list_add_last(vms, &(*slot)->link);
    return *slot;
}

/* --- The end ---------------------------------------------------------------------------------- */

void nu_wasm_vm_destroy(struct nu_wasm_vm **vm_ptr)
{
    struct nu_wasm_vm *vm = *vm_ptr;
    *vm_ptr = NULL;
    if (!vm)
        return;
    struct nu_wasm_vm **slot = &vm->spec->vms[nu_thread_index()];
    if (*slot == vm)
        *slot = NULL;
    vm->references = UINT32_MAX; /* its roots take theirs along */
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *root;
        nu_list_for_each(root, &vm->contexts[i], struct nu_wasm_context, link)
            nu_wasm_root_free(root);
    }
    nu_list_remove(&vm->link);
    nu_wasm_report_end(vm);
    nu_wasm_guest_finish(&vm->guest);
    nu_wasm_metrics_finish(&vm->metrics);
    count_gone(vm);
    nu_wasm_vm_spec_unref(&vm->spec);
    nu_free(vm);
}

void nu_wasm_vm_unref(struct nu_wasm_vm **vm)
{
    if (*vm && --(*vm)->references == 0)
        nu_wasm_vm_destroy(vm);
    *vm = NULL;
}

void nu_wasm_vm_finish(struct nu_wasm_vm *vm)
{
    vm->references++; /* over its last root's end */
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
        {
            if (context->root == context)
                nu_wasm_root_end(context, true);
        }
    }
    nu_wasm_vm_unref(&vm);
}
