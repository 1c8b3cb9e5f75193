/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parts of a message travel through the filters. Both directions share one implementation:
 * a direction is an index into the state and a step of +1 (decode) or -1 (encode).
 *
 * A filter's state in a direction is one of continue, stopped (data still comes to it) and stopped
 * altogether (nothing comes). A part travels filter by filter until one stops it, and waits there:
 * headers and trailers by a bit of the filter's state, data in its `kept`. nu_chain_resume sends
 * them on.
 */
#include "filter/chain_internal.h"

/* --- Callbacks of one filter ------------------------------------------------------------------ */

static struct nu_chain_call enter(struct nu_chain_half *half, const struct nu_filter *filter,
                                  enum nu_filter_phase phase, struct nu_buf *data)
{
    struct nu_chain_call outer = half->call;
    half->call = (struct nu_chain_call){data, filter->index, (uint8_t)phase};
    return outer;
}

static enum nu_headers_status call_headers(struct nu_filter_chain *chain, enum nu_direction dir,
                                           struct nu_filter *filter, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_headers_status (*fn)(struct nu_filter *, struct nu_headers *, bool) =
        dir == NU_DECODE ? cls->decode_headers : cls->encode_headers;
    if (end)
        set_bit(filter, dir, TOLD_END);
    if (!fn || has_bit(filter, dir, DISABLED))
        return NU_HEADERS_CONTINUE;
    struct nu_chain_call outer = enter(half, filter, NU_PHASE_HEADERS, NULL);
    enum nu_headers_status status = fn(filter, half->headers, end);
    half->call = outer;
    return status;
}

static enum nu_data_status call_data(struct nu_filter_chain *chain, enum nu_direction dir,
                                     struct nu_filter *filter, struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_data_status (*fn)(struct nu_filter *, struct nu_buf *, bool) =
        dir == NU_DECODE ? cls->decode_data : cls->encode_data;
    if (end)
        set_bit(filter, dir, TOLD_END);
    if (!fn || has_bit(filter, dir, DISABLED))
        return NU_DATA_CONTINUE;
    struct nu_chain_call outer = enter(half, filter, NU_PHASE_DATA, data);
    enum nu_data_status status = fn(filter, data, end);
    half->call = outer;
    return status;
}

static enum nu_trailers_status call_trailers(struct nu_filter_chain *chain, enum nu_direction dir,
                                             struct nu_filter *filter)
{
    struct nu_chain_half *half = &chain->half[dir];
    const struct nu_filter_class *cls = filter->cls;
    enum nu_trailers_status (*fn)(struct nu_filter *, struct nu_headers *) =
        dir == NU_DECODE ? cls->decode_trailers : cls->encode_trailers;
    if (!fn || has_bit(filter, dir, DISABLED))
        return NU_TRAILERS_CONTINUE;
    struct nu_chain_call outer = enter(half, filter, NU_PHASE_TRAILERS, NULL);
    enum nu_trailers_status status = fn(filter, half->trailers);
    half->call = outer;
    return status;
}

/* --- Keeping ---------------------------------------------------------------------------------- */

static struct nu_chain_kept *kept_of(struct nu_chain_half *half, const struct nu_filter *filter)
{
    if (nu_likely(!half->kept_count))
        return NULL;
    struct nu_chain_kept *kept = &half->kept[filter->index];
    return kept->present ? kept : NULL;
}

void nu_chain_keep(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_filter *filter,
                   struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (!half->kept)
        half->kept = nu_arena_calloc(chain->arena, chain->config->count * sizeof(*half->kept));
    struct nu_chain_kept *kept = &half->kept[filter->index];
    if (!kept->present)
        half->kept_count++;
    kept->present = true;
    kept->end |= end;
    if (data)
        nu_buf_collect(&kept->data, data);
}

static struct nu_chain_kept take_kept(struct nu_chain_half *half, const struct nu_filter *filter)
{
    struct nu_chain_kept taken = {0};
    struct nu_chain_kept *kept = kept_of(half, filter);
    if (!kept)
        return taken;
    taken = *kept;
    *kept = (struct nu_chain_kept){0};
    half->kept_count--;
    return taken;
}

static size_t kept_bytes(const struct nu_filter_chain *chain, const struct nu_chain_half *half)
{
    size_t bytes = 0;
    for (uint8_t i = 0; half->kept_count && i < chain->config->count; i++)
        bytes += half->kept[i].data.len;
    return bytes;
}

static void fail_over_limit(struct nu_filter_chain *chain, enum nu_direction dir)
{
    chain->ops->on_too_large(chain, dir);
    bool request = dir == NU_DECODE;
    struct nu_reply reply = {
        .status = request ? 413 : 500,
        .body = request ? NU_STR("Payload Too Large") : NU_STR("Internal Server Error"),
        .details =
            request ? NU_STR("request_payload_too_large") : NU_STR("response_payload_too_large"),
        .grpc_status = -1,
    };
    nu_chain_answer(chain, &reply);
}

void nu_chain_check_limit(struct nu_filter_chain *chain, enum nu_direction dir, bool watermark)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (half->limit == 0 || kept_bytes(chain, half) <= half->limit)
        return;
    if (!watermark) {
        fail_over_limit(chain, dir);
        return;
    }
    if (half->over_limit)
        return;
    half->over_limit = true;
    if (dir == NU_DECODE)
        nu_chain_hold_request(chain);
    else
        nu_chain_downstream_high(chain);
}

static void release_sender(struct nu_filter_chain *chain, enum nu_direction dir)
{
    chain->half[dir].over_limit = false;
    if (dir == NU_DECODE)
        nu_chain_release_request(chain);
    else
        nu_chain_downstream_low(chain);
}

/* Like every buffer, it is free again at half of its limit. */
void nu_chain_settle_limit(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_chain_half *half = &chain->half[dir];
    if (nu_unlikely(half->over_limit) && kept_bytes(chain, half) <= half->limit / 2)
        release_sender(chain, dir);
}

void nu_chain_abort_half(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_chain_half *half = &chain->half[dir];
    half->aborted = true;
    if (nu_unlikely(half->over_limit))
        release_sender(chain, dir);
}

void nu_chain_drop_kept(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_chain_half *half = &chain->half[dir];
    for (uint8_t i = 0; nu_unlikely(half->kept_count) && i < chain->config->count; i++) {
        struct nu_chain_kept kept = take_kept(half, chain->filters[i]);
        nu_buf_clear(&kept.data);
    }
}

/* --- Passing parts on ------------------------------------------------------------------------- */

enum { NO_FILTER = -2 };

/* The first filter from `i` on, in the direction, that this part of a message visits. */
static int next_at(const struct nu_filter_chain *chain, enum nu_direction dir,
                   enum nu_filter_phase phase, int i)
{
    uint64_t at = chain->config->at[dir][phase];
    if (dir == NU_DECODE) {
        at = i < NU_FILTERS_MAX ? at & (UINT64_MAX << i) : 0;
        return at ? __builtin_ctzll(at) : chain->config->count;
    }
    at = i >= 0 ? at & (UINT64_MAX >> (NU_FILTERS_MAX - 1 - i)) : 0;
    return at ? NU_FILTERS_MAX - 1 - __builtin_clzll(at) : -1;
}

/*
 * What filters added while the headers passed follows them. The last one's comes first: it was
 * added before this filter could see what the others had added, of which the last has the end.
 */
static void pass_added(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_chain_half *half = &chain->half[dir];
    int i = dir == NU_DECODE ? chain->config->count - 1 : 0;
    for (; half->kept_count && is_inside(chain, i); i -= step_of(dir)) {
        struct nu_filter *filter = chain->filters[i];
        if (iteration_of(filter, dir) != CONTINUE)
            continue;
        struct nu_chain_kept kept = take_kept(half, filter);
        if (kept.present)
            nu_chain_pass_data(chain, dir, i + step_of(dir), &kept.data, kept.end);
        nu_buf_clear(&kept.data);
    }
}

/* Applies what a headers callback returned; false if the headers stop here. */
static bool go_on_after_headers(struct nu_filter *filter, enum nu_direction dir,
                                enum nu_headers_status status)
{
    if (nu_unlikely(has_bit(filter, dir, HEADERS_PUSHED))) {
        /* They went on before injected data; what the status says holds for the rest. */
        clear_bit(filter, dir, HEADERS_PUSHED);
        if (status != NU_HEADERS_STOP_ALL_AND_BUFFER && status != NU_HEADERS_STOP_ALL_AND_WATERMARK)
            status = NU_HEADERS_STOP;
    } else if (status != NU_HEADERS_CONTINUE && status != NU_HEADERS_CONTINUE_AND_DONT_END) {
        set_bit(filter, dir, HEADERS_KEPT);
    }
    switch (status) {
    case NU_HEADERS_STOP:
        set_iteration(filter, dir, STOPPED);
        return false;
    case NU_HEADERS_STOP_ALL_AND_BUFFER:
        set_iteration(filter, dir, STOPPED_ALL_BUFFER);
        return false;
    case NU_HEADERS_STOP_ALL_AND_WATERMARK:
        set_iteration(filter, dir, STOPPED_ALL_WATERMARK);
        return false;
    case NU_HEADERS_CONTINUE:
    case NU_HEADERS_CONTINUE_AND_DONT_END:
        break;
    }
    return true;
}

static inline void pass_headers(struct nu_filter_chain *chain, enum nu_direction dir, int i,
                                bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    for (i = next_at(chain, dir, NU_PHASE_HEADERS, i); is_inside(chain, i);
         i = next_at(chain, dir, NU_PHASE_HEADERS, i + step_of(dir))) {
        struct nu_filter *filter = chain->filters[i];
        enum nu_headers_status status = call_headers(chain, dir, filter, end);
        if (is_over(chain, dir))
            return;
        struct nu_chain_kept *added = kept_of(half, filter);
        if (nu_unlikely(added && status == NU_HEADERS_CONTINUE_AND_DONT_END))
            added->end = false;
        if (!go_on_after_headers(filter, dir, status)) {
            if (nu_unlikely(half->kept_count))
                pass_added(chain, dir);
            return;
        }
        if (added || status == NU_HEADERS_CONTINUE_AND_DONT_END)
            end = false;
    }
    half->headers_out = true;
    if (dir == NU_ENCODE)
        chain->ops->encode_headers(chain, half->headers, end);
    if (nu_unlikely(half->kept_count))
        pass_added(chain, dir);
}

/* Each direction has code of its own, in which the other's is left out. */
static void decode_headers(struct nu_filter_chain *chain, int i, bool end)
{
    pass_headers(chain, NU_DECODE, i, end);
}

static void encode_headers(struct nu_filter_chain *chain, int i, bool end)
{
    pass_headers(chain, NU_ENCODE, i, end);
}

void nu_chain_pass_headers(struct nu_filter_chain *chain, enum nu_direction dir, int i, bool end)
{
    if (dir == NU_DECODE)
        decode_headers(chain, i, end);
    else
        encode_headers(chain, i, end);
}

/* A filter that had stopped says continue: what it kept goes first, then `data`. */
static void resume_with_data(struct nu_filter_chain *chain, enum nu_direction dir,
                             struct nu_filter *filter, struct nu_buf *data, bool end)
{
    nu_chain_keep(chain, dir, filter, data, end);
    nu_chain_resume(chain, dir, filter);
}

/* Applies a status that stops data. */
static void stop_data(struct nu_filter_chain *chain, enum nu_direction dir,
                      struct nu_filter *filter, enum nu_data_status status, struct nu_buf *data,
                      bool end)
{
    set_iteration(filter, dir, STOPPED);
    if (status == NU_DATA_STOP_NO_BUFFER) {
        nu_buf_clear(data);
        /* The end alone waits here. Nothing comes behind the last filter of a request. */
        if (end && is_inside(chain, filter->index + (dir == NU_DECODE)))
            nu_chain_keep(chain, dir, filter, NULL, true);
        return;
    }
    nu_chain_keep(chain, dir, filter, data, end);
    nu_chain_check_limit(chain, dir, status == NU_DATA_STOP_AND_WATERMARK);
}

void nu_chain_pass_data(struct nu_filter_chain *chain, enum nu_direction dir, int i,
                        struct nu_buf *data, bool end)
{
    struct nu_chain_half *half = &chain->half[dir];
    int trailers_from = NO_FILTER;
    for (i = next_at(chain, dir, NU_PHASE_DATA, i); is_inside(chain, i);
         i = next_at(chain, dir, NU_PHASE_DATA, i + step_of(dir))) {
        struct nu_filter *filter = chain->filters[i];
        uint8_t iteration = iteration_of(filter, dir);
        if (nu_unlikely(stops_all(iteration))) {
            nu_chain_keep(chain, dir, filter, data, end);
            nu_chain_check_limit(chain, dir, iteration == STOPPED_ALL_WATERMARK);
            break;
        }
        enum nu_data_status status = call_data(chain, dir, filter, data, end);
        if (is_over(chain, dir))
            return;
        if (nu_unlikely(end && half->trailers)) {
            end = false; /* the callback added trailers, which now follow the data */
            trailers_from = i + step_of(dir);
        }
        if (nu_likely(status == NU_DATA_CONTINUE && iteration == CONTINUE))
            continue;
        if (trailers_from == i + step_of(dir)) {
            set_bit(filter, dir, TRAILERS_KEPT); /* its own, which wait for it */
            trailers_from = NO_FILTER;
        }
        if (status == NU_DATA_CONTINUE)
            resume_with_data(chain, dir, filter, data, end);
        else
            stop_data(chain, dir, filter, status, data, end);
        break;
    }
    if (dir == NU_ENCODE && !is_inside(chain, i))
        chain->ops->encode_data(chain, data, end);
    if (nu_unlikely(trailers_from != NO_FILTER) && !is_over(chain, dir))
        nu_chain_pass_trailers(chain, dir, trailers_from);
}

void nu_chain_pass_trailers(struct nu_filter_chain *chain, enum nu_direction dir, int i)
{
    struct nu_chain_half *half = &chain->half[dir];
    for (i = next_at(chain, dir, NU_PHASE_TRAILERS, i); is_inside(chain, i);
         i = next_at(chain, dir, NU_PHASE_TRAILERS, i + step_of(dir))) {
        struct nu_filter *filter = chain->filters[i];
        uint8_t iteration = iteration_of(filter, dir);
        if (stops_all(iteration)) {
            set_bit(filter, dir, TRAILERS_KEPT);
            return;
        }
        enum nu_trailers_status status = call_trailers(chain, dir, filter);
        if (is_over(chain, dir))
            return;
        if (nu_likely(status == NU_TRAILERS_CONTINUE && iteration == CONTINUE))
            continue;
        set_bit(filter, dir, TRAILERS_KEPT);
        if (status == NU_TRAILERS_STOP)
            set_iteration(filter, dir, STOPPED);
        else
            nu_chain_resume(chain, dir, filter);
        return;
    }
    if (dir == NU_ENCODE)
        chain->ops->encode_trailers(chain, half->trailers);
}

void nu_chain_resume(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_filter *filter)
{
    struct nu_chain_half *half = &chain->half[dir];
    uint8_t iteration = iteration_of(filter, dir);
    if (iteration == CONTINUE || is_over(chain, dir))
        return;
    int next = filter->index + step_of(dir);
    /* One that had stopped everything has not seen the data yet and is the first to get it. */
    int data_from = stops_all(iteration) ? filter->index : next;
    struct nu_chain_kept kept = take_kept(half, filter);
    bool ends = has_bit(filter, dir, TOLD_END) && !kept.present &&
                !has_bit(filter, dir, TRAILERS_KEPT | END_PASSED);
    set_iteration(filter, dir, CONTINUE);
    if (has_bit(filter, dir, HEADERS_KEPT)) {
        clear_bit(filter, dir, HEADERS_KEPT);
        nu_chain_pass_headers(chain, dir, next, ends);
    }
    nu_chain_settle_limit(chain, dir);
    if (kept.present && !is_over(chain, dir) && !has_bit(filter, dir, END_PASSED))
        nu_chain_pass_data(chain, dir, data_from, &kept.data, kept.end);
    nu_buf_clear(&kept.data);
    if (has_bit(filter, dir, TRAILERS_KEPT) && !has_bit(filter, dir, END_PASSED) &&
        !is_over(chain, dir)) {
        clear_bit(filter, dir, TRAILERS_KEPT);
        set_bit(filter, dir, END_PASSED);
        nu_chain_pass_trailers(chain, dir, data_from);
    }
}
