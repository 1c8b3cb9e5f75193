/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter: each callback shows the guest the bytes that there are (wasm/tcp_stream.h), calls it,
 * and does what it asked for; what it asked for on behalf of another connection is done at the
 * turn's end.
 *
 * A connection whose guest has failed is closed: what the guest would have done to its bytes nobody
 * knows. New ones pass the filter by if the plug-in fails open, until there is a new VM.
 */
#include "filters/network/wasm/wasm_internal.h"

#include "net/listener.h"
#include "wasm/plugin.h"
#include "wasm/tcp_stream.h"

/* As on_downstream_connection_close and on_upstream_connection_close are told. */
enum closed_by { CLOSED_UNKNOWN, CLOSED_LOCALLY, CLOSED_BY_PEER };

struct wasm_filter {
    struct nu_network_filter base;
    struct nu_wasm_tcp_stream stream;
    struct nu_wasm_vm *vm; /* borrowed: the context holds it; NULL: there is no context */
    bool is_paused;        /* the guest stopped what comes from the client */
    bool upstream_ended;   /* the guest was told */
};

static struct wasm_filter *self_of(struct nu_network_filter *self)
{
    return nu_container_of(self, struct wasm_filter, base);
}

static const struct nu_wasm_plugin *plugin_of(const struct wasm_filter *self)
{
    return self->base.config;
}

/* What waits to be written goes first. */
static enum nu_network_status end_connection(struct wasm_filter *self)
{
    nu_connection_close(&self->base.conn->conn, NU_CLOSE_FLUSH);
    return NU_NETWORK_STOP;
}

/* --- What the guest asked for ----------------------------------------------------------------- */

/* Whether the connection ends. */
static bool settle(struct wasm_filter *self)
{
    if (!nu_wasm_vm_is_dead(self->vm) && !self->stream.closes)
        return false;
    self->stream.closes = false;
    end_connection(self);
    return true;
}

/* Outside of the filter's callbacks. */
static void later(struct nu_turn_task *task)
{
    struct wasm_filter *self = nu_container_of(task, struct wasm_filter, stream.later);
    bool is_dead = nu_wasm_vm_is_dead(self->vm);
    if (is_dead && !self->is_paused)
        return; /* at its next bytes */
    if (settle(self))
        return;
    if (self->stream.edited)
        nu_network_filter_measure(&self->base);
    self->stream.edited = false;
    if (!self->stream.goes_on)
        return;
    self->stream.goes_on = self->is_paused = false;
    self->stream.keeps[NU_WASM_DOWNSTREAM] = false;
    nu_network_filter_continue(&self->base);
}

/* --- Calling the guest ------------------------------------------------------------------------ */

/* Calls the guest, whose answer is a status but for 0, and does what it asked for. */
static enum nu_network_status ask(struct wasm_filter *self, enum nu_wasm_callback callback,
                                  const union nu_wasm_value *args)
{
    struct nu_wasm_tcp_stream *stream = &self->stream;
    stream->goes_on = false;
    stream->is_calling = true;
    int32_t status = nu_wasm_vm_call(&stream->context, callback, args, 0);
    stream->is_calling = false;
    if (settle(self))
        return NU_NETWORK_STOP;
    return status == 0 ? NU_NETWORK_CONTINUE : NU_NETWORK_STOP;
}

/* The same about what comes from the client, which the guest may let go on in the callback. */
static enum nu_network_status ask_to_go_on(struct wasm_filter *self, enum nu_wasm_callback callback,
                                           const union nu_wasm_value *args)
{
    enum nu_network_status status = ask(self, callback, args);
    if (self->stream.goes_on)
        status = NU_NETWORK_CONTINUE;
    self->stream.goes_on = false;
    self->is_paused = status == NU_NETWORK_STOP;
    return status;
}

static union nu_wasm_value number(size_t n)
{
    return (union nu_wasm_value){.i32 = (int32_t)(uint32_t)n};
}

/* --- The filter's callbacks ------------------------------------------------------------------- */

static enum nu_network_status on_open(struct nu_network_filter *base)
{
    struct wasm_filter *self = self_of(base);
    struct nu_wasm_context *root = nu_wasm_plugin_root(plugin_of(self));
    if (!root)
        return plugin_of(self)->fails_open ? NU_NETWORK_CONTINUE : end_connection(self);
    self->vm = root->vm;
    self->stream.filter = base;
    nu_turn_task_init(&self->stream.later, later);
    self->stream.is_calling = true;
    nu_wasm_tcp_stream_open(&self->stream, root);
    self->stream.is_calling = false;
    union nu_wasm_value id = number(self->stream.context.id);
    return ask_to_go_on(self, NU_WASM_ON_NEW_CONNECTION, &id);
}

static enum nu_network_status on_data(struct nu_network_filter *base, struct nu_buf *data, bool end)
{
    struct wasm_filter *self = self_of(base);
    if (!self->vm)
        return NU_NETWORK_CONTINUE;
    if (nu_wasm_vm_is_dead(self->vm))
        return end_connection(self);
    union nu_wasm_value args[] = {number(self->stream.context.id), number(data->len), number(end)};
    self->stream.data[NU_WASM_DOWNSTREAM] = data;
    enum nu_network_status status = ask_to_go_on(self, NU_WASM_ON_DOWNSTREAM_DATA, args);
    self->stream.data[NU_WASM_DOWNSTREAM] = NULL;
    self->stream.keeps[NU_WASM_DOWNSTREAM] = self->is_paused;
    return status;
}

/* The upstream's end is all that is known of its connection. */
static void tell_upstream_end(struct wasm_filter *self)
{
    if (self->upstream_ended || nu_wasm_vm_is_dead(self->vm))
        return;
    union nu_wasm_value args[] = {number(self->stream.context.id), number(CLOSED_UNKNOWN)};
    self->upstream_ended = true;
    ask(self, NU_WASM_ON_UPSTREAM_CLOSE, args);
}

static enum nu_network_status on_write(struct nu_network_filter *base, struct nu_buf *data,
                                       bool end)
{
    struct wasm_filter *self = self_of(base);
    if (!self->vm)
        return NU_NETWORK_CONTINUE;
    if (nu_wasm_vm_is_dead(self->vm))
        return end_connection(self);
    union nu_wasm_value args[] = {number(self->stream.context.id), number(data->len), number(end)};
    bool goes_on = self->stream.goes_on;
    self->stream.data[NU_WASM_UPSTREAM] = data;
    enum nu_network_status status = ask(self, NU_WASM_ON_UPSTREAM_DATA, args);
    self->stream.data[NU_WASM_UPSTREAM] = NULL;
    self->stream.keeps[NU_WASM_UPSTREAM] = status == NU_NETWORK_STOP;
    if (end && base->conn->conn.state != NU_CONNECTION_CLOSED)
        tell_upstream_end(self);
    if (self->stream.goes_on || goes_on) {
        self->stream.goes_on = true;
        nu_wasm_tcp_stream_wake(&self->stream);
    }
    return status;
}

static void on_close(struct nu_network_filter *base, enum nu_close_reason reason)
{
    struct wasm_filter *self = self_of(base);
    if (!self->vm)
        return;
    union nu_wasm_value args[] = {
        number(self->stream.context.id),
        number(reason == NU_CLOSED_BY_US ? CLOSED_LOCALLY : CLOSED_BY_PEER),
    };
    self->stream.is_calling = true;
    nu_wasm_vm_call(&self->stream.context, NU_WASM_ON_DOWNSTREAM_CLOSE, args, 0);
    nu_wasm_tcp_stream_close(&self->stream);
    nu_wasm_vm_is_dead(self->vm);
    nu_list_remove(&self->stream.later.link);
    self->vm = NULL;
}

const struct nu_network_filter_class nu_network_wasm_class = {
    .name = "envoy.filters.network.wasm",
    .instance_size = sizeof(struct wasm_filter),
    .open = on_open,
    .on_data = on_data,
    .on_write = on_write,
    .close = on_close,
};
