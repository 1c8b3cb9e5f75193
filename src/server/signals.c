/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: TERM drains, INT (or a second TERM) ends at once, USR1 opens the logs again. */
#include "server/server_internal.h"

#include <signal.h>

#include "event/signal.h"

static void on_end(int number, void *arg)
{
    struct nu_server *server = arg;
    bool abrupt = number == SIGINT || server->draining || server->options->sigterm_drain_ms == 0;
    if (abrupt)
        nu_server_stop(server, 0);
    else
        nu_server_drain(server, server->options->sigterm_drain_ms);
    /* After it has begun, so that who reads the line can rely on it. */
    nu_log(NU_LOG_MAIN, NU_LOG_WARN, "caught %s: %s", number == SIGINT ? "SIGINT" : "SIGTERM",
           abrupt ? "ending now" : "draining");
}

static void on_usr1(int number, void *arg)
{
    (void)number;
    struct nu_server *server = arg;
    nu_log_writer_reopen(server->log_writer);
}

static void on_hup(int number, void *arg)
{
    (void)number;
    (void)arg;
    nu_log(NU_LOG_MAIN, NU_LOG_WARN, "caught SIGHUP: nothing to do");
}

static const struct {
    int number;
    void (*fn)(int number, void *arg);
} handlers[NU_SERVER_SIGNALS] = {
    {SIGTERM, on_end},
    {SIGINT, on_end},
    {SIGUSR1, on_usr1},
    {SIGHUP, on_hup},
};

void nu_server_watch_signals(struct nu_server *server)
{
    for (size_t i = 0; i < NU_SERVER_SIGNALS; i++)
        server->signals[i] =
            nu_signal_create(server->loop, handlers[i].number, handlers[i].fn, server);
}

void nu_server_ignore_signals(struct nu_server *server)
{
    for (size_t i = 0; i < NU_SERVER_SIGNALS; i++)
        nu_signal_destroy(&server->signals[i]);
}
