/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of one descriptor on one loop, level-triggered. Reading stays registered for the
 * descriptor's life (registering costs a system call); writing is registered only while a write
 * waits for room. Embedded in its owner; the descriptor is the owner's.
 */
#ifndef NU_EVENT_IO_H
#define NU_EVENT_IO_H

#include "event/loop.h"

enum {
    NU_IO_READ = 1, /* there are bytes, an end or an error */
    NU_IO_WRITE = 2,
};

/* `what` is NU_IO_READ or NU_IO_WRITE. */
typedef void (*nu_io_fn)(int fd, short what, void *arg);

struct nu_io {
    struct nu_loop *loop; /* borrowed */
    nu_io_fn read_fn;
    nu_io_fn write_fn;
    void *arg; /* borrowed */
    int fd;
    uint32_t registered; /* NU_IO_READ | NU_IO_WRITE */
};

/* Prepares reading with fn(fd, NU_IO_READ, arg); nothing is registered yet. */
void nu_io_init(struct nu_io *io, struct nu_loop *loop, int fd, nu_io_fn fn, void *arg);
/* Unregisters everything: nothing is called any more. The descriptor may then be closed, and the
 * memory freed. Harmless when done already. */
void nu_io_finish(struct nu_io *io);

/* Registers or unregisters reading. */
void nu_io_enable_read(struct nu_io *io);
void nu_io_disable_read(struct nu_io *io);
/* Whether it is registered. */
static inline bool nu_io_is_read_enabled(const struct nu_io *io)
{
    return io->registered & NU_IO_READ;
}

/* Calls fn(fd, NU_IO_WRITE, arg) while the descriptor takes bytes, until disabled. */
void nu_io_enable_write(struct nu_io *io, nu_io_fn fn, void *arg);
void nu_io_disable_write(struct nu_io *io);
static inline bool nu_io_is_write_enabled(const struct nu_io *io)
{
    return io->registered & NU_IO_WRITE;
}

/* For the loop alone: who is told of what. */
struct nu_poller *nu_poller_create(struct nu_loop *loop);
void nu_poller_destroy(struct nu_poller **poller);
/* Readable while something is to be told. */
int nu_poller_fd(const struct nu_poller *poller);
/* Waits up to `timeout_ms` (-1: as long as it takes); whether anything is ready. */
bool nu_poller_wait(struct nu_poller *poller, int timeout_ms);
/* Calls those who wait for what is ready. */
void nu_poller_tell(struct nu_poller *poller);

#endif
