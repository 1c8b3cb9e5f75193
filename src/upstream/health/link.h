/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP connection of a health check: one host, HTTP/1 or HTTP/2, one exchange at a time. The
 * probe that opened it is told of the response by the ops. What the probe asks for from inside an op
 * is done at the end of the turn, so it may ask for anything there. Main thread.
 *
 * A link frees itself: after ops->on_closed, and after nu_health_link_close or _abort, of which the
 * probe hears nothing more.
 */
#ifndef NU_UPSTREAM_HEALTH_LINK_H
#define NU_UPSTREAM_HEALTH_LINK_H

#include "codec/h1.h"
#include "codec/h2.h"
#include "upstream/health/probe.h"

struct nu_health_link;

/* The request that is made, and its response as far as it came. */
struct nu_health_exchange {
    struct nu_arena arena;
    struct nu_headers request;
    struct nu_buf body; /* of the request */
    struct nu_headers response;
    struct nu_stream_decoder decoder;
    struct nu_stream_encoder *encoder; /* NULL until the connection is up */
    struct nu_health_link *link;       /* NULL once nobody waits for the response */
};

struct nu_health_link_ops {
    /* exchange->response has come; `end`: all of it. */
    void (*on_headers)(void *owner, struct nu_health_exchange *exchange, bool end);
    void (*on_data)(void *owner, struct nu_health_exchange *exchange, struct nu_buf *data,
                    bool end);
    void (*on_trailers)(void *owner, struct nu_health_exchange *exchange,
                        struct nu_headers *trailers);
    /* There will be no response, or no more of it. */
    void (*on_reset)(void *owner);
    /* The peer takes no further requests; `graceful`: it goes on with the present one. */
    void (*on_goaway)(void *owner, bool graceful);
    /* The connection is gone, after on_reset if there was an exchange. */
    void (*on_closed)(void *owner);
};

struct nu_health_link {
    struct nu_connection conn;
    struct nu_loop *loop;       /* borrowed */
    struct nu_cluster *cluster; /* borrowed */
    const struct nu_health_link_ops *ops;
    void *owner; /* NULL once it wants to hear nothing more */
    bool is_h2;
    bool is_up;
    bool in_dispatch; /* of HTTP/2 frames that were read */
    struct nu_h1_client h1;
    struct nu_h2_session *h2;            /* NULL before the connection is up, and without HTTP/2 */
    struct nu_health_exchange *exchange; /* owned; NULL between checks */
    struct nu_timer idle_timer;
    struct nu_turn_task close_task;
};

/* Begins to connect to the probe's host. */
struct nu_health_link *nu_health_link_open(const struct nu_health_probe *probe, bool is_h2,
                                           const struct nu_health_link_ops *ops, void *owner);
/* A new exchange, whose request and body are to be filled in before it is sent. Only while there is
 * none. */
struct nu_health_exchange *nu_health_link_prepare(struct nu_health_link *link);
/* Sends the request, now or once the connection is up. */
void nu_health_link_send(struct nu_health_link *link);
/* Whether the requests go over a transport that hides them; known from the start. */
bool nu_health_link_is_secure(const struct nu_health_link *link);

/* Gives the exchange up: resets its stream where others could go on beside it. HTTP/2. */
void nu_health_link_abandon(struct nu_health_link *link);
/* Closes at the end of the turn. */
void nu_health_link_close(struct nu_health_link *link);
/* Closes now; not from inside an op. */
void nu_health_link_abort(struct nu_health_link *link);

#endif
