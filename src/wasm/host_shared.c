/* SPDX-License-Identifier: Apache-2.0 */
/* Host functions about what VMs share. */
#include "wasm/shared_data.h"
#include "wasm/shared_queue.h"
#include "wasm/vm.h"

static enum nu_wasm_status get_shared_data(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str key;
    struct nu_strbuf value = {0};
    uint32_t cas = 0;
    if (!nu_wasm_vm_read(vm, args, &key))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    enum nu_wasm_status status = nu_wasm_shared_data_read(vm->spec->shared, key, &value, &cas);
    if (status == NU_WASM_OK)
        status = nu_wasm_vm_give(vm, nu_strbuf_str(&value), args[2].i32, args[3].i32);
    if (status == NU_WASM_OK && !nu_wasm_vm_put_u32(vm, args[4].i32, cas))
        status = NU_WASM_INVALID_MEMORY_ACCESS;
    nu_strbuf_finish(&value);
    return status;
}

static enum nu_wasm_status set_shared_data(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str key;
    struct nu_str value;
    if (!nu_wasm_vm_read(vm, args, &key) || !nu_wasm_vm_read(vm, &args[2], &value))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return nu_wasm_shared_data_write(vm->spec->shared, key, value, (uint32_t)args[4].i32);
}

/* --- Queues ----------------------------------------------------------------------------------- */

/* The listener of a root context. */
static void on_ready(void *root_ptr, uint32_t token)
{
    struct nu_wasm_context *root = root_ptr;
    struct nu_wasm_vm *vm = root->vm;
    union nu_wasm_value args[] = {{.i32 = (int32_t)root->id}, {.i32 = (int32_t)token}};
    nu_wasm_vm_call(root, NU_WASM_ON_QUEUE_READY, args, 0);
    nu_wasm_vm_is_dead(vm);
}

static enum nu_wasm_status give_token(struct nu_wasm_vm *vm, int32_t at, uint32_t token)
{
    return nu_wasm_vm_put_u32(vm, at, token) ? NU_WASM_OK : NU_WASM_INVALID_MEMORY_ACCESS;
}

static enum nu_wasm_status register_queue(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_context *root = vm->effective->root;
    struct nu_str name;
    if (!nu_wasm_vm_read(vm, args, &name))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    if (!root->queues)
        root->queues = nu_wasm_queue_listen(vm->loop, root, on_ready);
    uint32_t token = nu_wasm_queue_register(vm->spec->shared, name, root->queues);
    return token ? give_token(vm, args[2].i32, token) : NU_WASM_INTERNAL_FAILURE;
}

static enum nu_wasm_status resolve_queue(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str vm_id;
    struct nu_str name;
    if (!nu_wasm_vm_read(vm, args, &vm_id) || !nu_wasm_vm_read(vm, &args[2], &name))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    uint32_t token = nu_wasm_queue_resolve(vm_id.len ? vm_id : vm->spec->vm_id, name);
    return token ? give_token(vm, args[4].i32, token) : NU_WASM_NOT_FOUND;
}

static enum nu_wasm_status dequeue(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_strbuf bytes = {0};
    enum nu_wasm_status status = nu_wasm_queue_take((uint32_t)args[0].i32, &bytes);
    if (status == NU_WASM_OK)
        status = nu_wasm_vm_give(vm, nu_strbuf_str(&bytes), args[1].i32, args[2].i32);
    nu_strbuf_finish(&bytes);
    return status;
}

static enum nu_wasm_status enqueue(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str bytes;
    if (!nu_wasm_vm_read(vm, &args[1], &bytes))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return nu_wasm_queue_add((uint32_t)args[0].i32, bytes);
}

/* --- The table -------------------------------------------------------------------------------- */

NU_WASM_HOST(get_shared_data, "proxy_get_shared_data", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_shared_data, "proxy_set_shared_data", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(register_queue, "proxy_register_shared_queue", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(resolve_queue, "proxy_resolve_shared_queue", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(dequeue, "proxy_dequeue_shared_queue", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(enqueue, "proxy_enqueue_shared_queue", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_shared[] = {
    {"env", "proxy_get_shared_data", "iiiii=i", call_get_shared_data},
    {"env", "proxy_set_shared_data", "iiiii=i", call_set_shared_data},
    {"env", "proxy_register_shared_queue", "iii=i", call_register_queue},
    {"env", "proxy_resolve_shared_queue", "iiiii=i", call_resolve_queue},
    {"env", "proxy_dequeue_shared_queue", "iii=i", call_dequeue},
    {"env", "proxy_enqueue_shared_queue", "iii=i", call_enqueue},
    {NULL, NULL, NULL, NULL},
};
