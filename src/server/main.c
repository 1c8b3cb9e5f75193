/* SPDX-License-Identifier: Apache-2.0 */
/* The program: options, then serve or validate; or another program, which asks a running one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/block.h"
#include "base/thread.h"
#include "server/health.h"
#include "server/log_setup.h"
#include "server/process.h"
#include "server/server.h"
#include "server/wasm_tool.h"

static int validate(const struct nu_options *options)
{
    struct nu_server *server = nu_server_create(options);
    if (!server)
        return 1;
    printf("configuration '%s' OK\n", options->config_path ? options->config_path : "");
    nu_server_destroy(&server);
    return 0;
}

static int serve(const struct nu_options *options)
{
    nu_process_prepare(options);
    struct nu_server *server = nu_server_create(options);
    if (!server)
        return 1;
    int status = nu_server_run(server);
    if (!nu_server_destroy(&server))
        _exit(status);
    return status;
}

int main(int argc, char **argv)
{
    struct nu_options options;
    if (argc > 1 && strcmp(argv[1], "health") == 0)
        return nu_health_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "wasm") == 0)
        return nu_wasm_tool_main(argc, argv);
    switch (nu_options_parse(argc, argv, &options)) {
    case NU_OPTIONS_EXIT_OK:
        return 0;
    case NU_OPTIONS_EXIT_ERROR:
        return 1;
    case NU_OPTIONS_RUN:
        break;
    }
    nu_thread_enter(NU_THREAD_MAIN, "nuncio");
    nu_log_setup_format(&options);
    int status = options.mode == NU_MODE_VALIDATE ? validate(&options) : serve(&options);
    nu_options_finish(&options);
    nu_thread_leave();
    return status;
}
