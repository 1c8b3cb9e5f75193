/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain runner: the life of the filters' instances, and the doors by which the parts of a
 * message come in. How they travel on is in pass.c, what filters may ask for in body.c and
 * service.c.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/thread.h"
#include "event/timer.h"
#include "filter/chain_internal.h"
#include "http/frame_metadata.h"

/* --- Configuration ---------------------------------------------------------------------------- */

static void close_workers(void *obj)
{
    struct nu_filter_entry *entry = obj;
    for (unsigned i = 0; i < NU_THREAD_MAX; i++) {
        if (!entry->workers[i])
            continue;
        if (entry->cls->worker_close)
            entry->cls->worker_close(entry->workers[i], entry->config);
        nu_free(entry->workers[i]);
    }
}

static void add_workers(struct nu_arena *arena, struct nu_filter_entry *entry)
{
    if (!entry->cls->worker_size)
        return;
    entry->workers = nu_arena_calloc(arena, NU_THREAD_MAX * sizeof(*entry->workers));
    nu_arena_on_free(arena, close_workers, entry);
}

/* A filter with a callback for an earlier part may have stopped the direction, which concerns the
 * later ones. */
static void note_callbacks(struct nu_filter_chain_config *config, uint8_t index)
{
    const struct nu_filter_class *cls = config->entries[index].cls;
    const bool has[2][NU_PHASE_COUNT] = {
        {false, cls->decode_headers, cls->decode_data, cls->decode_trailers},
        {false, cls->encode_headers, cls->encode_data, cls->encode_trailers},
    };
    for (int dir = NU_DECODE; dir <= NU_ENCODE; dir++) {
        bool any = false;
        for (int phase = NU_PHASE_HEADERS; phase < NU_PHASE_COUNT; phase++) {
            any |= has[dir][phase];
            if (any)
                config->at[dir][phase] |= UINT64_C(1) << index;
        }
    }
}

void nu_filter_chain_config_init(struct nu_filter_chain_config *config, struct nu_arena *arena,
                                 struct nu_filter_entry *entries, uint8_t count)
{
    nu_assert(count <= NU_FILTERS_MAX);
    *config = (struct nu_filter_chain_config){.entries = entries, .count = count};
    for (uint8_t i = 0; i < count; i++) {
        const struct nu_filter_class *cls = entries[i].cls;
        entries[i].zeroed = (uint32_t)(cls->zeroed_size ? cls->zeroed_size : cls->instance_size);
        nu_assert(entries[i].zeroed >= sizeof(struct nu_filter));
        nu_assert(entries[i].zeroed <= cls->instance_size);
        config->instance_bytes += nu_align_up(cls->instance_size, 16);
        add_workers(arena, &entries[i]);
        note_callbacks(config, i);
        config->logs |= cls->log != NULL;
    }
}

/* --- The message's parts ---------------------------------------------------------------------- */

void nu_chain_decode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->headers = headers;
    half->ended = end;
    if (!is_over(chain, NU_DECODE))
        nu_chain_pass_headers(chain, NU_DECODE, 0, end);
}

void nu_chain_decode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->ended |= end;
    if (!is_over(chain, NU_DECODE))
        nu_chain_pass_data(chain, NU_DECODE, 0, data, end);
    nu_buf_clear(data);
}

void nu_chain_decode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->ended = true;
    half->trailers = trailers;
    if (!is_over(chain, NU_DECODE))
        nu_chain_pass_trailers(chain, NU_DECODE, 0);
}

void nu_chain_decode_metadata(struct nu_filter_chain *chain, struct nu_frame_metadata *metadata)
{
    if (chain->decode_metadata && !is_over(chain, NU_DECODE))
        chain->decode_metadata(chain->filters[chain->config->count - 1], metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}

void nu_chain_encode_metadata(struct nu_filter *self, struct nu_frame_metadata *metadata)
{
    struct nu_filter_chain *chain = self->chain;
    if (chain->ops->encode_metadata && !is_over(chain, NU_ENCODE) && !chain->replied)
        chain->ops->encode_metadata(chain, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}

void nu_chain_encode_1xx(struct nu_filter *self, struct nu_headers *headers)
{
    struct nu_filter_chain *chain = self->chain;
    if (chain->replied)
        return;
    for (int i = self->index - 1; i >= 0 && !is_over(chain, NU_ENCODE); i--) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->encode_1xx && !is_disabled(filter))
            filter->cls->encode_1xx(filter, headers);
    }
    if (!is_over(chain, NU_ENCODE))
        chain->ops->encode_1xx(chain, headers);
}

void nu_chain_encode_headers(struct nu_filter *self, struct nu_headers *headers, bool end)
{
    struct nu_filter_chain *chain = self->chain;
    struct nu_chain_half *half = &chain->half[NU_ENCODE];
    if (is_over(chain, NU_ENCODE) || chain->replied)
        return;
    half->headers = headers;
    half->ended = end;
    nu_chain_pass_headers(chain, NU_ENCODE, self->index - 1, end);
}

void nu_chain_encode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_filter_chain *chain = self->chain;
    if (!is_over(chain, NU_ENCODE) && !chain->replied) {
        chain->half[NU_ENCODE].ended |= end;
        if (nu_likely(!chain->config->at[NU_ENCODE][NU_PHASE_DATA]))
            chain->ops->encode_data(chain, data, end); /* no filter looks at it */
        else
            nu_chain_pass_data(chain, NU_ENCODE, self->index - 1, data, end);
    }
    nu_buf_clear(data);
}

void nu_chain_encode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, NU_ENCODE) || chain->replied)
        return;
    chain->half[NU_ENCODE].ended = true;
    chain->half[NU_ENCODE].trailers = trailers;
    nu_chain_pass_trailers(chain, NU_ENCODE, self->index - 1);
}

/* The filters have begun to see a response, of which the client has nothing, or they are at their
 * end: the reply takes its place behind them, for they cannot see a second one. */
static void replace_response(struct nu_filter_chain *chain, struct nu_headers *headers,
                             struct nu_buf *body)
{
    struct nu_chain_half *half = &chain->half[NU_ENCODE];
    nu_chain_abort_half(chain, NU_ENCODE);
    half->headers = headers;
    half->trailers = NULL;
    half->headers_out = true;
    bool end = body->len == 0;
    chain->ops->encode_headers(chain, headers, end);
    if (!end && !chain->closed)
        chain->ops->encode_data(chain, body, true);
}

void nu_chain_encode_reply(struct nu_filter_chain *chain, struct nu_headers *headers,
                           struct nu_buf *body)
{
    struct nu_chain_half *half = &chain->half[NU_ENCODE];
    int last = chain->config->count - 1;
    chain->replied = true;
    nu_chain_abort_half(chain, NU_DECODE);
    if (half->headers || half->aborted) {
        replace_response(chain, headers, body);
        nu_buf_clear(body);
        return;
    }
    half->headers = headers;
    half->ended = true;
    nu_chain_pass_headers(chain, NU_ENCODE, last, body->len == 0);
    if (body->len && !is_over(chain, NU_ENCODE))
        nu_chain_pass_data(chain, NU_ENCODE, last, body, true);
    nu_buf_clear(body);
}

/* --- Holding back ----------------------------------------------------------------------------- */

void nu_chain_hold_request(struct nu_filter_chain *chain)
{
    chain->request_holds++;
    chain->ops->hold_request(chain);
}

void nu_chain_release_request(struct nu_filter_chain *chain)
{
    if (chain->request_holds == 0)
        return; /* the stream's end had let it go */
    chain->request_holds--;
    chain->ops->release_request(chain);
}

void nu_chain_downstream_high(struct nu_filter_chain *chain)
{
    if (chain->downstream_high++ > 0)
        return;
    for (uint8_t i = 0; i < chain->config->count && !is_over(chain, NU_ENCODE); i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->on_downstream_high && !is_disabled(filter))
            filter->cls->on_downstream_high(filter);
    }
}

void nu_chain_downstream_low(struct nu_filter_chain *chain)
{
    if (chain->downstream_high == 0 || --chain->downstream_high > 0)
        return;
    for (uint8_t i = 0; i < chain->config->count && !is_over(chain, NU_ENCODE); i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->on_downstream_low && !is_disabled(filter))
            filter->cls->on_downstream_low(filter);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

static void init_half(struct nu_chain_half *half, uint32_t limit)
{
    memset(half, 0, sizeof(*half));
    half->limit = limit;
    half->call.filter = -1;
}

static void *worker_of(const struct nu_filter_entry *entry)
{
    void **slot = &entry->workers[nu_thread_index()];
    if (nu_unlikely(!*slot)) {
        *slot = nu_calloc(1, entry->cls->worker_size);
        if (entry->cls->worker_open)
            entry->cls->worker_open(*slot, entry->config);
    }
    return *slot;
}

/* A setting that was made for another kind of filter, under this one's name, is none. */
static const void *route_config_of(struct nu_filter_chain *chain,
                                   const struct nu_filter_entry *entry, bool *disabled)
{
    const struct nu_filter_route_config *config = chain->ops->route_config(chain, entry, disabled);
    return config && config->cls == entry->cls ? config->config : NULL;
}

size_t nu_chain_route_configs(struct nu_filter *filter, const void *out[NU_ROUTE_LEVELS])
{
    struct nu_filter_chain *chain = filter->chain;
    const struct nu_filter_route_config *configs[NU_ROUTE_LEVELS];
    if (!chain->ops->route_configs)
        return 0;
    size_t count = 0;
    size_t seen = chain->ops->route_configs(chain, &chain->config->entries[filter->index], configs);
    for (size_t i = 0; i < seen; i++) {
        if (configs[i]->cls == filter->cls)
            out[count++] = configs[i]->config;
    }
    return count;
}

static struct nu_filter *make_instance(struct nu_filter_chain *chain, char *memory, uint8_t index)
{
    const struct nu_filter_entry *entry = &chain->config->entries[index];
    struct nu_filter *filter = (struct nu_filter *)(void *)memory;
    memset(memory, 0, entry->zeroed);
    filter->cls = entry->cls;
    filter->config = entry->config;
    filter->chain = chain;
    filter->index = index;
    if (nu_unlikely(entry->workers))
        filter->worker = worker_of(entry);
    bool disabled = entry->disabled;
    filter->route_config = route_config_of(chain, entry, &disabled);
    if (nu_unlikely(disabled)) {
        filter->state[NU_DECODE] = DISABLED;
        filter->state[NU_ENCODE] = DISABLED;
    }
    return filter;
}

void nu_chain_open(struct nu_filter_chain *chain, const struct nu_filter_chain_config *config,
                   const struct nu_filter_chain_ops *ops, struct nu_loop *loop,
                   struct nu_arena *arena, struct nu_stream_info *info, uint32_t buffer_limit)
{
    chain->config = config;
    chain->ops = ops;
    chain->loop = loop;
    chain->arena = arena;
    chain->info = info;
    chain->override_host = nu_str_make(NULL, 0);
    chain->decode_metadata = NULL;
    chain->received_before = info->bytes_received;
    chain->downstream_high = 0;
    chain->request_holds = 0;
    chain->opening = true;
    chain->replied = false;
    chain->closed = false;
    nu_list_init(&chain->timers);
    nu_list_init(&chain->calls);
    init_half(&chain->half[NU_DECODE], buffer_limit);
    init_half(&chain->half[NU_ENCODE], buffer_limit);
    chain->filters = nu_arena_alloc(arena, config->count * sizeof(*chain->filters));
    char *memory = nu_arena_alloc(arena, config->instance_bytes);
    for (uint8_t i = 0; i < config->count; i++) {
        chain->filters[i] = make_instance(chain, memory, i);
        memory += nu_align_up(config->entries[i].cls->instance_size, 16);
    }
    for (uint8_t i = 0; i < config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->open && !is_disabled(filter))
            filter->cls->open(filter);
    }
    chain->opening = false;
}

void nu_chain_refresh_route_configs(struct nu_filter_chain *chain)
{
    for (uint8_t i = 0; i < chain->config->count; i++) {
        bool ignored = false;
        chain->filters[i]->route_config =
            route_config_of(chain, &chain->config->entries[i], &ignored);
    }
}

void nu_chain_abort(struct nu_filter_chain *chain)
{
    if (chain->half[NU_DECODE].aborted && chain->half[NU_ENCODE].aborted && !chain->request_holds)
        return;
    /* First both, so that nobody who is told of a release can pass anything on. */
    chain->half[NU_DECODE].aborted = true;
    chain->half[NU_ENCODE].aborted = true;
    nu_chain_abort_half(chain, NU_DECODE);
    nu_chain_abort_half(chain, NU_ENCODE);
    while (nu_unlikely(chain->request_holds))
        nu_chain_release_request(chain);
}

void nu_chain_limit_to_log(struct nu_filter_chain *chain, struct nu_headers *request,
                           struct nu_headers *response)
{
    nu_chain_abort(chain);
    chain->half[NU_DECODE].headers = request;
    chain->half[NU_ENCODE].headers = response;
}

void nu_chain_log(struct nu_filter_chain *chain)
{
    if (nu_likely(!chain->config->logs))
        return;
    for (uint8_t i = 0; i < chain->config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->log && !is_disabled(filter))
            filter->cls->log(filter);
    }
}

static void give_up_timers(struct nu_filter_chain *chain)
{
    while (!nu_list_is_empty(&chain->timers))
        nu_filter_timer_cancel(nu_filter_timer_of_link(chain->timers.next));
}

static void give_up_calls(struct nu_filter_chain *chain)
{
    while (!nu_list_is_empty(&chain->calls))
        nu_filter_call_cancel(nu_list_entry(chain->calls.next, struct nu_filter_call, link));
}

void nu_chain_close(struct nu_filter_chain *chain)
{
    if (chain->closed)
        return;
    nu_chain_abort(chain);
    chain->closed = true;
    for (uint8_t i = 0; i < chain->config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->close && !is_disabled(filter))
            filter->cls->close(filter);
    }
    give_up_timers(chain);
    give_up_calls(chain);
    nu_chain_drop_kept(chain, NU_DECODE);
    nu_chain_drop_kept(chain, NU_ENCODE);
}
