/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client behind nu_filter_http_call (client/http_call.h), and what requests of ours say as
 * Envoy's do: that they are internal (x-envoy-internal), and x-forwarded-for with the machine's
 * address.
 *
 * One object serves all workers; it never changes. A worker's loop points at its `base`.
 */
#ifndef NU_CLIENT_HTTP_CLIENT_H
#define NU_CLIENT_HTTP_CLIENT_H

#include "base/address.h"
#include "filter/chain.h"
#include "stats/http_stats.h"
#include "stats/stats.h"

struct nu_http_client {
    struct nu_filter_client base;
    struct nu_stat_set *stats; /* borrowed: http.async-client., a router's; NULL: not counted */
    char own_address[NU_ADDRESS_TEXT_MAX]; /* for x-forwarded-for; empty: none */
};

/* `own`: the machine's address; family NONE if it has none. */
void nu_http_client_init(struct nu_http_client *client, const struct nu_address *own,
                         struct nu_stat_set *stats);
/* The loop's client, if it is one of these, or NULL. */
const struct nu_http_client *nu_http_client_of(const struct nu_loop *loop);

/* Says in a request of ours where it comes from: x-envoy-internal and x-forwarded-for. */
void nu_http_client_sign(const struct nu_http_client *client, struct nu_headers *headers);

/* Counts a request; NULL counts nowhere. Its thread. */
static inline void nu_http_client_count(const struct nu_http_client *client)
{
    if (!client || !client->stats)
        return;
    struct nu_router_stats *stats = nu_stat_set_block(client->stats);
    nu_counter_inc(&stats->rq_total);
}

#endif
