/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a bootstrap: the file's ending decides how it is read, --config-yaml goes over it. */
#include "harness/config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

static char folder[] = "/tmp/nuncio-load-XXXXXX";

/* A file of this name with this content in the test's folder; returns its path. */
static const char *put_file(const char *name, struct nu_str content)
{
    static char path[256];
    if (strstr(folder, "XXXXXX"))
        assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    fclose(file);
    return path;
}

/* Loads and compares node.id, or the one error behind the file's name. */
static void check(const char *path, const char *config_yaml, const char *id, const char *error)
{
    struct config_fixture f;
    config_open(&f);
    const Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap =
        nu_config_load_bootstrap(&f.ctx, path, config_yaml);
    if (id) {
        assert_config_errors(&f, "");
        assert_string_equal(bootstrap->node->id, id);
    } else {
        assert_null(bootstrap);
        assert_int_equal(f.ctx.errors.count, 1);
        assert_string_equal(f.ctx.errors.items[0].message, error);
    }
    config_close(&f);
}

static void check_file(const char *name, struct nu_str content, const char *id, const char *error)
{
    const char *path = put_file(name, content);
    check(path, NULL, id, error);
    unlink(path);
}

/* Files that are read while others are served. */
TEST(a_pipe_is_not_waited_for)
{
    struct config_fixture f;
    const char *path = put_file("pipe.yaml", NU_STR(""));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    config_open(&f);
    assert_null(
        nu_config_read_file(&f.ctx, path, &envoy__config__bootstrap__v3__bootstrap__descriptor));
    assert_int_equal(f.ctx.errors.count, 1);
    assert_string_equal(f.ctx.errors.items[0].message, "unable to read file: not a regular file");
    config_close(&f);
    unlink(path);
}

TEST(yaml_of_another_name_is_told_what_it_was_taken_for)
{
    struct config_fixture f;
    const char *path = put_file("a.conf", NU_STR("node: {id: a}"));
    config_open(&f);
    assert_null(nu_config_load_bootstrap(&f.ctx, path, NULL));
    assert_int_equal(f.ctx.errors.count, 2);
    assert_string_equal(f.ctx.errors.items[1].message, "JSON: a value was expected");
    assert_string_equal(
        f.ctx.errors.items[0].message,
        "read as JSON, since the name of the file ends in none of .yaml, .yml and .pb");
    config_close(&f);
    unlink(path);
}

TEST(the_ending_decides_the_format)
{
    check_file("a.yaml", NU_STR("node: {id: a}"), "a", NULL);
    check_file("a.yml", NU_STR("node: {id: a}"), "a", NULL);
    check_file("a.YAML", NU_STR("node: {id: a}"), "a", NULL);
    check_file("a.json", NU_STR("{\"node\": {\"id\": \"a\"}}"), "a", NULL);
    check_file("a.conf", NU_STR("{\"node\": {\"id\": \"a\"}}"), "a", NULL);
    check_file("a", NU_STR("{\"node\": {\"id\": \"a\"}}"), "a", NULL);
    check_file("a.pb", NU_STR("\x0a\x03\x0a\x01z"), "z", NULL);
    check_file("a.pb", NU_STR("\xff"), NULL, "Bootstrap: broken field number");
    check_file("a.pb_text", NU_STR(""), NULL,
               "text-format protobuf is not supported; use .yaml, .yml, .json or .pb");
}

TEST(a_file_that_cannot_be_read)
{
    check("/nonexistent/envoy.yaml", NULL, NULL, "unable to read file: No such file or directory");
    check("/", NULL, NULL, "unable to read file: Is a directory");
}

TEST(yaml_from_the_command_line_goes_over_the_file)
{
    const char *path = put_file("a.json", NU_STR("{\"node\": {\"id\": \"a\"}}"));
    check(path, "node: {cluster: c}", "a", NULL);
    check(path, "node: {id: b}", "b", NULL);
    unlink(path);
    check(NULL, "node: {id: c}", "c", NULL);
}

TEST(errors_name_the_command_line)
{
    struct config_fixture f;
    config_open(&f);
    assert_null(nu_config_load_bootstrap(&f.ctx, NULL, "node: {idd: c}"));
    assert_config_errors(&f,
                         "<--config-yaml>:1:8: node.idd: no such field in Node (did you mean id?)");
    config_close(&f);
}

TEST(something_must_be_given)
{
    check(NULL, NULL, NULL, "at least one of --config-path and --config-yaml is needed");
    rmdir(folder);
}

TEST_MAIN()
