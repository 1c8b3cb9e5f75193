/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs from configuration to the bytes in the file. */
#include "harness/format_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "access_log/access_log.h"
#include "base/log_writer.h"
#include "config/config.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

static const struct nu_access_logger_class *const classes[] = {
    &nu_file_access_logger, &nu_stdout_access_logger, &nu_stderr_access_logger, NULL};

static struct fixture f;
static struct nu_config_ctx ctx;
static struct nu_log_writer *writer;
static char folder[64];

static void open_world(void)
{
    fixture_init(&f);
    nu_config_ctx_init(&ctx, &f.arena);
    writer = nu_log_writer_create(1000);
    snprintf(folder, sizeof(folder), "/tmp/access_log_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void close_world(void)
{
    char command[128];
    nu_log_writer_destroy(&writer);
    nu_access_log_thread_finish();
    nu_config_ctx_finish(&ctx);
    fixture_finish(&f);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Loads an access_log list; "$" in the YAML is the folder. */
static bool load(const char *yaml, struct nu_access_log_list *out)
{
    struct nu_strbuf text = {0};
    struct nu_str rest = nu_str_from(yaml);
    while (rest.ptr) {
        nu_strbuf_add(&text, nu_str_split(&rest, '$'));
        if (rest.ptr)
            nu_strbuf_add_cstr(&text, folder);
    }
    const struct Envoy__Config__Bootstrap__V3__Admin *admin =
        (const struct Envoy__Config__Bootstrap__V3__Admin *)nu_config_read(
            &ctx, "c.yaml", nu_strbuf_str(&text), NU_CONFIG_YAML,
            &envoy__config__bootstrap__v3__admin__descriptor);
    nu_strbuf_finish(&text);
    assert_non_null(admin);
    const struct nu_access_log_factory factory = {
        .ctx = &ctx, .arena = &f.arena, .writer = writer, .classes = classes};
    return nu_access_log_list_from_protos(&factory, admin->access_log, admin->n_access_log, out);
}

static struct nu_str content(const char *name)
{
    static char bytes[8192];
    char path[128];
    nu_log_writer_sync(writer, 1000);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return nu_str_make(bytes, n);
}

#define FILE_LOG(name) \
    "'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " \
    "$/" name

static const char default_line[] =
    "[2026-11-23T06:11:27.948Z] \"POST /a/b?x=1&y=2&e=&enc=%41%20b HTTP/1.1\" 200 - 5 6 2 1 \"-\" "
    "\"probe/1\" \"18fa58fb-1f53-49e9-a53e-a965dfdfb2bb\" \"example.com\" \"127.0.0.1:46791\"\n";

TEST(every_form_of_a_file_log_is_written)
{
    static const struct {
        const char *format;
        const char *expected;
    } cases[] = {
        {"", default_line},
        {"format: ''", default_line},
        {"format: \"%REQ(x-a)% %REQ(none)%\\n\"", "aval -\n"},
        {"json_format: {m: '%RESPONSE_CODE%x', c: '%RESPONSE_CODE%'}",
         "{\"c\":200,\"m\":\"200x\"}\n"},
        {"typed_json_format: {num: 5, n: '%REQ(none)%'}", "{\"n\":null,\"num\":5}\n"},
        {"log_format: {text_format: 'old %PROTOCOL%'}", "old HTTP/1.1"},
        {"log_format: {text_format: ''}", ""},
    };
    open_world();
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        char yaml[512];
        char name[8];
        struct nu_access_log_list list;
        snprintf(name, sizeof(name), "%zu", i);
        snprintf(yaml, sizeof(yaml),
                 "access_log: [{name: a, typed_config: {" FILE_LOG("%s") ", %s}}]", name,
                 cases[i].format);
        assert_true(load(yaml, &list));
        nu_access_log_write(&list, &f.context, NULL);
        assert_str(content(name), cases[i].expected);
    }
    close_world();
}

TEST(loggers_of_one_path_share_the_file_and_filters_are_asked)
{
    struct nu_access_log_list list;
    open_world();
    assert_true(
        load("access_log:\n"
             "- {name: a, typed_config: {" FILE_LOG(
                 "f") ", format: \"1\\n\"}}\n"
                      "- name: b\n"
                      "  filter: {response_flag_filter: {}}\n"
                      "  typed_config: {" FILE_LOG("f") ", format: \"2\\n\"}\n"
                                                        "- {name: c, typed_config: {" FILE_LOG(
                                                            "f") ", format: \"3\\n\"}}\n",
             &list));
    nu_access_log_write(&list, &f.context, NULL);
    nu_stream_info_set_flag(&f.info, NU_FLAG_NO_ROUTE_FOUND);
    nu_access_log_write(&list, &f.context, NULL);
    assert_str(content("f"), "1\n3\n1\n2\n3\n");
    struct nu_log_counters counters;
    nu_log_writer_counters(writer, &counters);
    assert_int_equal(counters.lines_written, 5);
    close_world();
}

TEST(stdout_and_stderr_have_loggers_of_their_own)
{
    struct nu_access_log_list list;
    open_world();
    assert_true(load("access_log:\n"
                     "- name: a\n"
                     "  typed_config: {'@type': type.googleapis.com/"
                     "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}\n"
                     "- name: b\n"
                     "  typed_config:\n"
                     "    '@type': type.googleapis.com/"
                     "envoy.extensions.access_loggers.stream.v3.StderrAccessLog\n"
                     "    log_format: {json_format: {l: '%DOWNSTREAM_LOCAL_ADDRESS%'}}\n",
                     &list));
    assert_int_equal(list.count, 2);
    assert_ptr_equal(list.items[0].logger->logger_class, &nu_stdout_access_logger);
    assert_ptr_equal(list.items[1].logger->logger_class, &nu_stderr_access_logger);
    assert_int_equal(list.items[0].logger->needs, 0);
    assert_int_equal(list.needs, NU_FORMAT_NEEDS_LOCAL_ADDRESS);
    close_world();
}

TEST(all_mistakes_of_a_list_are_reported)
{
    struct nu_access_log_list list;
    open_world();
    assert_false(load("access_log:\n"
                      "- name: envoy.access_loggers.file\n"
                      "- name: x\n"
                      "  typed_config: {'@type': type.googleapis.com/envoy.config.core.v3.Node}\n"
                      "- name: w\n"
                      "  typed_config:\n"
                      "    '@type': "
                      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
                      "    path: /dev/null\n"
                      "    log_format: {text_format: '%FOO%'}\n"
                      "- name: z\n"
                      "  typed_config:\n"
                      "    '@type': "
                      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
                      "    path: /nonexistent/x\n",
                      &list));
    nu_error_list_sort(&ctx.errors);
    struct nu_strbuf errors = {0};
    nu_error_list_format(&ctx.errors, &errors);
    assert_str(
        nu_strbuf_str(&errors),
        "c.yaml:2:3: access_log[0]: Didn't find a registered implementation for "
        "'envoy.access_loggers.file' with type URL: ''\n"
        "c.yaml:4:17: access_log[1].typed_config: Didn't find a registered implementation for 'x' "
        "with type URL: 'envoy.config.core.v3.Node'\n"
        "c.yaml:9:31: access_log[2].typed_config.log_format.text_format: Not supported field in "
        "StreamInfo: FOO\n"
        "c.yaml:13:11: access_log[3].typed_config.path: unable to open file '/nonexistent/x': No "
        "such file or directory\n");
    nu_strbuf_finish(&errors);
    close_world();
}

TEST(a_very_long_line_is_written_whole)
{
    struct nu_access_log_list list;
    struct nu_strbuf value = {0};
    open_world();
    for (int i = 0; i < 8000; i++)
        nu_strbuf_add_char(&value, 'x');
    nu_headers_set(&f.request, NU_STR("x-a"), nu_strbuf_str(&value));
    assert_true(load(
        "access_log: [{name: a, typed_config: {" FILE_LOG("f") ", format: \"%REQ(x-a)%\\n\"}}]",
        &list));
    nu_access_log_write(&list, &f.context, NULL);
    struct nu_str out = content("f");
    assert_int_equal(out.len, 8001);
    assert_true(nu_str_starts_with(out, nu_strbuf_str(&value)));
    nu_strbuf_finish(&value);
    close_world();
}

TEST_MAIN()
