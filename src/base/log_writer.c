/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log thread and its queues. A queue is a byte queue with one producer and one consumer: the
 * producer alone moves `tail`, the log thread alone moves `head`, and both only grow, so that their
 * difference is what is queued. Queues are created by their producer on its first line. Counters
 * have one writer each too, so that counting is a plain store.
 *
 * The bytes are in a chain of rings, of which the producer has the last and the log thread the
 * first; nearly always that is one. A byte is at its number modulo the ring's size. The producer
 * that finds its ring full notes where it ends and chains another one; the log thread frees a ring
 * that is written up to its end. A line that is longer than a ring gets one of its own.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/thread.h"

enum {
    RING_SIZE = 1 << 18, /* a power of two */
    STREAM_CHUNK = 4096, /* what a pipe that polls writable takes without blocking */
};

struct ring {
    _Atomic(struct ring *) next; /* set once, by the producer */
    size_t end;                  /* with a next one: the number of the first byte in that */
    size_t size;                 /* a power of two */
    char data[];
};

struct queue {
    _Alignas(64) _Atomic size_t tail; /* bytes ever queued, producer */
    size_t head_seen;                 /* producer's last look at head, or where its ring begins */
    struct ring *last;                /* producer; of RING_SIZE */
    size_t last_start;                /* producer: number of the first byte in there */
    _Atomic uint64_t lines_written;   /* producer */
    _Atomic uint64_t lines_dropped;   /* producer */
    _Alignas(64) _Atomic size_t head; /* bytes ever written, log thread */
    struct ring *first;               /* log thread; owns the chain */
};

struct nu_log_file {
    struct nu_log_file *next;
    struct nu_log_writer *writer; /* borrowed */
    char *path;                   /* owned */
    int fd;                       /* log thread's, once it runs */
    bool owns_fd;                 /* false for stdout and stderr */
    bool is_regular;
    bool is_told_losing; /* main thread */
    unsigned turn; /* log thread: the queue to go on with, which may be in the middle of a line */
    _Atomic size_t extra_bytes;                    /* of rings beyond one for each queue */
    _Atomic(struct queue *) queues[NU_THREAD_MAX]; /* owned, by thread number */
};

struct nu_log_writer {
    _Atomic(struct nu_log_file *) files; /* newest first */
    unsigned flush_interval_ms;
    bool makes_no_files;
    int wake_fd; /* eventfd */
    atomic_bool woken;
    atomic_bool stopping;
    atomic_bool reopen;
    _Atomic uint64_t rounds; /* passes that left nothing behind */
    bool running;
    pthread_t thread;
    _Atomic size_t extra_bytes;        /* of all files */
    _Atomic uint64_t writes_completed; /* this and the others: log thread */
    _Atomic uint64_t writes_failed;
    _Atomic uint64_t reopen_failed;
    _Atomic uint64_t flushed_by_timer;
};

static inline uint64_t peek(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Adds one to a counter that no other thread writes. */
static inline void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, peek(counter) + 1, memory_order_relaxed);
}

/* The process's own descriptor that a path stands for, or -1. */
static int standard_fd(const char *path)
{
    if (strcmp(path, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0)
        return STDERR_FILENO;
    return -1;
}

/*
 * Opening must not wait for the reader of a named pipe. Without one, the pipe is opened for reading
 * as well: it then takes lines until it is full.
 */
static int open_path(const char *path, int create_flag)
{
    const int flags = create_flag | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, O_WRONLY | flags, 0644);
    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | flags, 0644);
    return fd;
}

/* Whether a file could be made: its folder can be written. Else errno says why not. */
static bool may_make(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? nu_strndup(path, (size_t)(slash - path) + 1) : nu_strdup(".");
    bool may = faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
    int error = errno;
    nu_free(folder);
    errno = error;
    return may;
}

/* Opens a file that is there; for one that could be made, something that takes any line. */
static int try_path(const char *path)
{
    int fd = open_path(path, 0);
    if (fd < 0 && errno == ENOENT && may_make(path))
        fd = open_path("/dev/null", 0);
    return fd;
}

static bool is_regular_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

struct nu_log_writer *nu_log_writer_create(unsigned flush_interval_ms)
{
    struct nu_log_writer *writer = nu_calloc(1, sizeof(*writer));
    writer->flush_interval_ms = flush_interval_ms ? flush_interval_ms : 1;
    writer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    nu_assert(writer->wake_fd >= 0);
    return writer;
}

void nu_log_writer_make_no_files(struct nu_log_writer *writer)
{
    writer->makes_no_files = true;
}

static void wake(struct nu_log_writer *writer)
{
    if (atomic_exchange(&writer->woken, true))
        return;
    uint64_t one = 1;
    ssize_t n = write(writer->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes as well */
}

static void close_file(struct nu_log_file *file)
{
    if (file->owns_fd && file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

struct nu_log_file *nu_log_writer_open(struct nu_log_writer *writer, const char *path,
                                       struct nu_strbuf *error)
{
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next) {
        if (strcmp(file->path, path) == 0)
            return file;
    }
    int fd = standard_fd(path);
    bool owns_fd = fd < 0;
    if (owns_fd)
        fd = writer->makes_no_files ? try_path(path) : open_path(path, O_CREAT);
    if (fd < 0) {
        nu_strbuf_addf(error, "unable to open file '%s': %s", path, strerror(errno));
        return NULL;
    }
    struct nu_log_file *file = nu_calloc(1, sizeof(*file));
    file->writer = writer;
    file->path = nu_strdup(path);
    file->fd = fd;
    file->owns_fd = owns_fd;
    file->is_regular = is_regular_file(fd);
    file->next = atomic_load(&writer->files);
    atomic_store(&writer->files, file);
    return file;
}

static struct ring *create_ring(size_t size)
{
    struct ring *ring = nu_alloc(sizeof(*ring) + size);
    atomic_init(&ring->next, NULL);
    ring->end = 0;
    ring->size = size;
    return ring;
}

static struct queue *create_queue(void)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct queue)) != 0)
        abort();
    struct queue *queue = memory;
    atomic_init(&queue->tail, 0);
    atomic_init(&queue->head, 0);
    atomic_init(&queue->lines_written, 0);
    atomic_init(&queue->lines_dropped, 0);
    queue->head_seen = 0;
    queue->last_start = 0;
    queue->first = queue->last = create_ring(RING_SIZE);
    return queue;
}

static struct queue *own_queue(struct nu_log_file *file)
{
    unsigned index = nu_thread_index();
    struct queue *queue = atomic_load_explicit(&file->queues[index], memory_order_relaxed);
    if (nu_unlikely(!queue)) {
        queue = create_queue();
        atomic_store_explicit(&file->queues[index], queue, memory_order_release);
    }
    return queue;
}

static void copy_in(struct ring *ring, size_t tail, struct nu_str line)
{
    size_t at = tail & (ring->size - 1);
    size_t first = nu_min_size(line.len, ring->size - at);
    memcpy(ring->data + at, line.ptr, first);
    memcpy(ring->data, line.ptr + first, line.len - first);
}

/*
 * Whether at most `bound` bytes of the last ring are in use up to `tail`; looks at the real head
 * only where it matters, which may be still in a ring before it.
 */
static bool is_within(struct queue *queue, size_t tail, size_t bound)
{
    if (tail - queue->head_seen <= bound)
        return true;
    size_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
    queue->head_seen = head > queue->last_start ? head : queue->last_start;
    return tail - queue->head_seen <= bound;
}

/* Adds to a sum unless that would go over `bound`. */
static bool take_bytes(_Atomic size_t *sum, size_t bytes, size_t bound)
{
    size_t now = atomic_load_explicit(sum, memory_order_relaxed);
    do {
        if (bytes > bound || now > bound - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(sum, &now, now + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static void give_bytes(struct nu_log_file *file, size_t bytes)
{
    atomic_fetch_sub_explicit(&file->extra_bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&file->writer->extra_bytes, bytes, memory_order_relaxed);
}

static bool may_grow(struct nu_log_file *file, size_t bytes)
{
    if (!take_bytes(&file->extra_bytes, bytes, NU_LOG_FILE_BOUND))
        return false;
    if (take_bytes(&file->writer->extra_bytes, bytes, NU_LOG_WRITER_BOUND))
        return true;
    atomic_fetch_sub_explicit(&file->extra_bytes, bytes, memory_order_relaxed);
    return false;
}

/* Chains a ring that begins at `tail`. */
static void add_ring(struct queue *queue, size_t size, size_t tail)
{
    struct ring *ring = create_ring(size);
    struct ring *before = queue->last;
    queue->last = ring;
    queue->last_start = queue->head_seen = tail;
    before->end = tail;
    atomic_store_explicit(&before->next, ring, memory_order_release);
}

static size_t ring_size_of(size_t line_bytes)
{
    size_t size = RING_SIZE;
    while (size < line_bytes)
        size *= 2;
    return size;
}

/*
 * Queues a line that the last ring has no room for. The ring of a long line gets its successor at
 * once, so that it is sure to be given back.
 */
static bool write_to_more(struct nu_log_file *file, struct queue *queue, struct nu_str line)
{
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    bool is_long = line.len > RING_SIZE;
    if (line.len > NU_LOG_FILE_BOUND)
        return false;
    size_t size = ring_size_of(line.len);
    if (!may_grow(file, size + (is_long ? RING_SIZE : 0)))
        return false;
    add_ring(queue, size, tail);
    copy_in(queue->last, tail, line);
    tail += line.len;
    if (is_long)
        add_ring(queue, RING_SIZE, tail);
    atomic_store_explicit(&queue->tail, tail, memory_order_release);
    return true;
}

static void write_slowly(struct nu_log_file *file, struct queue *queue, struct nu_str line)
{
    bool is_taken = write_to_more(file, queue, line);
    count(is_taken ? &queue->lines_written : &queue->lines_dropped);
    wake(file->writer);
}

void nu_log_file_write(struct nu_log_file *file, struct nu_str line)
{
    if (line.len == 0)
        return;
    struct queue *queue = own_queue(file);
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    if (nu_unlikely(!is_within(queue, tail + line.len, RING_SIZE))) {
        write_slowly(file, queue, line);
        return;
    }
    copy_in(queue->last, tail, line);
    atomic_store_explicit(&queue->tail, tail + line.len, memory_order_release);
    count(&queue->lines_written);
    if (!is_within(queue, tail + line.len, RING_SIZE / 2))
        wake(file->writer);
}

void nu_log_file_flush(struct nu_log_file *file)
{
    wake(file->writer);
}

static bool is_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1;
}

/* Writes up to `n` bytes; returns how many are done with, 0 when the file takes no more now. */
static size_t write_some(struct nu_log_file *file, const char *data, size_t n)
{
    if (!file->is_regular) {
        n = nu_min_size(n, STREAM_CHUNK);
        if (!is_writable(file->fd))
            return 0;
    }
    ssize_t written = write(file->fd, data, n);
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (written < 0) {
        count(&file->writer->writes_failed);
        return n; /* lost: keeping it would only lose the newer lines */
    }
    count(&file->writer->writes_completed);
    return (size_t)written;
}

/* Writes the bytes from the queue's head up to `end`, which are in its first ring. */
static bool drain_ring(struct nu_log_file *file, struct queue *queue, size_t end)
{
    const struct ring *ring = queue->first;
    size_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    while (head != end) {
        size_t at = head & (ring->size - 1);
        size_t done = write_some(file, ring->data + at, nu_min_size(end - head, ring->size - at));
        if (done == 0)
            return false;
        head += done;
        atomic_store_explicit(&queue->head, head, memory_order_release);
    }
    return true;
}

static void free_first_ring(struct nu_log_file *file, struct queue *queue, struct ring *next)
{
    struct ring *first = queue->first;
    queue->first = next;
    give_bytes(file, first->size);
    nu_free(first);
}

/*
 * Writes what is queued in one queue; returns false when the file takes no more now. The tail is
 * looked at before the rings, so that a ring which it has left has its `next`.
 */
static bool drain_queue(struct nu_log_file *file, struct queue *queue)
{
    size_t tail = atomic_load_explicit(&queue->tail, memory_order_acquire);
    for (;;) {
        struct ring *first = queue->first;
        struct ring *next = atomic_load_explicit(&first->next, memory_order_acquire);
        bool is_left = next && first->end <= tail;
        if (!drain_ring(file, queue, is_left ? first->end : tail))
            return false;
        if (!is_left)
            return true;
        free_first_ring(file, queue, next);
    }
}

/* A queue that could not be emptied may have stopped inside a line: it goes first the next time. */
static bool drain_file(struct nu_log_file *file)
{
    for (unsigned i = 0; i < NU_THREAD_MAX; i++) {
        unsigned index = (file->turn + i) % NU_THREAD_MAX;
        struct queue *queue = atomic_load_explicit(&file->queues[index], memory_order_acquire);
        if (queue && !drain_queue(file, queue)) {
            file->turn = index;
            return false;
        }
    }
    return true;
}

static bool drain_all(struct nu_log_writer *writer)
{
    bool all = true;
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next)
        all &= drain_file(file);
    return all;
}

static void reopen_files(struct nu_log_writer *writer)
{
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next) {
        if (!file->owns_fd)
            continue;
        int fd = open_path(file->path, O_CREAT);
        if (fd < 0) {
            count(&writer->reopen_failed);
            continue;
        }
        close_file(file);
        file->fd = fd;
        file->is_regular = is_regular_file(fd);
    }
}

/* Waits for the interval or a wake-up; a stuck pipe is tried again soon. */
static void wait_for_work(struct nu_log_writer *writer, bool all_written)
{
    enum { STUCK_RETRY_MS = 20 };
    struct pollfd p = {.fd = writer->wake_fd, .events = POLLIN};
    int timeout = all_written ? (int)writer->flush_interval_ms : STUCK_RETRY_MS;
    int ready = poll(&p, 1, timeout);
    if (ready == 0 && all_written)
        count(&writer->flushed_by_timer);
    uint64_t counter;
    ssize_t n = read(writer->wake_fd, &counter, sizeof(counter));
    (void)n;
    atomic_store(&writer->woken, false);
}

static void pause_us(long us)
{
    struct timespec pause = {.tv_nsec = us * 1000};
    nanosleep(&pause, NULL);
}

static void drain_at_last(struct nu_log_writer *writer)
{
    enum { TRIES = 50, PAUSE_US = 10000 };
    for (int i = 0; i < TRIES && !drain_all(writer); i++)
        pause_us(PAUSE_US);
}

static void *log_thread(void *arg)
{
    struct nu_log_writer *writer = arg;
    pthread_setname_np(pthread_self(), "nuncio-log");
    bool all_written = true;
    while (!atomic_load(&writer->stopping)) {
        wait_for_work(writer, all_written);
        all_written = drain_all(writer);
        if (atomic_exchange(&writer->reopen, false))
            reopen_files(writer);
        if (all_written)
            atomic_fetch_add(&writer->rounds, 1);
    }
    drain_at_last(writer);
    return NULL;
}

/* The thread takes no signals: they are for main, and a pipe without a reader must not kill us. */
bool nu_log_writer_start(struct nu_log_writer *writer)
{
    int code = nu_thread_start(&writer->thread, log_thread, writer);
    if (code != 0) {
        errno = code;
        return false;
    }
    writer->running = true;
    return true;
}

void nu_log_writer_reopen(struct nu_log_writer *writer)
{
    atomic_store(&writer->reopen, true);
    wake(writer);
}

void nu_log_writer_sync(struct nu_log_writer *writer, unsigned timeout_ms)
{
    if (!writer->running) {
        drain_all(writer);
        return;
    }
    /* Two more passes: the one under way may already be behind our queue. */
    uint64_t goal = atomic_load(&writer->rounds) + 2;
    enum { PAUSE_US = 200 };
    uint64_t tries = (uint64_t)timeout_ms * 1000 / PAUSE_US;
    for (uint64_t i = 0; i < tries && atomic_load(&writer->rounds) < goal; i++) {
        wake(writer);
        pause_us(PAUSE_US);
    }
}

static void destroy_queue(struct queue *queue)
{
    if (!queue)
        return;
    struct ring *ring = queue->first;
    while (ring) {
        struct ring *next = atomic_load(&ring->next);
        nu_free(ring);
        ring = next;
    }
    free(queue);
}

static void destroy_file(struct nu_log_file *file)
{
    close_file(file);
    for (unsigned i = 0; i < NU_THREAD_MAX; i++)
        destroy_queue(atomic_load(&file->queues[i]));
    nu_free(file->path);
    nu_free(file);
}

void nu_log_writer_destroy(struct nu_log_writer **writer_ptr)
{
    struct nu_log_writer *writer = *writer_ptr;
    if (!writer)
        return;
    *writer_ptr = NULL;
    if (writer->running) {
        atomic_store(&writer->stopping, true);
        wake(writer);
        pthread_join(writer->thread, NULL);
    } else {
        drain_at_last(writer);
    }
    struct nu_log_file *file = atomic_load(&writer->files);
    while (file) {
        struct nu_log_file *next = file->next;
        destroy_file(file);
        file = next;
    }
    close(writer->wake_fd);
    nu_free(writer);
}

/* The head is read before the tail, which it never passes. */
static void add_queues(const struct nu_log_file *file, struct nu_log_counters *out)
{
    for (unsigned i = 0; i < NU_THREAD_MAX; i++) {
        const struct queue *queue = atomic_load_explicit(&file->queues[i], memory_order_acquire);
        if (!queue)
            continue;
        size_t head = atomic_load_explicit(&queue->head, memory_order_acquire);
        out->bytes_waiting += atomic_load_explicit(&queue->tail, memory_order_relaxed) - head;
        out->lines_written += peek(&queue->lines_written);
        out->lines_dropped += peek(&queue->lines_dropped);
    }
}

void nu_log_writer_counters(const struct nu_log_writer *writer, struct nu_log_counters *out)
{
    *out = (struct nu_log_counters){
        .writes_completed = peek(&writer->writes_completed),
        .writes_failed = peek(&writer->writes_failed),
        .reopen_failed = peek(&writer->reopen_failed),
        .flushed_by_timer = peek(&writer->flushed_by_timer),
    };
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next)
        add_queues(file, out);
}

const char *nu_log_writer_take_losing(struct nu_log_writer *writer)
{
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next) {
        struct nu_log_counters of_file = {0};
        if (!file->is_told_losing)
            add_queues(file, &of_file);
        if (of_file.lines_dropped) {
            file->is_told_losing = true;
            return file->path;
        }
    }
    return NULL;
}
