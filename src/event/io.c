/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor readiness over epoll: a request is two or three events, and this is all that is done
 * for each. (libevent takes 290 instructions an event, as much as our reading of a short head.)
 *
 * What one call of epoll reports is told one by one. Whoever is told may unregister others, and free
 * them, so one that unregisters is taken out of what is still to be told.
 */
#include "event/io.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

enum {
    EVENTS_MAX = 512,
    TASKS_MAX = 32, /* of a turn; with more they are run between its events as well */
};

struct nu_poller {
    struct nu_loop *loop; /* borrowed: owns this */
    int fd;
    int told; /* events that were told, the one that is being told included */
    int count;
    struct epoll_event events[EVENTS_MAX];
};

struct nu_poller *nu_poller_create(struct nu_loop *loop)
{
    struct nu_poller *poller = nu_calloc(1, sizeof(*poller));
    poller->loop = loop;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    nu_assert(poller->fd >= 0);
    return poller;
}

void nu_poller_destroy(struct nu_poller **poller)
{
    close((*poller)->fd);
    nu_free(*poller);
    *poller = NULL;
}

int nu_poller_fd(const struct nu_poller *poller)
{
    return poller->fd;
}

bool nu_poller_wait(struct nu_poller *poller, int timeout_ms)
{
    int count = epoll_wait(poller->fd, poller->events, EVENTS_MAX, timeout_ms);
    nu_assert(count >= 0 || errno == EINTR);
    poller->told = 0;
    poller->count = count > 0 ? count : 0;
    return count > 0;
}

/* More than bytes to read: who waits for either is to see an error or the peer's end. */
static NU_NOINLINE void tell_both(struct nu_io *io, const struct epoll_event *event)
{
    uint32_t ready = event->events;
    if (ready & (EPOLLOUT | EPOLLERR | EPOLLHUP) && nu_io_is_write_enabled(io))
        io->write_fn(io->fd, NU_IO_WRITE, io->arg);
    /* It may be gone by now. */
    if (event->data.ptr == io && ready & (EPOLLIN | EPOLLERR | EPOLLHUP) &&
        nu_io_is_read_enabled(io))
        io->read_fn(io->fd, NU_IO_READ, io->arg);
}

void nu_poller_tell(struct nu_poller *poller)
{
    while (poller->told < poller->count) {
        const struct epoll_event *event = &poller->events[poller->told++];
        struct nu_io *io = event->data.ptr;
        if (nu_unlikely(!io))
            continue;
        if (nu_likely(event->events == EPOLLIN && nu_io_is_read_enabled(io)))
            io->read_fn(io->fd, NU_IO_READ, io->arg);
        else
            tell_both(io, event);
        if (nu_unlikely(poller->loop->task_count >= TASKS_MAX))
            nu_loop_run_tasks(poller->loop);
    }
}

/* Takes one out of what is to be told. */
static void forget(struct nu_poller *poller, const struct nu_io *io)
{
    for (int i = poller->told > 0 ? poller->told - 1 : 0; i < poller->count; i++) {
        if (poller->events[i].data.ptr == io)
            poller->events[i].data.ptr = NULL;
    }
}

static void set_registered(struct nu_io *io, uint32_t registered)
{
    if (registered == io->registered)
        return;
    int op = io->registered == 0 ? EPOLL_CTL_ADD : registered == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event event = {
        .events = (registered & NU_IO_READ ? (uint32_t)EPOLLIN : 0) |
                  (registered & NU_IO_WRITE ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = io,
    };
    struct nu_poller *poller = io->loop->poller;
    /* The kernel may have too many watches. Then this one waits in vain, until its time is up. */
    if (epoll_ctl(poller->fd, op, io->fd, &event) != 0 && registered != 0) {
        nu_log(NU_LOG_IO, NU_LOG_ERROR, "cannot wait for a descriptor: %s", strerror(errno));
        return;
    }
    io->registered = registered;
    if (registered == 0)
        forget(poller, io);
}

void nu_io_init(struct nu_io *io, struct nu_loop *loop, int fd, nu_io_fn fn, void *arg)
{
    *io = (struct nu_io){.loop = loop, .read_fn = fn, .arg = arg, .fd = fd};
}

void nu_io_finish(struct nu_io *io)
{
    set_registered(io, 0);
}

void nu_io_enable_read(struct nu_io *io)
{
    set_registered(io, io->registered | NU_IO_READ);
}

void nu_io_disable_read(struct nu_io *io)
{
    set_registered(io, io->registered & ~(uint32_t)NU_IO_READ);
}

void nu_io_enable_write(struct nu_io *io, nu_io_fn fn, void *arg)
{
    io->write_fn = fn;
    io->arg = arg;
    set_registered(io, io->registered | NU_IO_WRITE);
}

void nu_io_disable_write(struct nu_io *io)
{
    set_registered(io, io->registered & ~(uint32_t)NU_IO_WRITE);
}
