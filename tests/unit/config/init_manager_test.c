/* SPDX-License-Identifier: Apache-2.0 */
/* Init targets: the watcher hears once, when the last of them is ready. */
#include "harness/test.h"

#include "config/init_manager.h"

static int ready_count;
static int start_count;
static struct nu_init_target late;

static void on_ready(struct nu_init_manager *manager)
{
    assert_int_equal(manager->state, NU_INIT_READY);
    ready_count++;
}

static void start_slowly(struct nu_init_target *target)
{
    (void)target;
    start_count++;
}

static void start_at_once(struct nu_init_target *target)
{
    start_count++;
    nu_init_target_ready(target);
}

static void start_and_add_another(struct nu_init_target *target)
{
    start_count++;
    nu_init_manager_add(target->manager, &late);
    nu_init_target_ready(target);
}

static void reset(struct nu_init_manager *manager)
{
    ready_count = 0;
    start_count = 0;
    nu_init_manager_init(manager, "test");
}

TEST(without_targets_all_is_ready_at_once)
{
    struct nu_init_manager manager;
    reset(&manager);
    nu_init_manager_start(&manager, on_ready);
    assert_int_equal(ready_count, 1);
}

TEST(the_watcher_waits_for_the_last_target)
{
    struct nu_init_manager manager;
    struct nu_init_target a, b, c;
    reset(&manager);
    nu_init_target_init(&a, "a", start_slowly);
    nu_init_target_init(&b, "b", start_at_once);
    nu_init_target_init(&c, "c", start_slowly);
    nu_init_manager_add(&manager, &a);
    nu_init_manager_add(&manager, &b);
    nu_init_manager_add(&manager, &c);
    assert_int_equal(start_count, 0);
    nu_init_manager_start(&manager, on_ready);
    assert_int_equal(start_count, 3);
    assert_int_equal(ready_count, 0);
    nu_init_target_ready(&c);
    nu_init_target_ready(&c);
    assert_int_equal(ready_count, 0);
    nu_init_target_ready(&a);
    assert_int_equal(ready_count, 1);
    nu_init_target_ready(&a);
    assert_int_equal(ready_count, 1);
}

TEST(targets_that_are_ready_at_once_do_not_end_the_wait_early)
{
    struct nu_init_manager manager;
    struct nu_init_target a, b;
    reset(&manager);
    nu_init_target_init(&a, "a", start_at_once);
    nu_init_target_init(&b, "b", start_at_once);
    nu_init_manager_add(&manager, &a);
    nu_init_manager_add(&manager, &b);
    nu_init_manager_start(&manager, on_ready);
    assert_int_equal(start_count, 2);
    assert_int_equal(ready_count, 1);
}

TEST(a_target_added_during_the_wait_is_started_and_waited_for)
{
    struct nu_init_manager manager;
    struct nu_init_target a;
    reset(&manager);
    nu_init_target_init(&a, "a", start_and_add_another);
    nu_init_target_init(&late, "late", start_slowly);
    nu_init_manager_add(&manager, &a);
    nu_init_manager_start(&manager, on_ready);
    assert_int_equal(start_count, 2);
    assert_int_equal(ready_count, 0);
    nu_init_target_ready(&late);
    assert_int_equal(ready_count, 1);
}

TEST(a_target_ready_before_the_start_is_not_waited_for)
{
    struct nu_init_manager manager;
    struct nu_init_target a, b;
    reset(&manager);
    nu_init_target_init(&a, "a", start_slowly);
    nu_init_target_init(&b, "b", start_slowly);
    nu_init_manager_add(&manager, &a);
    nu_init_target_ready(&a);
    nu_init_target_ready(&b);
    nu_init_manager_add(&manager, &b);
    nu_init_manager_start(&manager, on_ready);
    assert_int_equal(start_count, 0);
    assert_int_equal(ready_count, 1);
}

TEST(a_target_that_goes_away_is_as_ready)
{
    struct nu_init_manager manager;
    struct nu_init_target a;
    reset(&manager);
    nu_init_target_init(&a, "a", start_slowly);
    nu_init_manager_add(&manager, &a);
    nu_init_manager_start(&manager, on_ready);
    nu_init_target_finish(&a);
    assert_int_equal(ready_count, 1);
}

TEST(a_manager_that_goes_away_is_silent)
{
    struct nu_init_manager manager;
    struct nu_init_target a;
    reset(&manager);
    nu_init_target_init(&a, "a", start_slowly);
    nu_init_manager_add(&manager, &a);
    nu_init_manager_start(&manager, on_ready);
    nu_init_manager_finish(&manager);
    nu_init_target_ready(&a);
    assert_int_equal(ready_count, 0);
}

TEST_MAIN()
