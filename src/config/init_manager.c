/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list holds what is still waited for, so that ready means empty. Any target may leave its list
 * while others are being started, so the start takes them one by one from a list of its own.
 */
#include "config/init_manager.h"

#include "base/assert.h"

void nu_init_manager_init(struct nu_init_manager *manager, const char *name)
{
    *manager = (struct nu_init_manager){.name = name};
    nu_list_init(&manager->pending);
}

void nu_init_manager_finish(struct nu_init_manager *manager)
{
    struct nu_init_target *target;
    nu_list_for_each(target, &manager->pending, struct nu_init_target, link)
    {
        nu_list_remove(&target->link);
        target->manager = NULL;
    }
    manager->state = NU_INIT_READY;
}

void nu_init_target_init(struct nu_init_target *target, const char *name,
                         void (*start)(struct nu_init_target *target))
{
    *target = (struct nu_init_target){.name = name, .start = start};
    nu_list_init(&target->link);
}

static void start_target(struct nu_init_target *target)
{
    target->state = NU_INIT_STARTED;
    target->start(target);
}

void nu_init_manager_add(struct nu_init_manager *manager, struct nu_init_target *target)
{
    nu_assert(manager->state != NU_INIT_READY);
    if (target->state == NU_INIT_READY)
        return;
    target->manager = manager;
    nu_list_add_last(&manager->pending, &target->link);
    if (manager->state == NU_INIT_STARTED)
        start_target(target);
}

static void check_ready(struct nu_init_manager *manager)
{
    if (manager->state != NU_INIT_STARTED || !nu_list_is_empty(&manager->pending))
        return;
    manager->state = NU_INIT_READY;
    manager->on_ready(manager);
}

void nu_init_manager_start(struct nu_init_manager *manager,
                           void (*on_ready)(struct nu_init_manager *manager))
{
    struct nu_init_target hold;
    struct nu_list idle;
    nu_assert(manager->state == NU_INIT_IDLE);
    manager->state = NU_INIT_STARTED;
    manager->on_ready = on_ready;
    nu_list_init(&idle);
    nu_list_move_all(&idle, &manager->pending);
    /* Keeps the list from running empty between two targets that are ready at once. */
    nu_init_target_init(&hold, "start", NULL);
    hold.state = NU_INIT_STARTED;
    hold.manager = manager;
    nu_list_add_last(&manager->pending, &hold.link);
    while (!nu_list_is_empty(&idle)) {
        struct nu_init_target *target = nu_list_first(&idle, struct nu_init_target, link);
        nu_list_remove(&target->link);
        nu_list_add_last(&manager->pending, &target->link);
        start_target(target);
    }
    nu_init_target_ready(&hold);
}

void nu_init_target_ready(struct nu_init_target *target)
{
    struct nu_init_manager *manager = target->manager;
    if (target->state == NU_INIT_READY)
        return;
    target->state = NU_INIT_READY;
    target->manager = NULL;
    nu_list_remove(&target->link);
    if (manager)
        check_ready(manager);
}

void nu_init_target_finish(struct nu_init_target *target)
{
    nu_init_target_ready(target);
}
