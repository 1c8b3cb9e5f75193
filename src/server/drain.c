/* SPDX-License-Identifier: Apache-2.0 */
/* The end without losses: what was accepted is served, within a bound. */
#include "server/server_internal.h"

/* How often the connections are counted. */
enum { LOOK_MS = 20 };

static uint32_t count_connections(const struct nu_server *server)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < server->worker_count; i++)
        count += nu_worker_connections(server->workers[i]);
    return count;
}

void nu_server_on_drain_timer(struct nu_timer *timer)
{
    struct nu_server *server = nu_container_of(timer, struct nu_server, drain_timer);
    uint64_t now = nu_loop_now_us(server->loop);
    uint64_t since = now - atomic_load(&server->drain.start_us);
    if (count_connections(server) == 0 || since >= server->drain_limit_ms * 1000ull) {
        nu_server_stop(server, 0);
        return;
    }
    nu_timer_arm(server->loop, timer, LOOK_MS);
}

void nu_server_drain(struct nu_server *server, uint32_t limit_ms)
{
    server->draining = true;
    server->drain_limit_ms = limit_ms;
    nu_drain_set(&server->drain, NU_DRAIN_IMMEDIATE, nu_loop_now_us(server->loop), 0);
    nu_server_on_workers(server, nu_worker_stop_accepting, NULL);
    nu_server_on_workers(server, nu_worker_drain, NULL);
    nu_timer_arm(server->loop, &server->drain_timer, LOOK_MS);
}
