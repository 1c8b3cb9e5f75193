/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for what must be ready before traffic may come: clusters with resolved names, fetched
 * routes. Whoever has such a thing owns an init target and adds it to a manager; the manager starts
 * all of them and says once when every one is ready. A target that waits for others has a manager
 * of its own. There are no timers here: a target that gives up calls itself ready. Main thread.
 */
#ifndef NU_CONFIG_INIT_MANAGER_H
#define NU_CONFIG_INIT_MANAGER_H

#include "base/list.h"

struct nu_init_manager;

enum nu_init_state {
    NU_INIT_IDLE,
    NU_INIT_STARTED,
    NU_INIT_READY,
};

/* A member of the object that must become ready. */
struct nu_init_target {
    struct nu_list link; /* private: in the manager's list while not ready */
    const char *name;    /* borrowed */
    struct nu_init_manager *manager;
    enum nu_init_state state;
    /* Begins the work; may call nu_init_target_ready at once. */
    void (*start)(struct nu_init_target *target);
};

struct nu_init_manager {
    const char *name;       /* borrowed */
    struct nu_list pending; /* targets that are not ready */
    enum nu_init_state state;
    void (*on_ready)(struct nu_init_manager *manager); /* the watcher */
};

void nu_init_manager_init(struct nu_init_manager *manager, const char *name);
/* Lets go of all targets; the watcher is not called. */
void nu_init_manager_finish(struct nu_init_manager *manager);

void nu_init_target_init(struct nu_init_target *target, const char *name,
                         void (*start)(struct nu_init_target *target));
/*
 * Adds a target, which stays its owner's. Before the start it waits for it; while others are being
 * waited for it is started at once; after that it may not be added any more.
 */
void nu_init_manager_add(struct nu_init_manager *manager, struct nu_init_target *target);

/* Starts all targets. `on_ready` is called once, when all are ready, perhaps before this
 * returns. */
void nu_init_manager_start(struct nu_init_manager *manager,
                           void (*on_ready)(struct nu_init_manager *manager));

/* The target needs no more waiting; further calls do nothing. May call the watcher. */
void nu_init_target_ready(struct nu_init_target *target);
/* The target's owner goes away: as ready. */
void nu_init_target_finish(struct nu_init_target *target);

#endif
