/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt of an exchange at its cluster: a host, a place in a pool, a connection, the response.
 * An exchange has one, which is embedded in it, unless it is tried again.
 *
 *     started -> (the pool's queue) -> ready: `encoder` is there -> over
 *
 * What an attempt learns it tells its exchange, which decides what becomes of it. The exchange's
 * owner sees nothing of it. Everything happens on the worker's thread.
 */
#ifndef NU_CLIENT_ATTEMPT_H
#define NU_CLIENT_ATTEMPT_H

#include "client/raw_upstream.h"
#include "upstream/pool/pool.h"

struct nu_attempt;
struct nu_exchange;
struct nu_host_lookup; /* client/exchange_internal.h */

/* What limits the time of an attempt. Few have one. */
struct nu_attempt_timers {
    struct nu_attempt *attempt; /* borrowed: whose timers they are */
    struct nu_timer timeout;    /* until the response's head */
    struct nu_timer idle;       /* moved by every part of the response */
    struct nu_timer duration;   /* the cluster's max_stream_duration */
};

/* What is measured of an attempt where its cluster tracks that. */
struct nu_attempt_meter {
    struct nu_stream_decoder_ops ops;         /* those of the decoder while it is metered */
    const struct nu_stream_decoder_ops *next; /* what the attempt does with the response */
    uint64_t start_us;
    uint64_t sent;        /* bytes of the body */
    uint64_t received;    /* the same of the response */
    uint64_t head_bytes;  /* names and values of the response's heads */
    uint64_t head_fields; /* how many */
    bool has_head;
    bool hides_time; /* the time over all ended it: what it took of its own says nothing */
    bool is_over;    /* everything was recorded */
};

struct nu_attempt {
    struct nu_exchange *exchange;     /* borrowed: whose attempt it is */
    struct nu_attempt *older;         /* the one before, which may be at work as well; or NULL */
    const struct nu_host *host;       /* borrowed: chosen; NULL before */
    struct nu_cluster_local *cluster; /* borrowed: whose host it is, if there is one */
    struct nu_host_stats *host_stats;
    struct nu_stream_encoder *encoder; /* NULL until a connection was found, and at the end */
    struct nu_raw_upstream *raw;       /* in the arena; NULL unless params.raw is set */
    struct nu_attempt_timers *timers;  /* in the arena; NULL while there was none to arm */
    struct nu_attempt_meter *meter;    /* in the arena; NULL where nothing is measured */
    struct nu_host_lookup *lookup;     /* in the arena: the host is being looked up; or NULL */
    struct nu_pool_request pool_request;
    struct nu_stream_decoder decoder; /* its info is the stream's, or a copy beside another try */
    struct nu_headers response_headers;
    bool is_over;
    bool is_retried;         /* given up for the next one, though it may still answer */
    bool is_above_high;      /* the exchange's owner was told to wait */
    bool is_late;            /* outlier detection knows that it did not answer in time */
    bool awaits_grpc_status; /* its host was not charged yet */
    bool has_report;         /* its host reported its load */
};

#endif
