/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream's router, as the files of this folder share it.
 *
 *     router.c           the filter, the exchange that it starts, and the response
 *     answers.c          what it answers without asking an upstream
 *     failures.c         what it answers when the exchange failed
 *     mirror.c           copies of the request for other clusters
 *     redirect.c         answers that the route follows by itself
 *     strict_headers.c   strict_check_headers
 */
#ifndef NU_FILTERS_HTTP_ROUTER_INTERNAL_H
#define NU_FILTERS_HTTP_ROUTER_INTERNAL_H

#include "client/exchange.h"
#include "client/limits.h"
#include "filters/http/router/router.h"

struct nu_made_cookie;

struct nu_router {
    struct nu_filter base;
    struct nu_router_stats *stats;
    struct nu_made_cookie *cookies;           /* for the client, made by the route's hash policy */
    struct nu_cluster_local *cluster;         /* of the route; NULL for none, or an unknown one */
    struct nu_frame_metadata_queue *metadata; /* the request's; NULL before there is any */
    /* Copies that are to have the rest of the request; in the arena, NULL unless it is mirrored. */
    struct nu_list *shadows;
    struct nu_router_redirect *redirect; /* in the arena; NULL unless the route follows some */
    struct nu_lb_named_hosts *named; /* hosts that the request names; NULL before it was asked */
    struct nu_str cluster_name;      /* which the route had when it was found */
    bool forwarding;                 /* the exchange was started */
    struct nu_exchange exchange;

    /* What is set before it is used; what is above, up to the exchange's parameters, is zero at
     * first (NU_ROUTER_ZEROED). */
    struct nu_route_match match; /* as the request was sent: the stream's may change later */
    struct nu_request_limits limits;
    struct nu_route_stats *also[3]; /* of the virtual cluster and the route, up to a NULL */
};

enum {
    NU_ROUTER_ZEROED =
        offsetof(struct nu_router, exchange.params) + sizeof(struct nu_exchange_params)
};

static inline struct nu_router *nu_router_of_exchange(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct nu_router, exchange);
}

static inline const struct nu_router_config *nu_router_config_of(const struct nu_router *router)
{
    return router->base.config;
}

static inline struct nu_stream_info *nu_router_info(struct nu_router *router)
{
    return router->base.chain->info;
}

static inline const struct nu_route_match *nu_router_match(struct nu_router *router)
{
    if (router->forwarding)
        return &router->match;
    return router->base.chain->ops->route(router->base.chain);
}

static inline struct nu_headers *nu_router_request(struct nu_router *router)
{
    return router->base.chain->half[NU_DECODE].headers;
}

/* --- answers.c -------------------------------------------------------------------------------- */

/* The cluster takes no requests, or not this one. */
struct nu_router_refusal {
    struct nu_str body;
    struct nu_str details;
    struct nu_reply_header header;
    enum nu_response_flag flag;
};

extern const struct nu_router_refusal nu_router_maintenance;
extern const struct nu_router_refusal nu_router_dropped;
extern const struct nu_router_refusal nu_router_all_dropped;

void nu_router_answer_refused(struct nu_router *router, const struct nu_router_refusal *refusal);
/* The upstream failed, which says how often it was tried, where that is asked for. */
void nu_router_answer_failed(struct nu_router *router, uint32_t status, struct nu_str body,
                             struct nu_str details, bool is_overloaded);
/* If a filter took away what a request must have, or made a CONNECT of one that has a path. Returns
 * whether. */
bool nu_router_answer_incomplete(struct nu_router *router, const struct nu_headers *headers);
void nu_router_answer_no_route(struct nu_router *router);
void nu_router_answer_redirect(struct nu_router *router);
/* A configured answer. */
void nu_router_answer_direct(struct nu_router *router);
void nu_router_answer_no_cluster(struct nu_router *router);

/* --- failures.c ------------------------------------------------------------------------------- */

/* nu_exchange_ops.on_failed */
void nu_router_on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure);

/* --- mirror.c --------------------------------------------------------------------------------- */

/* Makes the copies that the route wants of a request, before it is sent; NULL for none. */
struct nu_list *nu_router_mirror_prepare(struct nu_router *router, const struct nu_headers *headers,
                                         enum nu_charging charging);
/* Sends them, after the request has found a host. */
void nu_router_mirror_start(struct nu_router *router, struct nu_list *shadows, bool end);
/* router->shadows is set: the rest of the request, before the exchange takes it. */
void nu_router_mirror_data(struct nu_router *router, const struct nu_buf *data, bool end);
void nu_router_mirror_trailers(struct nu_router *router, const struct nu_headers *trailers);
/* There will be no rest. */
void nu_router_mirror_cancel(struct nu_router *router);

/* --- redirect.c ------------------------------------------------------------------------------- */

/* The route follows redirects: the request's body is kept for the next request. */
void nu_router_redirect_prepare(struct nu_router *router);
/* router->redirect is set: more of the body, before the exchange takes it. */
void nu_router_redirect_keep(struct nu_router *router, const struct nu_buf *data);
void nu_router_redirect_drop(struct nu_router *router);
/* nu_exchange_ops.diverts */
bool nu_router_diverts(struct nu_exchange *exchange, struct nu_headers *answer);

/* --- strict_headers.c ------------------------------------------------------------------------- */

/* An x-envoy header that must be right but is not: answered, and true returned. */
bool nu_router_answer_bad_header(struct nu_router *router, struct nu_headers *headers);

#endif
