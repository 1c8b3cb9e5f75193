/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions about header maps. Request headers may be changed until the request goes on,
 * response headers until the response does; at the stream's end all are there to be read. What a
 * callout has received is there while the guest is told of it, to be read.
 */
#include "base/log.h"
#include "format/format.h"
#include "http/header_name.h"
#include "http/headers.h"
#include "wasm/http_stream.h"
#include "wasm/pairs.h"

struct nu_headers *nu_wasm_http_map(struct nu_wasm_http_stream *stream, enum nu_wasm_map map)
{
    if (!stream || map > NU_WASM_RESPONSE_TRAILERS)
        return NULL;
    if (!stream->in_log)
        return stream->maps[map];
    switch (map) {
    case NU_WASM_REQUEST_HEADERS:
        return nu_filter_request_headers(stream->filter);
    case NU_WASM_RESPONSE_HEADERS:
        return nu_filter_response_headers(stream->filter);
    case NU_WASM_RESPONSE_TRAILERS:
        return nu_filter_response_trailers(stream->filter);
    default:
        return NULL;
    }
}

/* The map to change: trailers are made where a message is about to end without. */
static struct nu_headers *map_to_change(struct nu_wasm_vm *vm, int32_t map, bool adds)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    if (!stream || stream->in_log || (uint32_t)map > NU_WASM_RESPONSE_TRAILERS)
        return NULL;
    bool is_response = map == NU_WASM_RESPONSE_TRAILERS;
    bool is_trailers = is_response || map == NU_WASM_REQUEST_TRAILERS;
    if (adds && is_trailers && !stream->maps[map] && stream->may_add_trailers[is_response])
        stream->maps[map] = is_response ? nu_filter_add_encoded_trailers(stream->filter)
                                        : nu_filter_add_decoded_trailers(stream->filter);
    if (map == NU_WASM_REQUEST_HEADERS && stream->maps[map])
        stream->route_changed = true;
    return stream->maps[map];
}

/* Names are lower case in our maps: makes it a copy that is. False if there is no memory for it. */
static bool lower(struct nu_wasm_http_stream *stream, struct nu_str *name)
{
    size_t i = 0;
    while (i < name->len && nu_ascii_lower(name->ptr[i]) == name->ptr[i])
        i++;
    if (i == name->len)
        return true;
    if (!nu_wasm_http_stream_take(stream, name->len, 0))
        return false;
    *name = nu_filter_copy(stream->filter, *name);
    nu_header_name_lower(nu_unconst(name->ptr), name->len);
    return true;
}

static const struct nu_headers *logged_map(const struct nu_format_context *logged, int32_t map)
{
    switch (map) {
    case NU_WASM_REQUEST_HEADERS:
        return logged->request_headers;
    case NU_WASM_RESPONSE_HEADERS:
        return logged->response_headers;
    case NU_WASM_RESPONSE_TRAILERS:
        return logged->response_trailers;
    default:
        return NULL;
    }
}

/* The map to read; NULL: it is not there. */
static const struct nu_headers *map_to_read(const struct nu_wasm_vm *vm, int32_t map)
{
    if (map > NU_WASM_RESPONSE_TRAILERS)
        return nu_wasm_callout_map(vm, (enum nu_wasm_map)map);
    if (vm->effective->logged)
        return logged_map(vm->effective->logged, map);
    return nu_wasm_http_map(nu_wasm_vm_stream(vm), (enum nu_wasm_map)map);
}

/* Whether a stream is at its end, where a map that is not there is no mistake of the guest's. */
static bool is_logging(const struct nu_wasm_vm *vm)
{
    const struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    return vm->effective->logged || (stream && stream->in_log);
}

/* A request's `host` is another name of its authority, as in Envoy. */
static struct nu_str real_name(int32_t map, struct nu_str name)
{
    bool is_host = map == NU_WASM_REQUEST_HEADERS && nu_str_eq_nocase(name, NU_STR("host"));
    return is_host ? NU_STR(":authority") : name;
}

/* The first value of this name in any case; ptr is NULL if there is none. */
static struct nu_str find_value(const struct nu_headers *headers, struct nu_str name)
{
    if (!nu_header_name_has_upper(name))
        return nu_headers_get(headers, name);
    nu_headers_for_each(header, headers)
    {
        if (nu_str_eq_nocase(header->name, name))
            return header->value;
    }
    return nu_str_make(NULL, 0);
}

static enum nu_wasm_status get_value(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str name;
    if ((uint32_t)args[0].i32 >= NU_WASM_MAP_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_vm_read(vm, &args[1], &name))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    const struct nu_headers *headers = map_to_read(vm, args[0].i32);
    if (!headers)
        return is_logging(vm) ? NU_WASM_NOT_FOUND : NU_WASM_BAD_ARGUMENT;
    struct nu_str value = find_value(headers, real_name(args[0].i32, name));
    if (!value.ptr && vm->spec->abi != NU_WASM_ABI_0_1_0)
        return NU_WASM_NOT_FOUND;
    return nu_wasm_vm_give(vm, value, args[3].i32, args[4].i32);
}

/* The name and value that a change is about, and the map. */
static enum nu_wasm_status read_change(struct nu_wasm_vm *vm, const union nu_wasm_value *args,
                                       struct nu_headers **headers, struct nu_str *name,
                                       struct nu_str *value)
{
    *headers = NULL;
    if ((uint32_t)args[0].i32 >= NU_WASM_MAP_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_vm_read(vm, &args[1], name) || (value && !nu_wasm_vm_read(vm, &args[3], value)))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    *headers = map_to_change(vm, args[0].i32, value != NULL);
    if (!*headers)
        return NU_WASM_BAD_ARGUMENT;
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    *name = real_name(args[0].i32, *name);
    if (!lower(stream, name) ||
        (value && !nu_wasm_http_stream_take(stream, name->len + value->len, 1)))
        return NU_WASM_INTERNAL_FAILURE;
    return NU_WASM_OK;
}

/* As Envoy: there is one of each pseudo header, and what is added to it stands behind a comma. */
static void add(struct nu_wasm_http_stream *stream, struct nu_headers *headers, struct nu_str name,
                struct nu_str value)
{
    struct nu_str before = {0};
    if (name.len && name.ptr[0] == ':')
        before = nu_headers_get(headers, name);
    if (!before.ptr) {
        nu_headers_add(headers, name, value);
        return;
    }
    char *bytes = nu_filter_alloc(stream->filter, before.len + 1 + value.len);
    memcpy(bytes, before.ptr, before.len);
    bytes[before.len] = ',';
    if (value.len)
        memcpy(bytes + before.len + 1, value.ptr, value.len);
    nu_headers_set(headers, name, nu_str_make(bytes, before.len + 1 + value.len));
}

/* What is there already counts anew: it is copied. */
static bool takes_what_is_there(struct nu_wasm_http_stream *stream,
                                const struct nu_headers *headers, struct nu_str name)
{
    return !name.len || name.ptr[0] != ':' ||
           nu_wasm_http_stream_take(stream, nu_headers_get(headers, name).len, 0);
}

static enum nu_wasm_status add_value(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_headers *headers;
    struct nu_str name;
    struct nu_str value;
    enum nu_wasm_status status = read_change(vm, args, &headers, &name, &value);
    if (status != NU_WASM_OK)
        return status;
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    if (!takes_what_is_there(stream, headers, name))
        return NU_WASM_INTERNAL_FAILURE;
    add(stream, headers, name, value);
    return NU_WASM_OK;
}

/* As Envoy: what was there goes, and the new entry is the last one; pseudo headers have their
 * place. */
static void replace(struct nu_headers *headers, struct nu_str name, struct nu_str value)
{
    if (name.len && name.ptr[0] == ':') {
        nu_headers_set(headers, name, value);
        return;
    }
    nu_headers_remove(headers, name);
    nu_headers_add(headers, name, value);
}

static enum nu_wasm_status replace_value(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_headers *headers;
    struct nu_str name;
    struct nu_str value;
    enum nu_wasm_status status = read_change(vm, args, &headers, &name, &value);
    if (status == NU_WASM_OK)
        replace(headers, name, value);
    return status;
}

static enum nu_wasm_status remove_value(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_headers *headers;
    struct nu_str name;
    enum nu_wasm_status status = read_change(vm, args, &headers, &name, NULL);
    if (status == NU_WASM_OK)
        nu_headers_remove(headers, name);
    return status;
}

static enum nu_wasm_status get_pairs(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    if ((uint32_t)args[0].i32 >= NU_WASM_MAP_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    const struct nu_headers *headers = map_to_read(vm, args[0].i32);
    size_t size = headers ? nu_wasm_pairs_size(headers) : 0;
    if (size == 0)
        return nu_wasm_vm_give(vm, NU_STR(""), args[1].i32, args[2].i32);
    uint8_t *out = nu_wasm_vm_allocate(vm, size, args[1].i32, args[2].i32);
    if (!out)
        return NU_WASM_INVALID_MEMORY_ACCESS;
    nu_wasm_pairs_write(headers, out);
    return NU_WASM_OK;
}

static enum nu_wasm_status set_pairs(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str encoded;
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    if ((uint32_t)args[0].i32 >= NU_WASM_MAP_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_vm_read(vm, &args[1], &encoded))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    struct nu_headers *headers = map_to_change(vm, args[0].i32, true);
    if (!headers)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_pairs_begin(&walk, encoded))
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "a guest's header map does not add up: taken for empty");
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    if (!nu_wasm_http_stream_take(stream, walk.bytes.len, walk.left))
        return NU_WASM_INTERNAL_FAILURE;
    nu_headers_clear(headers);
    while (nu_wasm_pairs_next(&walk, &pair)) {
        struct nu_str name = real_name(args[0].i32, pair.name);
        if (!takes_what_is_there(stream, headers, name))
            return NU_WASM_INTERNAL_FAILURE;
        add(stream, headers, name, pair.value);
    }
    return NU_WASM_OK;
}

static enum nu_wasm_status get_size(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    if ((uint32_t)args[0].i32 >= NU_WASM_MAP_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    struct nu_headers *headers = nu_wasm_http_map(stream, (enum nu_wasm_map)args[0].i32);
    if (!headers)
        return NU_WASM_BAD_ARGUMENT;
    return nu_wasm_vm_put_u32(vm, args[1].i32, (uint32_t)nu_headers_byte_size(headers))
               ? NU_WASM_OK
               : NU_WASM_INVALID_MEMORY_ACCESS;
}

NU_WASM_HOST(get_value, "proxy_get_header_map_value", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(add_value, "proxy_add_header_map_value", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(replace_value, "proxy_replace_header_map_value", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(remove_value, "proxy_remove_header_map_value", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_pairs, "proxy_get_header_map_pairs", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_pairs, "proxy_set_header_map_pairs", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_size, "proxy_get_header_map_size", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_maps[] = {
    {"env", "proxy_get_header_map_value", "iiiii=i", call_get_value},
    {"env", "proxy_add_header_map_value", "iiiii=i", call_add_value},
    {"env", "proxy_replace_header_map_value", "iiiii=i", call_replace_value},
    {"env", "proxy_remove_header_map_value", "iii=i", call_remove_value},
    {"env", "proxy_get_header_map_pairs", "iii=i", call_get_pairs},
    {"env", "proxy_set_header_map_pairs", "iii=i", call_set_pairs},
    {"env", "proxy_get_header_map_size", "ii=i", call_get_size},
    {NULL, NULL, NULL, NULL},
};
