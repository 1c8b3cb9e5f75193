/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a watch, which decides who gets there first at the end of a call:
 *
 *     IDLE --enter--> RUNNING --leave--> IDLE
 *                        |
 *                        +--watchdog--> ENDING --terminate was called--> ENDED --leave--> IDLE
 *
 * The thread sleeps while nothing is watched. Once begun it lives as long as the process.
 */
#include "wasm/watchdog.h"

#include <pthread.h>
#include <sched.h>

#include "base/assert.h"
#include "base/thread.h"

enum {
    IDLE,
    RUNNING,
    ENDING,
    ENDED,
    STATE_MASK = 3,
    LOOKS_PER_LIMIT = 4,
};
static const uint64_t longest_pause_ns = 250 * 1000 * 1000;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct nu_list watches;
    bool running;
} dog = {.lock = PTHREAD_MUTEX_INITIALIZER,
         .changed = PTHREAD_COND_INITIALIZER,
         .watches = {&dog.watches, &dog.watches}};

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now = {0};
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- The watchdog's thread -------------------------------------------------------------------- */

static void look_at(struct nu_wasm_watch *watch)
{
    uint64_t state = atomic_load_explicit(&watch->state, memory_order_acquire);
    if ((state & STATE_MASK) != RUNNING)
        return;
    uint64_t now = read_ns(watch->clock);
    if (state != watch->seen) {
        watch->seen = state;
        watch->seen_at_ns = now;
        return;
    }
    /* Of this call, or it is over and the exchange fails. */
    if (now < watch->seen_at_ns + atomic_load_explicit(&watch->limit_ns, memory_order_relaxed))
        return;
    uint64_t call = state & ~(uint64_t)STATE_MASK;
    if (!atomic_compare_exchange_strong(&watch->state, &state, call | ENDING))
        return;
    watch->engine->terminate(watch->instance);
    atomic_store_explicit(&watch->state, call | ENDED, memory_order_release);
}

/* Until when to sleep: a part of the shortest limit. */
static struct timespec next_look(void)
{
    uint64_t pause = longest_pause_ns;
    struct nu_wasm_watch *watch;
    nu_list_for_each(watch, &dog.watches, struct nu_wasm_watch, link)
    {
        if (watch->first_limit_ns / LOOKS_PER_LIMIT < pause)
            pause = watch->first_limit_ns / LOOKS_PER_LIMIT;
    }
    uint64_t at = read_ns(CLOCK_REALTIME) + pause + 1000000;
    return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

static NU_NORETURN void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&dog.lock);
    for (;;) {
        struct nu_wasm_watch *watch;
        nu_list_for_each(watch, &dog.watches, struct nu_wasm_watch, link) look_at(watch);
        struct timespec until = next_look();
        if (nu_list_is_empty(&dog.watches))
            pthread_cond_wait(&dog.changed, &dog.lock);
        else
            pthread_cond_timedwait(&dog.changed, &dog.lock, &until);
    }
}

/* Under the lock. */
static void start_thread(void)
{
    pthread_t thread;
    int error = nu_thread_start(&thread, run, NULL);
    nu_assert(error == 0);
    pthread_detach(thread);
    dog.running = true;
}

/* --- What is watched -------------------------------------------------------------------------- */

void nu_wasm_watch_start(struct nu_wasm_watch *watch, const struct nu_wasm_engine *engine,
                         struct nu_wasm_instance *instance, uint64_t limit_ns)
{
    *watch = (struct nu_wasm_watch){
        .engine = engine, .instance = instance, .first_limit_ns = limit_ns, .limit_ns = limit_ns};
    int clock_error = pthread_getcpuclockid(pthread_self(), &watch->clock);
    nu_assert(clock_error == 0);
    pthread_mutex_lock(&dog.lock);
    nu_list_add_last(&dog.watches, &watch->link);
    if (!dog.running)
        start_thread();
    pthread_cond_signal(&dog.changed); /* its limit may be shorter than the others' */
    pthread_mutex_unlock(&dog.lock);
}

void nu_wasm_watch_stop(struct nu_wasm_watch *watch)
{
    pthread_mutex_lock(&dog.lock);
    nu_list_remove(&watch->link);
    pthread_mutex_unlock(&dog.lock);
}

void nu_wasm_watch_limit(struct nu_wasm_watch *watch, uint64_t limit_ns)
{
    atomic_store_explicit(&watch->limit_ns, limit_ns, memory_order_relaxed);
}

void nu_wasm_watch_enter(struct nu_wasm_watch *watch)
{
    watch->calls += STATE_MASK + 1;
    atomic_store_explicit(&watch->state, watch->calls | RUNNING, memory_order_release);
}

bool nu_wasm_watch_leave(struct nu_wasm_watch *watch)
{
    uint64_t state = watch->calls | RUNNING;
    if (atomic_compare_exchange_strong(&watch->state, &state, watch->calls | IDLE))
        return true;
    while (atomic_load_explicit(&watch->state, memory_order_acquire) != (watch->calls | ENDED))
        sched_yield();
    watch->engine->cancel_terminate(watch->instance);
    return false;
}
