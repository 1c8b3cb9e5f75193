/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties: attributes of the stream, what the plug-in is called, and what guests have set
 * themselves (filter state "wasm.NAME"). What is not here is not found, which the log says at debug.
 */
#include "base/log.h"
#include "http/headers.h"
#include "wasm/http_stream.h"
#include "wasm/pairs.h"
#include "wasm/plugin.h"

struct asking {
    struct nu_wasm_vm *vm;
    struct nu_wasm_http_stream *stream; /* NULL outside of streams */
    struct nu_str rest;                 /* of the path; ptr NULL: nothing */
    struct nu_arena *scratch;
    struct nu_str value;
};

static bool give_text(struct asking *ask, struct nu_str text)
{
    ask->value = text;
    return text.len != 0;
}

static bool give_number(struct asking *ask, uint64_t number)
{
    uint8_t *bytes = nu_arena_alloc(ask->scratch, 8);
    nu_wasm_put_u64(bytes, number);
    ask->value = nu_str_make((char *)bytes, 8);
    return true;
}

static bool give_bool(struct asking *ask, bool value)
{
    ask->value = value ? nu_str_make("\1", 1) : nu_str_make("\0", 1);
    return true;
}

/* "1.2.3.4:80", or the port alone. */
static bool give_address(struct asking *ask, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    if (!address || address->family == NU_ADDRESS_NONE)
        return false;
    if (nu_str_eq(ask->rest, NU_STR("port")))
        return give_number(ask, address->port);
    if (!nu_str_eq(ask->rest, NU_STR("address")))
        return false;
    size_t length = nu_address_format(address, text);
    return give_text(ask, nu_arena_dup(ask->scratch, nu_str_make(text, length)));
}

/* --- Headers ----------------------------------------------------------------------------------- */

/* A map as pairs, or one of its values: repeated ones joined. */
static bool give_map(struct asking *ask, struct nu_headers *headers, struct nu_str key)
{
    if (!headers)
        return false;
    if (key.ptr) {
        struct nu_str name = nu_arena_dup(ask->scratch, key);
        nu_header_name_lower(nu_unconst(name.ptr), name.len);
        ask->value = nu_headers_get_all(headers, name);
        return ask->value.ptr != NULL;
    }
    size_t size = nu_wasm_pairs_size(headers);
    uint8_t *out = nu_arena_alloc(ask->scratch, size);
    if (size)
        nu_wasm_pairs_write(headers, out);
    ask->value = nu_str_make((char *)out, size);
    return true;
}

static bool give_header(struct asking *ask, struct nu_headers *headers, struct nu_str name)
{
    return headers && give_text(ask, nu_headers_get(headers, name));
}

/* --- Attributes -------------------------------------------------------------------------------- */

static bool get_request_header(struct asking *ask, struct nu_str field)
{
    static const struct {
        struct nu_str field;
        struct nu_str header;
    } headers[] = {
        {NU_STR_INIT("path"), NU_STR_INIT(":path")},
        {NU_STR_INIT("host"), NU_STR_INIT(":authority")},
        {NU_STR_INIT("scheme"), NU_STR_INIT(":scheme")},
        {NU_STR_INIT("method"), NU_STR_INIT(":method")},
        {NU_STR_INIT("referer"), NU_STR_INIT("referer")},
        {NU_STR_INIT("useragent"), NU_STR_INIT("user-agent")},
        {NU_STR_INIT("id"), NU_STR_INIT("x-request-id")},
    };
    struct nu_headers *map = nu_filter_request_headers(ask->stream->filter);
    for (size_t i = 0; i < NU_ARRAY_LEN(headers); i++) {
        if (nu_str_eq(headers[i].field, field))
            return give_header(ask, map, headers[i].header);
    }
    if (!nu_str_eq(field, NU_STR("url_path")) || !give_header(ask, map, NU_STR(":path")))
        return false;
    ask->value = nu_str_first(ask->value, nu_min_size(nu_str_find_char(ask->value, '?'),
                                                      nu_str_find_char(ask->value, '#')));
    return true;
}

static bool get_request(struct asking *ask)
{
    const struct nu_stream_info *info = ask->stream->filter->chain->info;
    struct nu_str field = nu_str_split(&ask->rest, '\0');
    if (nu_str_eq(field, NU_STR("headers")))
        return give_map(ask, nu_filter_request_headers(ask->stream->filter), ask->rest);
    if (nu_str_eq(field, NU_STR("protocol")))
        return give_text(ask, nu_protocol_text(info->protocol));
    if (nu_str_eq(field, NU_STR("time")))
        return give_number(ask, info->start_realtime_us * 1000);
    if (nu_str_eq(field, NU_STR("duration")))
        return info->end_us && give_number(ask, (info->end_us - info->start_us) * 1000);
    if (nu_str_eq(field, NU_STR("size")))
        return give_number(ask, info->bytes_received);
    if (nu_str_eq(field, NU_STR("total_size")))
        return give_number(ask, info->header_bytes_received + info->bytes_received);
    if (nu_str_eq(field, NU_STR("headers_bytes")))
        return give_number(ask,
                           nu_headers_byte_size(nu_filter_request_headers(ask->stream->filter)));
    return get_request_header(ask, field);
}

/* Before the outcome is known it is what the headers say. */
static bool give_code(struct asking *ask)
{
    struct nu_filter *filter = ask->stream->filter;
    uint64_t code = filter->chain->info->response_code;
    struct nu_headers *headers = nu_filter_response_headers(filter);
    if (code == 0 && headers &&
        nu_str_to_u64(nu_headers_get(headers, NU_STR(":status")), &code) != NU_OK)
        return false;
    return code != 0 && give_number(ask, code);
}

static bool get_response(struct asking *ask)
{
    struct nu_filter *filter = ask->stream->filter;
    const struct nu_stream_info *info = filter->chain->info;
    struct nu_str field = nu_str_split(&ask->rest, '\0');
    if (nu_str_eq(field, NU_STR("headers")))
        return give_map(ask, nu_filter_response_headers(filter), ask->rest);
    if (nu_str_eq(field, NU_STR("trailers")))
        return give_map(ask, nu_filter_response_trailers(filter), ask->rest);
    if (nu_str_eq(field, NU_STR("code")))
        return give_code(ask);
    if (nu_str_eq(field, NU_STR("code_details")))
        return give_text(ask, info->response_code_details);
    if (nu_str_eq(field, NU_STR("flags")))
        return give_number(ask, info->flags);
    if (nu_str_eq(field, NU_STR("size")))
        return give_number(ask, info->bytes_sent);
    return false;
}

static bool get_connection(struct asking *ask)
{
    const struct nu_connection_info *info = ask->stream->filter->chain->info->connection;
    if (!info)
        return false;
    if (nu_str_eq(ask->rest, NU_STR("id")))
        return give_number(ask, info->id);
    if (nu_str_eq(ask->rest, NU_STR("requested_server_name")))
        return give_text(ask, info->requested_server_name);
    if (nu_str_eq(ask->rest, NU_STR("termination_details")))
        return give_text(ask, info->termination_details);
    if (nu_str_eq(ask->rest, NU_STR("mtls")) && !info->is_tls)
        return give_bool(ask, false);
    return false;
}

static bool get_source(struct asking *ask)
{
    return give_address(ask, &ask->stream->filter->chain->info->remote);
}

static bool get_destination(struct asking *ask)
{
    struct nu_connection_info *info = ask->stream->filter->chain->info->connection;
    return info && give_address(ask, nu_connection_info_local(info));
}

static bool get_upstream(struct asking *ask)
{
    return give_address(ask, &ask->stream->filter->chain->info->upstream.host);
}

static bool get_cluster_name(struct asking *ask)
{
    return give_text(ask, nu_filter_cluster_name(ask->stream->filter));
}

static bool get_route_name(struct asking *ask)
{
    return give_text(ask, nu_filter_route_name(ask->stream->filter));
}

static bool get_xds(struct asking *ask)
{
    const struct nu_stream_info *info = ask->stream->filter->chain->info;
    if (nu_str_eq(ask->rest, NU_STR("cluster_name")))
        return get_cluster_name(ask);
    if (nu_str_eq(ask->rest, NU_STR("route_name")))
        return get_route_name(ask);
    if (nu_str_eq(ask->rest, NU_STR("virtual_host_name")))
        return give_text(ask, info->virtual_host_name);
    if (nu_str_eq(ask->rest, NU_STR("filter_chain_name")))
        return info->connection && give_text(ask, info->connection->filter_chain_name);
    return false;
}

static const struct {
    struct nu_str name;
    bool (*get)(struct asking *ask);
} roots[] = {
    {NU_STR_INIT("request"), get_request},
    {NU_STR_INIT("response"), get_response},
    {NU_STR_INIT("connection"), get_connection},
    {NU_STR_INIT("source"), get_source},
    {NU_STR_INIT("destination"), get_destination},
    {NU_STR_INIT("upstream"), get_upstream},
    {NU_STR_INIT("xds"), get_xds},
    {NU_STR_INIT("cluster_name"), get_cluster_name},
    {NU_STR_INIT("route_name"), get_route_name},
};

static bool get_attribute(struct asking *ask, struct nu_str root)
{
    for (size_t i = 0; ask->stream && i < NU_ARRAY_LEN(roots); i++) {
        if (nu_str_eq(roots[i].name, root))
            return roots[i].get(ask);
    }
    return false;
}

static bool get_plugin(struct asking *ask, struct nu_str name)
{
    const struct nu_wasm_plugin *plugin = ask->vm->effective->plugin;
    if (plugin && nu_str_eq(name, NU_STR("plugin_name")))
        ask->value = plugin->name;
    else if (plugin && nu_str_eq(name, NU_STR("plugin_root_id")))
        ask->value = plugin->root_id;
    else if (nu_str_eq(name, NU_STR("plugin_vm_id")))
        ask->value = ask->vm->spec->vm_id;
    else
        return false;
    return true;
}

static bool get_own(struct asking *ask, struct nu_str name)
{
    if (!ask->stream)
        return false;
    ask->value =
        nu_filter_state(ask->stream->filter, nu_arena_concat(ask->scratch, NU_STR("wasm."), name));
    return ask->value.ptr != NULL;
}

bool nu_wasm_property_get(struct nu_wasm_vm *vm, struct nu_str path, struct nu_arena *scratch,
                          struct nu_str *value)
{
    struct asking ask = {.vm = vm, .stream = nu_wasm_vm_stream(vm), .scratch = scratch};
    if (nu_str_ends_with(path, nu_str_make("\0", 1)))
        path.len--;
    ask.rest = nu_arena_dup(scratch, path);
    struct nu_str first = nu_str_split(&ask.rest, '\0');
    bool found = get_attribute(&ask, first) || get_plugin(&ask, first) || get_own(&ask, first);
    *value = ask.value;
    if (!found)
        nu_log(NU_LOG_WASM, NU_LOG_DEBUG, "no property %.*s", NU_STR_ARG(first));
    return found;
}
