/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that statistics are made of, as one thread keeps them. A value lies in a block
 * (stats/stats.h) that only its thread writes, so a change is a plain load, an addition and a
 * store, without a lock prefix; whoever renders reads the blocks of all threads with relaxed loads
 * and sums. All of it starts as zeroed memory, which means "nothing happened yet".
 */
#ifndef NU_STATS_VALUE_H
#define NU_STATS_VALUE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/str.h"

/* Only grows. It counts as used once it was increased. */
struct nu_counter {
    _Atomic uint64_t value;
};

/* Goes up and down: a thread's part may be negative, what is shown is the sum of the parts. */
struct nu_gauge {
    _Atomic int64_t value;
    _Atomic uint32_t touched; /* it was set or changed, be it to 0 */
};

/* A text, written and read by the main thread alone. */
struct nu_text {
    char *value; /* owned by the block; NULL is the empty text */
};

static inline void nu_counter_add(struct nu_counter *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + n, memory_order_relaxed);
}

static inline void nu_counter_inc(struct nu_counter *counter)
{
    nu_counter_add(counter, 1);
}

/* This thread's part of a counter. */
static inline uint64_t nu_counter_get(const struct nu_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static inline void nu_gauge_set(struct nu_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
    atomic_store_explicit(&gauge->touched, 1, memory_order_relaxed);
}

static inline void nu_gauge_add(struct nu_gauge *gauge, int64_t n)
{
    nu_gauge_set(gauge, atomic_load_explicit(&gauge->value, memory_order_relaxed) + n);
}

static inline void nu_gauge_inc(struct nu_gauge *gauge)
{
    nu_gauge_add(gauge, 1);
}

static inline void nu_gauge_dec(struct nu_gauge *gauge)
{
    nu_gauge_add(gauge, -1);
}

/* This thread's part of a gauge. */
static inline int64_t nu_gauge_get(const struct nu_gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

/* Sets a text; the bytes are copied. Main thread. */
void nu_text_set(struct nu_text *text, struct nu_str value);

/*
 * A family of counters by HTTP status: one per code from 100 to 599, one per class (2xx), and one
 * for every other number. They come into being when they are first counted, some codes at a time.
 */
enum { NU_CODE_CLASSES = 5, NU_CODES_OF_CLASS = 100, NU_CODES_OF_RUN = 8 };

struct nu_code_run {
    struct nu_counter codes[NU_CODES_OF_RUN];
};

struct nu_code_class {
    struct nu_counter total;
    _Atomic(struct nu_code_run *) runs[(NU_CODES_OF_CLASS - 1) / NU_CODES_OF_RUN + 1];
};

struct nu_codes {
    _Atomic(struct nu_code_class *) classes[NU_CODE_CLASSES]; /* owned by the block */
    struct nu_counter unknown;
};

void nu_codes_inc_slow(struct nu_codes *codes, unsigned status);

/* Counts a response: its code and its class. */
static inline void nu_codes_inc(struct nu_codes *codes, unsigned status)
{
    unsigned hundred = status / NU_CODES_OF_CLASS - 1; /* wraps to a large number below 100 */
    unsigned code = status % NU_CODES_OF_CLASS;
    struct nu_code_class *of_class = NULL;
    struct nu_code_run *run = NULL;
    if (nu_likely(hundred < NU_CODE_CLASSES))
        of_class = atomic_load_explicit(&codes->classes[hundred], memory_order_relaxed);
    if (nu_likely(of_class != NULL))
        run = atomic_load_explicit(&of_class->runs[code / NU_CODES_OF_RUN], memory_order_relaxed);
    if (nu_unlikely(run == NULL)) {
        nu_codes_inc_slow(codes, status);
        return;
    }
    nu_counter_inc(&run->codes[code % NU_CODES_OF_RUN]);
    nu_counter_inc(&of_class->total);
}

#endif
