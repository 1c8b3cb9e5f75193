/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log thread: what is queued is written, whole and in order, or counted as dropped. Tests that
 * need a certain moment do without the thread: sync then writes from the test itself. Named pipes
 * stand for readers that are slow, stuck or gone.
 */
#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log_writer.h"
#include "base/thread.h"

enum {
    RING_BYTES = 1 << 18,
    MOST_RINGS = 1 + NU_LOG_FILE_BOUND / RING_BYTES, /* of one file and thread */
    PATIENCE_MS = 20000,
    LONG_INTERVAL_MS = 1000000,
};

static char folder[] = "/tmp/nuncio-log-XXXXXX";

static void remove_folder(void)
{
    rmdir(folder);
}

/* A path in a folder of this test's own, to be handed to remove_file. */
static char *path_of(const char *name)
{
    static bool is_made;
    if (!is_made) {
        assert_non_null(mkdtemp(folder));
        atexit(remove_folder);
    }
    is_made = true;
    return nu_asprintf("%s/%s", folder, name);
}

static void remove_file(char *path)
{
    unlink(path);
    nu_free(path);
}

static struct nu_log_file *open_log(struct nu_log_writer *writer, const char *path)
{
    struct nu_strbuf error = {0};
    struct nu_log_file *file = nu_log_writer_open(writer, path, &error);
    if (!file)
        fail_msg("%s", error.data);
    return file;
}

static struct nu_strbuf read_file(const char *path)
{
    struct nu_strbuf content = {0};
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n;
    while ((n = read(fd, nu_strbuf_reserve(&content, 65536), 65536)) > 0)
        nu_strbuf_commit(&content, (size_t)n);
    close(fd);
    return content;
}

static void assert_content(const char *path, const char *want)
{
    struct nu_strbuf content = read_file(path);
    assert_str(nu_strbuf_str(&content), want);
    nu_strbuf_finish(&content);
}

/* A named pipe and its reading end, which does not block. */
static int make_pipe(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static bool is_readable_soon(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) == 1 && (p.revents & POLLIN);
}

static void write_lines(struct nu_log_file *file, char letter, size_t len, unsigned count)
{
    char *line = nu_alloc(len);
    memset(line, letter, len - 1);
    line[len - 1] = '\n';
    for (unsigned i = 0; i < count; i++)
        nu_log_file_write(file, nu_str_make(line, len));
    nu_free(line);
}

static struct nu_log_counters counters_of(const struct nu_log_writer *writer)
{
    struct nu_log_counters counters;
    nu_log_writer_counters(writer, &counters);
    return counters;
}

/* Ends the writer; the file, which is removed, then has all of `want`, which is freed. */
static void end_with(struct nu_log_writer **writer, char *path, struct nu_strbuf *want)
{
    assert_int_equal(counters_of(*writer).lines_dropped, 0);
    nu_log_writer_destroy(writer);
    struct nu_strbuf content = read_file(path);
    assert_true(nu_str_eq(nu_strbuf_str(&content), nu_strbuf_str(want)));
    nu_strbuf_finish(&content);
    nu_strbuf_finish(want);
    remove_file(path);
}

TEST(a_writer_that_makes_no_files_takes_lines_and_leaves_nothing)
{
    char *path = path_of("tried.log");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    nu_log_writer_make_no_files(writer);
    nu_log_file_write(open_log(writer, path), NU_STR("lost\n"));
    nu_log_writer_destroy(&writer);
    assert_int_equal(access(path, F_OK), -1);
    nu_free(path);
}

TEST(a_writer_that_makes_no_files_says_what_could_not_be_made)
{
    struct nu_strbuf error = {0};
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    nu_log_writer_make_no_files(writer);
    assert_null(nu_log_writer_open(writer, "/nosuch/a.log", &error));
    assert_true(
        nu_str_starts_with(nu_strbuf_str(&error), NU_STR("unable to open file '/nosuch/a.log': ")));
    nu_strbuf_finish(&error);
    nu_log_writer_destroy(&writer);
}

TEST(lines_are_appended_in_order)
{
    char *path = path_of("order");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    nu_log_file_write(file, NU_STR("one\n"));
    nu_log_file_write(file, nu_str_make(NULL, 0));
    nu_log_file_write(file, NU_STR("two\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_content(path, "one\ntwo\n");
    assert_int_equal(counters_of(writer).lines_written, 2);
    nu_log_writer_destroy(&writer);
    assert_null(writer);
    nu_log_writer_destroy(&writer);

    writer = nu_log_writer_create(LONG_INTERVAL_MS);
    nu_log_file_write(open_log(writer, path), NU_STR("three\n"));
    nu_log_writer_destroy(&writer);
    assert_content(path, "one\ntwo\nthree\n");
    remove_file(path);
}

TEST(a_new_file_is_readable_by_all_and_writable_by_its_owner)
{
    char *path = path_of("mode");
    mode_t before = umask(0);
    struct nu_log_writer *writer = nu_log_writer_create(1);
    open_log(writer, path);
    umask(before);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(one_path_is_one_file)
{
    char *path = path_of("same");
    char *other = path_of("other");
    struct nu_log_writer *writer = nu_log_writer_create(1);
    struct nu_log_file *file = open_log(writer, path);
    assert_ptr_equal(open_log(writer, path), file);
    assert_ptr_not_equal(open_log(writer, other), file);
    nu_log_writer_destroy(&writer);
    remove_file(path);
    remove_file(other);
}

TEST(a_file_that_cannot_be_opened_gives_a_reason)
{
    char *path = path_of("missing/file");
    struct nu_log_writer *writer = nu_log_writer_create(1);
    struct nu_strbuf error = {0};
    assert_null(nu_log_writer_open(writer, path, &error));
    assert_true(nu_str_find(nu_strbuf_str(&error), nu_str_from(path)) != NU_NPOS);
    assert_true(nu_str_find(nu_strbuf_str(&error), NU_STR("No such file")) != NU_NPOS);
    nu_strbuf_finish(&error);
    nu_log_writer_destroy(&writer);
    nu_free(path);
}

TEST(the_path_of_standard_output_means_our_own)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    nu_log_file_write(open_log(writer, "/dev/stdout"), NU_STR("to stdout\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    nu_log_writer_destroy(&writer);
    bool is_open = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(ends[1]);
    char text[32];
    assert_int_equal(read(ends[0], text, sizeof(text)), 10);
    assert_memory_equal(text, "to stdout\n", 10);
    assert_true(is_open);
    close(ends[0]);
}

TEST(lines_over_the_bound_are_dropped_whole_and_counted)
{
    enum { LINE = 1000, PER_RING = RING_BYTES / LINE, KEPT = MOST_RINGS * PER_RING };
    char *path = path_of("full");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    write_lines(file, 'x', LINE, KEPT + 50);
    assert_int_equal(counters_of(writer).lines_written, KEPT);
    assert_int_equal(counters_of(writer).lines_dropped, 50);
    assert_int_equal(counters_of(writer).bytes_waiting, KEPT * LINE);
    nu_log_file_write(file, NU_STR("short\n")); /* there is room for this one */
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_int_equal(counters_of(writer).bytes_waiting, 0);
    write_lines(file, 'y', LINE, 1);
    nu_log_writer_sync(writer, PATIENCE_MS);
    struct nu_strbuf content = read_file(path);
    assert_int_equal(content.len, KEPT * LINE + 6 + LINE);
    assert_true(nu_str_ends_with(nu_strbuf_str(&content), NU_STR("yy\n")));
    nu_strbuf_finish(&content);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(what_grew_is_given_back_when_it_is_written)
{
    char *path = path_of("grown");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    for (int round = 0; round < 3; round++) { /* each takes all that may be taken */
        write_lines(file, 'x', RING_BYTES, MOST_RINGS);
        assert_int_equal(counters_of(writer).lines_dropped, round);
        write_lines(file, 'y', RING_BYTES, 1);
        assert_int_equal(counters_of(writer).lines_dropped, round + 1);
        nu_log_writer_sync(writer, PATIENCE_MS);
    }
    nu_log_writer_destroy(&writer);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 3L * MOST_RINGS * RING_BYTES);
    remove_file(path);
}

TEST(the_bound_of_a_file_is_for_all_threads_and_each_has_a_ring_besides)
{
    char *path = path_of("shared");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    nu_thread_enter(1, "test");
    write_lines(file, 'a', RING_BYTES, MOST_RINGS);
    nu_thread_enter(2, "test");
    write_lines(file, 'b', RING_BYTES, 1);
    assert_int_equal(counters_of(writer).lines_dropped, 0);
    write_lines(file, 'b', RING_BYTES, 1);
    assert_int_equal(counters_of(writer).lines_dropped, 1);
    nu_thread_enter(0, "test");
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(all_files_together_have_a_bound)
{
    enum { FULL = NU_LOG_WRITER_BOUND / NU_LOG_FILE_BOUND };
    char *paths[FULL + 1];
    struct nu_log_file *files[FULL + 1];
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    for (int i = 0; i <= FULL; i++) {
        char name[16];
        snprintf(name, sizeof(name), "all-%d", i);
        paths[i] = path_of(name);
        files[i] = open_log(writer, paths[i]);
    }
    for (int i = 0; i < FULL; i++)
        write_lines(files[i], 'x', RING_BYTES, MOST_RINGS);
    write_lines(files[FULL], 'x', RING_BYTES, 1);
    assert_int_equal(counters_of(writer).lines_dropped, 0);
    write_lines(files[FULL], 'x', RING_BYTES, 1);
    assert_int_equal(counters_of(writer).lines_dropped, 1);
    nu_log_writer_sync(writer, PATIENCE_MS);
    write_lines(files[FULL], 'x', RING_BYTES, MOST_RINGS);
    assert_int_equal(counters_of(writer).lines_dropped, 1);
    nu_log_writer_destroy(&writer);
    for (int i = 0; i <= FULL; i++)
        remove_file(paths[i]);
}

TEST(a_line_longer_than_a_ring_comes_out_whole_between_its_neighbours)
{
    enum { LONG = 3 * RING_BYTES + 77, ROUNDS = 20 }; /* rounds over what may be taken at once */
    char *path = path_of("long");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    struct nu_strbuf want = {0};
    for (int i = 0; i < ROUNDS; i++) {
        char letter = (char)('a' + i);
        write_lines(file, letter, 10, 1);
        write_lines(file, letter, LONG, 1);
        write_lines(file, letter, RING_BYTES - 1, 1);
        nu_log_writer_sync(writer, PATIENCE_MS);
        static const size_t lens[] = {10, LONG, RING_BYTES - 1};
        for (size_t k = 0; k < NU_ARRAY_LEN(lens); k++) {
            memset(nu_strbuf_reserve(&want, lens[k]), letter, lens[k] - 1);
            nu_strbuf_commit(&want, lens[k] - 1);
            nu_strbuf_add_char(&want, '\n');
        }
    }
    end_with(&writer, path, &want);
}

TEST(a_line_longer_than_the_bound_is_dropped)
{
    char *path = path_of("longest");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    write_lines(file, 'x', NU_LOG_FILE_BOUND + 1, 1);
    assert_int_equal(counters_of(writer).lines_dropped, 1);
    write_lines(file, 'x', NU_LOG_FILE_BOUND / 2, 1);
    assert_int_equal(counters_of(writer).lines_written, 1);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(a_file_that_loses_lines_is_named_once)
{
    char *path = path_of("losing");
    char *other = path_of("keeping");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    nu_log_file_write(open_log(writer, other), NU_STR("kept\n"));
    assert_null(nu_log_writer_take_losing(writer));
    write_lines(file, 'x', NU_LOG_FILE_BOUND + 1, 1);
    assert_string_equal(nu_log_writer_take_losing(writer), path);
    write_lines(file, 'x', NU_LOG_FILE_BOUND + 1, 1);
    assert_null(nu_log_writer_take_losing(writer));
    nu_log_writer_destroy(&writer);
    remove_file(path);
    remove_file(other);
}

TEST(lines_that_wrap_around_the_ring_come_out_whole)
{
    char *path = path_of("wrap");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    struct nu_strbuf want = {0};
    for (unsigned i = 0; i < 3000; i++) {
        size_t before = want.len;
        nu_strbuf_addf(&want, "%u %.*s\n", i, (int)(i * 7 % 400),
                       "...................................................................."
                       "...................................................................."
                       "...................................................................."
                       "...................................................................."
                       "...................................................................."
                       "....................................................................");
        nu_log_file_write(file, nu_str_skip(nu_strbuf_str(&want), before));
        if (i % 700 == 0)
            nu_log_writer_sync(writer, PATIENCE_MS);
    }
    assert_true(want.len > 2 * RING_BYTES);
    end_with(&writer, path, &want);
}

/* Bursts of all lengths, some of several rings, and passes of the log thread between them. */
TEST(lines_that_wrap_and_grow_in_turn_come_out_whole)
{
    char *path = path_of("grow-wrap");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    struct nu_strbuf want = {0};
    char dots[1000];
    memset(dots, '.', sizeof(dots));
    for (unsigned i = 0, burst = 0; burst < 60; burst++) {
        for (unsigned end = i + burst * 97 % 1900; i < end; i++) {
            size_t before = want.len;
            nu_strbuf_addf(&want, "%u %.*s\n", i, (int)(i * 31 % sizeof(dots)), dots);
            nu_log_file_write(file, nu_str_skip(nu_strbuf_str(&want), before));
        }
        nu_log_writer_sync(writer, PATIENCE_MS);
    }
    end_with(&writer, path, &want);
}

TEST(destroy_writes_what_is_queued)
{
    char *path = path_of("destroy");
    for (int round = 0; round < 20; round++) {
        struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
        struct nu_log_file *file = open_log(writer, path);
        assert_true(nu_log_writer_start(writer));
        write_lines(file, 'x', 100, 1000);
        nu_log_writer_destroy(&writer);
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 20 * 100 * 1000);
    remove_file(path);
}

TEST(a_file_may_be_opened_while_the_thread_runs)
{
    struct nu_log_writer *writer = nu_log_writer_create(1);
    assert_true(nu_log_writer_start(writer));
    char *paths[20];
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "late-%d", i);
        paths[i] = path_of(name);
        nu_log_file_write(open_log(writer, paths[i]), nu_str_from(name));
    }
    nu_log_writer_sync(writer, PATIENCE_MS);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "late-%d", i);
        assert_content(paths[i], name);
        remove_file(paths[i]);
    }
    nu_log_writer_destroy(&writer);
}

TEST(after_a_rename_and_reopen_lines_go_to_a_new_file)
{
    char *path = path_of("current");
    char *rotated = path_of("rotated");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    nu_log_file_write(file, NU_STR("before\n"));
    assert_int_equal(rename(path, rotated), 0);
    nu_log_writer_reopen(writer);
    nu_log_writer_sync(writer, PATIENCE_MS);
    nu_log_file_write(file, NU_STR("after\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_content(rotated, "before\n");
    assert_content(path, "after\n");
    nu_log_writer_destroy(&writer);
    remove_file(path);
    remove_file(rotated);
}

TEST(a_file_that_cannot_be_reopened_goes_on_where_it_was)
{
    char *inner = path_of("inner");
    char *moved = path_of("moved");
    assert_int_equal(mkdir(inner, 0700), 0);
    char *path = path_of("inner/log");
    char *moved_path = path_of("moved/log");
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    assert_int_equal(rename(inner, moved), 0);
    nu_log_writer_reopen(writer);
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_int_equal(counters_of(writer).reopen_failed, 1);
    nu_log_file_write(file, NU_STR("kept\n"));
    nu_log_writer_destroy(&writer);
    assert_content(moved_path, "kept\n");
    unlink(moved_path);
    rmdir(moved);
    nu_free(moved_path);
    nu_free(moved);
    nu_free(inner);
    remove_file(path);
}

TEST(a_flush_comes_before_the_interval)
{
    char *path = path_of("flush");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    nu_log_file_write(file, NU_STR("line\n"));
    nu_log_file_flush(file);
    assert_true(is_readable_soon(reader));
    assert_int_equal(counters_of(writer).flushed_by_timer, 0);
    nu_log_writer_destroy(&writer);
    close(reader);
    remove_file(path);
}

TEST(the_interval_flushes_by_itself)
{
    char *path = path_of("timer");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(1);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    nu_log_file_write(file, NU_STR("line\n"));
    assert_true(is_readable_soon(reader));
    assert_true(counters_of(writer).flushed_by_timer > 0);
    nu_log_writer_destroy(&writer);
    close(reader);
    remove_file(path);
}

TEST(half_a_ring_is_flushed_before_the_interval)
{
    char *path = path_of("half");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    write_lines(file, 'x', 1024, RING_BYTES / 2 / 1024 + 1);
    assert_true(is_readable_soon(reader));
    close(reader);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(a_stuck_pipe_does_not_delay_another_file)
{
    char *stuck_path = path_of("stuck");
    char *path = path_of("free");
    int reader = make_pipe(stuck_path);
    int free_reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(1);
    struct nu_log_file *free_file = open_log(writer, path);
    struct nu_log_file *stuck = open_log(writer, stuck_path); /* asked first, as the newer one */
    assert_true(nu_log_writer_start(writer));
    write_lines(stuck, 'x', 1000, 200); /* three times what a pipe takes */
    for (int i = 0; i < 10; i++) {
        char c;
        nu_log_file_write(free_file, NU_STR("\n"));
        assert_true(is_readable_soon(free_reader));
        assert_int_equal(read(free_reader, &c, 1), 1);
    }
    close(reader);
    nu_log_writer_destroy(&writer);
    close(free_reader);
    remove_file(stuck_path);
    remove_file(path);
}

TEST(sync_waits_for_a_stuck_pipe_as_long_as_it_may)
{
    char *path = path_of("sync-stuck");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    write_lines(file, 'x', 1000, 200);
    uint64_t before = nu_clock_monotonic_us();
    nu_log_writer_sync(writer, 30);
    assert_true(nu_clock_monotonic_us() - before >= 30000);
    close(reader);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

struct drain {
    int fd;
    struct nu_strbuf content;
    pthread_t thread;
    uint64_t last_us; /* when it read last, or was to start */
    uint64_t longest_us;
};

static void note_pause(struct drain *drain)
{
    uint64_t now_us = nu_clock_monotonic_us();
    if (now_us - drain->last_us > drain->longest_us)
        drain->longest_us = now_us - drain->last_us;
    drain->last_us = now_us;
}

/* Reads until the writers are gone. */
static void *drain_pipe(void *arg)
{
    struct drain *drain = arg;
    fcntl(drain->fd, F_SETFL, 0);
    ssize_t n;
    while ((n = read(drain->fd, nu_strbuf_reserve(&drain->content, 5000), 5000)) > 0) {
        nu_strbuf_commit(&drain->content, (size_t)n);
        note_pause(drain);
    }
    return NULL;
}

/* Destroys the writer while a thread reads its pipe. */
static void destroy_and_drain(struct nu_log_writer **writer, struct drain *drain)
{
    drain->last_us = nu_clock_monotonic_us();
    assert_int_equal(pthread_create(&drain->thread, NULL, drain_pipe, drain), 0);
    nu_log_writer_destroy(writer);
    pthread_join(drain->thread, NULL);
    note_pause(drain);
    close(drain->fd);
}

/* The end waits half a second for a pipe: a reader whom a busy machine stops for longer misses lines by
 * right, and that test is to be done again. */
static bool was_kept_waiting(const struct drain *drain, size_t expected)
{
    enum { LONG_US = 300000 };
    return drain->content.len < expected && drain->longest_us > LONG_US;
}

/* A reader that is kept waiting each time is not the machine's fault. */
static bool is_over_in_time(bool (*try)(void))
{
    enum { TRIES = 10 };
    for (int i = 0; i < TRIES; i++) {
        if (try())
            return true;
    }
    return false;
}

/* How many lines are not one letter repeated. */
static unsigned count_torn_lines(struct nu_str content, size_t len)
{
    unsigned torn = 0;
    while (content.len) {
        struct nu_str line = nu_str_split(&content, '\n');
        bool is_whole = line.len == len - 1;
        for (size_t i = 1; i < line.len; i++)
            is_whole &= line.ptr[i] == line.ptr[0];
        torn += !is_whole;
    }
    return torn;
}

static bool fill_and_drain(void)
{
    char *path = path_of("tear");
    struct drain drain = {.fd = make_pipe(path)};
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    nu_thread_enter(2, "test");
    write_lines(file, 'b', 1000, 200);
    nu_log_writer_sync(writer, 0);
    nu_thread_enter(1, "test");
    write_lines(file, 'a', 1000, 20);
    nu_thread_enter(3, "test");
    write_lines(file, 'c', 1000, 20);
    nu_thread_enter(0, "test");
    char some[8192];
    assert_int_equal(read(drain.fd, some, sizeof(some)), sizeof(some));
    nu_strbuf_add(&drain.content, nu_str_make(some, sizeof(some)));
    nu_log_writer_sync(writer, 0);

    destroy_and_drain(&writer, &drain);
    bool is_over = !was_kept_waiting(&drain, 240 * 1000);
    if (is_over) {
        assert_int_equal(drain.content.len, 240 * 1000);
        assert_int_equal(count_torn_lines(nu_strbuf_str(&drain.content), 1000), 0);
    }
    nu_strbuf_finish(&drain.content);
    remove_file(path);
    return is_over;
}

/*
 * One thread's line is cut by a full pipe; when the pipe takes more, another thread has lines too.
 */
TEST(a_full_pipe_does_not_tear_a_line)
{
    assert_true(is_over_in_time(fill_and_drain));
}

static bool destroy_with_slow_pipe(void)
{
    char *path = path_of("slow");
    struct drain drain = {.fd = make_pipe(path)};
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    write_lines(file, 'x', 1000, 250);
    destroy_and_drain(&writer, &drain);
    bool is_over = !was_kept_waiting(&drain, 250 * 1000);
    if (is_over)
        assert_int_equal(drain.content.len, 250 * 1000);
    nu_strbuf_finish(&drain.content);
    remove_file(path);
    return is_over;
}

TEST(destroy_waits_a_moment_for_a_slow_pipe)
{
    assert_true(is_over_in_time(destroy_with_slow_pipe));
}

TEST(a_pipe_whose_reader_is_gone_loses_lines_and_nothing_else)
{
    char *path = path_of("gone");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    assert_true(nu_log_writer_start(writer));
    close(reader);
    nu_log_file_write(file, NU_STR("nobody reads this\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_int_equal(counters_of(writer).writes_failed, 1);
    nu_log_file_write(file, NU_STR("nor this\n"));
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(a_pipe_that_nobody_reads_yet_can_be_opened)
{
    char *path = path_of("early");
    assert_int_equal(mkfifo(path, 0600), 0);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    struct nu_log_file *file = open_log(writer, path);
    nu_log_file_write(file, NU_STR("early\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    char text[16];
    assert_int_equal(read(reader, text, sizeof(text)), 6);
    close(reader);
    nu_log_writer_destroy(&writer);
    remove_file(path);
}

TEST(reopening_a_pipe_that_nobody_reads_does_not_stop_the_thread)
{
    char *path = path_of("reopen-gone");
    char *other_path = path_of("reopen-other");
    int reader = make_pipe(path);
    struct nu_log_writer *writer = nu_log_writer_create(LONG_INTERVAL_MS);
    open_log(writer, path);
    struct nu_log_file *other = open_log(writer, other_path);
    assert_true(nu_log_writer_start(writer));
    close(reader);
    nu_log_writer_reopen(writer);
    nu_log_writer_sync(writer, PATIENCE_MS);
    nu_log_file_write(other, NU_STR("still here\n"));
    nu_log_writer_sync(writer, PATIENCE_MS);
    assert_content(other_path, "still here\n");
    nu_log_writer_destroy(&writer);
    remove_file(path);
    remove_file(other_path);
}

enum { THREADS = 4, LINES = 20000 }; /* several rings of each thread and file */

struct producer {
    struct nu_log_file *files[2];
    unsigned index;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    nu_thread_enter(producer->index, "producer");
    for (unsigned i = 0; i < LINES; i++) {
        char line[64];
        int len = snprintf(line, sizeof(line), "%u %u some text\n", producer->index, i);
        nu_log_file_write(producer->files[i % 2], nu_str_make(line, (size_t)len));
    }
    nu_thread_leave();
    return NULL;
}

/* Each thread's lines are there, in rising order; returns how many. */
static unsigned check_produced(const char *path)
{
    struct nu_strbuf content = read_file(path);
    unsigned next[THREADS + 1] = {0};
    unsigned count = 0;
    char *rest = content.data;
    while (*rest) {
        unsigned index = (unsigned)strtoul(rest, &rest, 10);
        unsigned number = (unsigned)strtoul(rest, &rest, 10);
        assert_in_range(index, 1, THREADS);
        assert_true(number >= next[index]);
        next[index] = number + 1;
        assert_memory_equal(rest, " some text\n", 11);
        rest += 11;
        count++;
    }
    nu_strbuf_finish(&content);
    return count;
}

TEST(many_threads_write_many_files_during_reopens)
{
    char *paths[2] = {path_of("many-a"), path_of("many-b")};
    struct nu_log_writer *writer = nu_log_writer_create(1);
    struct producer producers[THREADS];
    pthread_t threads[THREADS];
    assert_true(nu_log_writer_start(writer));
    for (unsigned i = 0; i < THREADS; i++) {
        producers[i].index = i + 1;
        producers[i].files[0] = open_log(writer, paths[0]);
        producers[i].files[1] = open_log(writer, paths[1]);
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        nu_log_writer_reopen(writer);
        nu_log_writer_sync(writer, PATIENCE_MS);
        assert_true(counters_of(writer).lines_written <= THREADS * LINES);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct nu_log_counters counters = counters_of(writer);
    assert_int_equal(counters.lines_written, THREADS * LINES);
    assert_int_equal(counters.lines_dropped, 0);
    nu_log_writer_destroy(&writer);
    assert_int_equal(check_produced(paths[0]) + check_produced(paths[1]), counters.lines_written);
    remove_file(paths[0]);
    remove_file(paths[1]);
}

TEST_MAIN()
