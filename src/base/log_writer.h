/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log thread: the only thread that writes logs. Others append whole lines to queues, one queue
 * per file and thread, without a lock and without ever waiting. A queue is a ring; when that is
 * full, because the log thread has not had its turn yet, further rings are chained behind it, and
 * given back when they are written. Only what is behind by more than NU_LOG_FILE_BOUND, because a
 * disk or a reader does not keep up, is dropped and counted. The thread empties the queues every
 * flush interval, and earlier when a ring is half full. A pipe whose reader is stuck delays only
 * its own file.
 *
 *     worker 1 -> [ring] -> [ring]  \
 *     worker 2 -> [ring]            -> log thread -> write(2)
 *
 * Lines of one thread keep their order; lines of different threads may be interleaved in any order,
 * but no line is inside another.
 */
#ifndef NU_BASE_LOG_WRITER_H
#define NU_BASE_LOG_WRITER_H

#include "base/str.h"

struct nu_log_writer;
struct nu_log_file;

enum {
    /* Bytes of memory that a file may ask for, beyond a ring for each thread that writes to it. */
    NU_LOG_FILE_BOUND = 16 << 20,
    /* The same for all files together. */
    NU_LOG_WRITER_BOUND = 128 << 20,
};

/* What happened to log files since the start. */
struct nu_log_counters {
    uint64_t lines_written;    /* taken into a queue */
    uint64_t lines_dropped;    /* found no room there */
    uint64_t bytes_waiting;    /* in queues now */
    uint64_t writes_completed; /* write(2) calls that succeeded */
    uint64_t writes_failed;
    uint64_t reopen_failed;
    uint64_t flushed_by_timer;
};

/* Creates the writer; no thread runs yet, so files may be opened and checked before a fork. */
struct nu_log_writer *nu_log_writer_create(unsigned flush_interval_ms);
/*
 * Files that are opened from now on are not made where they are missing: opening says only whether
 * they could be, and what is written to them is lost. For a check that must leave nothing behind,
 * least of all a file that the user of the service may not write. Main thread.
 */
void nu_log_writer_make_no_files(struct nu_log_writer *writer);
/* Starts the thread; returns false (with errno) if the system refuses. Main thread. */
NU_MUST_USE bool nu_log_writer_start(struct nu_log_writer *writer);
/*
 * Writes what is queued, waiting half a second for slow pipes, ends the thread and closes all
 * files. Main thread, when no other thread writes any more.
 */
void nu_log_writer_destroy(struct nu_log_writer **writer);

/*
 * The file at `path`, created with mode 0644 where it is missing and appended to; the same object
 * for the same path. "/dev/stdout" and "/dev/stderr" mean the process's own descriptors, so that a
 * sandbox without /proc works. A named pipe needs no reader yet: it fills up first. NULL with an
 * error text in `error` if it cannot be opened. Main thread. Files live as long as the writer.
 */
struct nu_log_file *nu_log_writer_open(struct nu_log_writer *writer, const char *path,
                                       struct nu_strbuf *error);

/*
 * Queues one line (with its newline), or drops and counts it. Any numbered thread (base/thread.h).
 * Never blocks.
 */
void nu_log_file_write(struct nu_log_file *file, struct nu_str line);
/* Asks for what is queued to be written soon. Any thread. */
void nu_log_file_flush(struct nu_log_file *file);

/* Asks the thread to close and open every file again, after a rotation. Async-signal-safe. */
void nu_log_writer_reopen(struct nu_log_writer *writer);
/*
 * Flushes and waits until what was queued before the call is written, up to `timeout_ms`. Main
 * thread.
 */
void nu_log_writer_sync(struct nu_log_writer *writer, unsigned timeout_ms);

/* A snapshot of the counters. Any thread. */
void nu_log_writer_counters(const struct nu_log_writer *writer, struct nu_log_counters *out);
/*
 * The path of a file that has dropped lines and that no call named before, or NULL: each file is
 * named once. Borrowed: the writer's. Main thread.
 */
const char *nu_log_writer_take_losing(struct nu_log_writer *writer);

#endif
