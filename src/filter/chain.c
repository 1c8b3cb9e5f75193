/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain runner. Both directions share one implementation: a direction is an index into the state
 * and a step of +1 (decode) or -1 (encode).
 *
 * A filter's state in a direction is one of continue, stopped (data still comes to it) and stopped
 * altogether (nothing comes). A message part travels filter by filter until one stops it; what it
 * stopped waits in the half's buffer, and resume() sends headers, buffer and trailers on from there.
 */
#include "filter/chain.h"

#include "base/assert.h"
#include "event/timer.h"

enum {
    ITERATION = 3, /* mask of the four below */
    CONTINUE = 0,
    STOPPED = 1,
    STOPPED_ALL_BUFFER = 2,
    STOPPED_ALL_WATERMARK = 3,
    HEADERS_PASSED = 4, /* the headers went on behind this filter */
    WATERMARK_MODE = 8, /* STOPPED by STOP_AND_WATERMARK */
    DISABLED = 16,      /* left out for this request */
};

_Static_assert(sizeof(((struct nu_filter_timer *)0)->private_) >= sizeof(struct nu_timer),
               "a filter timer holds a loop timer");

void nu_filter_chain_config_init(struct nu_filter_chain_config *config,
                                 const struct nu_filter_entry *entries, uint8_t count)
{
    config->entries = entries;
    config->count = count;
    config->instance_bytes = 0;
    for (uint8_t i = 0; i < count; i++) {
        nu_assert(entries[i].cls->instance_size >= sizeof(struct nu_filter));
        config->instance_bytes += nu_align_up(entries[i].cls->instance_size, 16);
    }
}

static inline int step_of(enum nu_direction dir)
{
    return dir == NU_DECODE ? 1 : -1;
}

static inline bool is_inside(const struct nu_filter_chain *chain, int i)
{
    return i >= 0 && i < chain->config->count;
}

static inline uint8_t iteration_of(const struct nu_filter *filter, enum nu_direction dir)
{
    return filter->state[dir] & ITERATION;
}

static inline void set_iteration(struct nu_filter *filter, enum nu_direction dir, uint8_t value)
{
    filter->state[dir] = (uint8_t)((filter->state[dir] & ~(ITERATION | WATERMARK_MODE)) | value);
}

static inline bool stops_all(uint8_t iteration)
{
    return iteration >= STOPPED_ALL_BUFFER;
}

static inline bool is_over(const struct nu_filter_chain *chain, enum nu_direction dir)
{
    return chain->half[dir].aborted || chain->closed;
}

/* --- Callbacks of one filter ------------------------------------------------------------------ */

static enum nu_headers_status call_headers(struct nu_filter_chain *chain, enum nu_direction dir,
                                           struct nu_filter *filter, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_headers_status (*fn)(struct nu_filter *, struct nu_headers *, bool) =
        dir == NU_DECODE ? cls->decode_headers : cls->encode_headers;
    if (!fn || (filter->state[dir] & DISABLED))
        return NU_HEADERS_CONTINUE;
    half->calling = filter->index;
    enum nu_headers_status status = fn(filter, half->headers, end);
    half->calling = -1;
    return status;
}

static enum nu_data_status call_data(struct nu_filter_chain *chain, enum nu_direction dir,
                                     struct nu_filter *filter, struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_data_status (*fn)(struct nu_filter *, struct nu_buf *, bool) =
        dir == NU_DECODE ? cls->decode_data : cls->encode_data;
    if (!fn || (filter->state[dir] & DISABLED))
        return NU_DATA_CONTINUE;
    half->calling = filter->index;
    half->passing = data;
    enum nu_data_status status = fn(filter, data, end);
    half->passing = NULL;
    half->calling = -1;
    return status;
}

static enum nu_trailers_status call_trailers(struct nu_filter_chain *chain, enum nu_direction dir,
                                             struct nu_filter *filter)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_trailers_status (*fn)(struct nu_filter *, struct nu_headers *) =
        dir == NU_DECODE ? cls->decode_trailers : cls->encode_trailers;
    if (!fn || (filter->state[dir] & DISABLED))
        return NU_TRAILERS_CONTINUE;
    half->calling = filter->index;
    half->in_trailers = true;
    enum nu_trailers_status status = fn(filter, half->trailers);
    half->in_trailers = false;
    half->calling = -1;
    return status;
}

/* --- Buffering -------------------------------------------------------------------------------- */

static void fail_over_limit(struct nu_filter_chain *chain, enum nu_direction dir)
{
    if (dir == NU_ENCODE && nu_chain_response_sent(chain)) {
        chain->ops->reset(chain);
        return;
    }
    bool request = dir == NU_DECODE;
    struct nu_reply reply = {
        .status = request ? 413 : 500,
        .body = request ? nu_str_from("Payload Too Large") : nu_str_from("Internal Server Error"),
        .details = request ? nu_str_from("request_payload_too_large")
                           : nu_str_from("response_payload_too_large"),
        .grpc_status = -1,
    };
    chain->ops->reply(chain, &reply);
}

static void hold_sender(struct nu_filter_chain *chain, enum nu_direction dir)
{
    chain->half[dir].over_limit = true;
    if (dir == NU_DECODE)
        chain->ops->hold_request(chain);
    else
        nu_chain_downstream_high(chain);
}

static void release_sender(struct nu_filter_chain *chain, enum nu_direction dir)
{
    if (!chain->half[dir].over_limit)
        return;
    chain->half[dir].over_limit = false;
    if (dir == NU_DECODE)
        chain->ops->release_request(chain);
    else
        nu_chain_downstream_low(chain);
}

/* Keeps `data` for the filter at `at`, and minds the limit. */
static void buffer_data(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_buf *data,
                        int at, bool watermark)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (half->buffered.len == 0)
        half->buffered_at = (int16_t)at;
    nu_buf_move_all(&half->buffered, data);
    if (half->limit == 0 || half->buffered.len <= half->limit || half->over_limit)
        return;
    if (watermark)
        hold_sender(chain, dir);
    else
        fail_over_limit(chain, dir);
}

/* --- Passing parts on ------------------------------------------------------------------------- */

enum { NO_TRAILERS = -2 };

static void pass_data(struct nu_filter_chain *chain, enum nu_direction dir, int i,
                      struct nu_buf *data, bool end);
static void pass_trailers(struct nu_filter_chain *chain, enum nu_direction dir, int i);
static void resume(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_filter *filter);

static bool headers_end_message(const struct nu_chain_half *half)
{
    return half->ended && half->buffered.len == 0 && !half->trailers;
}

/* Sends data on that filters added while the headers passed. */
static void pass_added(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (half->buffered.len == 0 || is_over(chain, dir))
        return;
    struct nu_buf data = half->buffered;
    nu_buf_init(&half->buffered);
    pass_data(chain, dir, half->buffered_at, &data, half->ended && !half->trailers);
    nu_buf_clear(&data);
}

static void pass_headers(struct nu_filter_chain *chain, enum nu_direction dir, int i)
{
    struct nu_chain_half *half = &chain->half[dir];
    for (; is_inside(chain, i); i += step_of(dir)) {
        struct nu_filter *filter = chain->filters[i];
        enum nu_headers_status status = call_headers(chain, dir, filter, headers_end_message(half));
        if (is_over(chain, dir))
            return;
        switch (status) {
        case NU_HEADERS_CONTINUE_AND_DONT_END:
            half->ended = false;
            break;
        case NU_HEADERS_CONTINUE:
            break;
        case NU_HEADERS_STOP:
            set_iteration(filter, dir, STOPPED);
            return;
        case NU_HEADERS_STOP_ALL_AND_BUFFER:
            set_iteration(filter, dir, STOPPED_ALL_BUFFER);
            return;
        case NU_HEADERS_STOP_ALL_AND_WATERMARK:
            set_iteration(filter, dir, STOPPED_ALL_WATERMARK);
            return;
        }
        filter->state[dir] |= HEADERS_PASSED;
    }
    half->headers_out = true;
    if (dir == NU_ENCODE)
        chain->ops->encode_headers(chain, half->headers, headers_end_message(half));
}

/* A filter that had stopped says continue to data: headers go first, then everything it kept. */
static void resume_with_data(struct nu_filter_chain *chain, enum nu_direction dir,
                             struct nu_filter *filter, struct nu_buf *data)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (half->buffered.len == 0)
        half->buffered_at = (int16_t)(filter->index + step_of(dir));
    nu_buf_move_all(&half->buffered, data);
    resume(chain, dir, filter);
}

static void pass_data(struct nu_filter_chain *chain, enum nu_direction dir, int i,
                      struct nu_buf *data, bool end)
{
    int trailers_from = NO_TRAILERS;
    for (; is_inside(chain, i); i += step_of(dir)) {
        struct nu_filter *filter = chain->filters[i];
        uint8_t iteration = iteration_of(filter, dir);
        if (nu_unlikely(stops_all(iteration))) {
            buffer_data(chain, dir, data, i, iteration == STOPPED_ALL_WATERMARK);
            return;
        }
        enum nu_data_status status = call_data(chain, dir, filter, data, end);
        if (is_over(chain, dir))
            return;
        if (nu_unlikely(end && chain->half[dir].trailers)) {
            end = false; /* the callback added trailers, which now follow the data */
            trailers_from = i + step_of(dir);
        }
        switch (status) {
        case NU_DATA_CONTINUE:
            if (nu_unlikely(iteration == STOPPED)) {
                resume_with_data(chain, dir, filter, data);
                return;
            }
            break;
        case NU_DATA_STOP_AND_BUFFER:
        case NU_DATA_STOP_AND_WATERMARK:
            set_iteration(filter, dir, STOPPED);
            buffer_data(chain, dir, data, i + step_of(dir), status == NU_DATA_STOP_AND_WATERMARK);
            return;
        case NU_DATA_STOP_NO_BUFFER:
            set_iteration(filter, dir, STOPPED);
            nu_buf_clear(data);
            return;
        }
    }
    if (dir == NU_ENCODE)
        chain->ops->encode_data(chain, data, end);
    if (nu_unlikely(trailers_from != NO_TRAILERS) && !is_over(chain, dir))
        pass_trailers(chain, dir, trailers_from);
}

static void pass_trailers(struct nu_filter_chain *chain, enum nu_direction dir, int i)
{
    struct nu_chain_half *half = &chain->half[dir];
    for (; is_inside(chain, i); i += step_of(dir)) {
        struct nu_filter *filter = chain->filters[i];
        uint8_t iteration = iteration_of(filter, dir);
        if (stops_all(iteration))
            return;
        enum nu_trailers_status status = call_trailers(chain, dir, filter);
        if (is_over(chain, dir))
            return;
        if (status == NU_TRAILERS_STOP) {
            set_iteration(filter, dir, STOPPED);
            return;
        }
        if (iteration == STOPPED) {
            resume(chain, dir, filter);
            return;
        }
    }
    if (dir == NU_ENCODE)
        chain->ops->encode_trailers(chain, half->trailers);
}

/*
 * Lets a stopped message go on behind `filter`. A filter that had stopped everything has not seen the
 * data yet and is the first to get it.
 */
static void resume(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_filter *filter)
{
    struct nu_chain_half *half = &chain->half[dir];
    uint8_t iteration = iteration_of(filter, dir);
    if (iteration == CONTINUE || is_over(chain, dir))
        return;
    int next = filter->index + step_of(dir);
    int data_from = stops_all(iteration) ? filter->index : next;
    set_iteration(filter, dir, CONTINUE);
    if (!(filter->state[dir] & HEADERS_PASSED)) {
        filter->state[dir] |= HEADERS_PASSED;
        pass_headers(chain, dir, next);
    }
    if (half->buffered.len && !is_over(chain, dir)) {
        struct nu_buf data = half->buffered;
        nu_buf_init(&half->buffered);
        release_sender(chain, dir);
        pass_data(chain, dir, data_from, &data, half->ended && !half->trailers);
        nu_buf_clear(&data);
    }
    if (half->trailers && !is_over(chain, dir))
        pass_trailers(chain, dir, data_from);
}

/* --- Entry points ----------------------------------------------------------------------------- */

void nu_chain_decode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->headers = headers;
    half->ended = end;
    pass_headers(chain, NU_DECODE, 0);
    pass_added(chain, NU_DECODE);
}

void nu_chain_decode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->ended |= end;
    if (is_over(chain, NU_DECODE)) {
        nu_buf_clear(data);
        return;
    }
    pass_data(chain, NU_DECODE, 0, data, end);
}

void nu_chain_decode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers)
{
    struct nu_chain_half *half = &chain->half[NU_DECODE];
    half->ended = true;
    half->trailers = trailers;
    if (!is_over(chain, NU_DECODE))
        pass_trailers(chain, NU_DECODE, 0);
}

void nu_chain_encode_1xx(struct nu_filter *self, struct nu_headers *headers)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, NU_ENCODE))
        return;
    for (int i = self->index - 1; i >= 0; i--) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->encode_1xx && !(filter->state[NU_ENCODE] & DISABLED))
            filter->cls->encode_1xx(filter, headers);
    }
    chain->ops->encode_1xx(chain, headers);
}

void nu_chain_encode_headers(struct nu_filter *self, struct nu_headers *headers, bool end)
{
    struct nu_filter_chain *chain = self->chain;
    struct nu_chain_half *half = &chain->half[NU_ENCODE];
    if (is_over(chain, NU_ENCODE))
        return;
    half->headers = headers;
    half->ended = end;
    pass_headers(chain, NU_ENCODE, self->index - 1);
    pass_added(chain, NU_ENCODE);
}

void nu_chain_encode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, NU_ENCODE)) {
        nu_buf_clear(data);
        return;
    }
    chain->half[NU_ENCODE].ended |= end;
    pass_data(chain, NU_ENCODE, self->index - 1, data, end);
}

void nu_chain_encode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, NU_ENCODE))
        return;
    chain->half[NU_ENCODE].ended = true;
    chain->half[NU_ENCODE].trailers = trailers;
    pass_trailers(chain, NU_ENCODE, self->index - 1);
}

void nu_chain_encode_reply(struct nu_filter_chain *chain, struct nu_headers *headers,
                           struct nu_buf *body)
{
    struct nu_chain_half *half = &chain->half[NU_ENCODE];
    int last = chain->config->count - 1;
    chain->half[NU_DECODE].aborted = true;
    nu_buf_clear(&chain->half[NU_DECODE].buffered);
    release_sender(chain, NU_DECODE);
    nu_buf_clear(&half->buffered);
    for (int i = 0; i <= last; i++)
        chain->filters[i]->state[NU_ENCODE] &= DISABLED;
    half->headers = headers;
    half->trailers = NULL;
    half->ended = body->len == 0;
    pass_headers(chain, NU_ENCODE, last);
    pass_added(chain, NU_ENCODE);
    if (body->len && !is_over(chain, NU_ENCODE)) {
        half->ended = true;
        pass_data(chain, NU_ENCODE, last, body, true);
    }
    nu_buf_clear(body);
}

void nu_chain_abort(struct nu_filter_chain *chain)
{
    for (int dir = NU_DECODE; dir <= NU_ENCODE; dir++)
        chain->half[dir].aborted = true;
}

void nu_chain_downstream_high(struct nu_filter_chain *chain)
{
    if (chain->downstream_high++ > 0)
        return;
    for (uint8_t i = 0; i < chain->config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->on_downstream_high)
            filter->cls->on_downstream_high(filter);
    }
}

void nu_chain_downstream_low(struct nu_filter_chain *chain)
{
    nu_assert(chain->downstream_high > 0);
    if (--chain->downstream_high > 0)
        return;
    for (uint8_t i = 0; i < chain->config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->on_downstream_low)
            filter->cls->on_downstream_low(filter);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

static void init_half(struct nu_chain_half *half, uint32_t limit)
{
    memset(half, 0, sizeof(*half));
    half->limit = limit;
    half->calling = -1;
}

static struct nu_filter *make_instance(struct nu_filter_chain *chain, char *memory, uint8_t index)
{
    const struct nu_filter_entry *entry = &chain->config->entries[index];
    struct nu_filter *filter = (struct nu_filter *)(void *)memory;
    memset(memory, 0, entry->cls->instance_size);
    filter->cls = entry->cls;
    filter->config = entry->config;
    filter->chain = chain;
    filter->index = index;
    bool disabled = entry->disabled;
    filter->route_config = chain->ops->route_config(chain, entry, &disabled);
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
    chain->downstream_high = 0;
    chain->closed = false;
    init_half(&chain->half[NU_DECODE], buffer_limit);
    init_half(&chain->half[NU_ENCODE], buffer_limit);
    chain->filters = nu_arena_alloc(arena, config->count * sizeof(*chain->filters));
    char *memory = nu_arena_alloc(arena, config->instance_bytes);
    for (uint8_t i = 0; i < config->count; i++) {
        chain->filters[i] = make_instance(chain, memory, i);
        memory += nu_align_up(config->entries[i].cls->instance_size, 16);
    }
    for (uint8_t i = 0; i < config->count; i++) {
        if (chain->filters[i]->cls->open)
            chain->filters[i]->cls->open(chain->filters[i]);
    }
}

void nu_chain_log(struct nu_filter_chain *chain)
{
    for (uint8_t i = 0; i < chain->config->count; i++) {
        struct nu_filter *filter = chain->filters[i];
        if (filter->cls->log && !(filter->state[NU_DECODE] & DISABLED))
            filter->cls->log(filter);
    }
}

void nu_chain_close(struct nu_filter_chain *chain)
{
    if (chain->closed)
        return;
    chain->closed = true;
    for (uint8_t i = 0; i < chain->config->count; i++) {
        if (chain->filters[i]->cls->close)
            chain->filters[i]->cls->close(chain->filters[i]);
    }
    nu_buf_clear(&chain->half[NU_DECODE].buffered);
    nu_buf_clear(&chain->half[NU_ENCODE].buffered);
}

/* --- Services that work on the chain itself --------------------------------------------------- */

void nu_filter_continue_decoding(struct nu_filter *self)
{
    resume(self->chain, NU_DECODE, self);
}

void nu_filter_continue_encoding(struct nu_filter *self)
{
    resume(self->chain, NU_ENCODE, self);
}

static void add_data(struct nu_filter *self, enum nu_direction dir, struct nu_buf *data)
{
    struct nu_filter_chain *chain = self->chain;
    struct nu_chain_half *half = &chain->half[dir];
    int next = self->index + step_of(dir);
    if (is_over(chain, dir)) {
        nu_buf_clear(data);
    } else if (half->passing) {
        nu_buf_move_all(half->passing, data);
    } else if (half->in_trailers) {
        pass_data(chain, dir, next, data, false);
    } else {
        buffer_data(chain, dir, data, next, true);
    }
}

void nu_filter_add_decoded_data(struct nu_filter *self, struct nu_buf *data)
{
    add_data(self, NU_DECODE, data);
}

void nu_filter_add_encoded_data(struct nu_filter *self, struct nu_buf *data)
{
    add_data(self, NU_ENCODE, data);
}

static void inject_data(struct nu_filter *self, enum nu_direction dir, struct nu_buf *data,
                        bool end)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, dir)) {
        nu_buf_clear(data);
        return;
    }
    int next = self->index + step_of(dir);
    if (!(self->state[dir] & HEADERS_PASSED)) {
        self->state[dir] |= HEADERS_PASSED;
        bool ended = chain->half[dir].ended;
        chain->half[dir].ended = false;
        pass_headers(chain, dir, next);
        chain->half[dir].ended = ended;
    }
    if (!is_over(chain, dir))
        pass_data(chain, dir, next, data, end);
}

void nu_filter_inject_decoded_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    inject_data(self, NU_DECODE, data, end);
}

void nu_filter_inject_encoded_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    inject_data(self, NU_ENCODE, data, end);
}

static struct nu_headers *add_trailers(struct nu_filter *self, enum nu_direction dir)
{
    struct nu_chain_half *half = &self->chain->half[dir];
    if (!half->trailers) {
        half->trailers = nu_arena_alloc(self->chain->arena, sizeof(*half->trailers));
        nu_headers_init(half->trailers, self->chain->arena, 4);
    }
    return half->trailers;
}

struct nu_headers *nu_filter_add_decoded_trailers(struct nu_filter *self)
{
    return add_trailers(self, NU_DECODE);
}

struct nu_headers *nu_filter_add_encoded_trailers(struct nu_filter *self)
{
    return add_trailers(self, NU_ENCODE);
}
