/* SPDX-License-Identifier: Apache-2.0 */
/* Host functions about properties. */
#include "base/log.h"
#include "wasm/property.h"

/* Guests see at debug what is not there. */
static void tell_missing(struct nu_str path)
{
    if (!nu_log_is_enabled(NU_LOG_WASM, NU_LOG_DEBUG))
        return;
    struct nu_strbuf text = {0};
    for (size_t i = 0; i < path.len; i++)
        nu_strbuf_add_char(&text, path.ptr[i] ? path.ptr[i] : '.');
    nu_log(NU_LOG_WASM, NU_LOG_DEBUG, "no property %.*s", NU_STR_ARG(nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
}

/* The bytes are written before the guest is asked for room: it may change what they come from. */
static enum nu_wasm_status write_property(struct nu_wasm_vm *vm, struct nu_str path,
                                          struct nu_arena *scratch, struct nu_strbuf *bytes)
{
    struct nu_attribute_source source = nu_wasm_attribute_source(vm, scratch);
    struct nu_attribute found = nu_wasm_property_find(vm, &source, path);
    if (found.type == NU_ATTRIBUTE_NONE) {
        tell_missing(path);
        return NU_WASM_NOT_FOUND;
    }
    return nu_wasm_property_write(&source, &found, bytes) ? NU_WASM_OK
                                                          : NU_WASM_SERIALIZATION_FAILURE;
}

static enum nu_wasm_status get_property(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str path;
    if (!nu_wasm_vm_read(vm, args, &path))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    struct nu_arena scratch;
    struct nu_strbuf bytes = {0};
    nu_arena_init(&scratch);
    enum nu_wasm_status status = write_property(vm, path, &scratch, &bytes);
    if (status == NU_WASM_OK)
        status = nu_wasm_vm_give(vm, nu_strbuf_str(&bytes), args[2].i32, args[3].i32);
    nu_strbuf_finish(&bytes);
    nu_arena_finish(&scratch);
    return status;
}

static enum nu_wasm_status set_property(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str path;
    struct nu_str value;
    if (!nu_wasm_vm_read(vm, args, &path) || !nu_wasm_vm_read(vm, &args[2], &value))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return nu_wasm_property_set(vm, path, value);
}

NU_WASM_HOST(get_property, "proxy_get_property", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_property, "proxy_set_property", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_property[] = {
    {"env", "proxy_get_property", "iiii=i", call_get_property},
    {"env", "proxy_set_property", "iiii=i", call_set_property},
    {NULL, NULL, NULL, NULL},
};
