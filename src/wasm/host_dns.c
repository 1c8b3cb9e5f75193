/* SPDX-License-Identifier: Apache-2.0 */
/* The host function envoy_resolve_dns. */
#include "wasm/resolve.h"
#include "wasm/vm.h"

/* The answer is the buffer of call data while the guest is told. */
static void on_resolved(void *root_ptr, uint32_t token, struct nu_str answer)
{
    struct nu_wasm_context *root = root_ptr;
    struct nu_wasm_vm *vm = root->vm;
    union nu_wasm_value args[] = {
        {.i32 = (int32_t)root->id}, {.i32 = (int32_t)token}, {.i32 = (int32_t)answer.len}};
    vm->call_data = answer;
    nu_wasm_vm_call(root, NU_WASM_ON_RESOLVE_DNS, args, 0);
    vm->call_data = nu_str_make(NULL, 0);
    nu_wasm_vm_is_dead(vm);
}

static enum nu_wasm_status resolve_dns(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_context *root = vm->effective->root;
    struct nu_str name;
    if (!nu_wasm_vm_read(vm, args, &name))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    uint32_t token = ++vm->last_lookup;
    if (!nu_wasm_vm_put_u32(vm, args[2].i32, token))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    if (!vm->spec->dns)
        return NU_WASM_INTERNAL_FAILURE;
    if (!root->asker)
        root->asker =
            nu_wasm_asker_create(vm->loop, vm->spec->dns, vm->spec->main_loop, root, on_resolved);
    return nu_wasm_resolve(root->asker, name, token) ? NU_WASM_OK : NU_WASM_INTERNAL_FAILURE;
}

NU_WASM_HOST(resolve_dns, "envoy_resolve_dns", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_dns[] = {
    {"env", "envoy_resolve_dns", "iii=i", call_resolve_dns},
    {NULL, NULL, NULL, NULL},
};
