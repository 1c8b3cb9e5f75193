/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's way:
 *
 *     the upstream's socket, an access log in memory -> a bootstrap -> the server, whose main loop has
 *     the client and the upstream as well -> the request, when the listener has opened -> the
 *     drain, when the answer is there -> the report
 *
 * What takes too long is given up by a timer on the same loop.
 */
#include "server/wasm_run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/thread.h"
#include "server/log_setup.h"
#include "server/process.h"
#include "server/server_internal.h"
#include "server/wasm_run/config.h"
#include "server/wasm_run/report.h"
#include "wasm/report.h"

struct run {
    struct nu_wasm_run_options options;
    struct nu_wasm_run_exchange exchange;
    struct nu_wasm_run_outcome outcome;
    struct nu_server *server;
    struct nu_timer timer; /* for the start, then for the request and the end */
    int log_fd;            /* the access log, a file in memory; -1: none */
    char log_path[32];
    struct nu_strbuf logged;
    bool is_compiling; /* a thread of the server goes on */
};

/* --- While it runs ---------------------------------------------------------------------------- */

/* Like a client that has waited for too long, which leaves first. */
static void on_timer(struct nu_timer *timer)
{
    enum { LAST_MS = 1000 };
    struct run *run = nu_container_of(timer, struct run, timer);
    run->outcome.timed_out = true;
    nu_wasm_run_exchange_leave(&run->exchange);
    if (run->outcome.opened)
        nu_server_drain(run->server, LAST_MS);
    else
        nu_server_stop(run->server, 1);
}

static void on_open(void *arg)
{
    struct run *run = arg;
    run->outcome.opened = true;
    nu_timer_cancel(&run->timer);
    nu_timer_arm(run->server->loop, &run->timer, run->options.timeout_ms);
    nu_wasm_run_exchange_send(&run->exchange, run->server->listeners[0]->bound[0].port);
}

/* The answer is there. The end is that of a server which is asked to end, so that the guest's roots
 * have theirs; it has what is left of the time. */
static void on_done(struct nu_wasm_run_exchange *exchange)
{
    struct run *run = nu_container_of(exchange, struct run, exchange);
    uint64_t now_ms = nu_loop_now_us(run->server->loop) / 1000;
    uint64_t left_ms = run->timer.deadline_ms > now_ms ? run->timer.deadline_ms - now_ms : 1;
    nu_timer_cancel(&run->timer);
    if (!run->server->draining)
        nu_server_drain(run->server, (uint32_t)left_ms);
}

/* --- The server ------------------------------------------------------------------------------- */

static bool open_access_log(struct run *run)
{
    run->log_fd = memfd_create("access log", MFD_CLOEXEC);
    if (run->log_fd < 0)
        fprintf(stderr, "nuncio wasm run: cannot make the access log: %s\n", strerror(errno));
    snprintf(run->log_path, sizeof(run->log_path), "/proc/self/fd/%d", run->log_fd);
    return run->log_fd >= 0;
}

static void read_access_log(struct run *run)
{
    char piece[4096];
    off_t at = 0;
    ssize_t n = 0;
    while ((n = pread(run->log_fd, piece, sizeof(piece), at)) > 0) {
        nu_strbuf_add(&run->logged, nu_str_make(piece, (size_t)n));
        at += n;
    }
    run->outcome.logged = nu_strbuf_str(&run->logged);
}

/* Whether it came to its end, well or not; else it has said why it did not start. */
static bool serve(struct run *run, const struct nu_options *options)
{
    run->server = nu_server_create(options);
    if (!run->server)
        return false;
    run->server->on_open = on_open;
    run->server->on_open_arg = run;
    nu_wasm_run_exchange_attach(&run->exchange, run->server->loop);
    nu_timer_init(&run->timer, on_timer);
    nu_timer_arm(run->server->loop, &run->timer, NU_WASM_RUN_START_MS);
    bool ok = nu_server_run(run->server) == 0 || run->outcome.timed_out;
    run->outcome.end_timed_out =
        run->exchange.is_done && nu_clock_monotonic_us() / 1000 >= run->timer.deadline_ms;
    nu_timer_cancel(&run->timer);
    nu_wasm_run_exchange_close(&run->exchange);
    run->is_compiling = !nu_server_destroy(&run->server);
    return ok;
}

/* --- The command ------------------------------------------------------------------------------ */

/* What a service manager gave to whoever called us is not for this. */
static void leave_service_manager(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

static bool is_file_there(const char *path)
{
    bool ok = access(path, R_OK) == 0;
    if (!ok)
        fprintf(stderr, "nuncio wasm run: cannot open '%s': %s\n", path, strerror(errno));
    return ok;
}

static bool print_report(struct run *run)
{
    struct nu_strbuf text = {0};
    run->outcome.guest_failed = nu_wasm_report_failures() > 0;
    read_access_log(run);
    bool ok = nu_wasm_run_report(&run->exchange, &run->outcome, &text);
    ok = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0 && ok;
    nu_strbuf_finish(&text);
    return ok;
}

/* With a configuration for what was opened. */
static bool serve_config(struct run *run, struct nu_options *options)
{
    uint16_t upstream_port;
    struct nu_strbuf config = {0};
    if (!is_file_there(run->options.file) || !open_access_log(run) ||
        !nu_wasm_run_exchange_open(&run->exchange, &upstream_port))
        return false;
    nu_wasm_run_config_write(&run->options, upstream_port, run->log_path, &config);
    options->config_yaml = config.data;
    bool ok = serve(run, options);
    nu_strbuf_finish(&config);
    return ok;
}

/* The filter's log as it was asked for, warnings of the rest; of the main component that there is
 * no admin port and that a signal came is no news. */
static bool try_filter(struct run *run)
{
    char levels[40];
    snprintf(levels, sizeof(levels), "main:error,wasm:%s",
             nu_log_level_name(run->options.log_level));
    struct nu_options options = {
        .errors_as = "nuncio wasm run",
        .log_level = NU_LOG_WARN,
        .component_log_level = levels,
        .log_format = "[%l] %v",
        .concurrency = 1,
        .drain_time_s = 600,
        .parent_shutdown_time_s = 900,
        .file_flush_interval_ms = 20,
    };
    leave_service_manager();
    nu_thread_enter(NU_THREAD_MAIN, "nuncio");
    nu_log_setup_format(&options);
    nu_process_prepare(&options);
    bool ok = serve_config(run, &options) && print_report(run);
    nu_thread_leave();
    return ok;
}

int nu_wasm_run_main(int argc, char **argv)
{
    struct run run = {.log_fd = -1};
    enum nu_options_outcome outcome = nu_wasm_run_options_parse(argc, argv, &run.options);
    bool ok = outcome == NU_OPTIONS_EXIT_OK;
    if (outcome == NU_OPTIONS_RUN) {
        nu_wasm_run_exchange_init(&run.exchange, &run.options, on_done);
        ok = try_filter(&run);
        nu_wasm_run_exchange_finish(&run.exchange);
        if (run.log_fd >= 0)
            close(run.log_fd);
        nu_strbuf_finish(&run.logged);
    }
    nu_wasm_run_options_finish(&run.options);
    if (run.is_compiling)
        _exit(ok ? 0 : 1);
    return ok ? 0 : 1;
}
