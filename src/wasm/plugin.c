/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-ins on their threads. A handle is a thread's hold on a plug-in's root context; it is made
 * when the thread begins, and made anew when the guest has failed. All plug-ins of a configuration
 * are one service of the threads: it knows all VMs of each.
 */
#include "wasm/plugin.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "wasm/plugin_internal.h"
#include "wasm/renewal.h"
#include "wasm/wasm_stats.h"

static const uint64_t rebuild_after_us = 1000 * 1000;

struct nu_wasm_handle {
    struct nu_wasm_plugin *plugin; /* borrowed */
    struct nu_loop *loop;
    struct nu_wasm_context *root; /* a reference; NULL: there is none now */
    uint64_t made_us;             /* when it was made last, or that failed */
    uint64_t start_us;            /* how long that took of the thread */
    uint64_t retry_us;            /* not before */
    bool has_code;                /* or it has not come yet: `changed` will tell */
    struct nu_task changed;       /* from the main thread: there is other code */
    /* Under the lock, but for the thread's own reading of `is_over`: */
    bool is_told; /* `changed` is on its way */
    bool is_over; /* the thread ends */
};

struct nu_wasm_plugins {
    struct nu_thread_service on_workers;
    struct nu_thread_service on_main;
    struct nu_list all;                /* of struct nu_wasm_plugin */
    struct nu_list vms[NU_THREAD_MAX]; /* of struct nu_wasm_vm, each its thread's */
    /* Between the main thread and a thread of the plug-in: over plugin->spec, which the main thread
     * sets, plugin->handles and what a handle says. */
    pthread_mutex_t lock;
    struct nu_wasm_compiler compiler;
    struct nu_wasm_trial trial; /* what guests find when they are tried out */
};

bool nu_wasm_plugin_is_same(const struct nu_wasm_plugin *a, const struct nu_wasm_plugin *b)
{
    return a == b ||
           (nu_str_eq(a->name, b->name) && nu_str_eq(a->root_id, b->root_id) &&
            nu_str_eq(a->configuration, b->configuration) && a->direction == b->direction);
}

/* --- A thread's root -------------------------------------------------------------------------- */

/* Nobody is served while a guest starts: one that takes long may do so a tenth of the time. */
static uint64_t least_pause_us(const struct nu_wasm_handle *handle)
{
    enum { LONG_US = 1000 * 1000, OTHERS_SHARE = 10 };
    return handle->start_us < LONG_US ? 0 : handle->start_us * OTHERS_SHARE;
}

/* When the next VM may be made: as Envoy draws it, anew each time that it is asked for. */
static uint64_t next_try_us(const struct nu_wasm_handle *handle, uint64_t failed_us)
{
    uint64_t backoff_us = handle->plugin->backoff_us;
    uint64_t next_us = backoff_us
                           ? handle->made_us + backoff_us + nu_random_below(backoff_us / 2 + 1)
                           : failed_us + rebuild_after_us;
    uint64_t least_us = failed_us + least_pause_us(handle);
    return next_us < least_us ? least_us : next_us;
}

static struct nu_wasm_vm_spec *take_spec(struct nu_wasm_plugin *plugin)
{
    pthread_mutex_lock(&plugin->all->lock);
    struct nu_wasm_vm_spec *spec = nu_wasm_vm_spec_ref(plugin->spec);
    pthread_mutex_unlock(&plugin->all->lock);
    return spec;
}

/* Makes the VM, if there is none that the plug-in can share, and the root in it: a reference for
 * the caller. NULL after logging why, or if there is no code, which others log. */
static struct nu_wasm_context *make_root(struct nu_wasm_handle *handle)
{
    struct nu_wasm_plugin *plugin = handle->plugin;
    struct nu_wasm_context *root = NULL;
    struct nu_strbuf error = {0};
    struct nu_wasm_vm_spec *spec = take_spec(plugin);
    handle->has_code = nu_wasm_vm_spec_has_code(spec);
    if (!handle->has_code) {
        nu_wasm_vm_spec_unref(&spec);
        return NULL;
    }
    uint64_t begin_us = nu_clock_monotonic_us();
    struct nu_wasm_vm *vm =
        nu_wasm_vm_get(spec, handle->loop, &plugin->all->vms[nu_thread_index()], &error);
    nu_wasm_vm_spec_unref(&spec);
    handle->made_us = nu_loop_now_us(handle->loop);
    if (vm)
        root = nu_wasm_vm_root(vm, plugin, &error);
    handle->start_us = nu_clock_monotonic_us() - begin_us;
    nu_wasm_vm_unref(&vm);
    if (!root) {
        handle->retry_us = next_try_us(handle, handle->made_us);
        nu_log(NU_LOG_WASM, NU_LOG_ERROR, "wasm plug-in %.*s: %.*s", NU_STR_ARG(plugin->name),
               NU_STR_ARG(nu_strbuf_str(&error)));
    }
    nu_strbuf_finish(&error);
    return root;
}

/* Lets go of a root whose guest has failed. */
static void drop_root(struct nu_wasm_handle *handle)
{
    if (handle->root)
        handle->retry_us = next_try_us(handle, handle->root->vm->died_us);
    nu_wasm_root_unref(&handle->root);
}

static NU_COLD struct nu_wasm_context *remake_root(struct nu_wasm_handle *handle)
{
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(handle->plugin->stats);
    drop_root(handle);
    if (handle->is_over || !handle->has_code)
        return NULL;
    if (nu_loop_now_us(handle->loop) < handle->retry_us) {
        nu_counter_inc(&stats->vm_reload_backoff);
        return NULL;
    }
    handle->root = make_root(handle);
    nu_counter_inc(handle->root ? &stats->vm_reload_success : &stats->vm_reload_failure);
    return handle->root;
}

struct nu_wasm_context *nu_wasm_plugin_root(const struct nu_wasm_plugin *plugin)
{
    struct nu_wasm_handle *handle = plugin->handles[nu_thread_index()];
    if (nu_unlikely(!handle))
        return NULL;
    if (nu_likely(handle->root && !nu_wasm_vm_is_dead(handle->root->vm)))
        return handle->root;
    return remake_root(handle);
}

/* --- Other code ------------------------------------------------------------------------------- */

/* The thread's streams stay with the root that they have, which ends with the last of them. */
static void on_changed(struct nu_task *task)
{
    struct nu_wasm_handle *handle = nu_container_of(task, struct nu_wasm_handle, changed);
    pthread_mutex_lock(&handle->plugin->all->lock);
    handle->is_told = false;
    pthread_mutex_unlock(&handle->plugin->all->lock);
    struct nu_wasm_context *root = handle->is_over ? NULL : make_root(handle);
    if (!root)
        return;
    nu_wasm_root_unref(&handle->root);
    handle->root = root;
}

void nu_wasm_plugin_set_spec(struct nu_wasm_plugin *plugin, struct nu_wasm_vm_spec *spec)
{
    struct nu_wasm_vm_spec *old = plugin->spec;
    pthread_mutex_lock(&plugin->all->lock);
    plugin->spec = spec;
    for (size_t i = 0; i < NU_THREAD_MAX; i++) {
        struct nu_wasm_handle *handle = plugin->handles[i];
        if (!handle || handle->is_told || handle->is_over)
            continue;
        handle->is_told = true;
        nu_loop_post(handle->loop, &handle->changed);
    }
    pthread_mutex_unlock(&plugin->all->lock);
    nu_wasm_vm_spec_unref(&old);
}

/* --- With the threads ------------------------------------------------------------------------- */

static struct nu_wasm_plugins *plugins_of(struct nu_thread_service *service)
{
    return service->place == NU_THREADS_MAIN
               ? nu_container_of(service, struct nu_wasm_plugins, on_main)
               : nu_container_of(service, struct nu_wasm_plugins, on_workers);
}

static void on_start(struct nu_thread_service *service, struct nu_loop *loop)
{
    struct nu_wasm_plugins *plugins = plugins_of(service);
    struct nu_wasm_plugin *plugin;
    nu_list_for_each(plugin, &plugins->all, struct nu_wasm_plugin, link)
    {
        if (plugin->place != service->place)
            continue;
        struct nu_wasm_handle *handle = nu_calloc(1, sizeof(*handle));
        *handle =
            (struct nu_wasm_handle){.plugin = plugin, .loop = loop, .changed = {.fn = on_changed}};
        pthread_mutex_lock(&plugins->lock);
        plugin->handles[nu_thread_index()] = handle;
        pthread_mutex_unlock(&plugins->lock);
        handle->root = make_root(handle);
    }
}

/* Lets go of the roots; VMs are gone when their guests are ready. */
static bool on_end(struct nu_thread_service *service)
{
    struct nu_wasm_plugins *plugins = plugins_of(service);
    struct nu_wasm_plugin *plugin;
    nu_list_for_each(plugin, &plugins->all, struct nu_wasm_plugin, link)
    {
        struct nu_wasm_handle *handle = plugin->handles[nu_thread_index()];
        if (plugin->place != service->place || !handle)
            continue;
        pthread_mutex_lock(&plugins->lock);
        handle->is_over = true; /* no message comes any more */
        pthread_mutex_unlock(&plugins->lock);
        nu_wasm_root_unref(&handle->root);
    }
    bool is_compiling =
        service->place == NU_THREADS_MAIN && !nu_wasm_compiler_end(&plugins->compiler);
    return !is_compiling && nu_list_is_empty(&plugins->vms[nu_thread_index()]);
}

static bool on_finish(struct nu_thread_service *service)
{
    struct nu_wasm_plugins *plugins = plugins_of(service);
    struct nu_wasm_vm *vm;
    nu_list_for_each(vm, &plugins->vms[nu_thread_index()], struct nu_wasm_vm, link)
        nu_wasm_vm_finish(vm);
    return service->place != NU_THREADS_MAIN || nu_wasm_compiler_finish(&plugins->compiler);
}

/* --- A configuration's plug-ins --------------------------------------------------------------- */

static void add_service(struct nu_factory *factory, struct nu_thread_service *service,
                        enum nu_thread_place place)
{
    service->place = place;
    service->start = on_start;
    service->end = on_end;
    service->finish = on_finish;
    nu_list_init(&service->link);
    if (factory->services)
        nu_list_add_last(factory->services, &service->link);
}

struct nu_wasm_plugins *nu_wasm_plugins_get(struct nu_factory *factory)
{
    const struct nu_str name = NU_STR("wasm plug-ins");
    struct nu_wasm_plugins *plugins = nu_map_get(factory->shared, name);
    if (plugins)
        return plugins;
    plugins = nu_arena_calloc(factory->arena, sizeof(*plugins));
    nu_list_init(&plugins->all);
    for (size_t i = 0; i < NU_THREAD_MAX; i++)
        nu_list_init(&plugins->vms[i]);
    pthread_mutex_init(&plugins->lock, NULL);
    plugins->trial = (struct nu_wasm_trial){factory->has_cluster, factory->owner};
    nu_wasm_compiler_init(&plugins->compiler, plugins, factory->loop);
    add_service(factory, &plugins->on_main, NU_THREADS_MAIN);
    add_service(factory, &plugins->on_workers, NU_THREADS_WORKERS);
    nu_map_put(factory->shared, name, plugins);
    return plugins;
}

const struct nu_wasm_trial *nu_wasm_plugins_trial(const struct nu_wasm_plugins *all)
{
    return &all->trial;
}

struct nu_wasm_compiler *nu_wasm_plugins_compiler(struct nu_wasm_plugins *all)
{
    return &all->compiler;
}

static void finish_plugin(void *obj)
{
    struct nu_wasm_plugin *plugin = obj;
    nu_list_remove(&plugin->link);
    for (size_t i = 0; i < NU_THREAD_MAX; i++)
        nu_free(plugin->handles[i]); /* its thread has ended, and with it its loop */
    nu_wasm_vm_spec_unref(&plugin->spec);
    nu_stat_set_destroy(&plugin->stats);
    nu_stat_set_destroy(&plugin->remote_stats);
}

void nu_wasm_plugins_add(struct nu_wasm_plugins *all, struct nu_factory *factory,
                         struct nu_wasm_plugin *plugin)
{
    plugin->all = all;
    plugin->handles =
        nu_arena_calloc(factory->arena, NU_THREAD_MAX * sizeof(struct nu_wasm_handle *));
    plugin->stats = nu_wasm_plugin_stats(factory->stats, plugin->name);
    plugin->remote_stats = nu_wasm_remote_stats(factory->stats);
    nu_list_add_last(&all->all, &plugin->link);
    nu_arena_on_free(factory->arena, finish_plugin, plugin);
}

struct nu_wasm_vm_spec *nu_wasm_plugins_find_spec(struct nu_wasm_plugins *all, struct nu_str key)
{
    struct nu_wasm_plugin *plugin;
    nu_list_for_each(plugin, &all->all, struct nu_wasm_plugin, link)
    {
        if (nu_str_eq(plugin->spec->key, key))
            return plugin->spec;
    }
    return NULL;
}
