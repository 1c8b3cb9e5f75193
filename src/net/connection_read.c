/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's input: reads that adapt their size, holds of them, and bytes that are handed to the
 * owner again.
 */
#include <errno.h>

#include "base/assert.h"
#include "net/connection_internal.h"
#include "net/socket_bytes.h"

enum { READ_IOVECS = 4 };

/* The adaptive read sizes: how many blocks of which class one read may fill. */
static const struct {
    enum nu_block_class block_class;
    int count;
} read_steps[] = {
    {NU_BLOCK_SMALL, 1}, {NU_BLOCK_MEDIUM, 1}, {NU_BLOCK_LARGE, 1},
    {NU_BLOCK_LARGE, 2}, {NU_BLOCK_LARGE, 4},
};

/* Links `n` bytes that were read into the blocks to `in`; drops the blocks that stayed empty. */
static void take_blocks(struct nu_connection *conn, struct nu_block **blocks, int count, size_t n)
{
    for (int i = 0; i < count; i++) {
        size_t used = nu_min_size(n, nu_block_room(blocks[i]));
        blocks[i]->fill = (uint32_t)used;
        nu_buf_add_block(&conn->in, blocks[i], nu_str_make(blocks[i]->data, used));
        nu_block_unref(blocks[i]);
        n -= used;
    }
}

static void adapt_read_size(struct nu_connection *conn, size_t n, size_t room)
{
    conn->last_read_was_full = n == room;
    if (n == room) {
        if (conn->read_size + 1u < NU_ARRAY_LEN(read_steps))
            conn->read_size++;
        conn->short_reads = false;
    } else if (n < room / 8 && conn->read_size > 0) {
        /* Two short reads in a row, so that one pause does not undo what was learnt. */
        if (conn->short_reads)
            conn->read_size--;
        conn->short_reads = !conn->short_reads;
    } else {
        conn->short_reads = false;
    }
}

/* Bytes may go to the free end of the last block of `in`: a head that comes in pieces stays
 * whole. */
static size_t tail_room(const struct nu_connection *conn)
{
    const struct nu_slice *last = conn->in.last;
    if (!last || !last->block || last->ptr + last->len != last->block->data + last->block->fill)
        return 0;
    return nu_block_room(last->block);
}

static ssize_t read_into_tail(struct nu_connection *conn, size_t room)
{
    struct iovec iov = {conn->in.last->block->data + conn->in.last->block->fill, room};
    ssize_t n = conn->transport->read(conn, &iov, 1);
    if (n > 0) {
        conn->in.last->block->fill += (uint32_t)n;
        conn->in.last->len += (size_t)n;
        conn->in.len += (size_t)n;
        conn->last_read_was_full = (size_t)n == room;
    }
    return n;
}

static ssize_t read_into_blocks(struct nu_connection *conn)
{
    struct nu_block *blocks[READ_IOVECS];
    struct iovec iov[READ_IOVECS];
    int count = 0;
    size_t room = 0;
    do { /* at least one, which compilers want to see */
        blocks[count] = nu_block_get(read_steps[conn->read_size].block_class);
        iov[count].iov_base = blocks[count]->data;
        iov[count].iov_len = nu_block_room(blocks[count]);
        room += iov[count].iov_len;
    } while (++count < read_steps[conn->read_size].count);
    ssize_t n = conn->transport->read(conn, iov, count);
    int error = errno;
    take_blocks(conn, blocks, count, n > 0 ? (size_t)n : 0);
    if (n > 0)
        adapt_read_size(conn, (size_t)n, room);
    errno = error;
    return n;
}

static NU_NOINLINE ssize_t read_piece(struct nu_connection *conn, char *data, size_t size)
{
    struct iovec iov = {data, size};
    return conn->transport->read(conn, &iov, 1);
}

static NU_NOINLINE void give_back_block(struct nu_block *block)
{
    int error = errno;
    nu_block_unref(block);
    errno = error;
}

/* The same for the first step, which most connections never leave: one small block. */
static inline ssize_t read_into_block(struct nu_connection *conn)
{
    struct nu_block *block = nu_block_get(NU_BLOCK_SMALL);
    ssize_t n = nu_likely(conn->transport == &nu_raw_transport)
                    ? nu_socket_read(conn->fd, block->data, block->size)
                    : read_piece(conn, block->data, block->size);
    if (nu_unlikely(n <= 0)) {
        give_back_block(block);
        return n;
    }
    block->fill = (uint32_t)n;
    nu_buf_take_block(&conn->in, block, nu_str_make(block->data, (size_t)n));
    conn->last_read_was_full = (size_t)n == block->size;
    conn->short_reads = false;
    if (nu_unlikely(conn->last_read_was_full))
        conn->read_size++;
    return n;
}

/* As many bytes as the last reads let one expect. */
static NU_NOINLINE ssize_t read_by_size(struct nu_connection *conn)
{
    size_t room = tail_room(conn);
    if (room >= NU_BLOCK_WORTH_FILLING)
        return read_into_tail(conn, room);
    return conn->read_size == 0 ? read_into_block(conn) : read_into_blocks(conn);
}

static inline ssize_t read_once(struct nu_connection *conn)
{
    bool is_usual = !conn->in.last && conn->read_size == 0;
    ssize_t n = nu_likely(is_usual) ? read_into_block(conn) : read_by_size(conn);
    if (nu_likely(n > 0))
        conn->rx_bytes += (uint64_t)n;
    return n;
}

static bool is_over_limit(const struct nu_connection *conn)
{
    return conn->buffer_limit && conn->in.len >= conn->buffer_limit && !conn->needs_more;
}

/* While closing, whatever the peer still sends is dropped; its end, or an error, is ours as well
 * once everything is written. */
static void discard_input(struct nu_connection *conn)
{
    ssize_t n = read_once(conn);
    nu_buf_clear(&conn->in);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    conn->read_eof = true;
    nu_io_disable_read(&conn->io);
    if (n < 0 || conn->out.len == 0)
        nu_connection_finish(conn, NU_CLOSED_BY_US);
}

/* The peer's end: no more read events, which would fire for ever. */
static void on_eof(struct nu_connection *conn)
{
    conn->read_eof = true;
    nu_io_disable_read(&conn->io);
    conn->ops->on_data(conn);
    nu_connection_count_unread(conn);
    nu_connection_finish_if_both_ended(conn, NU_CLOSED_BY_PEER);
}

/* Nothing keeps us from reading on. */
static bool may_read(const struct nu_connection *conn)
{
    return conn->state == NU_CONNECTION_OPEN && !conn->read_holds && !is_over_limit(conn);
}

/* In a state in which bytes are not the owner's. */
static void read_unopened(struct nu_connection *conn)
{
    if (conn->state == NU_CONNECTION_CLOSING)
        discard_input(conn);
    else if (conn->state == NU_CONNECTION_SECURING)
        nu_connection_go_on_securing(conn);
}

/* What one event may bring, give or take a read: others get their turn, and the owner no more at once
 * than it wants to have. */
static size_t bytes_per_event(const struct nu_connection *conn)
{
    enum { BYTES_PER_EVENT = 1 << 20 };
    return conn->buffer_limit ? nu_min_size(conn->buffer_limit, BYTES_PER_EVENT) : BYTES_PER_EVENT;
}

/* Reads on while bytes may wait in the socket. Returns how many there were; `*last` is what the last
 * read returned. */
static size_t read_on(struct nu_connection *conn, ssize_t *last)
{
    size_t bytes = 0;
    do {
        ssize_t n = *last = read_once(conn);
        if (n <= 0)
            break;
        bytes += (size_t)n;
        conn->ops->on_data(conn);
        nu_connection_count_unread(conn);
    } while (nu_unlikely(conn->last_read_was_full) && may_read(conn) &&
             bytes <= bytes_per_event(conn));
    return bytes;
}

static void read_some(struct nu_connection *conn)
{
    enum { MUCH = 1 << 16 };
    ssize_t last;
    size_t bytes = read_on(conn, &last);
    /* Much is written before another connection is read: it still is in the processor's cache, and
     * its blocks are free again then. */
    if (nu_unlikely(bytes >= MUCH))
        nu_loop_run_tasks_soon(conn->loop);
    if (nu_unlikely(last == 0))
        on_eof(conn);
    else if (nu_unlikely(last < 0) && errno != EAGAIN && errno != EINTR)
        nu_connection_fail(conn, errno);
    else if (nu_unlikely(conn->transport_in) && last > 0 && may_read(conn))
        nu_connection_redeliver_later(conn);
}

static void on_ready(struct nu_connection *conn)
{
    if (nu_likely(may_read(conn)))
        read_some(conn);
    else if (conn->state != NU_CONNECTION_OPEN)
        read_unopened(conn);
    else /* Unregistering is left until bytes really come, since most holds end before. */
        nu_io_disable_read(&conn->io);
}

void nu_connection_on_readable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_connection *conn = arg;
    struct nu_loop *loop = conn->loop;
    on_ready(conn);
    nu_loop_event_done(loop);
}

void nu_connection_read_now(struct nu_connection *conn)
{
    if (nu_connection_is_open(conn) && nu_io_is_read_enabled(&conn->io))
        on_ready(conn);
}

void nu_connection_redeliver_now(struct nu_connection *conn)
{
    conn->redeliver = false;
    if (conn->state != NU_CONNECTION_OPEN || conn->read_holds)
        return;
    conn->ops->on_data(conn);
    nu_connection_count_unread(conn);
    if (!may_read(conn) || conn->read_eof)
        return;
    nu_io_enable_read(&conn->io);
    if (nu_unlikely(conn->transport_in))
        read_some(conn);
}

void nu_connection_hold_read(struct nu_connection *conn)
{
    conn->read_holds++;
}

void nu_connection_redeliver(struct nu_connection *conn)
{
    conn->redeliver = true;
    nu_loop_at_turn_end(conn->loop, &conn->flush_task);
}

void nu_connection_redeliver_later(struct nu_connection *conn)
{
    conn->redeliver_later = true;
    nu_loop_at_turn_end(conn->loop, &conn->flush_task);
}

void nu_connection_read_on(struct nu_connection *conn)
{
    if (!may_read(conn) || conn->read_eof)
        return;
    if (!nu_io_is_read_enabled(&conn->io))
        nu_io_enable_read(&conn->io);
    if (conn->transport_in)
        nu_connection_redeliver_later(conn);
}

void nu_connection_release_read(struct nu_connection *conn)
{
    nu_assert(conn->read_holds > 0);
    if (--conn->read_holds > 0 || conn->state != NU_CONNECTION_OPEN)
        return;
    if (conn->in.len || conn->transport_in)
        nu_connection_redeliver(conn);
    else if (!conn->read_eof)
        nu_io_enable_read(&conn->io);
}
