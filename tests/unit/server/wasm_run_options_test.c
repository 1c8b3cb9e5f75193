/* SPDX-License-Identifier: Apache-2.0 */
/* What `nuncio wasm run` understands of its command line, and the configuration that comes of it. */
#include "harness/test.h"

#include "config/config.h"
#include "server/wasm_run/config.h"
#include "server/wasm_run/options.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

enum { ARGUMENTS_MAX = 40 };

/* The outcome of "nuncio wasm run" and these arguments. */
static enum nu_options_outcome parse(struct nu_wasm_run_options *options,
                                     const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX] = {nu_unconst("nuncio"), nu_unconst("wasm"), nu_unconst("run")};
    int argc = 3;
    for (; *arguments; arguments++)
        argv[argc++] = nu_unconst(*arguments);
    return nu_wasm_run_options_parse(argc, argv, options);
}

#define PARSE(options, ...) parse(options, (const char *const[]){__VA_ARGS__, NULL})

TEST(a_file_is_enough)
{
    struct nu_wasm_run_options options;
    assert_int_equal(PARSE(&options, "a.wasm"), NU_OPTIONS_RUN);
    assert_string_equal(options.file, "a.wasm");
    assert_string_equal(options.path, "/");
    assert_string_equal(options.method, "GET");
    assert_int_equal(options.response_status, 200);
    assert_int_equal(options.timeout_ms, 5000);
    assert_int_equal(options.log_level, NU_LOG_INFO);
    nu_wasm_run_options_finish(&options);
}

TEST(values_stand_behind_or_after)
{
    struct nu_wasm_run_options options;
    assert_int_equal(PARSE(&options, "-H", "a: b=c", "--header=d:e", "--data=x=y", "a.wasm", "/p",
                           "--timeout", "0.25", "-l", "debug", "--response-status=404", "-e",
                           "A=", "--cluster", "c=[::1]:80", "--grpc-cluster=d=localhost:1"),
                     NU_OPTIONS_RUN);
    assert_string_equal(options.path, "/p");
    assert_string_equal(options.method, "POST");
    assert_int_equal(options.headers.count, 2);
    assert_string_equal(options.headers.items[0], "a: b=c");
    assert_string_equal(options.headers.items[1], "d:e");
    assert_str(nu_strbuf_str(&options.data.bytes), "x=y");
    assert_int_equal(options.timeout_ms, 250);
    assert_int_equal(options.log_level, NU_LOG_DEBUG);
    assert_int_equal(options.response_status, 404);
    nu_wasm_run_options_finish(&options);
}

TEST(what_is_wrong_is_refused)
{
    static const char *const wrong[][4] = {
        {NULL},
        {"a.wasm", "no-path"},
        {"a.wasm", "/a b"},
        {"a.wasm", "/", "/"},
        {"a.wasm", "--nothing"},
        {"a.wasm", "-Z"},
        {"a.wasm", "--header"},
        {"a.wasm", "-H", "no colon"},
        {"a.wasm", "-H", "a b: c"},
        {"a.wasm", "-H", ": c"},
        {"a.wasm", "-H", "a: b\r\nc: d"},
        {"a.wasm", "-H", "Content-Length: 3"},
        {"a.wasm", "--response-header", "transfer-encoding: chunked"},
        {"a.wasm", "-X", "CONNECT"},
        {"a.wasm", "-X", "G T"},
        {"a.wasm", "--response-status", "199"},
        {"a.wasm", "--response-status", "600"},
        {"a.wasm", "--timeout", "0"},
        {"a.wasm", "--timeout", "5s"},
        {"a.wasm", "--timeout", "1e9"},
        {"a.wasm", "-l", "loud"},
        {"a.wasm", "-e", "=x"},
        {"a.wasm", "-e", "x"},
        {"a.wasm", "--cluster", "a"},
        {"a.wasm", "--cluster", "a=b"},
        {"a.wasm", "--cluster", "a=:80"},
        {"a.wasm", "--cluster", "=b:80"},
        {"a.wasm", "--cluster", "a=b:0"},
        {"a.wasm", "--grpc-cluster", "a=b:65536"},
        {"a.wasm", "--cluster", "upstream=b:80"},
        {"a.wasm", "--data", "@/no/such/file"},
        {"a.wasm", "--name=a", "--name=b"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(wrong); i++) {
        struct nu_wasm_run_options options;
        const char *arguments[5] = {wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], NULL};
        if (parse(&options, arguments) != NU_OPTIONS_EXIT_ERROR)
            fail_msg("row %zu was taken", i);
        nu_wasm_run_options_finish(&options);
    }
}

/* Whatever texts are given, they are texts in it. */
TEST(the_configuration_is_one)
{
    struct nu_wasm_run_options options;
    struct nu_strbuf text = {0};
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    assert_int_equal(PARSE(&options, "/a\"b\\c.wasm", "--name", "n\"},{", "--root-id", "\n\t\x01",
                           "--vm-id", "%s", "-c", "a: \"b\"\n", "-e", "A\"=\"}",
                           "--cluster=c\"=h:1", "--grpc-cluster", "d=[::1]:2"),
                     NU_OPTIONS_RUN);
    nu_wasm_run_config_write(&options, 80, "/proc/self/fd/9", &text);
    const Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap =
        nu_config_load_bootstrap(&ctx, NULL, text.data);
    assert_non_null(bootstrap);
    assert_int_equal(bootstrap->static_resources->n_listeners, 1);
    assert_int_equal(bootstrap->static_resources->n_clusters, 3);
    assert_string_equal(bootstrap->static_resources->clusters[1]->name, "c\"");
    nu_strbuf_finish(&text);
    nu_wasm_run_options_finish(&options);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
}

TEST_MAIN()
