/* SPDX-License-Identifier: Apache-2.0 */
/* The turn: when its tasks run, and when closed objects are freed. */
#include "harness/test.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "event/io.h"
#include "event/loop.h"

enum { SOURCES = 200 };

struct source {
    struct nu_io io;
    struct nu_turn_task task;
    struct nu_loop *loop;
    int fd;
};

static int waiting; /* tasks asked for and not run */
static int most_waiting;
static int runs;
static int frees;

static void on_task(struct nu_turn_task *task)
{
    (void)task;
    waiting--;
    runs++;
}

static void on_free(void *obj)
{
    (void)obj;
    frees++;
}

static void on_ready(int fd, short what, void *arg)
{
    (void)what;
    struct source *source = arg;
    uint64_t counter;
    assert_int_equal(read(fd, &counter, sizeof(counter)), sizeof(counter));
    nu_loop_at_turn_end(source->loop, &source->task);
    nu_loop_defer_free(source->loop, on_free, source);
    waiting++;
    most_waiting = waiting > most_waiting ? waiting : most_waiting;
    nu_loop_event_done(source->loop);
}

static void open_source(struct source *source, struct nu_loop *loop)
{
    source->loop = loop;
    source->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(source->fd >= 0);
    nu_turn_task_init(&source->task, on_task);
    nu_io_init(&source->io, loop, source->fd, on_ready, source);
    nu_io_enable_read(&source->io);
}

/* Makes `count` descriptors ready and runs one turn. */
static void run_turn_of(int count)
{
    static struct source sources[SOURCES];
    struct nu_loop *loop = nu_loop_create();
    waiting = most_waiting = runs = frees = 0;
    for (int i = 0; i < count; i++)
        open_source(&sources[i], loop);
    /* libevent asks for more events at once when it got as many as it asked for. */
    for (int turns = 0; turns < 10 && runs < count; turns++)
        nu_loop_run_once(loop);
    for (int i = 0; i < count; i++) {
        nu_io_finish(&sources[i].io);
        close(sources[i].fd);
    }
    nu_loop_destroy(&loop);
}

TEST(a_short_turn_runs_its_tasks_at_its_end)
{
    run_turn_of(20);
    assert_int_equal(most_waiting, 20);
    assert_int_equal(runs, 20);
    assert_int_equal(frees, 20);
}

TEST(a_long_turn_runs_its_tasks_between_its_events)
{
    run_turn_of(SOURCES);
    assert_int_equal(most_waiting, 32);
    assert_int_equal(runs, SOURCES);
    assert_int_equal(frees, SOURCES);
}

static struct nu_loop *asking_loop;

static void on_second_task(struct nu_turn_task *task)
{
    (void)task;
    runs++;
}

static struct nu_turn_task second_task;

static void on_first_task(struct nu_turn_task *task)
{
    (void)task;
    nu_loop_at_turn_end(asking_loop, &second_task);
}

TEST(a_task_that_a_task_asks_for_runs_in_the_same_turn)
{
    struct nu_turn_task first;
    asking_loop = nu_loop_create();
    runs = 0;
    nu_turn_task_init(&first, on_first_task);
    nu_turn_task_init(&second_task, on_second_task);
    nu_loop_at_turn_end(asking_loop, &first);
    nu_loop_run_once(asking_loop);
    assert_int_equal(runs, 1);
    nu_loop_destroy(&asking_loop);
}

TEST_MAIN()
