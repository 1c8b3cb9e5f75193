/* SPDX-License-Identifier: Apache-2.0 */
/* The application log: levels, names, the pattern's flags, where lines go. */
#include "harness/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

/* 2026-03-04 05:06:07.089012 UTC */
#define MOMENT_US 1772600767089012u

enum { PATIENCE_MS = 20000 };

static struct nu_str captured;

/* What one call writes to stderr while no log file is set. */
static void capture(void (*fn)(void))
{
    static char text[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof(text));
    close(ends[0]);
    captured = nu_str_make(text, n > 0 ? (size_t)n : 0);
}

static void log_hello(void)
{
    nu_log(NU_LOG_UPSTREAM, NU_LOG_WARN, "hello %d", 7);
}

static void log_odd_text(void)
{
    static const struct nu_log_place place = {"src/dir/file.c", "run", 42};
    nu_log_write(NU_LOG_MAIN, NU_LOG_ERROR, &place, "%s", "a\n\"b\"\xff");
}

static void assert_logged(void (*fn)(void), const char *pattern, const char *want)
{
    nu_clock_fake_install(0, MOMENT_US);
    nu_log_set_pattern(pattern);
    capture(fn);
    nu_log_set_pattern(NULL);
    nu_clock_fake_remove();
    assert_str(captured, want);
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

TEST(lines_go_to_stderr_in_the_default_pattern)
{
    char want[200];
    set_zone("UTC");
    snprintf(want, sizeof(want),
             "[2026-03-04 05:06:07.089][%d][error][main] [src/dir/file.c:42] a\n\"b\"\xff\n",
             (int)gettid());
    assert_logged(log_odd_text, NULL, want);
}

TEST(every_flag_of_the_pattern_is_known)
{
    char want[64];
    set_zone("UTC");
    assert_logged(log_odd_text, "%Y|%m|%d|%H|%M|%S|%T|%z", "2026|03|04|05|06|07|05:06:07|+00:00\n");
    assert_logged(log_odd_text, "%e|%f|%F", "089|089012|089012000\n");
    assert_logged(log_odd_text, "%l|%L|%n", "error|E|main\n");
    assert_logged(log_odd_text, "%g|%s|%#", "src/dir/file.c|file.c|42\n");
    assert_logged(log_odd_text, "%v", "a\n\"b\"\xff\n");
    assert_logged(log_odd_text, "%_", "a\\n\"b\"\xff\n");
    assert_logged(log_odd_text, "%j", "a\\n\\\"b\\\"\xef\xbf\xbd\n");
    assert_logged(log_odd_text, "100%%", "100%\n");
    snprintf(want, sizeof(want), "%d|%d\n", (int)gettid(), (int)getpid());
    assert_logged(log_odd_text, "%t|%P", want);
    assert_logged(log_hello, "%l|%L|%n|%v|%s", "warning|W|upstream|hello 7|log_test.c\n");
}

/* As a real Envoy 1.36.4 printed it (%g, %# and %v aside). */
TEST(every_flag_of_spdlog_is_known)
{
    set_zone("UTC");
    assert_logged(log_odd_text, "%a %A %b %B %C %D %x %I %p %R %X",
                  "Wed Wednesday Mar March 26 03/04/26 03/04/26 05 AM 05:06 05:06:07\n");
    assert_logged(log_odd_text, "%r|%c|%E", "05:06:07 AM|Wed Mar  4 05:06:07 2026|1772600767\n");
    assert_logged(log_odd_text, "%@ %!", "src/dir/file.c:42 run\n");
    assert_logged(log_hello, "%^%+%$%*|%o|%u", "hello 7|0|0\n");
}

TEST(flags_are_padded_and_cut)
{
    assert_logged(log_odd_text, "[%8l|%-8l|%=9l|%3!l|%2l]",
                  "[   error|error   |  error  |err|error]\n");
    assert_logged(log_odd_text, "%-8", "\n");
}

TEST(lines_are_escaped_on_demand)
{
    nu_log_set_escaped(true);
    assert_logged(log_odd_text, "'%v\t\\", "\\'a\\n\\\"b\\\"\\377\\t\\\\\n");
    nu_log_set_escaped(false);
}

TEST(what_is_no_flag_stays_in_the_text)
{
    assert_logged(log_odd_text, "%q", "%q\n");
    assert_logged(log_odd_text, "x%", "x\n");
    assert_logged(log_odd_text, "", "\n");
}

/* Envoy 1.36.4 writes local time, and the offset with a colon. */
TEST(times_are_local)
{
    set_zone("XXX-9:30");
    assert_logged(log_odd_text, "%H:%M %T %z", "14:36 14:36:07 +09:30\n");
    set_zone("XXX+3:30");
    assert_logged(log_odd_text, "%d %H:%M %z", "04 01:36 -03:30\n");
    set_zone("UTC");
}

static void log_long(void)
{
    nu_log(NU_LOG_MAIN, NU_LOG_INFO, "%.*s", 3000,
           (const char *)memset((char[3000]){0}, 'x', 3000));
}

TEST(a_long_message_is_written_whole)
{
    nu_log_set_pattern("%v");
    capture(log_long);
    nu_log_set_pattern(NULL);
    assert_int_equal(captured.len, 3001);
}

TEST(the_pattern_is_copied)
{
    char pattern[] = "%n";
    nu_log_set_pattern(pattern);
    pattern[1] = 'l';
    capture(log_hello);
    nu_log_set_pattern(NULL);
    assert_str(captured, "upstream\n");
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void log_side_effect(void)
{
    nu_log(NU_LOG_HTTP, NU_LOG_DEBUG, "%d", evaluate());
}

TEST(lines_below_the_level_are_neither_written_nor_evaluated)
{
    nu_log_set_level(NU_LOG_INFO);
    capture(log_side_effect);
    assert_int_equal(captured.len, 0);
    assert_int_equal(evaluated, 0);
    nu_log_set_component_level(NU_LOG_HTTP, NU_LOG_DEBUG);
    capture(log_side_effect);
    assert_true(captured.len > 0);
    assert_int_equal(evaluated, 1);
    nu_log_set_level(NU_LOG_INFO);
}

TEST(each_component_has_a_level_of_its_own)
{
    assert_int_equal(nu_log_component_level(NU_LOG_WASM), NU_LOG_INFO);
    nu_log_set_component_level(NU_LOG_WASM, NU_LOG_ERROR);
    assert_true(nu_log_is_enabled(NU_LOG_WASM, NU_LOG_ERROR));
    assert_false(nu_log_is_enabled(NU_LOG_WASM, NU_LOG_WARN));
    assert_true(nu_log_is_enabled(NU_LOG_ADMIN, NU_LOG_INFO));
    nu_log_set_level(NU_LOG_TRACE);
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++)
        assert_int_equal(nu_log_component_level((enum nu_log_component)i), NU_LOG_TRACE);
    nu_log_set_level(NU_LOG_OFF);
    assert_false(nu_log_is_enabled(NU_LOG_ADMIN, NU_LOG_CRITICAL));
    nu_log_set_level(NU_LOG_INFO);
}

TEST(level_names_are_read_and_written)
{
    static const char *const names[] = {"trace", "debug",    "info", "warning",
                                        "error", "critical", "off"};
    enum nu_log_level level;
    for (int i = 0; i < NU_LOG_LEVEL_COUNT; i++) {
        assert_true(nu_log_level_parse(nu_str_from(names[i]), &level));
        assert_int_equal(level, i);
        assert_string_equal(nu_log_level_name(level), names[i]);
    }
    assert_true(nu_log_level_parse(NU_STR("warn"), &level));
    assert_int_equal(level, NU_LOG_WARN);
    assert_false(nu_log_level_parse(NU_STR("INFO"), &level));
    assert_false(nu_log_level_parse(NU_STR("inf"), &level));
    assert_false(nu_log_level_parse(NU_STR(""), &level));
}

TEST(component_names_are_read_and_written)
{
    enum nu_log_component component;
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++) {
        const char *name = nu_log_component_name((enum nu_log_component)i);
        assert_true(nu_log_component_parse(nu_str_from(name), &component));
        assert_int_equal(component, i);
    }
    assert_false(nu_log_component_parse(NU_STR("no_such_component"), &component));
    assert_false(nu_log_component_parse(NU_STR(""), &component));
}

TEST(with_a_file_set_lines_go_there_and_without_one_to_stderr_again)
{
    char path[] = "/tmp/nuncio-log-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct nu_log_writer *writer = nu_log_writer_create(1000000);
    struct nu_strbuf error = {0};
    struct nu_log_file *file = nu_log_writer_open(writer, path, &error);
    assert_non_null(file);
    nu_log_set_pattern("%v");
    nu_log_set_file(file);
    capture(log_hello);
    assert_int_equal(captured.len, 0);
    nu_log_set_file(NULL);
    capture(log_hello);
    assert_str(captured, "hello 7\n");
    nu_log_writer_sync(writer, PATIENCE_MS);
    char text[32];
    ssize_t n = read(fd, text, sizeof(text));
    assert_str(nu_str_make(text, (size_t)n), "hello 7\n");
    nu_log_set_pattern(NULL);
    nu_log_writer_destroy(&writer);
    close(fd);
    unlink(path);
}

TEST_MAIN()
