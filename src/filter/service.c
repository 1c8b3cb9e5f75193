/* SPDX-License-Identifier: Apache-2.0 */
/* The services of nuncio/filter.h that only read the stream or ask the chain's owner. */
#include "base/assert.h"
#include "base/log.h"
#include "event/timer.h"
#include "filter/chain_internal.h"

void nu_chain_answer(struct nu_filter_chain *chain, const struct nu_reply *reply)
{
    if (nu_chain_response_sent(chain)) {
        chain->info->response_code_details = reply->details;
        chain->ops->reset(chain);
    } else {
        chain->ops->reply(chain, reply);
    }
}

void nu_filter_reply(struct nu_filter *self, uint32_t status, struct nu_str body,
                     struct nu_str details)
{
    struct nu_reply reply = {
        .status = status,
        .body = body,
        .details = details,
        .grpc_status = -1,
    };
    nu_filter_reply_with(self, &reply);
}

/* Whether the stream can be ended: it is not over, and past the callbacks of open. */
static bool can_end(const struct nu_filter *self)
{
    if (nu_unlikely(self->chain->opening))
        nu_log(NU_LOG_FILTER, NU_LOG_ERROR, "[%s] answers or resets from open", self->cls->name);
    return !self->chain->opening && !is_over(self->chain, NU_ENCODE);
}

void nu_filter_reply_with(struct nu_filter *self, const struct nu_reply *reply)
{
    if (can_end(self))
        nu_chain_answer(self->chain, reply);
}

void nu_filter_reset(struct nu_filter *self)
{
    if (can_end(self))
        self->chain->ops->reset(self->chain);
}

uint32_t nu_filter_decoder_buffer_limit(const struct nu_filter *self)
{
    return self->chain->half[NU_DECODE].limit;
}

void nu_filter_set_decoder_buffer_limit(struct nu_filter *self, uint32_t bytes)
{
    self->chain->half[NU_DECODE].limit = bytes;
}

uint32_t nu_filter_encoder_buffer_limit(const struct nu_filter *self)
{
    return self->chain->half[NU_ENCODE].limit;
}

void nu_filter_set_encoder_buffer_limit(struct nu_filter *self, uint32_t bytes)
{
    self->chain->half[NU_ENCODE].limit = bytes;
}

struct nu_headers *nu_filter_request_headers(struct nu_filter *self)
{
    return self->chain->half[NU_DECODE].headers;
}

struct nu_headers *nu_filter_request_trailers(struct nu_filter *self)
{
    return self->chain->half[NU_DECODE].trailers;
}

struct nu_headers *nu_filter_response_headers(struct nu_filter *self)
{
    return self->chain->half[NU_ENCODE].headers;
}

struct nu_headers *nu_filter_response_trailers(struct nu_filter *self)
{
    return self->chain->half[NU_ENCODE].trailers;
}

void *nu_filter_alloc(struct nu_filter *self, size_t size)
{
    return nu_arena_alloc(self->chain->arena, size);
}

struct nu_str nu_filter_copy(struct nu_filter *self, struct nu_str s)
{
    return nu_arena_dup(self->chain->arena, s);
}

void nu_filter_clear_route_cache(struct nu_filter *self)
{
    if (is_over(self->chain, NU_DECODE))
        return;
    self->chain->ops->clear_route_cache(self->chain);
    nu_chain_refresh_route_configs(self->chain);
}

struct nu_str nu_filter_cluster_name(struct nu_filter *self)
{
    return self->chain->ops->route(self->chain)->cluster;
}

struct nu_str nu_filter_route_name(struct nu_filter *self)
{
    return self->chain->info->route_name;
}

/* Moves what the filters keep of the request to `body`, the oldest first: they are farthest. */
static void gather_body(struct nu_filter_chain *chain, struct nu_buf *body)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    for (int i = chain->config->count - 1; i >= 0; i--) {
        if (half->kept_count && half->kept[i].present)
            nu_buf_move_all(body, &half->kept[i].data);
        if (half->call.filter == i && half->call.data)
            nu_buf_move_all(body, half->call.data);
    }
}

static size_t body_bytes(const struct nu_filter_chain *chain)
{
    const struct nu_chain_half *half = &chain->half[NU_DECODE];
    size_t bytes = half->call.data ? half->call.data->len : 0;
    for (uint8_t i = 0; half->kept_count && i < chain->config->count; i++)
        bytes += half->kept[i].data.len;
    return bytes;
}

bool nu_filter_recreate_stream(struct nu_filter *self)
{
    struct nu_filter_chain *chain = self->chain;
    const struct nu_chain_half *request = &chain->half[NU_DECODE];
    uint64_t received = chain->info->bytes_received - chain->received_before;
    bool whole = request->ended && body_bytes(chain) == received;
    if (!whole || is_over(chain, NU_DECODE) || chain->half[NU_ENCODE].headers ||
        !chain->ops->can_recreate(chain))
        return false;
    struct nu_buf body = {0};
    gather_body(chain, &body);
    nu_chain_abort(chain);
    chain->ops->recreate(chain, &body, NULL);
    return true;
}

bool nu_chain_recreate(struct nu_filter *self, struct nu_buf *body, struct nu_headers *response)
{
    struct nu_filter_chain *chain = self->chain;
    if (!chain->half[NU_DECODE].ended || is_over(chain, NU_DECODE) ||
        chain->half[NU_ENCODE].headers || chain->info->tunnel != NU_TUNNEL_NONE)
        return false;
    nu_chain_abort(chain);
    chain->ops->recreate(chain, body, response);
    return true;
}

void nu_filter_set_upstream_override_host(struct nu_filter *self, struct nu_str host)
{
    self->chain->override_host = nu_arena_dup(self->chain->arena, host);
}

struct nu_str nu_filter_remote_address(struct nu_filter *self)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(&self->chain->info->remote, text);
    return nu_arena_dup(self->chain->arena, nu_str_make(text, len));
}

struct nu_str nu_filter_protocol(struct nu_filter *self)
{
    return nu_protocol_text(self->chain->info->protocol);
}

uint32_t nu_filter_response_code(struct nu_filter *self)
{
    return self->chain->info->response_code;
}

struct nu_str nu_filter_response_code_details(struct nu_filter *self)
{
    return self->chain->info->response_code_details;
}

/* --- Timers and calls ------------------------------------------------------------------------- */

/* What is behind struct nu_filter_timer's private_. */
struct timer_state {
    struct nu_timer timer;
    struct nu_list link; /* in chain->timers while it is armed */
};

_Static_assert(sizeof(((struct nu_filter_timer *)0)->private_) >= sizeof(struct timer_state),
               "a filter timer holds a loop timer");

static struct timer_state *state_of(struct nu_filter_timer *timer)
{
    return (struct timer_state *)(void *)timer->private_;
}

static struct nu_filter_timer *timer_of(struct timer_state *state)
{
    return nu_container_of((void **)(void *)state, struct nu_filter_timer, private_[0]);
}

struct nu_filter_timer *nu_filter_timer_of_link(struct nu_list *link)
{
    return timer_of(nu_container_of(link, struct timer_state, link));
}

static void on_filter_timer(struct nu_timer *loop_timer)
{
    struct timer_state *state = nu_container_of(loop_timer, struct timer_state, timer);
    struct nu_filter_timer *timer = timer_of(state);
    nu_list_remove(&state->link);
    timer->on_timer(timer->self);
}

/* A timer in zeroed instance memory was never initialised: its callback is NULL. */
static bool is_initialised(struct nu_filter_timer *timer)
{
    return state_of(timer)->timer.fn != NULL;
}

void nu_filter_timer_arm(struct nu_filter *self, struct nu_filter_timer *timer, uint64_t delay_ms)
{
    struct nu_filter_chain *chain = self->chain;
    struct timer_state *state = state_of(timer);
    if (chain->closed)
        return;
    if (!is_initialised(timer)) {
        nu_timer_init(&state->timer, on_filter_timer);
        nu_list_init(&state->link);
    }
    timer->self = self;
    nu_timer_arm(chain->loop, &state->timer, delay_ms);
    if (!nu_list_is_linked(&state->link))
        nu_list_add_last(&chain->timers, &state->link);
}

void nu_filter_timer_cancel(struct nu_filter_timer *timer)
{
    if (!is_initialised(timer))
        return;
    nu_timer_cancel(&state_of(timer)->timer);
    nu_list_remove(&state_of(timer)->link);
}

struct nu_filter_call *
nu_filter_http_call(struct nu_filter *self, const struct nu_call_request *request,
                    void (*on_done)(struct nu_filter *self, const struct nu_call_result *result))
{
    struct nu_filter_chain *chain = self->chain;
    const struct nu_filter_client *client = chain->loop->client;
    if (!client || chain->closed)
        return NULL;
    struct nu_filter_call *call = client->start(client, chain->loop, request);
    if (!call)
        return NULL;
    call->self = self;
    call->on_done = on_done;
    call->client = client;
    nu_list_add_last(&chain->calls, &call->link);
    return call;
}

void nu_filter_call_cancel(struct nu_filter_call *call)
{
    nu_list_remove(&call->link);
    call->client->cancel(call);
}

void nu_filter_call_done(struct nu_filter_call *call, const struct nu_call_result *result)
{
    nu_list_remove(&call->link);
    call->on_done(call->self, result);
}

void nu_filter_log(struct nu_filter *self, int level, struct nu_str message)
{
    enum nu_log_level bounded = level < NU_LOG_TRACE      ? NU_LOG_TRACE
                                : level > NU_LOG_CRITICAL ? NU_LOG_CRITICAL
                                                          : (enum nu_log_level)level;
    nu_log(NU_LOG_FILTER, bounded, "[%s] %.*s", self->cls->name, NU_STR_ARG(message));
}
