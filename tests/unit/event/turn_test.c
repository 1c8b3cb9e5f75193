/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's turn: tasks at its end and in the next one, frees after all of them, the mailbox. */
#include "harness/test.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "event/io.h"

static char order[64];

static void note(char c)
{
    size_t len = strlen(order);
    assert_true(len + 1 < sizeof(order));
    order[len] = c;
    order[len + 1] = '\0';
}

struct job {
    struct nu_turn_task task;
    struct nu_loop *loop;
    char name;
    struct job *then;  /* asked for at the end of this turn */
    struct job *later; /* asked for in the next turn */
    uint64_t turn;     /* in which it ran */
    bool is_hasty;     /* is to run as soon as the descriptor's callback is done */
};

static void on_free(void *obj)
{
    note(*(const char *)obj);
}

static void on_job(struct nu_turn_task *task)
{
    struct job *job = nu_container_of(task, struct job, task);
    note(job->name);
    job->turn = nu_loop_turns(job->loop);
    if (job->then)
        nu_loop_at_turn_end(job->loop, &job->then->task);
    if (job->later)
        nu_loop_at_next_turn(job->loop, &job->later->task);
    nu_loop_defer_free(job->loop, on_free, nu_unconst("."));
}

static struct job make(struct nu_loop *loop, char name)
{
    struct job job = {.loop = loop, .name = name};
    return job;
}

static struct nu_loop *start(void)
{
    order[0] = '\0';
    return nu_loop_create();
}

TEST(tasks_run_at_the_end_of_the_turn_in_order_and_frees_behind_them)
{
    struct nu_loop *loop = start();
    struct job a = make(loop, 'a');
    struct job b = make(loop, 'b');
    struct job c = make(loop, 'c');
    nu_turn_task_init(&a.task, on_job);
    nu_turn_task_init(&b.task, on_job);
    nu_turn_task_init(&c.task, on_job);
    a.then = &c;
    nu_loop_at_turn_end(loop, &a.task);
    nu_loop_at_turn_end(loop, &b.task);
    nu_loop_at_turn_end(loop, &a.task); /* asking twice is asking once */
    assert_string_equal(order, "");
    nu_loop_run_once(loop);
    assert_string_equal(order, "abc...");
    nu_loop_destroy(&loop);
}

TEST(a_task_for_the_next_turn_waits_for_it)
{
    struct nu_loop *loop = start();
    struct job a = make(loop, 'a');
    struct job b = make(loop, 'b');
    nu_turn_task_init(&a.task, on_job);
    nu_turn_task_init(&b.task, on_job);
    a.later = &b;
    nu_loop_at_turn_end(loop, &a.task);
    nu_loop_run_once(loop);
    nu_loop_run_once(loop);
    assert_string_equal(order, "a.b.");
    assert_int_equal(b.turn, a.turn + 1);
    nu_loop_destroy(&loop);
}

TEST(a_task_that_was_taken_back_does_not_run)
{
    struct nu_loop *loop = start();
    struct job a = make(loop, 'a');
    struct job b = make(loop, 'b');
    nu_turn_task_init(&a.task, on_job);
    nu_turn_task_init(&b.task, on_job);
    nu_loop_at_turn_end(loop, &a.task);
    nu_loop_at_next_turn(loop, &b.task);
    nu_list_remove(&a.task.link);
    nu_list_remove(&b.task.link);
    nu_loop_run_once(loop);
    nu_loop_run_once(loop);
    assert_string_equal(order, "");
    nu_loop_destroy(&loop);
}

TEST(destroying_a_loop_runs_what_waits)
{
    struct nu_loop *loop = start();
    struct job a = make(loop, 'a');
    nu_turn_task_init(&a.task, on_job);
    nu_loop_at_next_turn(loop, &a.task);
    nu_loop_defer_free(loop, on_free, nu_unconst("x"));
    nu_loop_destroy(&loop);
    assert_string_equal(order, "ax.");
}

enum { SENDERS = 4, MESSAGES = 500 };

struct message {
    struct nu_task task;
    unsigned sender;
    unsigned number;
};

struct sender {
    struct nu_loop *loop;
    unsigned index;
    struct message messages[MESSAGES];
};

static unsigned next_number[SENDERS];
static unsigned received;

static void on_message(struct nu_task *task)
{
    struct message *message = nu_container_of(task, struct message, task);
    assert_int_equal(message->number, next_number[message->sender]);
    next_number[message->sender]++;
    received++;
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (unsigned i = 0; i < MESSAGES; i++) {
        sender->messages[i] =
            (struct message){.task.fn = on_message, .sender = sender->index, .number = i};
        nu_loop_post(sender->loop, &sender->messages[i].task);
    }
    nu_loop_stop(sender->loop);
    return NULL;
}

TEST(messages_of_every_thread_arrive_once_and_in_order)
{
    static struct sender senders[SENDERS];
    struct nu_loop *loop = start();
    pthread_t threads[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i].loop = loop;
        senders[i].index = i;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    /* Not until it is stopped: a stop that was asked for before the last messages is the only one. */
    while (received < SENDERS * MESSAGES)
        nu_loop_run_once(loop);
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next_number[i], MESSAGES);
    }
    nu_loop_run_once(loop);
    nu_loop_destroy(&loop);
}

TEST(a_loop_does_not_wait_while_there_is_work)
{
    struct nu_loop *loop = start();
    struct job a = make(loop, 'a');
    struct job b = make(loop, 'b');
    nu_turn_task_init(&a.task, on_job);
    nu_turn_task_init(&b.task, on_job);
    a.later = &b;
    nu_loop_at_turn_end(loop, &a.task);
    nu_loop_run_turn(loop, -1);
    assert_string_equal(order, "a.");
    nu_loop_run_turn(loop, -1);
    assert_string_equal(order, "a.b.");
    nu_loop_defer_free(loop, on_free, nu_unconst("c"));
    nu_loop_run_turn(loop, -1);
    assert_string_equal(order, "a.b.c");
    nu_loop_destroy(&loop);
}

/* Two descriptors that are ready in the same turn. */
static void on_ready_job(int fd, short what, void *arg)
{
    struct job *job = arg;
    (void)fd;
    (void)what;
    note('(');
    nu_loop_at_turn_end(job->loop, &job->task);
    if (job->is_hasty)
        nu_loop_run_tasks_soon(job->loop);
    nu_loop_event_done(job->loop);
    note(')');
}

static void run_two_ready_jobs(bool are_hasty)
{
    struct nu_loop *loop = start();
    struct job jobs[2] = {make(loop, 'a'), make(loop, 'a')};
    struct nu_io ios[2];
    for (int i = 0; i < 2; i++) {
        jobs[i].is_hasty = are_hasty;
        nu_turn_task_init(&jobs[i].task, on_job);
        nu_io_init(&ios[i], loop, eventfd(1, EFD_CLOEXEC), on_ready_job, &jobs[i]);
        nu_io_enable_read(&ios[i]);
    }
    nu_loop_run_turn(loop, 0);
    for (int i = 0; i < 2; i++) {
        nu_io_finish(&ios[i]);
        close(nu_io_fd(&ios[i]));
    }
    nu_loop_destroy(&loop);
}

TEST(tasks_gather_until_the_turn_ends)
{
    run_two_ready_jobs(false);
    assert_string_equal(order, "()()aa..");
}

TEST(tasks_that_are_to_run_soon_run_before_the_next_descriptor_is_served)
{
    run_two_ready_jobs(true);
    assert_string_equal(order, "(a.)(a.)");
}

TEST_MAIN()
