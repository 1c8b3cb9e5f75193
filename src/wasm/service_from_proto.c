/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services. Nobody asks for a service's root context as requests do for a filter's, so each thread
 * looks after its own: where the guest has failed, a new VM is made when that may be.
 */
#include "wasm/service.h"

#include "base/thread.h"
#include "event/timer.h"
#include "wasm/plugin.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"

enum { LOOK_MS = 1000 };

/* One thread's. */
struct keeper {
    struct nu_timer timer;
    struct nu_loop *loop;
    const struct nu_wasm_plugin *plugin;
};

struct wasm_service {
    struct nu_thread_service base;
    const struct nu_wasm_plugin *plugin;
    struct keeper keepers[NU_THREAD_MAX];
};

static struct wasm_service *service_of(struct nu_thread_service *base)
{
    return nu_container_of(base, struct wasm_service, base);
}

static void look(struct nu_timer *timer)
{
    struct keeper *keeper = nu_container_of(timer, struct keeper, timer);
    nu_wasm_plugin_root(keeper->plugin);
    nu_timer_arm(keeper->loop, timer, LOOK_MS);
}

static void on_start(struct nu_thread_service *base, struct nu_loop *loop)
{
    struct wasm_service *service = service_of(base);
    struct keeper *keeper = &service->keepers[nu_thread_index()];
    *keeper = (struct keeper){.loop = loop, .plugin = service->plugin};
    nu_timer_init(&keeper->timer, look);
    nu_timer_arm(loop, &keeper->timer, LOOK_MS);
}

static bool on_end(struct nu_thread_service *base)
{
    struct keeper *keeper = &service_of(base)->keepers[nu_thread_index()];
    if (keeper->loop)
        nu_timer_cancel(&keeper->timer);
    return true;
}

static bool create(struct nu_factory *factory, const void *owner, const ProtobufCMessage *message)
{
    const Envoy__Extensions__Wasm__V3__WasmService *proto = (const void *)message;
    enum nu_thread_place place = proto->singleton ? NU_THREADS_MAIN : NU_THREADS_WORKERS;
    const struct nu_wasm_plugin *plugin =
        nu_wasm_plugin_from_proto(factory, proto, proto->config, place);
    (void)owner;
    if (!plugin)
        return false;
    struct wasm_service *service = nu_arena_calloc(factory->arena, sizeof(*service));
    service->plugin = plugin;
    service->base = (struct nu_thread_service){
        .place = place, .start = on_start, .end = on_end, .finish = on_end};
    nu_list_init(&service->base.link);
    nu_list_add_last(factory->services, &service->base.link);
    return true;
}

const struct nu_bootstrap_extension nu_wasm_service_extension = {
    .name = "envoy.bootstrap.wasm",
    .type = "envoy.extensions.wasm.v3.WasmService",
    .create = create,
};
