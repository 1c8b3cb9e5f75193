/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts: streams, which their owners open and close, and roots, which are created, started and
 * configured, tick, and end when neither a plug-in nor a stream holds them.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "wasm/expression.h"
#include "wasm/plugin.h"
#include "wasm/property.h"
#include "wasm/resolve.h"
#include "wasm/shared_queue.h"
#include "wasm/tcp_stream.h"
#include "wasm/vm_internal.h"

enum { PATIENCE_MS = 60 * 1000 };

static struct nu_list *bucket_of(struct nu_wasm_vm *vm, uint32_t id)
{
    return &vm->contexts[id % NU_WASM_CONTEXT_BUCKETS];
}

struct nu_wasm_context *nu_wasm_vm_find(struct nu_wasm_vm *vm, uint32_t id)
{
    struct nu_wasm_context *context;
    nu_list_for_each(context, bucket_of(vm, id), struct nu_wasm_context, link)
    {
        if (context->id == id)
            return context;
    }
    return NULL;
}

/* Numbers go round after four billion streams: none is given twice at a time. */
static void add_context(struct nu_wasm_vm *vm, struct nu_wasm_context *context)
{
    context->vm = vm;
    do
        context->id = ++vm->last_id;
    while (context->id == 0 || nu_wasm_vm_find(vm, context->id));
    nu_list_add_last(bucket_of(vm, context->id), &context->link);
    nu_wasm_report_context(&vm->report, 1);
}

/* --- Streams ---------------------------------------------------------------------------------- */

/* All but what it is the context of is filled in. */
static void open_context(struct nu_wasm_context *context, struct nu_wasm_context *root)
{
    context->root = root;
    context->plugin = root->plugin;
    root->references++;
    add_context(root->vm, context);
    union nu_wasm_value args[] = {{.i32 = (int32_t)context->id}, {.i32 = (int32_t)root->id}};
    nu_wasm_vm_call(context, NU_WASM_ON_CONTEXT_CREATE, args, 0);
}

void nu_wasm_context_open(struct nu_wasm_context *context, struct nu_wasm_context *root,
                          struct nu_wasm_http_stream *stream)
{
    *context = (struct nu_wasm_context){.stream = stream};
    open_context(context, root);
}

static void call_about(struct nu_wasm_context *context, enum nu_wasm_callback callback)
{
    union nu_wasm_value id = {.i32 = (int32_t)context->id};
    nu_wasm_vm_call(context, callback, &id, 0);
}

static void remove_context(struct nu_wasm_context *context)
{
    nu_list_remove(&context->link);
    nu_wasm_report_context(&context->vm->report, -1);
    nu_wasm_root_unref(&context->root);
}

void nu_wasm_context_close(struct nu_wasm_context *context)
{
    call_about(context, NU_WASM_ON_DONE);
    call_about(context, NU_WASM_ON_DELETE);
    remove_context(context);
}

void nu_wasm_tcp_stream_open(struct nu_wasm_tcp_stream *stream, struct nu_wasm_context *root)
{
    stream->context = (struct nu_wasm_context){.tcp = stream};
    open_context(&stream->context, root);
}

/* The log comes in the middle, as in Envoy for connections alone. */
void nu_wasm_tcp_stream_close(struct nu_wasm_tcp_stream *stream)
{
    call_about(&stream->context, NU_WASM_ON_DONE);
    call_about(&stream->context, NU_WASM_ON_LOG);
    call_about(&stream->context, NU_WASM_ON_DELETE);
    remove_context(&stream->context);
}

/* --- Ticks ------------------------------------------------------------------------------------ */

static void on_tick(struct nu_timer *timer)
{
    struct nu_wasm_context *root = nu_container_of(timer, struct nu_wasm_context, tick);
    union nu_wasm_value id = {.i32 = (int32_t)root->id};
    nu_wasm_vm_call(root, NU_WASM_ON_TICK, &id, 0);
    if (!nu_wasm_vm_is_dead(root->vm) && root->tick_ms && !nu_timer_is_armed(timer))
        nu_timer_arm(root->vm->loop, timer, root->tick_ms);
}

void nu_wasm_context_set_tick(struct nu_wasm_context *root, uint32_t ms)
{
    root->tick_ms = ms;
    nu_timer_cancel(&root->tick);
    if (ms)
        nu_timer_arm(root->vm->loop, &root->tick, ms);
}

/* --- Roots ------------------------------------------------------------------------------------ */

static struct nu_wasm_context *find_root(struct nu_wasm_vm *vm, const struct nu_wasm_plugin *plugin)
{
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
        {
            if (context->root == context && !context->is_ending &&
                nu_wasm_plugin_is_same(context->plugin, plugin))
                return context;
        }
    }
    return NULL;
}

/* The root's start and configuration; false if the guest says no or fails. */
static bool configure(struct nu_wasm_context *root, struct nu_strbuf *error)
{
    struct nu_wasm_vm *vm = root->vm;
    const struct nu_wasm_plugin *plugin = root->plugin;
    union nu_wasm_value args[] = {{.i32 = (int32_t)root->id}, {.i32 = 0}};
    const char *refused = NULL;
    nu_wasm_guest_set_starting(&vm->guest, true);
    vm->configured = plugin->configuration;
    vm->shows_configuration = true;
    nu_wasm_vm_call(root, NU_WASM_ON_CONTEXT_CREATE, args, 0);
    vm->shows_configuration = false;
    args[1].i32 = (int32_t)vm->spec->configuration.len;
    if (!nu_wasm_vm_call(root, NU_WASM_ON_VM_START, args, 1))
        refused = "proxy_on_vm_start";
    args[1].i32 = (int32_t)plugin->configuration.len;
    vm->shows_configuration = true;
    if (!refused && !nu_wasm_vm_call(root, NU_WASM_ON_CONFIGURE, args, 1))
        refused = "proxy_on_configure";
    vm->shows_configuration = false;
    nu_wasm_guest_set_starting(&vm->guest, false);
    if (nu_wasm_vm_is_dead(vm))
        nu_strbuf_add(error, nu_strbuf_str(&vm->guest.failure));
    else if (refused)
        nu_strbuf_addf(error, "%s returned false: the filter does not take its configuration",
                       refused);
    return !refused && !vm->guest.dead;
}

static void on_end(struct nu_turn_task *task)
{
    nu_wasm_root_end(nu_container_of(task, struct nu_wasm_context, end), false);
}

static void on_no_patience(struct nu_timer *timer)
{
    struct nu_wasm_context *root = nu_container_of(timer, struct nu_wasm_context, patience);
    nu_log(NU_LOG_WASM, NU_LOG_WARN, "wasm plug-in %.*s: no proxy_done in %d s, it ends without",
           NU_STR_ARG(root->plugin->name), PATIENCE_MS / 1000);
    nu_wasm_root_end(root, true);
}

struct nu_wasm_context *nu_wasm_vm_root(struct nu_wasm_vm *vm, const struct nu_wasm_plugin *plugin,
                                        struct nu_strbuf *error)
{
    struct nu_wasm_context *root = find_root(vm, plugin);
    if (root) {
        root->references++;
        return root;
    }
    root = nu_calloc(1, sizeof(*root));
    root->root = root;
    root->plugin = plugin;
    root->references = 1;
    nu_timer_init(&root->tick, on_tick);
    nu_timer_init(&root->patience, on_no_patience);
    nu_turn_task_init(&root->end, on_end);
    vm->references++;
    add_context(vm, root);
    nu_wasm_report_root(root, true);
    if (configure(root, error))
        return root;
    vm->guest.dead = true; /* a plug-in without its configuration must not run, nor beside it */
    nu_wasm_vm_is_dead(vm);
    nu_wasm_root_unref(&root);
    return NULL;
}

void nu_wasm_root_unref(struct nu_wasm_context **root)
{
    if (*root && --(*root)->references == 0)
        nu_loop_at_turn_end((*root)->vm->loop, &(*root)->end);
    *root = NULL;
}

void nu_wasm_root_free(struct nu_wasm_context *root)
{
    struct nu_wasm_vm *vm = root->vm;
    nu_wasm_callouts_cancel(vm, root);
    nu_timer_cancel(&root->tick);
    nu_timer_cancel(&root->patience);
    nu_wasm_queue_leave(&root->queues);
    nu_wasm_asker_destroy(&root->asker);
    nu_wasm_expressions_destroy(&root->expressions);
    nu_wasm_property_forget(root);
    nu_list_remove(&root->end.link);
    nu_wasm_report_root(root, false);
    nu_wasm_report_context(&vm->report, -1);
    nu_list_remove(&root->link);
    nu_free(root);
    nu_wasm_vm_unref(&vm);
}

/* A dead guest is asked nothing, and counts as ready. */
void nu_wasm_root_end(struct nu_wasm_context *root, bool forced)
{
    union nu_wasm_value id = {.i32 = (int32_t)root->id};
    if (root->references)
        return;
    if (!root->is_ending) {
        root->is_ending = true;
        root->waits_for_done = !nu_wasm_vm_call(root, NU_WASM_ON_DONE, &id, 1);
        if (root->waits_for_done)
            nu_timer_arm(root->vm->loop, &root->patience, PATIENCE_MS);
    }
    if (root->waits_for_done && !forced && !nu_wasm_vm_is_dead(root->vm))
        return;
    nu_wasm_vm_call(root, NU_WASM_ON_DELETE, &id, 0);
    nu_wasm_vm_is_dead(root->vm);
    nu_wasm_root_free(root);
}

bool nu_wasm_root_done(struct nu_wasm_context *root)
{
    if (!root->waits_for_done)
        return false;
    root->waits_for_done = false;
    nu_loop_at_turn_end(root->vm->loop, &root->end);
    return true;
}
