/* SPDX-License-Identifier: Apache-2.0 */
/* Races between addresses. A loser's socket is closed at once, and freed with the race. */
#include "net/race.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "event/io.h"
#include "event/timer.h"

enum { NEXT_AFTER_MS = 300 };

struct attempt {
    struct nu_race *race;
    struct nu_io io;
    int fd; /* -1: it is over, or has not begun */
    struct nu_address address;
};

struct nu_race {
    struct nu_connection *conn; /* borrowed: owns this */
    struct nu_loop *loop;       /* borrowed */
    bool (*setup)(int fd, const void *arg);
    const void *setup_arg; /* borrowed */
    struct nu_timer timer;
    struct nu_turn_task lost_task; /* all have failed before anything was awaited */
    int error;                     /* of the last that failed */
    uint32_t running;
    uint32_t next; /* that was not tried */
    uint32_t count;
    struct attempt attempts[];
};

static void try_next(struct nu_race *race);

static void close_attempt(struct attempt *attempt)
{
    if (attempt->fd < 0)
        return;
    nu_io_finish(&attempt->io);
    close(attempt->fd);
    attempt->fd = -1;
    attempt->race->running--;
}

static void on_writable(int fd, short what, void *arg)
{
    struct attempt *attempt = arg;
    struct nu_race *race = attempt->race;
    int error = 0;
    socklen_t len = sizeof(error);
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (!error) {
        nu_io_finish(&attempt->io);
        attempt->fd = -1;
        race->running--;
        nu_connection_win_race(race->conn, fd);
        return;
    }
    race->error = error;
    close_attempt(attempt);
    try_next(race);
}

static bool begin(struct attempt *attempt)
{
    struct nu_race *race = attempt->race;
    int fd = nu_connection_begin_connect(&attempt->address, race->setup, race->setup_arg);
    if (fd < 0) {
        race->error = errno;
        return false;
    }
    attempt->fd = fd;
    race->running++;
    nu_io_init(&attempt->io, race->loop, fd, on_writable, attempt);
    nu_io_enable_write(&attempt->io, on_writable, attempt);
    return true;
}

static void on_lost(struct nu_turn_task *task)
{
    struct nu_race *race = nu_container_of(task, struct nu_race, lost_task);
    nu_connection_lose_race(race->conn, race->error);
}

/* The owner hears of its end when nobody is inside any more. */
static void try_next(struct nu_race *race)
{
    nu_timer_cancel(&race->timer);
    while (race->next < race->count && !begin(&race->attempts[race->next++]))
        continue;
    if (race->next < race->count)
        nu_timer_arm(race->loop, &race->timer, NEXT_AFTER_MS);
    else if (race->running == 0)
        nu_loop_at_turn_end(race->loop, &race->lost_task);
}

static void on_timer(struct nu_timer *timer)
{
    try_next(nu_container_of(timer, struct nu_race, timer));
}

struct nu_race *nu_race_create(struct nu_connection *conn, struct nu_loop *loop,
                               const struct nu_address *addresses, uint32_t count,
                               bool (*setup)(int fd, const void *arg), const void *setup_arg)
{
    struct nu_race *race = nu_calloc(1, sizeof(*race) + count * sizeof(race->attempts[0]));
    race->conn = conn;
    race->loop = loop;
    race->setup = setup;
    race->setup_arg = setup_arg;
    race->count = count;
    for (uint32_t i = 0; i < count; i++)
        race->attempts[i] = (struct attempt){.race = race, .fd = -1, .address = addresses[i]};
    nu_timer_init(&race->timer, on_timer);
    nu_turn_task_init(&race->lost_task, on_lost);
    try_next(race);
    return race;
}

void nu_race_destroy(struct nu_race **race_ptr)
{
    struct nu_race *race = *race_ptr;
    if (!race)
        return;
    *race_ptr = NULL;
    nu_timer_cancel(&race->timer);
    nu_list_remove(&race->lost_task.link);
    for (uint32_t i = 0; i < race->count; i++)
        close_attempt(&race->attempts[i]);
    nu_loop_defer_free(race->loop, nu_free, race);
}
