/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration keeps the message; each VM looks up what goes for it when it is loaded. */
#include "wasm/limits_from_proto.h"

#include <string.h>

#include "base/hash.h"
#include "config/values.h"

#include "nuncio/wasm/v1/limits.pb-c.h"

typedef Nuncio__Wasm__V1__Limits limits_proto;
typedef Nuncio__Wasm__V1__Limits__Vm vm_proto;

static const struct nu_str shared_name = NU_STR_INIT("nuncio.bootstrap.wasm_limits");

static bool create(struct nu_factory *factory, const void *owner, const ProtobufCMessage *message)
{
    if (nu_map_get(factory->shared, shared_name)) {
        nu_config_error(factory->ctx, owner, NULL, "the limits of wasm are there already");
        return false;
    }
    nu_map_put(factory->shared, shared_name, nu_unconst(message));
    return true;
}

static void apply(const struct nu_factory *factory, const vm_proto *proto,
                  struct nu_wasm_limits *limits)
{
    if (!proto)
        return;
    limits->memory_bytes = nu_u64_or(proto->memory_bytes, limits->memory_bytes);
    limits->stack_bytes = nu_u32_or(proto->stack_bytes, (uint32_t)limits->stack_bytes);
    limits->call_cpu_ns =
        1000 * nu_config_duration_us(factory->ctx, proto, "callback_cpu_time",
                                     proto->callback_cpu_time, limits->call_cpu_ns / 1000);
    limits->start_cpu_ns =
        1000 * nu_config_duration_us(factory->ctx, proto, "start_cpu_time", proto->start_cpu_time,
                                     limits->start_cpu_ns / 1000);
}

struct nu_wasm_limits nu_wasm_limits_of(const struct nu_factory *factory, const char *vm_id)
{
    struct nu_wasm_limits limits = nu_wasm_default_limits;
    const limits_proto *proto = nu_map_get(factory->shared, shared_name);
    if (!proto)
        return limits;
    limits.start_cpu_ns = 0; /* not said */
    apply(factory, proto->every_vm, &limits);
    for (size_t i = 0; i < proto->n_vms; i++) {
        if (strcmp(proto->vms[i]->key, vm_id) == 0)
            apply(factory, proto->vms[i]->value, &limits);
    }
    if (limits.start_cpu_ns == 0)
        limits.start_cpu_ns = nu_max_size(nu_wasm_default_limits.start_cpu_ns, limits.call_cpu_ns);
    return limits;
}

const struct nu_bootstrap_extension nu_wasm_limits_extension = {
    .name = "nuncio.bootstrap.wasm_limits",
    .type = "nuncio.wasm.v1.Limits",
    .is_setting = true,
    .create = create,
};
