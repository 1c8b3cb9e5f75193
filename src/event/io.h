/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of one descriptor on one loop, level-triggered. Reading stays registered for the
 * descriptor's life (registering costs a system call); writing is registered only while a write
 * waits for room. Embedded in its owner; the descriptor is the owner's.
 */
#ifndef NU_EVENT_IO_H
#define NU_EVENT_IO_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "event/loop.h"

enum {
    NU_IO_READ = EV_READ, /* there are bytes, an end or an error */
    NU_IO_WRITE = EV_WRITE,
};

/* `what` is NU_IO_READ or NU_IO_WRITE. */
typedef void (*nu_io_fn)(int fd, short what, void *arg);

struct nu_io {
    struct event read_event;
    struct event *write_event; /* owned; NULL while no write waits */
};

/* Prepares reading with fn(fd, NU_IO_READ, arg); nothing is registered yet. */
void nu_io_init(struct nu_io *io, struct nu_loop *loop, int fd, nu_io_fn fn, void *arg);
/* The descriptor. */
static inline int nu_io_fd(const struct nu_io *io)
{
    return event_get_fd(&io->read_event);
}
/* Unregisters everything: nothing is called any more. The descriptor may then be closed, and the
 * memory freed. Harmless when done already. */
void nu_io_finish(struct nu_io *io);

/* Registers or unregisters reading. */
void nu_io_enable_read(struct nu_io *io);
void nu_io_disable_read(struct nu_io *io);
/* Whether it is registered. */
bool nu_io_is_read_enabled(const struct nu_io *io);

/* Calls fn(fd, NU_IO_WRITE, arg) while the descriptor takes bytes, until disabled. */
void nu_io_enable_write(struct nu_io *io, nu_io_fn fn, void *arg);
void nu_io_disable_write(struct nu_io *io);
static inline bool nu_io_is_write_enabled(const struct nu_io *io)
{
    return io->write_event != NULL;
}

#endif
