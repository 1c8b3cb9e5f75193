/* SPDX-License-Identifier: Apache-2.0 */
/* Inboxes: a stack without locks; whoever finds it empty sends the one message. */
#include "event/inbox.h"

#include <stdatomic.h>

/* All items, oldest first. From here on the message may be sent again. */
static struct nu_inbox_item *take_all(struct nu_inbox *inbox)
{
    struct nu_inbox_item *newest =
        atomic_exchange_explicit(&inbox->head, NULL, memory_order_acq_rel);
    struct nu_inbox_item *oldest = NULL;
    while (newest) {
        struct nu_inbox_item *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void give_all(struct nu_inbox *inbox, nu_inbox_fn *fn)
{
    struct nu_inbox_item *item = take_all(inbox);
    while (item) {
        struct nu_inbox_item *next = item->next;
        fn(inbox, item);
        item = next;
    }
}

static void on_task(struct nu_task *task)
{
    struct nu_inbox *inbox = nu_container_of(task, struct nu_inbox, task);
    give_all(inbox, inbox->fn);
}

void nu_inbox_init(struct nu_inbox *inbox, struct nu_loop *loop, nu_inbox_fn *fn)
{
    *inbox = (struct nu_inbox){.loop = loop, .task = {.fn = on_task}, .fn = fn};
}

void nu_inbox_send(struct nu_inbox *inbox, struct nu_inbox_item *item)
{
    struct nu_inbox_item *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    do {
        item->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->head, &head, item, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (!head)
        nu_loop_post(inbox->loop, &inbox->task);
}

void nu_inbox_finish(struct nu_inbox *inbox, nu_inbox_fn *drop)
{
    give_all(inbox, drop);
}
