/* SPDX-License-Identifier: Apache-2.0 */
/* When and which listeners drain; stopping one is listener_stop.c's. */
#include "server/listener_drain.h"

#include "server/server_internal.h"

/* --- Giving connections up -------------------------------------------------------------------- */

static bool is_meant(const struct nu_listener *listener, bool inbound_only)
{
    return !inbound_only || listener->config->direction == NU_TRAFFIC_INBOUND;
}

/* What a graceful drain means for a listener that is inbound, or is not. */
static enum nu_drain_mode graceful_mode(const struct nu_listener_drain *drain, bool is_inbound)
{
    if (!drain->graceful || (drain->how.inbound_only && !is_inbound))
        return NU_DRAIN_OFF;
    return drain->server->options->drain_immediately ? NU_DRAIN_IMMEDIATE : NU_DRAIN_GRADUAL;
}

static enum nu_drain_mode mode_of(const struct nu_listener_drain *drain,
                                  const struct nu_listener *listener)
{
    if (listener->config->drain_on_modify_only)
        return NU_DRAIN_OFF;
    if (drain->health_failed)
        return NU_DRAIN_IMMEDIATE;
    return graceful_mode(drain, listener->config->direction == NU_TRAFFIC_INBOUND);
}

static uint64_t period_us(const struct nu_listener_drain *drain)
{
    return drain->server->options->drain_time_s * 1000000ull;
}

static void update(struct nu_listener_drain *drain)
{
    struct nu_server *server = drain->server;
    for (size_t i = 0; server->listeners && i < server->listener_count; i++) {
        struct nu_listener *listener = server->listeners[i];
        nu_drain_set(&listener->drain, mode_of(drain, listener), drain->start_us, period_us(drain));
    }
    if (server->admin)
        nu_admin_set_drain(server->admin, graceful_mode(drain, false), drain->start_us,
                           period_us(drain));
}

void nu_listener_drain_fail_health(struct nu_listener_drain *drain, bool failed)
{
    drain->health_failed = failed;
    update(drain);
}

/* --- Stopping --------------------------------------------------------------------------------- */

static void stop_listeners(struct nu_listener_drain *drain, bool inbound_only)
{
    struct nu_server *server = drain->server;
    for (size_t i = 0; i < server->listener_count; i++) {
        if (is_meant(server->listeners[i], inbound_only))
            nu_server_stop_listener(server, i);
    }
}

static void on_timer(struct nu_timer *timer)
{
    struct nu_listener_drain *drain = nu_container_of(timer, struct nu_listener_drain, timer);
    if (!drain->how.skip_exit)
        stop_listeners(drain, drain->how.inbound_only);
}

void nu_listener_drain_begin(struct nu_listener_drain *drain, const struct nu_admin_drain *how)
{
    if (!how->graceful) {
        stop_listeners(drain, how->inbound_only);
        return;
    }
    if (drain->graceful)
        return;
    drain->graceful = true;
    drain->how = *how;
    drain->start_us = nu_loop_now_us(drain->server->loop);
    update(drain);
    nu_timer_arm(drain->server->loop, &drain->timer, period_us(drain) / 1000);
}

/* --- Life ------------------------------------------------------------------------------------- */

void nu_listener_drain_init(struct nu_listener_drain *drain, struct nu_server *server)
{
    drain->server = server;
    nu_timer_init(&drain->timer, on_timer);
}

void nu_listener_drain_finish(struct nu_listener_drain *drain)
{
    nu_timer_cancel(&drain->timer);
}
