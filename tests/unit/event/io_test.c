/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of a ready descriptor, and who is told no more. */
#include "harness/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/io.h"
#include "event/signal.h"
#include "event/timer.h"

enum { BOTH = 2 };

/* Two socket pairs: we wait for one end of each. */
struct fixture {
    struct nu_loop *loop;
    struct waiter {
        struct nu_io io;
        struct fixture *fixture;
        void (*on_read)(struct waiter *waiter);
        int peer;
        char told[8]; /* r or w for each call */
    } waiters[BOTH];
};

static void note(struct waiter *waiter, char what)
{
    size_t count = strlen(waiter->told);
    assert_true(count + 1 < sizeof(waiter->told));
    waiter->told[count] = what;
}

static struct waiter *other_of(struct waiter *waiter)
{
    struct waiter *first = waiter->fixture->waiters;
    return waiter == first ? first + 1 : first;
}

static void on_read(int fd, short what, void *arg)
{
    struct waiter *waiter = arg;
    char bytes[16];
    assert_int_equal(what, NU_IO_READ);
    note(waiter, 'r');
    if (read(fd, bytes, sizeof(bytes)) <= 0)
        nu_io_disable_read(&waiter->io);
    if (waiter->on_read)
        waiter->on_read(waiter);
}

static void on_write(int fd, short what, void *arg)
{
    struct waiter *waiter = arg;
    (void)fd;
    assert_int_equal(what, NU_IO_WRITE);
    note(waiter, 'w');
    nu_io_disable_write(&waiter->io);
}

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.loop = nu_loop_create()};
    for (int i = 0; i < BOTH; i++) {
        int fds[2];
        struct waiter *waiter = &f->waiters[i];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        waiter->fixture = f;
        waiter->peer = fds[1];
        nu_io_init(&waiter->io, f->loop, fds[0], on_read, waiter);
        nu_io_enable_read(&waiter->io);
    }
}

static void fixture_finish(struct fixture *f)
{
    for (int i = 0; i < BOTH; i++) {
        nu_io_finish(&f->waiters[i].io);
        close(nu_io_fd(&f->waiters[i].io));
        close(f->waiters[i].peer);
    }
    nu_loop_destroy(&f->loop);
}

static void send_to_both(struct fixture *f)
{
    for (int i = 0; i < BOTH; i++)
        assert_int_equal(write(f->waiters[i].peer, "x", 1), 1);
}

/* How often the two were told to read. */
static size_t calls(const struct fixture *f)
{
    return strlen(f->waiters[0].told) + strlen(f->waiters[1].told);
}

TEST(bytes_are_told_until_they_are_read)
{
    struct fixture f;
    fixture_init(&f);
    send_to_both(&f);
    nu_loop_run_turn(f.loop, 0);
    nu_loop_run_turn(f.loop, 0);
    assert_string_equal(f.waiters[0].told, "r");
    assert_string_equal(f.waiters[1].told, "r");
    fixture_finish(&f);
}

static void finish_other(struct waiter *waiter)
{
    nu_io_finish(&other_of(waiter)->io);
}

TEST(one_that_another_callback_finished_is_not_told)
{
    struct fixture f;
    fixture_init(&f);
    f.waiters[0].on_read = f.waiters[1].on_read = finish_other;
    send_to_both(&f);
    nu_loop_run_turn(f.loop, 0);
    assert_int_equal(calls(&f), 1);
    fixture_finish(&f);
}

static void stop_other(struct waiter *waiter)
{
    nu_io_disable_read(&other_of(waiter)->io);
}

TEST(one_that_another_callback_stopped_is_not_told_before_it_reads_again)
{
    struct fixture f;
    fixture_init(&f);
    f.waiters[0].on_read = f.waiters[1].on_read = stop_other;
    send_to_both(&f);
    nu_loop_run_turn(f.loop, 0);
    assert_int_equal(calls(&f), 1);
    for (int i = 0; i < BOTH; i++)
        nu_io_enable_read(&f.waiters[i].io);
    nu_loop_run_turn(f.loop, 0);
    assert_int_equal(calls(&f), 2);
    fixture_finish(&f);
}

static void finish_itself(struct waiter *waiter)
{
    nu_io_finish(&waiter->io);
}

TEST(one_that_waits_for_both_is_told_of_both_while_it_lives)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < BOTH; i++)
        nu_io_enable_write(&f.waiters[i].io, on_write, &f.waiters[i]);
    f.waiters[1].on_read = finish_itself;
    send_to_both(&f);
    nu_loop_run_turn(f.loop, 0);
    nu_loop_run_turn(f.loop, 0);
    assert_string_equal(f.waiters[0].told, "wr");
    assert_string_equal(f.waiters[1].told, "wr");
    fixture_finish(&f);
}

TEST(the_end_of_the_peer_is_told_to_who_only_writes)
{
    struct fixture f;
    fixture_init(&f);
    nu_io_disable_read(&f.waiters[0].io);
    nu_io_enable_write(&f.waiters[0].io, on_write, &f.waiters[0]);
    assert_false(nu_io_is_read_enabled(&f.waiters[0].io));
    assert_true(nu_io_is_write_enabled(&f.waiters[0].io));
    shutdown(f.waiters[0].peer, SHUT_RDWR);
    nu_loop_run_turn(f.loop, 0);
    assert_string_equal(f.waiters[0].told, "w");
    fixture_finish(&f);
}

static int signals;

static void on_signal(int number, void *arg)
{
    (void)arg;
    assert_int_equal(number, SIGUSR1);
    signals++;
}

static bool fired;

static void on_timer(struct nu_timer *timer)
{
    (void)timer;
    fired = true;
}

TEST(a_loop_with_signals_serves_all_it_served_without)
{
    struct fixture f;
    struct nu_timer timer;
    fixture_init(&f);
    struct nu_signal *sig = nu_signal_create(f.loop, SIGUSR1, on_signal, NULL);
    send_to_both(&f);
    nu_loop_run_turn(f.loop, -1);
    assert_int_equal(calls(&f), 2);
    nu_timer_init(&timer, on_timer);
    nu_timer_arm(f.loop, &timer, 1);
    while (!fired)
        nu_loop_run_turn(f.loop, -1);
    raise(SIGUSR1);
    nu_loop_run_turn(f.loop, -1);
    assert_int_equal(signals, 1);
    nu_signal_destroy(&sig);
    fixture_finish(&f);
}

TEST_MAIN()
