/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange of our own: no stream from outside stands behind it. What calls over HTTP
 * (client/http_call.h) and gRPC (client/grpc_stream.h) have in common: who we are, what the request
 * says of us, and what balancers may go by.
 *
 * Embedded in its owner, which fills `request` and starts it. Everything happens on the loop's thread.
 */
#ifndef NU_CLIENT_OWN_EXCHANGE_H
#define NU_CLIENT_OWN_EXCHANGE_H

#include "client/exchange.h"
#include "client/limits.h"
#include "client/refusal.h"
#include "http/stream_info.h"

struct nu_own_exchange {
    struct nu_exchange exchange;
    struct nu_loop *loop;             /* borrowed */
    struct nu_cluster_local *cluster; /* borrowed */
    struct nu_headers request;
    struct nu_request_limits limits; /* the owner's, or what the request asks for itself */
    struct nu_stream_info info;
    struct nu_connection_info connection;
};

struct nu_own_exchange_params {
    uint64_t timeout_ms;                /* for the whole exchange; 0: none */
    const struct nu_retry_rules *retry; /* borrowed; NULL: one try without limits */
    bool is_anonymous;                  /* the request does not say that it is ours */
    bool tells_address;                 /* unless that: this machine's, in x-forwarded-for */
    bool hashes_authority; /* for balancers that hash and have no policy of their own */
};

/* The request's headers will be in `arena`, which outlives the exchange. */
void nu_own_exchange_init(struct nu_own_exchange *own, struct nu_arena *arena, struct nu_loop *loop,
                          struct nu_cluster_local *cluster, const struct nu_exchange_ops *ops);
/*
 * Completes the request, counts it and begins. Anything but NU_NOT_REFUSED: the cluster takes no
 * requests now, and nothing was begun; else as nu_exchange_start.
 */
NU_MUST_USE enum nu_refusal nu_own_exchange_start(struct nu_own_exchange *own,
                                                  const struct nu_own_exchange_params *params,
                                                  bool ended);
/* For ops->on_retry: the request says how much time is left. */
void nu_own_exchange_on_retry(struct nu_own_exchange *own);
/* For ops->on_above_high and on_below_low of owners that hold nobody back. */
void nu_own_exchange_on_watermark(struct nu_exchange *exchange);
/* Adds to an answer how long it took, if the request had ended. */
void nu_own_exchange_add_time(const struct nu_own_exchange *own, struct nu_headers *answer);
/* Counts what failed. */
void nu_own_exchange_count_failure(const struct nu_own_exchange *own,
                                   const struct nu_exchange_failure *failure);

#endif
