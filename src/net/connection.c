/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections over raw persistent libevent events. A request on a warm connection costs one read
 * and one gathered write; nothing is registered or unregistered on the way.
 */
#include "net/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "http/ssl_info.h"
#include "net/race.h"
#include "net/socket.h"

enum {
    WRITE_IOVECS = 64,
    READ_IOVECS = 4,
    READS_PER_EVENT = 4, /* then others get their turn */
};

/* The adaptive read sizes: how many blocks of which class one read may fill. */
static const struct {
    enum nu_block_class block_class;
    int count;
} read_steps[] = {
    {NU_BLOCK_SMALL, 1}, {NU_BLOCK_MEDIUM, 1}, {NU_BLOCK_LARGE, 1},
    {NU_BLOCK_LARGE, 2}, {NU_BLOCK_LARGE, 4},
};

/* What few connections need, at their beginning or end. */
struct nu_connection_ending {
    struct nu_timer linger;     /* the wait for the peer while closing: for its end, or for it to
                                   read on */
    struct nu_connection *conn; /* borrowed: owns this */
    char *transport_failure;    /* why the transport failed, or NULL; owned */
    struct nu_race *race;       /* between the addresses to connect to, or NULL; owned */
};

static void on_readable(int fd, short what, void *arg);
static void on_writable(int fd, short what, void *arg);
static void on_flush_task(struct nu_turn_task *task);

/*
 * The library's read and write are points at which a thread may be cancelled, which costs as much as
 * all the rest of the call. No thread of ours is ever cancelled. Sanitizers know only the library's.
 */
static ssize_t read_socket(int fd, void *data, size_t size)
{
#ifdef NU_DEBUG
    return read(fd, data, size);
#else
    return syscall(SYS_read, fd, data, size);
#endif
}

static ssize_t write_socket(int fd, const void *data, size_t size)
{
#ifdef NU_DEBUG
    return write(fd, data, size);
#else
    return syscall(SYS_write, fd, data, size);
#endif
}

static ssize_t raw_read(struct nu_connection *conn, const struct iovec *iov, int count)
{
    if (nu_likely(count == 1))
        return read_socket(conn->fd, iov->iov_base, iov->iov_len);
    return readv(conn->fd, iov, count);
}

static ssize_t raw_write(struct nu_connection *conn, const struct iovec *iov, int count)
{
    if (nu_likely(count == 1))
        return write_socket(conn->fd, iov->iov_base, iov->iov_len);
    return writev(conn->fd, iov, count);
}

const struct nu_transport_class nu_raw_transport = {
    .name = "raw_buffer",
    .read = raw_read,
    .write = raw_write,
};

static void set_state(struct nu_connection *conn, enum nu_connection_state state)
{
    static const uint8_t legal[] = {
        [NU_CONNECTION_CONNECTING] =
            1 << NU_CONNECTION_SECURING | 1 << NU_CONNECTION_OPEN | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_SECURING] = 1 << NU_CONNECTION_OPEN | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_OPEN] = 1 << NU_CONNECTION_CLOSING | 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_CLOSING] = 1 << NU_CONNECTION_CLOSED,
        [NU_CONNECTION_CLOSED] = 0,
    };
    nu_assert(legal[conn->state] >> state & 1);
    conn->state = (uint8_t)(state & 7);
}

static void init_fields(struct nu_connection *conn, struct nu_loop *loop, int fd,
                        const struct nu_connection_ops *ops, uint32_t buffer_limit)
{
    memset(conn, 0, sizeof(*conn));
    conn->loop = loop;
    conn->fd = fd;
    conn->ops = ops;
    conn->buffer_limit = buffer_limit;
    conn->transport = &nu_raw_transport;
    nu_turn_task_init(&conn->flush_task, on_flush_task);
    nu_io_init(&conn->io, loop, fd, on_readable, conn);
}

void nu_connection_init(struct nu_connection *conn, struct nu_loop *loop, int fd,
                        const struct nu_connection_ops *ops, uint32_t buffer_limit)
{
    init_fields(conn, loop, fd, ops, buffer_limit);
    conn->state = NU_CONNECTION_OPEN;
}

void nu_connection_start(struct nu_connection *conn)
{
    if (conn->read_holds == 0)
        nu_io_enable_read(&conn->io);
}

static void on_linger_timeout(struct nu_timer *timer);

static struct nu_connection_ending *ending_of(struct nu_connection *conn)
{
    if (!conn->ending) {
        conn->ending = nu_calloc(1, sizeof(*conn->ending));
        conn->ending->conn = conn;
        nu_timer_init(&conn->ending->linger, on_linger_timeout);
    }
    return conn->ending;
}

static void free_ending(struct nu_connection *conn)
{
    if (nu_likely(!conn->ending))
        return;
    nu_race_destroy(&conn->ending->race);
    nu_free(conn->ending->transport_failure);
    nu_free(conn->ending);
    conn->ending = NULL;
}

/* The socket is gone from here on; the owner hears of it once. */
static void finish(struct nu_connection *conn, enum nu_close_reason reason)
{
    set_state(conn, NU_CONNECTION_CLOSED);
    nu_io_finish(&conn->io);
    nu_list_remove(&conn->flush_task.link);
    if (conn->ending) {
        nu_timer_cancel(&conn->ending->linger);
        nu_race_destroy(&conn->ending->race);
    }
    if (conn->transport->finish)
        conn->transport->finish(conn);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    nu_buf_clear(&conn->out);
    conn->ops->on_closed(conn, reason);
    nu_buf_clear(&conn->in);
    free_ending(conn);
}

void nu_connection_set_transport_failure(struct nu_connection *conn, struct nu_str reason)
{
    if (!conn->ending && !reason.len)
        return;
    struct nu_connection_ending *ending = ending_of(conn);
    nu_free(ending->transport_failure);
    ending->transport_failure = reason.len ? nu_strndup(reason.ptr, reason.len) : NULL;
}

const char *nu_connection_transport_failure(const struct nu_connection *conn)
{
    return conn->ending ? conn->ending->transport_failure : NULL;
}

static void fail(struct nu_connection *conn, int error)
{
    conn->error = (int16_t)error;
    finish(conn, error == ECONNRESET || error == EPIPE ? NU_CLOSED_RESET : NU_CLOSED_ERROR);
}

/* A connect that failed before it began is reported like any other, at the end of the turn. Who
 * has given a reason for it meanwhile is the one that failed. */
static void on_connect_failed_task(struct nu_turn_task *task)
{
    struct nu_connection *conn = nu_container_of(task, struct nu_connection, flush_task);
    finish(conn, nu_connection_transport_failure(conn) ? NU_CLOSED_BY_US : NU_CLOSED_CONNECT_FAIL);
}

static int open_socket(const struct nu_address *remote)
{
    int domain = remote->family == NU_ADDRESS_IPV4   ? AF_INET
                 : remote->family == NU_ADDRESS_IPV6 ? AF_INET6
                                                     : AF_UNIX;
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && domain != AF_UNIX) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return fd;
}

int nu_connection_begin_connect(const struct nu_address *remote,
                                bool (*setup)(int fd, const void *arg), const void *setup_arg)
{
    struct sockaddr_storage sa;
    socklen_t len = 0;
    int error = 0;
    int fd = open_socket(remote);
    if (fd < 0)
        return -1;
    if (setup && !setup(fd, setup_arg))
        error = errno ? errno : EINVAL;
    else if (nu_address_to_sockaddr(remote, &sa, &len) != NU_OK)
        error = ENAMETOOLONG;
    else if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
        error = errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

void nu_connection_connect(struct nu_connection *conn, struct nu_loop *loop,
                           const struct nu_address *remote, const struct nu_connection_ops *ops,
                           uint32_t buffer_limit, bool (*setup)(int fd, const void *arg),
                           const void *setup_arg)
{
    int fd = nu_connection_begin_connect(remote, setup, setup_arg);
    int error = fd < 0 ? errno : 0;
    init_fields(conn, loop, fd, ops, buffer_limit);
    conn->state = NU_CONNECTION_CONNECTING;
    if (error) {
        conn->error = (int16_t)error;
        conn->flush_task.fn = on_connect_failed_task;
        nu_loop_at_turn_end(loop, &conn->flush_task);
        return;
    }
    nu_io_enable_write(&conn->io, on_writable, conn);
}

void nu_connection_connect_any(struct nu_connection *conn, struct nu_loop *loop,
                               const struct nu_address *remotes, uint32_t count,
                               const struct nu_connection_ops *ops, uint32_t buffer_limit,
                               bool (*setup)(int fd, const void *arg), const void *setup_arg)
{
    init_fields(conn, loop, -1, ops, buffer_limit);
    conn->state = NU_CONNECTION_CONNECTING;
    ending_of(conn)->race = nu_race_create(conn, loop, remotes, count, setup, setup_arg);
}

static void on_open(struct nu_connection *conn)
{
    set_state(conn, NU_CONNECTION_OPEN);
    if (conn->transport_in)
        nu_connection_redeliver(conn);
    if (conn->out.len)
        nu_connection_write(conn);
    conn->ops->on_connected(conn);
}

static void go_on_securing(struct nu_connection *conn)
{
    switch (conn->transport->handshake(conn)) {
    case NU_TRANSPORT_READY:
        on_open(conn);
        return;
    case NU_TRANSPORT_WAITS:
        return;
    case NU_TRANSPORT_FAILED:
        conn->error = (int16_t)errno;
        finish(conn, NU_CLOSED_CONNECT_FAIL);
        return;
    }
}

static void on_connected(struct nu_connection *conn)
{
    nu_connection_start(conn);
    if (nu_likely(!conn->transport->handshake)) {
        on_open(conn);
        return;
    }
    set_state(conn, NU_CONNECTION_SECURING);
    go_on_securing(conn);
}

void nu_connection_lose_race(struct nu_connection *conn, int error)
{
    conn->error = (int16_t)error;
    finish(conn, NU_CLOSED_CONNECT_FAIL);
}

void nu_connection_win_race(struct nu_connection *conn, int fd)
{
    nu_race_destroy(&conn->ending->race);
    conn->fd = fd;
    nu_io_init(&conn->io, conn->loop, fd, on_readable, conn);
    on_connected(conn);
}

static void on_connect_done(struct nu_connection *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        conn->error = (int16_t)error;
        finish(conn, NU_CLOSED_CONNECT_FAIL);
        return;
    }
    nu_io_disable_write(&conn->io);
    on_connected(conn);
}

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
                    ? read_socket(conn->fd, block->data, block->size)
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
    enum { WORTH_FILLING = 512 };
    size_t room = tail_room(conn);
    if (room >= WORTH_FILLING)
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
        finish(conn, NU_CLOSED_BY_US);
}

static void finish_if_both_ended(struct nu_connection *conn, enum nu_close_reason reason)
{
    if (conn->state == NU_CONNECTION_OPEN && conn->read_eof && conn->write_shut &&
        conn->in.len == 0)
        finish(conn, reason);
}

/* The peer's end: no more read events, which would fire for ever. */
static void on_eof(struct nu_connection *conn)
{
    conn->read_eof = true;
    nu_io_disable_read(&conn->io);
    conn->ops->on_data(conn);
    finish_if_both_ended(conn, NU_CLOSED_BY_PEER);
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
        go_on_securing(conn);
}

static void read_some(struct nu_connection *conn)
{
    for (int i = 0; i < READS_PER_EVENT; i++) {
        ssize_t n = read_once(conn);
        if (n == 0) {
            on_eof(conn);
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail(conn, errno);
            return;
        }
        conn->ops->on_data(conn);
        if (!conn->last_read_was_full || !may_read(conn))
            break;
    }
    /* Others get their turn: a peer may send as fast as we read. */
    if (nu_unlikely(conn->transport_in) && may_read(conn))
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

static void on_readable(int fd, short what, void *arg)
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

static void check_watermarks(struct nu_connection *conn)
{
    if (conn->buffer_limit == 0)
        return;
    if (!conn->above_high && nu_connection_is_out_full(conn)) {
        conn->above_high = true;
        conn->ops->on_above_high(conn);
    } else if (conn->above_high && conn->out.len <= conn->buffer_limit / 2) {
        conn->above_high = false;
        conn->ops->on_below_low(conn);
    }
}

static void on_linger_timeout(struct nu_timer *timer)
{
    struct nu_connection *conn = nu_container_of(timer, struct nu_connection_ending, linger)->conn;
    conn->linger_expired = true;
    finish(conn, NU_CLOSED_BY_US);
}

/* Begins to wait, or begins anew. */
static void begin_linger(struct nu_connection *conn)
{
    if (conn->linger_ms == 0)
        return;
    nu_timer_arm(conn->loop, &ending_of(conn)->linger, conn->linger_ms);
    if (!conn->read_eof)
        nu_io_enable_read(&conn->io);
}

/* Everything is written: what the mode of closing asks for comes next. */
static void on_all_written(struct nu_connection *conn)
{
    if (conn->state == NU_CONNECTION_CLOSING) {
        if (conn->close_mode == NU_CLOSE_LINGER && !conn->read_eof && conn->linger_ms)
            begin_linger(conn);
        else
            finish(conn, NU_CLOSED_BY_US);
        return;
    }
    if (conn->write_ended && !conn->write_shut) {
        conn->write_shut = true;
        shutdown(conn->fd, SHUT_WR);
    }
    if (conn->ops->on_drained)
        conn->ops->on_drained(conn);
    finish_if_both_ended(conn, NU_CLOSED_BY_US);
}

/* Whether the socket takes no more for now. */
static bool is_blocked(const struct nu_connection *conn, ssize_t n, size_t bytes)
{
    return n < 0 || (conn->transport->buffers ? conn->transport_out > 0 : (size_t)n < bytes);
}

static bool is_lingering(const struct nu_connection *conn)
{
    return conn->ending && nu_timer_is_armed(&conn->ending->linger);
}

static void wait_for_room(struct nu_connection *conn, bool progressed)
{
    nu_io_enable_write(&conn->io, on_writable, conn);
    if (conn->state == NU_CONNECTION_CLOSING && (progressed || !is_lingering(conn)))
        begin_linger(conn);
    check_watermarks(conn);
}

static NU_NOINLINE ssize_t write_pieces(struct nu_connection *conn, size_t *bytes)
{
    struct iovec iov[WRITE_IOVECS];
    int count = nu_buf_to_iovec(&conn->out, iov, WRITE_IOVECS, bytes);
    return conn->transport->write(conn, iov, count);
}

/* Writes once; `*bytes` is what was offered. */
static inline ssize_t write_once(struct nu_connection *conn, size_t *bytes)
{
    const struct nu_slice *first = conn->out.first;
    if (nu_unlikely(!first || first->next))
        return write_pieces(conn, bytes);
    struct iovec iov = {nu_unconst(first->ptr), first->len};
    *bytes = first->len;
    return conn->transport->write(conn, &iov, 1);
}

/* Takes note of what a write of `bytes` returned. False when there is no writing on: the connection
 * has to wait, or failed. */
static bool note_written(struct nu_connection *conn, ssize_t n, size_t bytes)
{
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno != EAGAIN) {
        fail(conn, errno);
        return false;
    }
    if (n > 0) {
        conn->tx_bytes += (uint64_t)n;
        nu_buf_drain_all_or(&conn->out, (size_t)n);
    }
    if (!is_blocked(conn, n, bytes))
        return true;
    wait_for_room(conn, n > 0);
    return false;
}

/* Writes until nothing is left. False when it has to wait, or when the connection failed. */
static bool write_out(struct nu_connection *conn)
{
    while (conn->out.len || conn->transport_out) {
        if (nu_unlikely(conn->transport_waits && !conn->transport_out)) {
            check_watermarks(conn);
            return false;
        }
        size_t bytes;
        ssize_t n = write_once(conn, &bytes);
        if (!note_written(conn, n, bytes))
            return false;
    }
    return true;
}

/* The transport's last words, once. Returns whether there are any. */
static bool end_transport(struct nu_connection *conn)
{
    bool ends = conn->state == NU_CONNECTION_CLOSING || conn->write_ended;
    if (nu_likely(!conn->transport->end) || !ends || conn->transport_ended)
        return false;
    conn->transport_ended = true;
    conn->transport->end(conn);
    return conn->transport_out > 0;
}

/* Writes until `out` is empty or the socket is full. */
static void flush(struct nu_connection *conn)
{
    do {
        if (!write_out(conn))
            return;
    } while (end_transport(conn));
    nu_io_disable_write(&conn->io);
    check_watermarks(conn);
    bool may_end = conn->state == NU_CONNECTION_OPEN || conn->state == NU_CONNECTION_CLOSING;
    if (may_end && conn->out.len == 0)
        on_all_written(conn);
}

/* The usual case: plain bytes of one piece are written at once, and nothing else is to be done. False
 * if it is another one. */
static inline bool write_at_once(struct nu_connection *conn)
{
    const struct nu_slice *piece = conn->out.first;
    if (nu_unlikely(conn->transport != &nu_raw_transport || conn->state != NU_CONNECTION_OPEN ||
                    conn->write_ended || conn->above_high || conn->ops->on_drained ||
                    conn->out.len == 0 || piece->next))
        return false;
    ssize_t n = write_socket(conn->fd, piece->ptr, piece->len);
    if (nu_unlikely(n != (ssize_t)piece->len)) {
        if (note_written(conn, n, piece->len))
            flush(conn);
        return true;
    }
    conn->tx_bytes += (uint64_t)n;
    nu_buf_clear_slices(&conn->out);
    return true;
}

/* Hands bytes that wait in `in` to the owner again, and reads on. */
static void redeliver(struct nu_connection *conn)
{
    conn->redeliver = false;
    if (conn->state != NU_CONNECTION_OPEN || conn->read_holds)
        return;
    conn->ops->on_data(conn);
    if (!may_read(conn) || conn->read_eof)
        return;
    nu_io_enable_read(&conn->io);
    if (nu_unlikely(conn->transport_in))
        read_some(conn);
}

/* The flush task, which is done for this turn, waits for the next one with the delivery. */
static void await_next_turn(struct nu_connection *conn)
{
    conn->redeliver_later = false;
    conn->redeliver = true;
    nu_list_remove(&conn->flush_task.link);
    nu_loop_at_next_turn(conn->loop, &conn->flush_task);
}

static void on_flush_task(struct nu_turn_task *task)
{
    struct nu_connection *conn = nu_container_of(task, struct nu_connection, flush_task);
    if (nu_unlikely(conn->redeliver))
        redeliver(conn);
    bool may_write = conn->state != NU_CONNECTION_CONNECTING && conn->state != NU_CONNECTION_CLOSED;
    if (!may_write)
        return;
    if (nu_unlikely(conn->io.write_event != NULL))
        wait_for_room(conn, false); /* what was added to `out` stays there */
    else if (!write_at_once(conn))
        flush(conn);
    if (nu_unlikely(conn->redeliver_later) && conn->state == NU_CONNECTION_OPEN)
        await_next_turn(conn);
}

static void on_writable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_connection *conn = arg;
    if (conn->state == NU_CONNECTION_CONNECTING)
        on_connect_done(conn);
    else
        flush(conn);
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

void nu_connection_close(struct nu_connection *conn, enum nu_close_mode mode)
{
    if (conn->state == NU_CONNECTION_CLOSED)
        return;
    bool unopened =
        conn->state == NU_CONNECTION_CONNECTING || conn->state == NU_CONNECTION_SECURING;
    bool now = unopened || mode == NU_CLOSE_NOW || mode == NU_CLOSE_RESET;
    if (now) {
        if (mode == NU_CLOSE_RESET)
            nu_socket_reset_on_close(conn->fd);
        finish(conn, NU_CLOSED_BY_US);
        return;
    }
    if (conn->state == NU_CONNECTION_CLOSING)
        return;
    set_state(conn, NU_CONNECTION_CLOSING);
    conn->close_mode = (uint8_t)(mode & 3);
    nu_buf_clear(&conn->in);
    nu_connection_write(conn);
}

void nu_connection_end_write(struct nu_connection *conn)
{
    conn->write_ended = true;
    nu_connection_write(conn);
}

void nu_connection_send_first(struct nu_connection *conn, struct nu_buf *bytes)
{
    if (conn->transport->send_first)
        conn->transport->send_first(conn, bytes);
    else
        nu_buf_move_all(&conn->out, bytes);
}

struct nu_ssl_info *nu_connection_hold_ssl_info(const struct nu_connection *conn,
                                                struct nu_arena *arena)
{
    if (!conn->transport->ssl_info || conn->state == NU_CONNECTION_CLOSED)
        return NULL;
    return nu_ssl_info_hold(conn->transport->ssl_info(conn), arena);
}

struct nu_address nu_connection_local_address(const struct nu_connection *conn)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (conn->fd < 0 || getsockname(conn->fd, (struct sockaddr *)&sa, &len) != 0)
        return (struct nu_address){0};
    return nu_address_from_sockaddr((struct sockaddr *)&sa, len);
}

struct nu_address nu_connection_remote_address(const struct nu_connection *conn)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (conn->fd < 0 || getpeername(conn->fd, (struct sockaddr *)&sa, &len) != 0)
        return (struct nu_address){0};
    return nu_address_from_sockaddr((struct sockaddr *)&sa, len);
}
