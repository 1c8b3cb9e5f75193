/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor readiness over raw libevent events. */
#include "event/io.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

/* The kernel may have too many watches. Then this one waits in vain, until its time is up. */
static void add(struct event *event)
{
    if (nu_unlikely(event_add(event, NULL) != 0))
        nu_log(NU_LOG_IO, NU_LOG_ERROR, "cannot wait for a descriptor: %s", strerror(errno));
}

void nu_io_init(struct nu_io *io, struct nu_loop *loop, int fd, nu_io_fn fn, void *arg)
{
    int code = event_assign(&io->read_event, loop->base, fd, EV_READ | EV_PERSIST, fn, arg);
    nu_assert(code == 0);
    io->write_event = NULL;
}

void nu_io_finish(struct nu_io *io)
{
    nu_io_disable_read(io);
    nu_io_disable_write(io);
}

bool nu_io_is_read_enabled(const struct nu_io *io)
{
    return event_pending(&io->read_event, EV_READ, NULL) != 0;
}

void nu_io_enable_read(struct nu_io *io)
{
    if (!nu_io_is_read_enabled(io))
        add(&io->read_event);
}

void nu_io_disable_read(struct nu_io *io)
{
    event_del(&io->read_event);
}

void nu_io_enable_write(struct nu_io *io, nu_io_fn fn, void *arg)
{
    if (io->write_event)
        return;
    io->write_event = nu_alloc(sizeof(struct event));
    struct event_base *base = event_get_base(&io->read_event);
    int fd = event_get_fd(&io->read_event);
    int code = event_assign(io->write_event, base, fd, EV_WRITE | EV_PERSIST, fn, arg);
    nu_assert(code == 0);
    add(io->write_event);
}

void nu_io_disable_write(struct nu_io *io)
{
    if (!io->write_event)
        return;
    event_del(io->write_event);
    nu_free(io->write_event);
    io->write_event = NULL;
}
