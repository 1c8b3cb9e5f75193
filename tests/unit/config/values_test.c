/* SPDX-License-Identifier: Apache-2.0 */
/* Wrappers with defaults, durations as integers, data sources. */
#include "harness/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/values.h"
#include "envoy/config/core/v3/base.pb-c.h"

#define SOURCE "envoy.config.core.v3.DataSource"

TEST(an_unset_wrapper_gives_the_default)
{
    Google__Protobuf__BoolValue yes = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
    Google__Protobuf__UInt32Value five = GOOGLE__PROTOBUF__UINT32_VALUE__INIT;
    five.value = 5;
    assert_true(nu_bool_or(NULL, true));
    assert_false(nu_bool_or(&yes, true));
    assert_int_equal(nu_u32_or(NULL, 7), 7);
    assert_int_equal(nu_u32_or(&five, 7), 5);
    assert_int_equal(nu_u64_or(NULL, 9), 9);
    assert_str(nu_string_or(NULL, NU_STR("x")), "x");
}

TEST(durations_are_cut_off)
{
    struct config_fixture f;
    Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
    config_open(&f);
    d.seconds = 2;
    d.nanos = 1999999;
    assert_int_equal(nu_config_duration_ms(&f.ctx, NULL, "x", &d, 0), 2001);
    assert_int_equal(nu_config_duration_us(&f.ctx, NULL, "x", &d, 0), 2001999);
    assert_int_equal(nu_config_duration_ms(&f.ctx, NULL, "x", NULL, 15000), 15000);
    assert_config_errors(&f, "");
    config_close(&f);
}

TEST(durations_out_of_range_are_errors)
{
    struct config_fixture f;
    Google__Protobuf__Duration negative = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Duration large = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Duration uneven = GOOGLE__PROTOBUF__DURATION__INIT;
    config_open(&f);
    negative.nanos = -1;
    large.seconds = 315576000000;
    uneven.nanos = 1000000000;
    assert_int_equal(nu_config_duration_ms(&f.ctx, NULL, "a", &negative, 7), 7);
    assert_int_equal(nu_config_duration_ms(&f.ctx, NULL, "b", &large, 7), 7);
    assert_int_equal(nu_config_duration_ms(&f.ctx, NULL, "c", &uneven, 7), 7);
    assert_config_errors(&f, "a: a duration may not be negative\n"
                             "b: the duration is out of range\n"
                             "c: the duration is out of range");
    config_close(&f);
}

/* Reads a data source from YAML and compares its bytes; NULL when it cannot be read. */
static void check_source(const char *text, const char *bytes, const char *errors)
{
    struct config_fixture f;
    struct nu_str out;
    config_open(&f);
    const Envoy__Config__Core__V3__DataSource *source = config_yaml(&f, SOURCE, text);
    bool ok = nu_config_data_source(&f.ctx, source, &out);
    assert_int_equal(ok, bytes != NULL);
    assert_config_errors(&f, errors);
    if (bytes)
        assert_str(out, bytes);
    config_close(&f);
}

TEST(data_from_the_configuration)
{
    check_source("inline_string: hello", "hello", "");
    check_source("inline_bytes: aGk=", "hi", "");
}

TEST(data_from_the_environment)
{
    setenv("NUNCIO_TEST_VALUE", "from outside", 1);
    unsetenv("NUNCIO_TEST_NOTHING");
    check_source("environment_variable: NUNCIO_TEST_VALUE", "from outside", "");
    check_source("environment_variable: NUNCIO_TEST_NOTHING", NULL,
                 "t:1:23: environment_variable: the environment variable NUNCIO_TEST_NOTHING does "
                 "not exist");
}

TEST(data_from_a_file)
{
    char path[] = "/tmp/nuncio-values-XXXXXX";
    char text[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "from a file", 11), 11);
    close(fd);
    snprintf(text, sizeof(text), "filename: %s", path);
    check_source(text, "from a file", "");
    unlink(path);
    check_source("filename: /nonexistent/x", NULL,
                 "t:1:11: filename: /nonexistent/x: No such file or directory");
}

TEST(data_that_are_read_once_take_no_watched_directory)
{
    check_source("{filename: /dev/null, watched_directory: {path: /tmp}}", NULL,
                 "t:1:42: watched_directory: known to Envoy, not implemented by nuncio: what this "
                 "gives is read once");
}

TEST(no_data_source_is_no_data)
{
    struct config_fixture f;
    struct nu_str out;
    config_open(&f);
    assert_true(nu_config_data_source(&f.ctx, NULL, &out));
    assert_int_equal(out.len, 0);
    config_close(&f);
}

TEST_MAIN()
