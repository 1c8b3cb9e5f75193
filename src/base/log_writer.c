/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log thread and its rings. A ring is a byte queue with one producer and one consumer: the
 * producer alone moves `tail`, the log thread alone moves `head`, and both only grow, so that their
 * difference is what is queued. Rings are created by their producer on its first line.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/thread.h"

enum {
    RING_SIZE = 1 << 18, /* a power of two; the longest line */
    STREAM_CHUNK = 4096, /* what a pipe that polls writable takes without blocking */
};

struct ring {
    _Alignas(64) _Atomic size_t tail; /* bytes ever queued, producer */
    size_t head_seen;                 /* producer's last look at head */
    _Alignas(64) _Atomic size_t head; /* bytes ever written, log thread */
    _Alignas(64) char data[RING_SIZE];
};

struct nu_log_file {
    struct nu_log_file *next;
    struct nu_log_writer *writer; /* borrowed */
    char *path;                   /* owned */
    int fd;                       /* log thread's, once it runs */
    bool owns_fd;                 /* false for stdout and stderr */
    bool is_regular;
    _Atomic(struct ring *) rings[NU_THREAD_MAX]; /* owned, by thread number */
};

struct nu_log_writer {
    _Atomic(struct nu_log_file *) files; /* newest first */
    unsigned flush_interval_ms;
    int wake_fd; /* eventfd */
    atomic_bool woken;
    atomic_bool stopping;
    atomic_bool reopen;
    _Atomic uint64_t rounds; /* complete passes over all rings */
    bool running;
    pthread_t thread;
    struct nu_log_counters counters;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
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

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
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
        fd = open_path(path);
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

static struct ring *own_ring(struct nu_log_file *file)
{
    unsigned index = nu_thread_index();
    struct ring *ring = atomic_load_explicit(&file->rings[index], memory_order_relaxed);
    if (nu_unlikely(!ring)) {
        void *memory = NULL;
        if (posix_memalign(&memory, 64, sizeof(*ring)) != 0)
            abort();
        ring = memory;
        atomic_init(&ring->tail, 0);
        atomic_init(&ring->head, 0);
        ring->head_seen = 0;
        atomic_store_explicit(&file->rings[index], ring, memory_order_release);
    }
    return ring;
}

static void copy_in(struct ring *ring, size_t tail, struct nu_str line)
{
    size_t at = tail & (RING_SIZE - 1);
    size_t first = nu_min_size(line.len, RING_SIZE - at);
    memcpy(ring->data + at, line.ptr, first);
    memcpy(ring->data, line.ptr + first, line.len - first);
}

void nu_log_file_write(struct nu_log_file *file, struct nu_str line)
{
    struct ring *ring = own_ring(file);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail + line.len - ring->head_seen > RING_SIZE)
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (tail + line.len - ring->head_seen > RING_SIZE) {
        count(&file->writer->counters.lines_dropped);
        wake(file->writer);
        return;
    }
    copy_in(ring, tail, line);
    atomic_store_explicit(&ring->tail, tail + line.len, memory_order_release);
    count(&file->writer->counters.lines_written);
    if (tail + line.len - ring->head_seen > RING_SIZE / 2) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail + line.len - ring->head_seen > RING_SIZE / 2)
            wake(file->writer);
    }
}

static bool is_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1;
}

/* Writes what is queued in one ring; returns false when the file takes no more now. */
static bool drain_ring(struct nu_log_file *file, struct ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    while (head != tail) {
        size_t at = head & (RING_SIZE - 1);
        size_t n = nu_min_size(tail - head, RING_SIZE - at);
        if (!file->is_regular) {
            n = nu_min_size(n, STREAM_CHUNK);
            if (!is_writable(file->fd))
                return false;
        }
        ssize_t written = file->fd >= 0 ? write(file->fd, ring->data + at, n) : -1;
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            return false;
        if (written < 0) {
            count(&file->writer->counters.writes_failed);
            written = (ssize_t)n; /* lost: keeping it would only lose the newer lines */
        } else {
            count(&file->writer->counters.writes_completed);
        }
        head += (size_t)written;
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
    return true;
}

static bool drain_all(struct nu_log_writer *writer)
{
    bool all = true;
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next) {
        for (unsigned i = 0; i < NU_THREAD_MAX; i++) {
            struct ring *ring = atomic_load_explicit(&file->rings[i], memory_order_acquire);
            if (ring)
                all &= drain_ring(file, ring);
        }
    }
    return all;
}

static void reopen_files(struct nu_log_writer *writer)
{
    for (struct nu_log_file *file = atomic_load(&writer->files); file; file = file->next) {
        if (!file->owns_fd)
            continue;
        int fd = open_path(file->path);
        if (fd < 0) {
            count(&writer->counters.reopen_failed);
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
    if (ready == 0)
        count(&writer->counters.flushed_by_timer);
    uint64_t counter;
    ssize_t n = read(writer->wake_fd, &counter, sizeof(counter));
    (void)n;
    atomic_store(&writer->woken, false);
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
        atomic_fetch_add(&writer->rounds, 1);
    }
    return NULL;
}

bool nu_log_writer_start(struct nu_log_writer *writer)
{
    int code = pthread_create(&writer->thread, NULL, log_thread, writer);
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

void nu_log_writer_flush(struct nu_log_writer *writer)
{
    wake(writer);
}

static void pause_us(long us)
{
    struct timespec pause = {.tv_nsec = us * 1000};
    nanosleep(&pause, NULL);
}

void nu_log_writer_sync(struct nu_log_writer *writer, unsigned timeout_ms)
{
    if (!writer->running) {
        drain_all(writer);
        return;
    }
    /* Two more passes: the one under way may already be behind our ring. */
    uint64_t goal = atomic_load(&writer->rounds) + 2;
    for (unsigned waited_us = 0; waited_us < timeout_ms * 1000; waited_us += 200) {
        wake(writer);
        if (atomic_load(&writer->rounds) >= goal)
            return;
        pause_us(200);
    }
}

static void destroy_file(struct nu_log_file *file)
{
    close_file(file);
    for (unsigned i = 0; i < NU_THREAD_MAX; i++)
        free(atomic_load(&file->rings[i]));
    nu_free(file->path);
    nu_free(file);
}

void nu_log_writer_destroy(struct nu_log_writer **writer_ptr)
{
    enum { LAST_FLUSH_TRIES = 50 };
    struct nu_log_writer *writer = *writer_ptr;
    if (!writer)
        return;
    *writer_ptr = NULL;
    if (writer->running) {
        atomic_store(&writer->stopping, true);
        wake(writer);
        pthread_join(writer->thread, NULL);
    }
    for (int i = 0; i < LAST_FLUSH_TRIES && !drain_all(writer); i++)
        pause_us(10000);
    struct nu_log_file *file = atomic_load(&writer->files);
    while (file) {
        struct nu_log_file *next = file->next;
        destroy_file(file);
        file = next;
    }
    close(writer->wake_fd);
    nu_free(writer);
}

const struct nu_log_counters *nu_log_writer_counters(const struct nu_log_writer *writer)
{
    return &writer->counters;
}
