/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends calls of guests that take too much CPU time. One thread looks, a few times within the
 * shortest limit, at every watched instance; an instance's own thread pays two writes of a word
 * that nobody else writes.
 *
 * The time is that of the thread which runs the guest, so a busy machine ends no call. A call ends
 * between one limit and two.
 */
#ifndef NU_WASM_WATCHDOG_H
#define NU_WASM_WATCHDOG_H

#include <stdatomic.h>
#include <time.h>

#include "base/list.h"
#include "wasm/engine.h"

/* Embedded in what owns the instance. */
struct nu_wasm_watch {
    const struct nu_wasm_engine *engine;
    struct nu_wasm_instance *instance;
    uint64_t first_limit_ns;   /* how often calls are looked at goes by it */
    _Atomic uint64_t limit_ns; /* the instance's thread's */
    /* The call's number, and in the two lowest bits what is the matter with it (watchdog.c). */
    _Atomic uint64_t state;
    uint64_t calls; /* the number of the last call, times 4; the instance's thread's */
    /* The watchdog's, under its lock. */
    struct nu_list link;
    clockid_t clock;
    uint64_t seen;
    uint64_t seen_at_ns;
};

/* Begins to watch the instance, which must be the calling thread's. */
void nu_wasm_watch_start(struct nu_wasm_watch *watch, const struct nu_wasm_engine *engine,
                         struct nu_wasm_instance *instance, uint64_t limit_ns);
/* Another limit, for calls from the next one on. How often calls are looked at goes by the first
 * one: a shorter limit may end a call later. */
void nu_wasm_watch_limit(struct nu_wasm_watch *watch, uint64_t limit_ns);
/* Before the instance is destroyed; no call may run. */
void nu_wasm_watch_stop(struct nu_wasm_watch *watch);

/* Around an outermost call. `leave` says whether the call was left in peace; if not, the instance
 * may have been terminated at any point of it. */
void nu_wasm_watch_enter(struct nu_wasm_watch *watch);
NU_MUST_USE bool nu_wasm_watch_leave(struct nu_wasm_watch *watch);

/* How many calls there were, the present one included. Any thread. */
static inline uint64_t nu_wasm_watch_calls(const struct nu_wasm_watch *watch)
{
    return atomic_load_explicit(&watch->state, memory_order_relaxed) >> 2;
}

#endif
