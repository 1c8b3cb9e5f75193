/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt of an exchange at its cluster: a host, a place in a pool, a connection, the response.
 * An exchange has one, which is embedded in it, unless it is tried again.
 *
 *     started -> (the pool's queue) -> ready: `encoder` is there -> over: no encoder, not waiting
 *
 * What an attempt learns it tells its exchange, which decides what becomes of it. The exchange's
 * owner sees nothing of it. Everything happens on the worker's thread.
 */
#ifndef NU_CLIENT_ATTEMPT_H
#define NU_CLIENT_ATTEMPT_H

#include "client/raw_upstream.h"
#include "upstream/pool.h"

struct nu_exchange;

struct nu_attempt {
    struct nu_exchange *exchange; /* borrowed: whose attempt it is */
    const struct nu_host *host;   /* borrowed: chosen; NULL before */
    struct nu_host_stats *host_stats;
    struct nu_stream_encoder *encoder; /* NULL until a connection was found, and at the end */
    struct nu_raw_upstream *raw;       /* in the arena; NULL unless params.raw is set */
    struct nu_pool_request pool_request;
    struct nu_stream_decoder decoder;
    struct nu_headers response_headers;
    struct nu_timer duration_timer;
};

#endif
