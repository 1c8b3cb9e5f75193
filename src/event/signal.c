/* SPDX-License-Identifier: Apache-2.0 */
/* Signal events. */
#include "event/signal.h"

#include <event2/event.h>

#include "base/alloc.h"
#include "base/assert.h"

struct nu_signal {
    struct event *event; /* owned */
    void (*fn)(int number, void *arg);
    void *arg;
};

static void on_signal(int number, short what, void *arg)
{
    (void)what;
    struct nu_signal *sig = arg;
    sig->fn(number, sig->arg);
}

struct nu_signal *nu_signal_create(struct nu_loop *loop, int number,
                                   void (*fn)(int number, void *arg), void *arg)
{
    struct nu_signal *sig = nu_alloc(sizeof(*sig));
    sig->fn = fn;
    sig->arg = arg;
    sig->event = event_new(loop->base, number, EV_SIGNAL | EV_PERSIST, on_signal, sig);
    nu_assert(sig->event);
    event_add(sig->event, NULL);
    return sig;
}

void nu_signal_destroy(struct nu_signal **sig)
{
    if (!*sig)
        return;
    event_free((*sig)->event);
    nu_free(*sig);
    *sig = NULL;
}
