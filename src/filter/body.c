/* SPDX-License-Identifier: Apache-2.0 */
/* The services of nuncio/filter.h that change how a message goes on. */
#include "base/log.h"
#include "filter/chain_internal.h"

/* A mistake of a filter that nuncio can live with, but its author should hear of. */
static void blame(const struct nu_filter *self, const char *what)
{
    nu_log(NU_LOG_FILTER, NU_LOG_ERROR, "[%s] %s", self->cls->name, what);
}

static bool is_calling(const struct nu_filter *self, enum nu_direction dir)
{
    return self->chain->half[dir].call.filter == self->index;
}

/* --- Going on --------------------------------------------------------------------------------- */

static void go_on(struct nu_filter *self, enum nu_direction dir)
{
    if (is_calling(self, dir))
        blame(self, "continues from inside its own callback; it should return CONTINUE");
    else
        nu_chain_resume(self->chain, dir, self);
}

void nu_filter_continue_decoding(struct nu_filter *self)
{
    go_on(self, NU_DECODE);
}

void nu_filter_continue_encoding(struct nu_filter *self)
{
    go_on(self, NU_ENCODE);
}

/* --- Data ------------------------------------------------------------------------------------- */

static struct nu_buf *kept_data(const struct nu_filter *self, enum nu_direction dir)
{
    struct nu_chain_half *half = &self->chain->half[dir];
    return half->kept_count && half->kept[self->index].present ? &half->kept[self->index].data
                                                               : NULL;
}

struct nu_buf *nu_filter_decoding_buffer(struct nu_filter *self)
{
    return kept_data(self, NU_DECODE);
}

struct nu_buf *nu_filter_encoding_buffer(struct nu_filter *self)
{
    return kept_data(self, NU_ENCODE);
}

bool nu_chain_measure_kept(struct nu_filter *self, enum nu_direction dir)
{
    struct nu_filter_chain *chain = self->chain;
    if (is_over(chain, dir))
        return true;
    /* Where a filter holds the sender, more than the limit may be kept. */
    nu_chain_check_limit(chain, dir, chain->half[dir].over_limit);
    if (is_over(chain, dir))
        return false;
    nu_chain_settle_limit(chain, dir);
    return true;
}

/* Outside of the filter's callbacks: behind what it keeps. */
static void add_later(struct nu_filter *self, enum nu_direction dir, struct nu_buf *data)
{
    struct nu_filter_chain *chain = self->chain;
    if (iteration_of(self, dir) == CONTINUE) {
        blame(self, "adds data to a message that it has not stopped");
        nu_buf_clear(data);
        return;
    }
    bool end = has_bit(self, dir, TOLD_END);
    nu_chain_keep(chain, dir, self, data, end);
    nu_chain_check_limit(chain, dir, true);
}

static void add_data(struct nu_filter *self, enum nu_direction dir, struct nu_buf *data)
{
    struct nu_filter_chain *chain = self->chain;
    enum nu_filter_phase phase =
        is_calling(self, dir) ? chain->half[dir].call.phase : NU_PHASE_NONE;
    if (is_over(chain, dir)) {
        nu_buf_clear(data);
        return;
    }
    switch (phase) {
    case NU_PHASE_HEADERS:
        nu_chain_keep(chain, dir, self, data, has_bit(self, dir, TOLD_END));
        return;
    case NU_PHASE_DATA:
        nu_buf_move_all(chain->half[dir].call.data, data);
        return;
    case NU_PHASE_TRAILERS:
        if (iteration_of(self, dir) == CONTINUE)
            nu_chain_pass_data(chain, dir, self->index + step_of(dir), data, false);
        else
            nu_chain_keep(chain, dir, self, data, false);
        nu_buf_clear(data);
        return;
    case NU_PHASE_NONE:
    case NU_PHASE_COUNT:
        break;
    }
    add_later(self, dir, data);
}

void nu_filter_add_decoded_data(struct nu_filter *self, struct nu_buf *data)
{
    add_data(self, NU_DECODE, data);
}

void nu_filter_add_encoded_data(struct nu_filter *self, struct nu_buf *data)
{
    add_data(self, NU_ENCODE, data);
}

/* The headers go first: they wait here, or are just being looked at. */
static void push_headers(struct nu_filter *self, enum nu_direction dir)
{
    struct nu_filter_chain *chain = self->chain;
    bool looking = is_calling(self, dir) && chain->half[dir].call.phase == NU_PHASE_HEADERS;
    if (looking ? has_bit(self, dir, HEADERS_PUSHED) : !has_bit(self, dir, HEADERS_KEPT))
        return;
    clear_bit(self, dir, HEADERS_KEPT);
    if (looking)
        set_bit(self, dir, HEADERS_PUSHED);
    nu_chain_pass_headers(chain, dir, self->index + step_of(dir), false);
}

static void inject_data(struct nu_filter *self, enum nu_direction dir, struct nu_buf *data,
                        bool end)
{
    struct nu_filter_chain *chain = self->chain;
    if (!is_over(chain, dir) && !has_bit(self, dir, END_PASSED)) {
        push_headers(self, dir);
        if (end)
            set_bit(self, dir, END_PASSED);
        if (!is_over(chain, dir))
            nu_chain_pass_data(chain, dir, self->index + step_of(dir), data, end);
        nu_chain_settle_limit(chain, dir);
    }
    nu_buf_clear(data);
}

void nu_filter_inject_decoded_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    inject_data(self, NU_DECODE, data, end);
}

void nu_filter_inject_encoded_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    inject_data(self, NU_ENCODE, data, end);
}

static void clear_buffer(void *obj)
{
    nu_buf_clear(obj);
}

struct nu_buf *nu_filter_buffer(struct nu_filter *self)
{
    struct nu_buf *buf = nu_arena_alloc(self->chain->arena, sizeof(*buf));
    nu_buf_init(buf);
    nu_arena_on_free(self->chain->arena, clear_buffer, buf);
    return buf;
}

/* --- Trailers --------------------------------------------------------------------------------- */

static struct nu_headers *add_trailers(struct nu_filter *self, enum nu_direction dir)
{
    struct nu_chain_half *half = &self->chain->half[dir];
    bool at_end =
        is_calling(self, dir) && half->call.phase == NU_PHASE_DATA && has_bit(self, dir, TOLD_END);
    if (!at_end)
        return NULL;
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

/* --- Flow control ----------------------------------------------------------------------------- */

void nu_filter_hold_request(struct nu_filter *self)
{
    if (!is_over(self->chain, NU_DECODE))
        nu_chain_hold_request(self->chain);
}

void nu_filter_release_request(struct nu_filter *self)
{
    nu_chain_release_request(self->chain);
}

void nu_filter_hold_response(struct nu_filter *self)
{
    if (!is_over(self->chain, NU_ENCODE))
        nu_chain_downstream_high(self->chain);
}

void nu_filter_release_response(struct nu_filter *self)
{
    nu_chain_downstream_low(self->chain);
}
