/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions about the VM and its contexts: logging, time, ticks, and what decides how a
 * request goes on.
 */
#include "base/log.h"
#include "net/conn_record.h"
#include "wasm/http_stream.h"
#include "wasm/pairs.h"
#include "wasm/tcp_stream.h"
#include "wasm/plugin.h"

enum { LOG_LEVEL_MAX = NU_LOG_CRITICAL };

/* --- Logging and time ------------------------------------------------------------------------- */

static void add_tag(struct nu_strbuf *prefix, struct nu_str tag)
{
    if (tag.len)
        nu_strbuf_addf(prefix, " %.*s", NU_STR_ARG(tag));
}

/* As Envoy writes it: "wasm log NAME ROOT_ID VM_ID: message". A guest may have gigabytes to say,
 * which a line would take several times over: it gets so much of them. What is no text in them is for the
 * log's format to escape, or not. */
void nu_wasm_log(struct nu_wasm_vm *vm, int level, struct nu_str message)
{
    enum { MESSAGE_MAX = 64 * 1024 };
    struct nu_strbuf line = {0};
    const struct nu_wasm_plugin *plugin = vm->current->plugin;
    if (!nu_log_is_enabled(NU_LOG_WASM, (enum nu_log_level)level))
        return;
    nu_strbuf_add_cstr(&line, "wasm log");
    if (plugin) {
        add_tag(&line, plugin->name);
        add_tag(&line, plugin->root_id);
    }
    add_tag(&line, vm->spec->vm_id);
    nu_strbuf_add_cstr(&line, ": ");
    nu_strbuf_add(&line, nu_str_first(message, MESSAGE_MAX));
    nu_log_bytes(NU_LOG_WASM, (enum nu_log_level)level, nu_strbuf_str(&line));
    nu_strbuf_finish(&line);
}

static enum nu_wasm_status proxy_log(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str message;
    if ((uint32_t)args[0].i32 > LOG_LEVEL_MAX)
        return NU_WASM_BAD_ARGUMENT;
    if (!nu_wasm_vm_read(vm, &args[1], &message))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    nu_wasm_log(vm, args[0].i32, message);
    return NU_WASM_OK;
}

static enum nu_wasm_status get_log_level(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    uint32_t level = NU_LOG_TRACE;
    while (level < LOG_LEVEL_MAX && !nu_log_is_enabled(NU_LOG_WASM, (enum nu_log_level)level))
        level++;
    return nu_wasm_vm_put_u32(vm, args[0].i32, level) ? NU_WASM_OK : NU_WASM_INVALID_MEMORY_ACCESS;
}

static enum nu_wasm_status get_time(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    return nu_wasm_vm_put_u64(vm, args[0].i32, nu_clock_realtime_us() * 1000)
               ? NU_WASM_OK
               : NU_WASM_INVALID_MEMORY_ACCESS;
}

static enum nu_wasm_status set_tick(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    nu_wasm_context_set_tick(vm->effective->root, (uint32_t)args[0].i32);
    return NU_WASM_OK;
}

/* --- Contexts --------------------------------------------------------------------------------- */

static enum nu_wasm_status set_effective_context(struct nu_wasm_vm *vm,
                                                 const union nu_wasm_value *args)
{
    struct nu_wasm_context *context = nu_wasm_vm_find(vm, (uint32_t)args[0].i32);
    if (!context)
        return NU_WASM_BAD_ARGUMENT;
    vm->effective = context;
    return NU_WASM_OK;
}

static enum nu_wasm_status done(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    (void)args;
    return nu_wasm_root_done(vm->effective->root) ? NU_WASM_OK : NU_WASM_NOT_FOUND;
}

/* 0.1.0: the plug-in's configuration while it is told, else the VM's. */
static enum nu_wasm_status get_configuration(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_str bytes = vm->shows_configuration ? vm->configured : vm->spec->configuration;
    return nu_wasm_vm_give(vm, bytes, args[0].i32, args[1].i32);
}

/* --- How a request goes on -------------------------------------------------------------------- */

static enum nu_wasm_status go_on(struct nu_wasm_vm *vm, enum nu_direction dir)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    if (!stream)
        return NU_WASM_OK; /* on behalf of a root: there is nothing to go on */
    stream->goes_on[dir] = true;
    stream->maps[NU_WASM_REQUEST_HEADERS] = NULL;
    stream->maps[NU_WASM_REQUEST_TRAILERS] = NULL;
    nu_wasm_http_stream_wake(stream);
    return NU_WASM_OK;
}

static enum nu_wasm_status continue_request(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    (void)args;
    return go_on(vm, NU_DECODE);
}

static enum nu_wasm_status continue_response(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    (void)args;
    return go_on(vm, NU_ENCODE);
}

/* Types of streams: request, response, downstream, upstream. */
static enum nu_wasm_status continue_stream(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    switch (args[0].i32) {
    case 0:
        return go_on(vm, NU_DECODE);
    case 1:
        return go_on(vm, NU_ENCODE);
    case 2:
        if (tcp) {
            tcp->goes_on = true;
            nu_wasm_tcp_stream_wake(tcp);
        }
        return NU_WASM_OK;
    case 3:
        return NU_WASM_UNIMPLEMENTED;
    default:
        return NU_WASM_BAD_ARGUMENT;
    }
}

static enum nu_wasm_status close_stream(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    if ((uint32_t)args[0].i32 > 3)
        return NU_WASM_BAD_ARGUMENT;
    if (stream && args[0].i32 < 2) {
        stream->resets = true;
        nu_wasm_http_stream_wake(stream);
    }
    if (tcp && args[0].i32 >= 2) {
        tcp->closes = true;
        nu_wasm_tcp_stream_wake(tcp);
    }
    return NU_WASM_OK;
}

static enum nu_wasm_status clear_route_cache(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    (void)args;
    if (stream && !stream->in_log)
        nu_filter_clear_route_cache(stream->filter);
    return NU_WASM_OK;
}

/* Details are one word. */
static struct nu_str copy_details(struct nu_filter *filter, struct nu_str details)
{
    struct nu_str copy = nu_filter_copy(filter, details);
    char *bytes = nu_unconst(copy.ptr);
    for (size_t i = 0; i < copy.len; i++) {
        if (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r'))
            bytes[i] = '_';
    }
    return copy;
}

static void copy_headers(struct nu_filter *filter, struct nu_wasm_pairs *walk,
                         struct nu_reply *reply)
{
    struct nu_wasm_pair pair;
    struct nu_reply_header *headers =
        nu_filter_alloc(filter, (walk->left + 1) * sizeof(struct nu_reply_header));
    reply->headers = headers;
    while (nu_wasm_pairs_next(walk, &pair)) {
        if (pair.name.len && pair.name.ptr[0] == ':') /* the status is an argument */
            continue;
        headers[reply->header_count].name = nu_filter_copy(filter, pair.name);
        headers[reply->header_count++].value = nu_filter_copy(filter, pair.value);
    }
}

/* Of several replies to one request the first stands. */
static enum nu_wasm_status send_local_response(struct nu_wasm_vm *vm,
                                               const union nu_wasm_value *args)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    struct nu_str details;
    struct nu_str body;
    struct nu_str headers;
    struct nu_wasm_pairs walk;
    if (!nu_wasm_vm_read(vm, &args[1], &details) || !nu_wasm_vm_read(vm, &args[3], &body) ||
        !nu_wasm_vm_read(vm, &args[5], &headers))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    if (!stream || stream->in_log || stream->has_replied)
        return NU_WASM_OK;
    if (!nu_wasm_pairs_begin(&walk, headers))
        nu_wasm_log(vm, NU_LOG_WARN, NU_STR("the headers of a local response do not add up"));
    if (!nu_wasm_http_stream_take(stream, details.len + body.len + walk.bytes.len, walk.left))
        return NU_WASM_INTERNAL_FAILURE;
    stream->reply = (struct nu_reply){
        .status = (uint32_t)args[0].i32,
        .body = nu_filter_copy(stream->filter, body),
        .details = copy_details(stream->filter, details),
        .grpc_status = args[7].i32 >= 0 && args[7].i32 <= 16 ? args[7].i32 : -1,
    };
    if (stream->reply.status < 200 || stream->reply.status > 599)
        stream->reply.status = 500;
    copy_headers(stream->filter, &walk, &stream->reply);
    stream->replies = stream->has_replied = true;
    nu_wasm_http_stream_wake(stream);
    return NU_WASM_OK;
}

static bool take(uint32_t *taken, size_t bytes, size_t entries)
{
    enum { ENTRY_BYTES = 128 };
    size_t left = NU_WASM_STREAM_BYTES_MAX - *taken;
    bytes += entries * ENTRY_BYTES;
    if (bytes <= left) {
        *taken += (uint32_t)bytes;
        return true;
    }
    if (left)
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "a guest has had all the memory of a request that it may");
    *taken = NU_WASM_STREAM_BYTES_MAX;
    return false;
}

bool nu_wasm_http_stream_take(struct nu_wasm_http_stream *stream, size_t bytes, size_t entries)
{
    return take(&stream->bytes_taken, bytes, entries);
}

bool nu_wasm_vm_take(struct nu_wasm_vm *vm, size_t bytes, size_t entries)
{
    struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    if (stream)
        return take(&stream->bytes_taken, bytes, entries);
    return tcp && take(&tcp->bytes_taken, bytes, entries);
}

struct nu_stream_info *nu_wasm_vm_info(const struct nu_wasm_vm *vm)
{
    const struct nu_wasm_http_stream *stream = nu_wasm_vm_stream(vm);
    const struct nu_wasm_tcp_stream *tcp = nu_wasm_vm_tcp_stream(vm);
    if (stream)
        return stream->filter->chain->info;
    return tcp ? nu_server_conn_info(tcp->filter->conn) : NULL;
}

void nu_wasm_http_stream_wake(struct nu_wasm_http_stream *stream)
{
    if (!stream->is_calling)
        nu_loop_at_turn_end(stream->context.vm->loop, &stream->later);
}

/* --- The table -------------------------------------------------------------------------------- */

NU_WASM_HOST(proxy_log, "proxy_log", NU_WASM_ALWAYS)
NU_WASM_HOST(get_log_level, "proxy_get_log_level", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_time, "proxy_get_current_time_nanoseconds", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_tick, "proxy_set_tick_period_milliseconds", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(set_effective_context, "proxy_set_effective_context", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(done, "proxy_done", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_configuration, "proxy_get_configuration", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(continue_request, "proxy_continue_request", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(continue_response, "proxy_continue_response", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(continue_stream, "proxy_continue_stream", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(close_stream, "proxy_close_stream", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(clear_route_cache, "proxy_clear_route_cache", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(send_local_response, "proxy_send_local_response", NU_WASM_ONLY_RUNNING)

/* pthread_equal: some toolchains leave it to the host. */
static enum nu_wasm_status pthread_equal_(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    (void)vm;
    return (enum nu_wasm_status)(args[0].i32 == args[1].i32);
}
NU_WASM_HOST(pthread_equal_, "pthread_equal", NU_WASM_ALWAYS)

/* emscripten_notify_memory_growth: the memory is asked for anew each time anyway. */
static const char *note_growth(void *host, const union nu_wasm_value *args,
                               union nu_wasm_value *result)
{
    (void)host, (void)args, (void)result;
    return NULL;
}

const struct nu_wasm_import nu_wasm_host_core[] = {
    {"env", "proxy_log", "iii=i", call_proxy_log},
    {"env", "proxy_get_log_level", "i=i", call_get_log_level},
    {"env", "proxy_get_current_time_nanoseconds", "i=i", call_get_time},
    {"env", "proxy_set_tick_period_milliseconds", "i=i", call_set_tick},
    {"env", "proxy_set_effective_context", "i=i", call_set_effective_context},
    {"env", "proxy_done", "=i", call_done},
    {"env", "proxy_get_configuration", "ii=i", call_get_configuration},
    {"env", "proxy_continue_request", "=i", call_continue_request},
    {"env", "proxy_continue_response", "=i", call_continue_response},
    {"env", "proxy_continue_stream", "i=i", call_continue_stream},
    {"env", "proxy_close_stream", "i=i", call_close_stream},
    {"env", "proxy_clear_route_cache", "=i", call_clear_route_cache},
    {"env", "proxy_send_local_response", "iiiiiiii=i", call_send_local_response},
    {"env", "pthread_equal", "ii=i", call_pthread_equal_},
    {"env", "emscripten_notify_memory_growth", "i=", note_growth},
    {NULL, NULL, NULL, NULL},
};
