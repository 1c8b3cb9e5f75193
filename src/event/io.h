/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of one descriptor on one loop, level-triggered. The read event stays registered for the
 * descriptor's life (registering costs a system call); the write event exists only while a write
 * waits for room. Embedded in its owner; the descriptor is the owner's.
 */
#ifndef NU_EVENT_IO_H
#define NU_EVENT_IO_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "event/loop.h"

typedef void (*nu_io_fn)(int fd, short what, void *arg);

struct nu_io {
    struct event read_event;
    struct event *write_event; /* owned; NULL while no write waits */
};

/* Prepares the read event for fn(fd, EV_READ, arg); nothing is registered yet. */
void nu_io_init(struct nu_io *io, struct nu_loop *loop, int fd, nu_io_fn fn, void *arg);
/* Unregisters everything. The descriptor may then be closed. Harmless when done already. */
void nu_io_finish(struct nu_io *io);

/* Registers or unregisters the read event. */
void nu_io_enable_read(struct nu_io *io);
void nu_io_disable_read(struct nu_io *io);
/* Whether the read event is registered. */
bool nu_io_is_read_enabled(const struct nu_io *io);

/* Calls fn(fd, EV_WRITE, arg) while the descriptor takes bytes, until disabled. */
void nu_io_enable_write(struct nu_io *io, nu_io_fn fn, void *arg);
void nu_io_disable_write(struct nu_io *io);

#endif
