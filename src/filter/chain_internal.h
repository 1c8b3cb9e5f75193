/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the chain runner share: the state of a filter in one direction, and the passing
 * on of message parts (pass.c).
 */
#ifndef NU_FILTER_CHAIN_INTERNAL_H
#define NU_FILTER_CHAIN_INTERNAL_H

#include "filter/chain.h"

/* Bits of nu_filter.state[direction]. */
enum {
    ITERATION = 3, /* mask of the four below */
    CONTINUE = 0,
    STOPPED = 1, /* data still comes to the filter */
    STOPPED_ALL_BUFFER = 2,
    STOPPED_ALL_WATERMARK = 3,
    DISABLED = 4,        /* left out for this request */
    HEADERS_KEPT = 8,    /* the headers wait at this filter */
    TRAILERS_KEPT = 16,  /* the trailers wait at this filter */
    TOLD_END = 32,       /* the filter saw headers or data with the end */
    END_PASSED = 64,     /* the filter itself sent the end on: nothing more comes from it */
    HEADERS_PUSHED = 128 /* the filter injected data from its headers callback */
};

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
    filter->state[dir] = (uint8_t)((filter->state[dir] & ~ITERATION) | value);
}

static inline void set_bit(struct nu_filter *filter, enum nu_direction dir, uint8_t bit)
{
    filter->state[dir] |= bit;
}

static inline void clear_bit(struct nu_filter *filter, enum nu_direction dir, uint8_t bit)
{
    filter->state[dir] &= (uint8_t)~bit;
}

static inline bool has_bit(const struct nu_filter *filter, enum nu_direction dir, uint8_t bit)
{
    return filter->state[dir] & bit;
}

static inline bool is_disabled(const struct nu_filter *filter)
{
    return has_bit(filter, NU_DECODE, DISABLED);
}

static inline bool stops_all(uint8_t iteration)
{
    return iteration >= STOPPED_ALL_BUFFER;
}

static inline bool is_over(const struct nu_filter_chain *chain, enum nu_direction dir)
{
    return chain->half[dir].aborted;
}

/* Sends a part on, from the filter at `i` to the end of the chain or the first that stops it. Where
 * data is not taken it is left in `data`. */
void nu_chain_pass_headers(struct nu_filter_chain *chain, enum nu_direction dir, int i, bool end);
void nu_chain_pass_data(struct nu_filter_chain *chain, enum nu_direction dir, int i,
                        struct nu_buf *data, bool end);
void nu_chain_pass_trailers(struct nu_filter_chain *chain, enum nu_direction dir, int i);
/* Sends everything on that waits at `filter`. */
void nu_chain_resume(struct nu_filter_chain *chain, enum nu_direction dir,
                     struct nu_filter *filter);

/* Keeps `data` at a filter. */
void nu_chain_keep(struct nu_filter_chain *chain, enum nu_direction dir, struct nu_filter *filter,
                   struct nu_buf *data, bool end);
/* What is kept is compared with the limit: too much holds the sender back, or fails the message. */
void nu_chain_check_limit(struct nu_filter_chain *chain, enum nu_direction dir, bool watermark);
/* Lets the sender go when little enough is kept. */
void nu_chain_settle_limit(struct nu_filter_chain *chain, enum nu_direction dir);
/* Nothing passes any more and the sender is let go. What is kept stays for its filter to read. */
void nu_chain_abort_half(struct nu_filter_chain *chain, enum nu_direction dir);
void nu_chain_drop_kept(struct nu_filter_chain *chain, enum nu_direction dir);

/* A local reply; or, where a response is on its way to the client already, the stream's end, of which
 * the log tells the same details. */
void nu_chain_answer(struct nu_filter_chain *chain, const struct nu_reply *reply);

/* The filter timer whose link stands in chain->timers. */
struct nu_filter_timer *nu_filter_timer_of_link(struct nu_list *link);

#endif
