/* SPDX-License-Identifier: Apache-2.0 */
/* Host functions about what VMs share. */
#include "wasm/shared_data.h"
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

NU_WASM_HOST(get_shared_data, "proxy_get_shared_data", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_shared_data, "proxy_set_shared_data", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_shared[] = {
    {"env", "proxy_get_shared_data", "iiiii=i", call_get_shared_data},
    {"env", "proxy_set_shared_data", "iiiii=i", call_set_shared_data},
    {NULL, NULL, NULL, NULL},
};
