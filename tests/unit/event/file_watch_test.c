/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of real files, in a folder of the test's own, under a clock that stands still. */
#include "harness/loop.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/file_watch.h"

enum { LONG_MS = 2000 };

static struct {
    char folder[32];
    struct nu_loop *loop;
    struct nu_file_watcher *watcher;
    struct nu_file_watch watch;
    unsigned calls;
} test;

static void on_change(struct nu_file_watch *watch)
{
    assert_ptr_equal(watch, &test.watch);
    test.calls++;
}

static const char *at(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", test.folder, name);
    return path;
}

static void write_file(const char *name)
{
    FILE *file = fopen(at(name), "w");
    assert_non_null(file);
    fputs("text", file);
    fclose(file);
}

static void go_on(uint64_t ms)
{
    nu_loop_run_once(test.loop); /* the events first */
    harness_advance(test.loop, ms);
}

/* How often the callback is called for what was done since. */
static unsigned calls(void)
{
    test.calls = 0;
    go_on(LONG_MS);
    go_on(LONG_MS);
    return test.calls;
}

static void start(void)
{
    snprintf(test.folder, sizeof(test.folder), "/tmp/nuncio-watch-XXXXXX");
    assert_non_null(mkdtemp(test.folder));
    nu_clock_fake_install((uint64_t)1000 * 1000000, 0);
    test.loop = nu_loop_create();
    test.watcher = nu_file_watcher_create(test.loop);
    assert_non_null(test.watcher);
    nu_file_watch_init(&test.watch, test.watcher, on_change);
}

static void watch_only(const char *name)
{
    nu_file_watch_begin(&test.watch);
    nu_file_watch_add(&test.watch, nu_str_from(at(name)));
    nu_file_watch_end(&test.watch);
}

static void stop(void)
{
    char command[64];
    nu_file_watch_finish(&test.watch);
    nu_file_watcher_destroy(&test.watcher);
    nu_loop_destroy(&test.loop);
    nu_clock_fake_remove();
    snprintf(command, sizeof(command), "rm -rf %s", test.folder);
    assert_int_equal(system(command), 0);
}

TEST(a_new_path_counts_as_changed_once)
{
    start();
    write_file("a");
    watch_only("a");
    assert_int_equal(calls(), 1);
    watch_only("a");
    assert_int_equal(calls(), 0);
    stop();
}

TEST(writing_moving_and_removing_a_file_are_changes)
{
    start();
    write_file("a");
    watch_only("a");
    assert_int_equal(calls(), 1);
    write_file("a");
    assert_int_equal(calls(), 1);
    write_file("b");
    assert_int_equal(calls(), 0);
    assert_int_equal(rename(at("b"), at("a")), 0);
    assert_int_equal(calls(), 1);
    assert_int_equal(unlink(at("a")), 0);
    assert_int_equal(calls(), 1);
    write_file("a");
    assert_int_equal(calls(), 1);
    assert_int_equal(chmod(at("a"), 0600), 0);
    assert_int_equal(calls(), 1);
    stop();
}

TEST(a_burst_is_told_once_when_it_is_over)
{
    start();
    write_file("a");
    watch_only("a");
    assert_int_equal(calls(), 1);
    test.calls = 0;
    for (int i = 0; i < 5; i++) {
        write_file("a");
        go_on(20);
    }
    assert_int_equal(test.calls, 0);
    go_on(100);
    assert_int_equal(test.calls, 1);
    stop();
}

TEST(a_burst_without_end_is_told_in_between)
{
    start();
    write_file("a");
    watch_only("a");
    assert_int_equal(calls(), 1);
    test.calls = 0;
    for (int i = 0; i < 150; i++) {
        write_file("a");
        go_on(20);
    }
    assert_in_range(test.calls, 2, 4);
    stop();
}

/* The way of Kubernetes: the file is a link through a link, which is replaced by a rename. */
TEST(a_link_on_the_way_that_leads_elsewhere_is_a_change)
{
    start();
    mkdir(at("one"), 0700);
    mkdir(at("two"), 0700);
    write_file("one/a");
    write_file("two/a");
    assert_int_equal(symlink("one", at("now")), 0);
    assert_int_equal(symlink("now/a", at("a")), 0);
    watch_only("a");
    assert_int_equal(calls(), 1);
    write_file("two/a");
    assert_int_equal(calls(), 0);
    assert_int_equal(symlink("two", at("next")), 0);
    assert_int_equal(calls(), 0);
    assert_int_equal(rename(at("next"), at("now")), 0);
    assert_int_equal(calls(), 1);
    write_file("two/a");
    assert_int_equal(calls(), 1);
    write_file("one/a");
    assert_int_equal(calls(), 0);
    stop();
}

TEST(folders_on_the_way_may_come_and_go)
{
    start();
    watch_only("x/y/a");
    assert_int_equal(calls(), 1);
    mkdir(at("x"), 0700);
    assert_int_equal(calls(), 1);
    mkdir(at("x/y"), 0700);
    write_file("x/y/a");
    assert_int_equal(calls(), 1);
    write_file("x/y/a");
    assert_int_equal(calls(), 1);
    assert_int_equal(rename(at("x"), at("z")), 0);
    assert_int_equal(calls(), 1);
    write_file("z/y/a");
    assert_int_equal(calls(), 0);
    assert_int_equal(rename(at("z"), at("x")), 0);
    assert_int_equal(calls(), 1);
    stop();
}

TEST(a_link_that_leads_to_itself_is_given_up)
{
    start();
    assert_int_equal(symlink("a", at("a")), 0);
    watch_only("a");
    assert_int_equal(calls(), 1);
    unlink(at("a"));
    write_file("a");
    assert_int_equal(calls(), 1);
    stop();
}

TEST(a_directory_is_watched_for_all_that_is_in_it)
{
    start();
    mkdir(at("d"), 0700);
    nu_file_watch_begin(&test.watch);
    nu_file_watch_add_directory(&test.watch, nu_str_from(at("d")));
    nu_file_watch_end(&test.watch);
    assert_int_equal(calls(), 1);
    write_file("d/anything");
    assert_int_equal(calls(), 1);
    write_file("else");
    assert_int_equal(calls(), 0);
    stop();
}

TEST(a_path_that_is_not_added_again_is_forgotten)
{
    start();
    write_file("a");
    write_file("b");
    watch_only("a");
    watch_only("b");
    assert_int_equal(calls(), 1);
    write_file("a");
    assert_int_equal(calls(), 0);
    write_file("b");
    assert_int_equal(calls(), 1);
    stop();
}

TEST(many_watches_share_a_directory)
{
    struct nu_file_watch other;
    start();
    write_file("a");
    watch_only("a");
    nu_file_watch_init(&other, test.watcher, on_change);
    nu_file_watch_begin(&other);
    nu_file_watch_add(&other, nu_str_from(at("b")));
    nu_file_watch_end(&other);
    nu_file_watch_finish(&other);
    assert_int_equal(calls(), 1);
    write_file("a");
    assert_int_equal(calls(), 1);
    stop();
}

TEST_MAIN()
