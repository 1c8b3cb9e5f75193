/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that guests call by name, and the small ones among them. */
#include <zlib.h>

#include "base/log.h"
#include "wasm/expression.h"
#include "wasm/foreign.h"
#include "wasm/http_stream.h"

/* --- The route -------------------------------------------------------------------------------- */

static enum nu_wasm_status clear_route_cache(struct nu_wasm_vm *vm, struct nu_str arguments,
                                             struct nu_strbuf *result)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    (void)arguments, (void)result;
    if (stream && !stream->in_log)
        nu_filter_clear_route_cache(stream->filter);
    return NU_WASM_OK;
}

/* --- zlib ------------------------------------------------------------------------------------- */

static enum nu_wasm_status compress_bytes(struct nu_wasm_vm *vm, struct nu_str arguments,
                                          struct nu_strbuf *result)
{
    uLongf size = compressBound(arguments.len);
    Bytef *out = (Bytef *)nu_strbuf_reserve(result, size);
    (void)vm;
    if (compress(out, &size, (const Bytef *)arguments.ptr, arguments.len) != Z_OK)
        return NU_WASM_SERIALIZATION_FAILURE;
    nu_strbuf_commit(result, size);
    return NU_WASM_OK;
}

/* Piece by piece: a few bytes may claim to be very many. What stands behind the end is not looked
 * at, as in Envoy. */
static enum nu_wasm_status inflate_all(z_stream *stream, struct nu_strbuf *result)
{
    enum { PIECE_BYTES = 64 * 1024 };
    for (;;) {
        stream->next_out = (Bytef *)nu_strbuf_reserve(result, PIECE_BYTES);
        stream->avail_out = PIECE_BYTES;
        int outcome = inflate(stream, Z_NO_FLUSH);
        nu_strbuf_commit(result, PIECE_BYTES - stream->avail_out);
        if (result->len > NU_WASM_FOREIGN_BYTES_MAX)
            return NU_WASM_INTERNAL_FAILURE;
        if (outcome == Z_STREAM_END)
            return NU_WASM_OK;
        if (outcome != Z_OK || stream->avail_out != 0)
            return NU_WASM_SERIALIZATION_FAILURE;
    }
}

static enum nu_wasm_status uncompress_bytes(struct nu_wasm_vm *vm, struct nu_str arguments,
                                            struct nu_strbuf *result)
{
    z_stream stream = {.next_in = (Bytef *)nu_unconst(arguments.ptr),
                       .avail_in = (uInt)arguments.len};
    if (inflateInit(&stream) != Z_OK)
        return NU_WASM_INTERNAL_FAILURE;
    enum nu_wasm_status status = inflate_all(&stream, result);
    inflateEnd(&stream);
    (void)vm;
    if (status == NU_WASM_INTERNAL_FAILURE)
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "uncompress: what comes out is too much");
    return status;
}

/* --- Calling ---------------------------------------------------------------------------------- */

static const struct {
    struct nu_str name;
    nu_wasm_foreign_fn *call;
} functions[] = {
    {NU_STR_INIT("clear_route_cache"), clear_route_cache},
    {NU_STR_INIT("compress"), compress_bytes},
    {NU_STR_INIT("uncompress"), uncompress_bytes},
    {NU_STR_INIT("declare_property"), nu_wasm_foreign_declare_property},
    {NU_STR_INIT("set_envoy_filter_state"), nu_wasm_foreign_set_filter_state},
    {NU_STR_INIT("verify_signature"), nu_wasm_foreign_verify_signature},
    {NU_STR_INIT("sign"), nu_wasm_foreign_sign},
    {NU_STR_INIT("expr_create"), nu_wasm_foreign_expr_create},
    {NU_STR_INIT("expr_evaluate"), nu_wasm_foreign_expr_evaluate},
    {NU_STR_INIT("expr_delete"), nu_wasm_foreign_expr_delete},
};

static nu_wasm_foreign_fn *find_function(struct nu_str name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(functions); i++) {
        if (nu_str_eq(functions[i].name, name))
            return functions[i].call;
    }
    return NULL;
}

static void tell_unknown(struct nu_str name)
{
    enum { SHOWN_MAX = 100 };
    nu_log(NU_LOG_WASM, NU_LOG_WARN, "no foreign function is called %.*s",
           NU_STR_ARG(nu_str_first(name, SHOWN_MAX)));
}

/* Either place may be 0, which is nowhere. */
static enum nu_wasm_status give(struct nu_wasm_vm *vm, struct nu_str bytes, int32_t pointer_at,
                                int32_t size_at)
{
    if (pointer_at && size_at)
        return nu_wasm_vm_give(vm, bytes, pointer_at, size_at);
    if ((pointer_at && !nu_wasm_vm_put_u32(vm, pointer_at, 0)) ||
        (size_at && !nu_wasm_vm_put_u32(vm, size_at, (uint32_t)bytes.len)))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return NU_WASM_OK;
}

static enum nu_wasm_status call_foreign(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str name;
    struct nu_str arguments;
    struct nu_strbuf result = {0};
    if (!nu_wasm_vm_read(vm, args, &name) || !nu_wasm_vm_read(vm, &args[2], &arguments))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    nu_wasm_foreign_fn *function = find_function(name);
    if (!function) {
        tell_unknown(name);
        return NU_WASM_NOT_FOUND;
    }
    if (arguments.len > NU_WASM_FOREIGN_BYTES_MAX)
        return NU_WASM_INTERNAL_FAILURE;
    enum nu_wasm_status status = function(vm, arguments, &result);
    if (status != NU_WASM_OK)
        nu_strbuf_clear(&result);
    enum nu_wasm_status given = give(vm, nu_strbuf_str(&result), args[4].i32, args[5].i32);
    nu_strbuf_finish(&result);
    return given == NU_WASM_OK ? status : given;
}

NU_WASM_HOST(call_foreign, "proxy_call_foreign_function", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_foreign[] = {
    {"env", "proxy_call_foreign_function", "iiiiii=i", call_call_foreign},
    {NULL, NULL, NULL, NULL},
};
