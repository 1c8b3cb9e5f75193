/* SPDX-License-Identifier: Apache-2.0 */
/* The services of nuncio/filter.h that only read the stream or ask the chain's owner. */
#include "base/assert.h"
#include "base/log.h"
#include "event/timer.h"
#include "filter/chain.h"

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

void nu_filter_reply_with(struct nu_filter *self, const struct nu_reply *reply)
{
    struct nu_filter_chain *chain = self->chain;
    if (chain->closed)
        return;
    if (nu_chain_response_sent(chain))
        chain->ops->reset(chain);
    else
        chain->ops->reply(chain, reply);
}

void nu_filter_reset(struct nu_filter *self)
{
    if (!self->chain->closed)
        self->chain->ops->reset(self->chain);
}

struct nu_buf *nu_filter_decoding_buffer(struct nu_filter *self)
{
    struct nu_buf *buffered = &self->chain->half[NU_DECODE].buffered;
    return buffered->len ? buffered : NULL;
}

struct nu_buf *nu_filter_encoding_buffer(struct nu_filter *self)
{
    struct nu_buf *buffered = &self->chain->half[NU_ENCODE].buffered;
    return buffered->len ? buffered : NULL;
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
    self->chain->ops->clear_route_cache(self->chain);
}

struct nu_str nu_filter_cluster_name(struct nu_filter *self)
{
    return self->chain->ops->route(self->chain)->cluster;
}

struct nu_str nu_filter_route_name(struct nu_filter *self)
{
    return self->chain->info->route_name;
}

bool nu_filter_recreate_stream(struct nu_filter *self)
{
    const struct nu_chain_half *request = &self->chain->half[NU_DECODE];
    if (!request->ended || nu_chain_response_sent(self->chain) || self->chain->closed)
        return false;
    return self->chain->ops->recreate(self->chain);
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

static void on_filter_timer(struct nu_timer *loop_timer)
{
    struct nu_filter_timer *timer = nu_container_of(loop_timer, struct nu_filter_timer, private_);
    timer->on_timer(timer->self);
}

static struct nu_timer *loop_timer_of(struct nu_filter_timer *timer)
{
    return (struct nu_timer *)(void *)timer->private_;
}

/* A timer in zeroed instance memory was never initialised: its list link is NULL. */
static bool is_initialised(const struct nu_filter_timer *timer)
{
    return timer->private_[0] != NULL;
}

void nu_filter_timer_arm(struct nu_filter *self, struct nu_filter_timer *timer, uint64_t delay_ms)
{
    if (!is_initialised(timer))
        nu_timer_init(loop_timer_of(timer), on_filter_timer);
    timer->self = self;
    nu_timer_arm(self->chain->loop, loop_timer_of(timer), delay_ms);
}

void nu_filter_timer_cancel(struct nu_filter_timer *timer)
{
    if (is_initialised(timer))
        nu_timer_cancel(loop_timer_of(timer));
}

struct nu_filter_call *
nu_filter_http_call(struct nu_filter *self, const struct nu_call_request *request,
                    void (*on_done)(struct nu_filter *self, const struct nu_call_result *result))
{
    return self->chain->ops->http_call(self, request, on_done);
}

void nu_filter_log(struct nu_filter *self, int level, struct nu_str message)
{
    enum nu_log_level bounded = level < NU_LOG_TRACE      ? NU_LOG_TRACE
                                : level > NU_LOG_CRITICAL ? NU_LOG_CRITICAL
                                                          : (enum nu_log_level)level;
    nu_log(NU_LOG_FILTER, bounded, "[%s] %.*s", self->cls->name, NU_STR_ARG(message));
}
