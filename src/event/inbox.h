/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An inbox: things that other threads leave for one thread, whose owner can be asked for what is
 * still in it when that thread looks no more. A message of its own for each thing (nu_loop_post)
 * would be lost with the loop, and what it owns with it.
 */
#ifndef NU_EVENT_INBOX_H
#define NU_EVENT_INBOX_H

#include "event/loop.h"

/* Embedded in what is left there. */
struct nu_inbox_item {
    struct nu_inbox_item *next; /* private */
};

struct nu_inbox;

/* Takes over an item. */
typedef void nu_inbox_fn(struct nu_inbox *inbox, struct nu_inbox_item *item);

/* Embedded in its owner; all private. */
struct nu_inbox {
    struct nu_loop *loop;                 /* borrowed: of the thread that looks */
    struct nu_task task;                  /* on its way while there are items */
    _Atomic(struct nu_inbox_item *) head; /* newest first */
    nu_inbox_fn *fn;
};

/* `fn` is called in the loop's thread for each item, in the order in which they came. */
void nu_inbox_init(struct nu_inbox *inbox, struct nu_loop *loop, nu_inbox_fn *fn);
/* Any thread. */
void nu_inbox_send(struct nu_inbox *inbox, struct nu_inbox_item *item);
/* Gives what is left to `drop`. The loop's thread, when nobody sends and the loop does not run any
 * more. */
void nu_inbox_finish(struct nu_inbox *inbox, nu_inbox_fn *drop);

#endif
