/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end without losses: what was accepted is served, within a bound. Connections that become
 * idle meanwhile are looked for again and again, since a response that had begun before the
 * drain could not announce the end.
 */
#include "server/server_internal.h"

enum {
    MARGIN_MS = 5000,      /* what the service manager grants on top of the drain */
    LOOK_MS = 20,          /* how often connections are counted */
    LOOKS_PER_SWEEP = 10,  /* how often idle ones are looked for */
    LOOKS_PER_STATUS = 50, /* how often the service manager is told */
};

static uint32_t count_connections(const struct nu_server *server)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < server->worker_count; i++)
        count += nu_worker_connections(server->workers[i]);
    return count;
}

static void end_drain(struct nu_server *server, uint32_t left, bool is_over)
{
    if (left)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "the drain is over after %u ms: closing %u connections",
               server->drain_limit_ms, left);
    else if (!is_over)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN,
               "the drain is over after %u ms, before all that runs on threads has ended",
               server->drain_limit_ms);
    else
        nu_log(NU_LOG_MAIN, NU_LOG_INFO, "drained");
    nu_server_stop(server, 0);
}

void nu_server_on_drain_timer(struct nu_timer *timer)
{
    struct nu_server *server = nu_container_of(timer, struct nu_server, drain_timer);
    uint64_t since = nu_loop_now_us(server->loop) - atomic_load(&server->drain.start_us);
    uint32_t left = count_connections(server);
    bool is_over = left == 0 && nu_server_listeners_closed(server) && nu_services_end(server);
    if (is_over || since >= server->drain_limit_ms * 1000ull) {
        end_drain(server, left, is_over);
        return;
    }
    server->drain_looks++;
    if (server->drain_looks % LOOKS_PER_SWEEP == 0)
        nu_server_on_workers(server, nu_worker_drain, NULL);
    if (server->drain_looks % LOOKS_PER_STATUS == 0)
        nu_notify_send(&server->notify, "STATUS=Draining: %u connections are left", left);
    nu_timer_arm(server->loop, timer, LOOK_MS);
}

void nu_server_drain(struct nu_server *server, uint32_t limit_ms)
{
    server->draining = true;
    server->drain_limit_ms = limit_ms;
    nu_drain_set(&server->drain, NU_DRAIN_IMMEDIATE, nu_loop_now_us(server->loop), 0);
    nu_notify_send(&server->notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=Draining",
                   (limit_ms + MARGIN_MS) * 1000ull);
    for (size_t i = 0; i < server->listener_count; i++)
        nu_server_stop_listener(server, i);
    nu_server_on_workers(server, nu_worker_drain, NULL);
    nu_timer_arm(server->loop, &server->drain_timer, LOOK_MS);
}
