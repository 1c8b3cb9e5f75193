/* SPDX-License-Identifier: Apache-2.0 */
/* Inboxes: order, one message for many items, and what is left at the end. */
#include "harness/test.h"

#include "event/inbox.h"

enum { ITEMS = 3 };

struct note {
    struct nu_inbox_item item;
    int number;
};

static struct nu_inbox inbox;
static struct note notes[ITEMS];
static int told[2 * ITEMS];
static int told_count;
static int dropped;

static void on_note(struct nu_inbox *of, struct nu_inbox_item *item)
{
    assert_ptr_equal(of, &inbox);
    told[told_count++] = nu_container_of(item, struct note, item)->number;
}

static void on_note_and_send_again(struct nu_inbox *of, struct nu_inbox_item *item)
{
    on_note(of, item);
    if (told_count == 1)
        nu_inbox_send(of, item);
}

static void on_drop(struct nu_inbox *of, struct nu_inbox_item *item)
{
    (void)of;
    (void)item;
    dropped++;
}

static struct nu_loop *start(nu_inbox_fn *fn)
{
    struct nu_loop *loop = nu_loop_create();
    told_count = dropped = 0;
    nu_inbox_init(&inbox, loop, fn);
    for (int i = 0; i < ITEMS; i++) {
        notes[i].number = i;
        nu_inbox_send(&inbox, &notes[i].item);
    }
    return loop;
}

TEST(items_come_in_the_order_in_which_they_were_sent)
{
    struct nu_loop *loop = start(on_note);
    assert_int_equal(told_count, 0);
    nu_loop_run_once(loop);
    assert_int_equal(told_count, ITEMS);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(told[i], i);
    nu_inbox_finish(&inbox, on_drop);
    assert_int_equal(dropped, 0);
    nu_loop_destroy(&loop);
}

TEST(an_item_may_be_sent_from_its_own_call)
{
    struct nu_loop *loop = start(on_note_and_send_again);
    nu_loop_run_turn(loop, 0);
    nu_loop_run_turn(loop, 0);
    assert_int_equal(told_count, ITEMS + 1);
    assert_int_equal(told[ITEMS], 0);
    nu_inbox_finish(&inbox, on_drop);
    nu_loop_destroy(&loop);
}

TEST(what_nobody_looked_at_is_dropped)
{
    struct nu_loop *loop = start(on_note);
    nu_inbox_finish(&inbox, on_drop);
    assert_int_equal(dropped, ITEMS);
    assert_int_equal(told_count, 0);
    nu_loop_destroy(&loop);
}

TEST_MAIN()
