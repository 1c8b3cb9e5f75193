/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP filter of wasm with a fake guest (harness/fake_engine.h) in the filter driver, and the
 * calling thread as a worker:
 *
 *     struct wasm_filter w;
 *     wasm_filter_open(&w, &guest, "failure_policy: FAIL_OPEN");
 *     driver_request(&w.driver, &message);
 *     driver_respond(&w.driver, &answer);
 *     wasm_filter_close(&w);
 */
#ifndef NU_TESTS_HARNESS_WASM_FILTER_H
#define NU_TESTS_HARNESS_WASM_FILTER_H

#include "harness/config.h"
#include "harness/fake_engine.h"
#include "harness/filter_driver.h"

#include <openssl/evp.h>

#include "base/hash.h"
#include "config/factory.h"
#include "event/thread_service.h"
#include "filters/http/wasm/wasm.h"
#include "stats/stats.h"
#include "wasm/plugin.h"

struct wasm_filter {
    struct config_fixture config;
    struct nu_factory factory;
    struct nu_list services;
    struct nu_map shared;
    struct nu_stats *stats;
    struct nu_loop *loop;
    struct nu_filter_entry entry;
    struct driver driver;
};

static inline const char *wasm_filter_yaml(struct nu_arena *arena, const struct fake_guest *guest,
                                           const char *plugin, const char *vm)
{
    struct nu_strbuf module = {0};
    fake_add(guest);
    fake_module(guest, &module);
    unsigned char *code = nu_arena_alloc(arena, 2 * module.len + 4);
    EVP_EncodeBlock(code, (const unsigned char *)module.data, (int)module.len);
    nu_strbuf_finish(&module);
    return nu_arena_printf(arena,
                           "config: {name: one, root_id: root, %s%s\"vm_config\": {vm_id: vm, %s%s"
                           "\"code\": {\"local\": {inline_bytes: \"%s\"}}}}",
                           plugin, *plugin ? ", " : "", vm, *vm ? ", " : "", (char *)code);
}

/* Reads the configuration; false if it is refused, with the errors in `w->config`. */
static inline bool wasm_filter_load(struct wasm_filter *w, const struct fake_guest *guest,
                                    const char *plugin, const char *vm)
{
    memset(w, 0, sizeof(*w));
    if (!nu_clock_is_fake())
        nu_clock_fake_install(1000000, 1700000000000000);
    config_open(&w->config);
    nu_list_init(&w->services);
    w->stats = nu_stats_create();
    w->loop = nu_loop_create();
    w->factory = (struct nu_factory){
        .ctx = &w->config.ctx,
        .arena = &w->config.arena,
        .stats = w->stats,
        .loop = w->loop,
        .shared = &w->shared,
        .services = &w->services,
        .http_stat_prefix = NU_STR("http.test"),
    };
    const char *yaml = wasm_filter_yaml(&w->config.arena, guest, plugin, vm);
    const ProtobufCMessage *message = config_yaml(&w->config, nu_http_wasm_factory.type, yaml);
    w->entry = (struct nu_filter_entry){.name = NU_STR("subject")};
    return message &&
           nu_http_wasm_factory.create(&w->factory, message, &w->entry.cls, &w->entry.config);
}

/* The calling thread is a worker with this loop. */
static inline void wasm_filter_start(struct wasm_filter *w, struct nu_loop *loop)
{
    nu_thread_services_start(&w->services, NU_THREADS_WORKERS, loop);
}

static inline void wasm_filter_end(struct wasm_filter *w, struct nu_loop *loop)
{
    for (int i = 0; i < 10 && !nu_thread_services_end(&w->services, NU_THREADS_WORKERS); i++)
        nu_loop_run_once(loop);
    nu_thread_services_finish(&w->services, NU_THREADS_WORKERS);
}

static inline void wasm_filter_drop(struct wasm_filter *w)
{
    config_close(&w->config);
    nu_map_finish(&w->shared);
    nu_stats_destroy(&w->stats);
    nu_loop_destroy(&w->loop);
}

/* A thread of its own that works with the plug-in, as worker `index`. */
struct wasm_worker {
    pthread_t thread;
    unsigned index;
};

static inline void wasm_workers_start(struct wasm_worker *workers, unsigned count,
                                      void *(*work)(void *worker))
{
    for (unsigned i = 0; i < count; i++) {
        workers[i].index = i + 1;
        assert_int_equal(nu_thread_start(&workers[i].thread, work, &workers[i]), 0);
    }
}

static inline void wasm_workers_join(const struct wasm_worker *workers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
}

static inline struct nu_loop *wasm_worker_enter(struct wasm_filter *w,
                                                const struct wasm_worker *worker)
{
    nu_thread_enter(worker->index, "worker");
    struct nu_loop *loop = nu_loop_create();
    wasm_filter_start(w, loop);
    return loop;
}

static inline void wasm_worker_leave(struct wasm_filter *w, struct nu_loop **loop)
{
    wasm_filter_end(w, *loop);
    nu_loop_destroy(loop);
    nu_thread_leave();
}

/* A driver with the filter, for one request, and the plug-in on this thread. */
static inline void wasm_filter_begin(struct wasm_filter *w)
{
    driver_open(&w->driver, &w->entry, 1, 1024 * 1024);
    wasm_filter_start(w, w->driver.loop);
}

/* After it there may be another one: what the plug-in keeps for its thread till its own end is freed. */
static inline void wasm_filter_finish(struct wasm_filter *w)
{
    const struct nu_wasm_plugin *plugin = w->entry.config;
    driver_end(&w->driver);
    wasm_filter_end(w, w->driver.loop);
    driver_close(&w->driver);
    nu_free(plugin->handles[nu_thread_index()]);
    plugin->handles[nu_thread_index()] = NULL;
}

static inline void wasm_filter_open(struct wasm_filter *w, const struct fake_guest *guest,
                                    const char *plugin)
{
    bool ok = wasm_filter_load(w, guest, plugin, "");
    assert_config_errors(&w->config, "");
    assert_true(ok);
    wasm_filter_begin(w);
}

static inline void wasm_filter_close(struct wasm_filter *w)
{
    wasm_filter_finish(w);
    wasm_filter_drop(w);
}

#endif
