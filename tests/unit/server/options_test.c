/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what each option sets, what is refused. Messages are tested with the binary. */
#include "harness/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "server/options_internal.h"

enum { ARGS_MAX = 16 };

static struct nu_options options;

/* Reads a command line of words; messages are dropped. */
static enum nu_options_outcome parse(const char *const *words)
{
    static char copies[ARGS_MAX][200];
    static char *argv[ARGS_MAX + 1];
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t) "nuncio";
    for (; words[argc - 1]; argc++) {
        snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    fflush(stdout);
    int saved[] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    enum nu_options_outcome outcome = nu_options_parse(argc, argv, &options);
    fflush(stdout);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    close(null);
    return outcome;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})
#define assert_runs(...) assert_int_equal(PARSE("-c", "x.yaml", __VA_ARGS__), NU_OPTIONS_RUN)
#define assert_refused(...) \
    do { \
        assert_int_equal(PARSE("-c", "x.yaml", __VA_ARGS__), NU_OPTIONS_EXIT_ERROR); \
        nu_options_finish(&options); \
    } while (0)

TEST(defaults_are_envoys)
{
    assert_int_equal(PARSE("-c", "x.yaml"), NU_OPTIONS_RUN);
    assert_string_equal(options.config_path, "x.yaml");
    assert_null(options.config_yaml);
    assert_int_equal(options.mode, NU_MODE_SERVE);
    assert_int_equal(options.log_level, NU_LOG_INFO);
    assert_true(options.concurrency >= 1);
    assert_int_equal(options.drain_time_s, 600);
    assert_int_equal(options.parent_shutdown_time_s, 900);
    assert_int_equal(options.sigterm_drain_ms, 8000);
    assert_false(options.drain_immediately);
    assert_null(options.stats_tags);
}

TEST(values_stand_behind_a_blank_or_an_equals_sign)
{
    assert_int_equal(PARSE("--config-path=a=b.yaml", "--concurrency", "3", "-l", "debug"),
                     NU_OPTIONS_RUN);
    assert_string_equal(options.config_path, "a=b.yaml");
    assert_int_equal(options.concurrency, 3);
    assert_int_equal(options.log_level, NU_LOG_DEBUG);
}

TEST(yaml_alone_is_a_configuration)
{
    assert_int_equal(PARSE("--config-yaml", "{}"), NU_OPTIONS_RUN);
    assert_int_equal(PARSE("-l", "info"), NU_OPTIONS_EXIT_ERROR);
}

/* As with Envoy: a script's variable may be unset. */
TEST(an_empty_configuration_is_none)
{
    assert_int_equal(PARSE("-c", "", "--config-yaml", ""), NU_OPTIONS_EXIT_ERROR);
    assert_runs("--config-yaml", "");
    assert_null(options.config_yaml);
    assert_int_equal(PARSE("-c", "", "--config-yaml", "{}"), NU_OPTIONS_RUN);
    assert_null(options.config_path);
}

TEST(concurrency_is_obeyed_and_0_means_1)
{
    assert_runs("--concurrency", "0");
    assert_int_equal(options.concurrency, 1);
    assert_runs("--concurrency", "256");
    assert_int_equal(options.concurrency, 256);
    assert_refused("--concurrency", "257");
    assert_refused("--concurrency", "-1");
    assert_refused("--concurrency", "4294967296");
    assert_refused("--concurrency", "two");
    assert_refused("--concurrency", "");
}

TEST(modes_are_known_by_name)
{
    assert_runs("--mode", "validate");
    assert_int_equal(options.mode, NU_MODE_VALIDATE);
    assert_runs("--mode", "init_only");
    assert_int_equal(options.mode, NU_MODE_INIT_ONLY);
    assert_runs("--mode", "serve");
    assert_int_equal(options.mode, NU_MODE_SERVE);
    assert_refused("--mode", "Validate");
}

TEST(log_levels_are_checked)
{
    assert_runs("--log-level", "warn", "--component-log-level", "upstream:debug,router:off");
    assert_int_equal(options.log_level, NU_LOG_WARN);
    nu_options_apply_log_levels(&options);
    assert_int_equal(nu_log_component_level(NU_LOG_UPSTREAM), NU_LOG_DEBUG);
    assert_int_equal(nu_log_component_level(NU_LOG_ROUTER), NU_LOG_OFF);
    assert_int_equal(nu_log_component_level(NU_LOG_MAIN), NU_LOG_WARN);
    nu_log_set_level(NU_LOG_INFO);
    assert_refused("-l", "INFO");
    assert_refused("--component-log-level", "upstream");
    assert_refused("--component-log-level", "upstream:debug,");
    assert_refused("--component-log-level", "nosuch:debug");
    assert_refused("--component-log-level", "upstream:loud");
}

TEST(words_of_two_are_checked)
{
    assert_runs("--drain-strategy", "immediate", "--local-address-ip-version", "v6");
    assert_true(options.drain_immediately);
    assert_true(options.local_address_ipv6);
    assert_refused("--drain-strategy", "slow");
    assert_refused("--local-address-ip-version", "v5");
}

/* As Envoy 1.36.4 has it: letters and digits; no dot; not empty. */
TEST(tags_are_collected)
{
    assert_runs("--stats-tag", "env:prod", "--stats-tag", "zone:eu:1");
    assert_string_equal(options.stats_tags[0], "env:prod");
    assert_string_equal(options.stats_tags[1], "zone:eu:1");
    assert_null(options.stats_tags[2]);
    nu_options_finish(&options);
    assert_refused("--stats-tag", "env");
    assert_refused("--stats-tag", "a_b:c");
    assert_refused("--stats-tag", "a:b.c");
    assert_refused("--stats-tag", "a:");
    assert_refused("--stats-tag", ":b");
}

TEST(what_is_no_option_is_refused)
{
    assert_refused("--no-such-option");
    assert_refused("extra");
    assert_refused("-x");
    assert_refused("-");
    assert_refused("--log-format-escaped=yes");
    assert_refused("--log-path");
    assert_refused("-c", "again.yaml");
    assert_refused("--log-level", "info", "-l", "debug");
}

TEST(what_stands_behind_two_dashes_is_for_others)
{
    assert_runs("--", "--no-such-option");
}

TEST(options_that_mean_nothing_here_are_accepted)
{
    assert_runs("--use-dynamic-base-id", "--socket-path", "@x", "--cpuset-threads",
                "--enable-mutex-tracing", "--disable-extensions", "a,b");
    assert_runs("--skip-hot-restart-parent-stats", "--socket-mode", "600",
                "--enable-fine-grain-logging", "--parent-shutdown-time-s", "5");
}

TEST(an_epoch_needs_to_be_told_that_there_is_no_parent)
{
    assert_runs("--restart-epoch", "0");
    assert_refused("--restart-epoch", "1");
    assert_runs("--restart-epoch", "1", "--disable-hot-restart");
    assert_runs("--restart-epoch", "1", "--skip-hot-restart-on-no-parent");
    assert_int_equal(options.restart_epoch, 1);
}

TEST(information_ends_the_process)
{
    assert_int_equal(PARSE("--version"), NU_OPTIONS_EXIT_OK);
    assert_int_equal(PARSE("--hot-restart-version"), NU_OPTIONS_EXIT_OK);
    assert_int_equal(PARSE("-h"), NU_OPTIONS_EXIT_OK);
}

/* What `envoy --help` of 1.36.4 lists. */
TEST(every_option_of_envoy_is_there)
{
    static const char *const names[] = {"stats-tag",
                                        "enable-core-dump",
                                        "socket-mode",
                                        "socket-path",
                                        "disable-extensions",
                                        "cpuset-threads",
                                        "enable-mutex-tracing",
                                        "disable-hot-restart",
                                        "mode",
                                        "parent-shutdown-time-s",
                                        "drain-strategy",
                                        "drain-time-s",
                                        "file-flush-interval-msec",
                                        "service-zone",
                                        "service-node",
                                        "service-cluster",
                                        "hot-restart-version",
                                        "restart-epoch",
                                        "log-path",
                                        "enable-fine-grain-logging",
                                        "log-format-escaped",
                                        "log-format",
                                        "component-log-level",
                                        "log-level",
                                        "local-address-ip-version",
                                        "admin-address-path",
                                        "skip-deprecated-logs",
                                        "ignore-unknown-dynamic-fields",
                                        "reject-unknown-dynamic-fields",
                                        "allow-unknown-static-fields",
                                        "allow-unknown-fields",
                                        "config-yaml",
                                        "config-path",
                                        "concurrency",
                                        "base-id-path",
                                        "skip-hot-restart-parent-stats",
                                        "skip-hot-restart-on-no-parent",
                                        "use-dynamic-base-id",
                                        "base-id",
                                        "version",
                                        "help"};
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        size_t found = 0;
        for (size_t j = 0; j < nu_option_count; j++)
            found += strcmp(nu_option_table[j].name, names[i]) == 0;
        if (found != 1)
            fail_msg("--%s stands %zu times in the table", names[i], found);
    }
}

TEST_MAIN()
