/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions about gRPC: calls of one message each way, and streams. What came of them is told
 * as it comes, always from tasks of the turn's end (client/grpc_stream.h).
 *
 * A call is over with its answer, or with the status that it failed of. A stream is over when both
 * sides have ended it: a guest that is told of the end by the server closes it, in Envoy as here,
 * and its token is good until then. Guests that forget to do so must not make nuncio remember all
 * streams that there ever were: of each VM's streams that only wait for that, so many are kept.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "client/grpc_call.h"
#include "client/grpc_service.h"
#include "upstream/cluster_manager.h"
#include "wasm/pairs.h"
#include "wasm/vm.h"

enum {
    ENDED_MAX = 1024,
    ENDED_COST = 256, /* of nuncio's memory */
};

/* A call or a stream. */
struct wasm_grpc {
    struct nu_wasm_callout callout;
    struct nu_wasm_vm *vm;         /* borrowed: it cancels this before it ends */
    struct nu_list ended_link;     /* of the VM's streams that the server ended */
    struct nu_grpc_call *call;     /* owned; NULL of a stream, or when it is over */
    struct nu_grpc_stream *stream; /* owned by the call, else by this; NULL when it is over */
    size_t unsent;                 /* bytes of the VM's budget, for what the cluster did not take */
    bool is_closed;                /* the guest has ended its side */
    bool is_ended;                 /* the server has: the guest is told, or was */
    bool is_gone;                  /* it is freed at the turn's end */
};

static struct wasm_grpc *grpc_of(struct nu_wasm_callout *callout)
{
    return nu_container_of(callout, struct wasm_grpc, callout);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* What is left then is what the guest may still ask about. */
static void drop_stream(struct wasm_grpc *self)
{
    nu_byte_budget_give_back(&self->vm->callouts.budget, self->unsent);
    self->unsent = 0;
    if (self->call)
        nu_grpc_call_destroy(&self->call);
    else
        nu_grpc_stream_destroy(&self->stream);
    self->stream = NULL;
}

static void cancel(struct nu_wasm_callout *callout)
{
    struct wasm_grpc *self = grpc_of(callout);
    self->is_gone = true;
    if (nu_list_is_linked(&self->ended_link)) {
        nu_list_remove(&self->ended_link);
        self->vm->callouts.ended_count--;
    }
    drop_stream(self);
    nu_loop_defer_free(self->vm->loop, nu_free, self);
}

/* The guest wants to hear no more of it, or has heard everything. */
static void end(struct wasm_grpc *self)
{
    nu_wasm_callout_close(&self->callout);
    cancel(&self->callout);
}

/* The server has ended the stream, the guest not yet. */
static void remember(struct wasm_grpc *self)
{
    struct nu_wasm_callouts *callouts = &self->vm->callouts;
    if (callouts->ended_count == ENDED_MAX)
        end(nu_list_first(&callouts->ended, struct wasm_grpc, ended_link));
    drop_stream(self);
    nu_wasm_callout_shrink(&self->callout, ENDED_COST);
    nu_list_add_last(&callouts->ended, &self->ended_link);
    callouts->ended_count++;
}

/* --- What the guest is told ------------------------------------------------------------------- */

static void tell(struct wasm_grpc *self, enum nu_wasm_callback callback, uint32_t number,
                 const struct nu_wasm_answer *answer)
{
    struct nu_wasm_context *root = self->callout.root;
    union nu_wasm_value args[] = {{.i32 = (int32_t)root->id},
                                  {.i32 = (int32_t)self->callout.token},
                                  {.i32 = (int32_t)number}};
    nu_wasm_callout_tell(root, callback, args, answer);
}

static void tell_metadata(struct wasm_grpc *self, enum nu_wasm_callback callback,
                          enum nu_wasm_map map, const struct nu_headers *metadata)
{
    struct nu_wasm_answer answer = {.body = NULL};
    answer.maps[map - NU_WASM_GRPC_INITIAL_METADATA] = metadata;
    tell(self, callback, (uint32_t)nu_headers_count(metadata), &answer);
}

static void tell_message(struct wasm_grpc *self, const struct nu_buf *message)
{
    struct nu_wasm_answer answer = {.grpc_message = message};
    tell(self, NU_WASM_ON_GRPC_RECEIVE, (uint32_t)message->len, &answer);
}

static void tell_end(struct wasm_grpc *self, const struct nu_grpc_end *how)
{
    struct nu_wasm_answer answer = {
        .has_status = true,
        .status = (uint32_t)how->status,
        .message = how->message,
    };
    tell(self, NU_WASM_ON_GRPC_CLOSE, (uint32_t)how->status, &answer);
}

static void on_done(struct nu_grpc_call *call, const struct nu_grpc_end *how, struct nu_buf *answer)
{
    struct wasm_grpc *self = call->owner;
    if (answer)
        tell_message(self, answer);
    else
        tell_end(self, how);
    if (!self->is_gone)
        end(self);
}

static void on_initial_metadata(struct nu_grpc_stream *stream, const struct nu_headers *metadata)
{
    tell_metadata(stream->owner, NU_WASM_ON_GRPC_INITIAL_METADATA, NU_WASM_GRPC_INITIAL_METADATA,
                  metadata);
}

static void on_message(struct nu_grpc_stream *stream, struct nu_buf *message)
{
    tell_message(stream->owner, message);
}

static void on_trailing_metadata(struct nu_grpc_stream *stream, const struct nu_headers *metadata)
{
    tell_metadata(stream->owner, NU_WASM_ON_GRPC_TRAILING_METADATA, NU_WASM_GRPC_TRAILING_METADATA,
                  metadata);
}

static void on_closed(struct nu_grpc_stream *stream, const struct nu_grpc_end *how)
{
    struct wasm_grpc *self = stream->owner;
    self->is_ended = true;
    tell_end(self, how);
    if (self->is_gone)
        return;
    if (self->is_closed)
        end(self);
    else
        remember(self);
}

static const struct nu_grpc_stream_ops stream_ops = {
    .on_initial_metadata = on_initial_metadata,
    .on_message = on_message,
    .on_trailing_metadata = on_trailing_metadata,
    .on_closed = on_closed,
};

/* --- Starting --------------------------------------------------------------------------------- */

/* What a guest gives to begin, views into its memory. */
struct start {
    struct nu_str service;
    struct nu_str name;
    struct nu_str method;
    struct nu_str metadata;
    struct nu_str message;
    uint32_t timeout_ms; /* of a call */
    int32_t token_at;
    bool is_call;
};

static bool read_texts(struct nu_wasm_vm *vm, const union nu_wasm_value *args, struct start *start)
{
    return nu_wasm_vm_read(vm, &args[0], &start->service) &&
           nu_wasm_vm_read(vm, &args[2], &start->name) &&
           nu_wasm_vm_read(vm, &args[4], &start->method) &&
           nu_wasm_vm_read(vm, &args[6], &start->metadata);
}

static bool has_room(struct nu_wasm_vm *vm, int32_t at)
{
    return nu_wasm_guest_bytes(&vm->guest, (uint32_t)at, 4) != NULL;
}

static void tell_refusal(const struct nu_strbuf *why)
{
    struct nu_str rest = nu_strbuf_str(why);
    while (rest.len) {
        struct nu_str line = nu_str_split(&rest, '\n');
        if (line.len)
            nu_log(NU_LOG_WASM, NU_LOG_WARN, "a guest may not call this: %.*s", NU_STR_ARG(line));
    }
}

static bool has_cluster(const struct nu_wasm_vm *vm, struct nu_str name)
{
    struct nu_cluster_table *clusters = vm->loop->clusters;
    if (vm->trial)
        return nu_wasm_trial_has_cluster(vm->trial, name);
    return clusters && nu_cluster_table_find(clusters, name);
}

/* A cluster's name, or a service in bytes. */
static enum nu_wasm_status find_service(struct nu_wasm_vm *vm, struct nu_str bytes,
                                        struct nu_arena *arena, struct nu_grpc_service *service)
{
    struct nu_strbuf why = {0};
    enum nu_wasm_status status = NU_WASM_OK;
    *service = (struct nu_grpc_service){.cluster = bytes};
    if (has_cluster(vm, bytes))
        return NU_WASM_OK;
    switch (nu_grpc_service_read(arena, bytes, service, &why)) {
    case NU_GRPC_SERVICE_OK:
        break;
    case NU_GRPC_SERVICE_NONE:
        status = NU_WASM_PARSE_FAILURE;
        break;
    case NU_GRPC_SERVICE_REFUSED:
        tell_refusal(&why);
        status = NU_WASM_BAD_ARGUMENT;
        break;
    }
    nu_strbuf_finish(&why);
    return status;
}

static struct nu_grpc_params params_of(struct nu_wasm_vm *vm, const struct start *start,
                                       const struct nu_grpc_service *service)
{
    return (struct nu_grpc_params){
        .cluster = service->cluster,
        .authority = service->authority,
        .service = start->name,
        .method = start->method,
        .has_timeout = start->is_call,
        .timeout_ms = start->timeout_ms,
        .max_message_bytes =
            service->max_message_bytes ? service->max_message_bytes : NU_WASM_ANSWER_BYTES_MAX,
        .is_anonymous = service->is_anonymous,
        .hashes_authority = true,
        .retry = service->retry,
        .budget = &vm->callouts.budget,
    };
}

static void add_metadata(struct nu_wasm_vm *vm, struct nu_grpc_stream *stream,
                         struct nu_str encoded)
{
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    if (!nu_wasm_pairs_begin(&walk, encoded))
        nu_wasm_log(vm, NU_LOG_WARN, NU_STR("the metadata of a gRPC call does not add up"));
    while (nu_wasm_pairs_next(&walk, &pair))
        nu_grpc_stream_add_metadata(stream, pair.name, pair.value);
}

/* The call or stream, not begun; false if there is no such cluster. */
static bool make(struct wasm_grpc *self, const struct start *start,
                 const struct nu_grpc_service *service)
{
    struct nu_wasm_vm *vm = self->vm;
    struct nu_grpc_params params = params_of(vm, start, service);
    if (start->is_call) {
        self->call = nu_grpc_call_create(vm->loop, &params);
        self->stream = self->call ? self->call->stream : NULL;
    } else {
        self->stream = nu_grpc_stream_create(vm->loop, &params);
    }
    if (!self->stream)
        return false;
    nu_grpc_service_add_metadata(service, self->stream);
    add_metadata(vm, self->stream, start->metadata);
    return true;
}

static bool begin(struct wasm_grpc *self, const struct start *start)
{
    if (!start->is_call) {
        self->stream->ops = &stream_ops;
        self->stream->owner = self;
        return nu_grpc_stream_open(self->stream);
    }
    struct nu_buf message = {0};
    nu_buf_append(&message, start->message);
    self->call->on_done = on_done;
    self->call->owner = self;
    return nu_grpc_call_send(self->call, &message);
}

static size_t bytes_of(const struct start *start, const struct nu_grpc_service *service)
{
    size_t bytes = start->metadata.len + start->message.len + start->name.len + start->method.len;
    return bytes + (service->metadata_count ? start->service.len : 0);
}

/* What fails at once is told by the status alone. */
static enum nu_wasm_status start_on(struct nu_wasm_vm *vm, const struct start *start,
                                    const struct nu_grpc_service *service)
{
    struct wasm_grpc *self = nu_calloc(1, sizeof(*self));
    self->vm = vm;
    self->callout.cancel = cancel;
    nu_list_init(&self->ended_link);
    bool ok = nu_wasm_callout_open(&self->callout, vm->effective->root,
                                   start->is_call ? NU_WASM_GRPC_CALL : NU_WASM_GRPC_STREAM,
                                   bytes_of(start, service)) &&
              (vm->trial ? has_cluster(vm, service->cluster)
                         : make(self, start, service) && begin(self, start));
    if (!ok) {
        end(self);
        return NU_WASM_INTERNAL_FAILURE;
    }
    nu_wasm_vm_put_u32(vm, start->token_at, self->callout.token);
    return NU_WASM_OK;
}

static enum nu_wasm_status find_and_start(struct nu_wasm_vm *vm, const struct start *start)
{
    struct nu_grpc_service service;
    struct nu_arena scratch;
    nu_arena_init(&scratch);
    enum nu_wasm_status status = find_service(vm, start->service, &scratch, &service);
    if (status == NU_WASM_OK)
        status = start_on(vm, start, &service);
    nu_arena_finish(&scratch);
    return status;
}

static enum nu_wasm_status grpc_call(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct start start = {
        .is_call = true,
        .timeout_ms = (uint32_t)args[10].i32,
        .token_at = args[11].i32,
    };
    if (!read_texts(vm, args, &start) || !nu_wasm_vm_read(vm, &args[8], &start.message) ||
        !has_room(vm, start.token_at))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return find_and_start(vm, &start);
}

static enum nu_wasm_status grpc_stream(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct start start = {.token_at = args[8].i32};
    if (!read_texts(vm, args, &start) || !has_room(vm, start.token_at))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return find_and_start(vm, &start);
}

/* --- Going on --------------------------------------------------------------------------------- */

/* The context's call or stream. */
static enum nu_wasm_status find(struct nu_wasm_vm *vm, int32_t token, struct wasm_grpc **out)
{
    enum nu_wasm_callout_kind kind = nu_wasm_callout_kind_of((uint32_t)token);
    if (kind != NU_WASM_GRPC_CALL && kind != NU_WASM_GRPC_STREAM)
        return NU_WASM_BAD_ARGUMENT;
    struct nu_wasm_callout *callout = nu_wasm_callout_find(vm->effective->root, (uint32_t)token);
    if (!callout)
        return NU_WASM_NOT_FOUND;
    *out = grpc_of(callout);
    return NU_WASM_OK;
}

/* Whether nuncio may keep so many more bytes until the cluster takes them. What it keeps already
 * goes on counting, whatever the answer. */
static bool may_send(struct wasm_grpc *self, size_t bytes)
{
    struct nu_byte_budget *budget = &self->vm->callouts.budget;
    size_t kept = nu_min_size(nu_grpc_stream_unsent(self->stream), self->unsent);
    nu_byte_budget_give_back(budget, self->unsent - kept);
    self->unsent = kept;
    if (!nu_byte_budget_take(budget, bytes))
        return false;
    self->unsent += bytes;
    return true;
}

/* Nobody is told of what is sent behind the end. */
static enum nu_wasm_status grpc_send(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct wasm_grpc *self;
    struct nu_str bytes;
    struct nu_buf message = {0};
    if (!nu_wasm_vm_read(vm, &args[1], &bytes))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    if (nu_wasm_callout_kind_of((uint32_t)args[0].i32) != NU_WASM_GRPC_STREAM)
        return NU_WASM_BAD_ARGUMENT;
    enum nu_wasm_status status = find(vm, args[0].i32, &self);
    if (status != NU_WASM_OK || !self->stream)
        return status;
    if (!may_send(self, bytes.len + NU_GRPC_HEAD_BYTES))
        return NU_WASM_INTERNAL_FAILURE;
    nu_buf_append(&message, bytes);
    nu_grpc_stream_send(self->stream, &message, args[3].i32 != 0);
    return NU_WASM_OK;
}

static enum nu_wasm_status grpc_cancel(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct wasm_grpc *self;
    enum nu_wasm_status status = find(vm, args[0].i32, &self);
    if (status == NU_WASM_OK)
        end(self);
    return status;
}

/* A call is given up, of a stream the guest's side ends. Where a configuration is tried out there is
 * nothing behind either. */
static enum nu_wasm_status grpc_close(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct wasm_grpc *self;
    enum nu_wasm_status status = find(vm, args[0].i32, &self);
    if (status != NU_WASM_OK)
        return status;
    if (vm->trial && nu_wasm_callout_kind_of((uint32_t)args[0].i32) == NU_WASM_GRPC_STREAM)
        return NU_WASM_OK;
    if (self->call || !self->stream || self->is_ended) {
        end(self);
        return NU_WASM_OK;
    }
    self->is_closed = true;
    nu_grpc_stream_end(self->stream);
    return NU_WASM_OK;
}

NU_WASM_HOST(grpc_call, "proxy_grpc_call", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(grpc_stream, "proxy_grpc_stream", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(grpc_send, "proxy_grpc_send", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(grpc_close, "proxy_grpc_close", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(grpc_cancel, "proxy_grpc_cancel", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_grpc[] = {
    {"env", "proxy_grpc_call", "iiiiiiiiiiii=i", call_grpc_call},
    {"env", "proxy_grpc_stream", "iiiiiiiii=i", call_grpc_stream},
    {"env", "proxy_grpc_send", "iiii=i", call_grpc_send},
    {"env", "proxy_grpc_close", "i=i", call_grpc_close},
    {"env", "proxy_grpc_cancel", "i=i", call_grpc_cancel},
    {NULL, NULL, NULL, NULL},
};
