/* SPDX-License-Identifier: Apache-2.0 */
/* Signals delivered as callbacks of a loop: the main one, since libevent serves one loop a
 * process. */
#ifndef NU_EVENT_SIGNAL_H
#define NU_EVENT_SIGNAL_H

#include "event/loop.h"

struct nu_signal;

/* Calls fn(number, arg) on the loop's thread for each `number` received. The caller destroys it. */
struct nu_signal *nu_signal_create(struct nu_loop *loop, int number,
                                   void (*fn)(int number, void *arg), void *arg);
void nu_signal_destroy(struct nu_signal **signal);

#endif
