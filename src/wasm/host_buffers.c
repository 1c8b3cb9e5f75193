/* SPDX-License-Identifier: Apache-2.0 */
/* Host functions about buffers: bodies and connections' bytes, which may be changed, answers of
 * calls, and configurations. */
#include "wasm/http_stream.h"
#include "wasm/tcp_stream.h"

/* A buffer: of a stream or a callout, or bytes of a configuration. What is not there now is empty,
 * as Envoy has it, and cannot be changed; but for the answer of an HTTP call, which is NotFound. */
struct view {
    const struct nu_buf *body; /* NULL: `bytes` */
    struct nu_buf *open_body;  /* the same, if it may be changed */
    struct nu_str bytes;
};

static enum nu_wasm_status find(struct nu_wasm_vm *vm, int32_t number, struct view *view)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    *view = (struct view){0};
    if ((uint32_t)number >= NU_WASM_BUFFER_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    switch ((enum nu_wasm_buffer)number) {
    case NU_WASM_REQUEST_BODY:
    case NU_WASM_RESPONSE_BODY:
        view->body = view->open_body =
            stream ? nu_wasm_http_body(stream, (enum nu_direction)number) : NULL;
        return NU_WASM_OK;
    case NU_WASM_DOWNSTREAM_DATA:
    case NU_WASM_UPSTREAM_DATA:
        view->body = view->open_body =
            tcp ? nu_wasm_tcp_data(tcp, (enum nu_wasm_side)(number - NU_WASM_DOWNSTREAM_DATA))
                : NULL;
        return NU_WASM_OK;
    case NU_WASM_CALL_DATA:
        view->bytes = vm->call_data;
        return NU_WASM_OK;
    case NU_WASM_GRPC_RECEIVE:
        view->body = nu_wasm_callout_buffer(vm, NU_WASM_GRPC_RECEIVE);
        return NU_WASM_OK;
    case NU_WASM_CALL_RESPONSE_BODY:
        view->body = nu_wasm_callout_buffer(vm, NU_WASM_CALL_RESPONSE_BODY);
        return view->body ? NU_WASM_OK : NU_WASM_NOT_FOUND;
    case NU_WASM_VM_CONFIGURATION:
        view->bytes = vm->spec->configuration;
        return NU_WASM_OK;
    case NU_WASM_PLUGIN_CONFIGURATION:
        view->bytes = vm->configured;
        return vm->shows_configuration ? NU_WASM_OK : NU_WASM_NOT_FOUND;
    default:
        return NU_WASM_NOT_FOUND;
    }
}

static size_t length_of(const struct view *view)
{
    return view->body ? nu_buf_length(view->body) : view->bytes.len;
}

static enum nu_wasm_status get_status(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct view view;
    enum nu_wasm_status status = find(vm, args[0].i32, &view);
    if (status != NU_WASM_OK)
        return status;
    bool ok = nu_wasm_vm_put_u32(vm, args[1].i32, (uint32_t)length_of(&view)) &&
              nu_wasm_vm_put_u32(vm, args[2].i32, 0);
    return ok ? NU_WASM_OK : NU_WASM_INVALID_MEMORY_ACCESS;
}

static enum nu_wasm_status get_bytes(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct view view;
    size_t start = (uint32_t)args[1].i32;
    size_t length = (uint32_t)args[2].i32;
    enum nu_wasm_status status = find(vm, args[0].i32, &view);
    if (status != NU_WASM_OK)
        return status;
    size_t size = length_of(&view);
    length = start < size ? nu_min_size(length, size - start) : 0;
    if (!view.body || length == 0)
        return nu_wasm_vm_give(vm, nu_str_first(nu_str_skip(view.bytes, start), length),
                               args[3].i32, args[4].i32);
    uint8_t *out = nu_wasm_vm_allocate(vm, length, args[3].i32, args[4].i32);
    if (!out)
        return NU_WASM_INVALID_MEMORY_ACCESS;
    nu_buf_copy_out(view.body, start, (char *)out, length);
    return NU_WASM_OK;
}

/* Whether a body may become so long, which by the guest's doing it must not without end. */
static bool may_have(const struct nu_buf *body, size_t drained, size_t added)
{
    size_t length = nu_buf_length(body);
    size_t kept = length - nu_min_size(length, drained);
    return added <= drained || kept + added <= NU_WASM_BODY_BYTES_MAX;
}

/* What is kept is measured when the guest has returned. */
static void note_edit(struct nu_wasm_vm *vm, int32_t number)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    if (number <= NU_WASM_RESPONSE_BODY && !stream->bodies[number]) {
        stream->edited[number] = true;
        nu_wasm_http_stream_wake(stream);
    }
    if (number >= NU_WASM_DOWNSTREAM_DATA && !tcp->data[number - NU_WASM_DOWNSTREAM_DATA]) {
        tcp->edited = true;
        nu_loop_at_turn_end(vm->loop, &tcp->later);
    }
}

/* At the start: in place of the first `length` bytes; behind the end: appended. */
static enum nu_wasm_status set_bytes(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct view view;
    struct nu_str bytes;
    size_t start = (uint32_t)args[1].i32;
    enum nu_wasm_status status = find(vm, args[0].i32, &view);
    if (status != NU_WASM_OK)
        return status;
    if (!view.open_body)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_vm_read(vm, &args[3], &bytes))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    size_t drained = start == 0 ? nu_min_size((uint32_t)args[2].i32, length_of(&view)) : 0;
    if (!may_have(view.body, drained, bytes.len))
        return NU_WASM_INTERNAL_FAILURE;
    if (start == 0) {
        nu_buf_drain(view.open_body, drained);
        nu_buf_prepend(view.open_body, bytes);
    } else if (start >= length_of(&view)) {
        nu_buf_append(view.open_body, bytes);
    } else {
        return NU_WASM_BAD_ARGUMENT;
    }
    note_edit(vm, args[0].i32);
    return NU_WASM_OK;
}

NU_WASM_HOST(get_status, "proxy_get_buffer_status", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_bytes, "proxy_get_buffer_bytes", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_bytes, "proxy_set_buffer_bytes", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_buffers[] = {
    {"env", "proxy_get_buffer_status", "iii=i", call_get_status},
    {"env", "proxy_get_buffer_bytes", "iiiii=i", call_get_bytes},
    {"env", "proxy_set_buffer_bytes", "iiiii=i", call_set_bytes},
    {NULL, NULL, NULL, NULL},
};
