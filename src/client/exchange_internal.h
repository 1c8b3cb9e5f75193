/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exchange's files share.
 *
 *     exchange.c      its life, the request's bytes, the response on its way to the owner
 *     attempt.c       one attempt: host, pool, connection, decoder
 *     exchange_raw.c  the same over a plain connection
 *     charge.c        the statistics of answers
 */
#ifndef NU_CLIENT_EXCHANGE_INTERNAL_H
#define NU_CLIENT_EXCHANGE_INTERNAL_H

#include "client/exchange.h"

enum nu_exchange_flag {
    NU_EXCHANGE_STARTED = 1 << 0,
    NU_EXCHANGE_OVER = 1 << 1,             /* nothing more is called */
    NU_EXCHANGE_REQUEST_ENDED = 1 << 2,    /* the owner gave everything */
    NU_EXCHANGE_RESPONSE_STARTED = 1 << 3, /* the response's head was passed on */
    NU_EXCHANGE_RESPONSE_ENDED = 1 << 4,
    NU_EXCHANGE_ABOVE_HIGH = 1 << 5, /* `pending` is over its limit: the owner was told */
    NU_EXCHANGE_HOLDING = 1 << 6,    /* the response is held back */
    NU_EXCHANGE_WAITING = 1 << 7,    /* a tunnel's bytes are held back: it was not granted yet */
};

static inline struct nu_loop *nu_exchange_loop(const struct nu_exchange *exchange)
{
    return exchange->params.cluster->loop;
}

/* --- exchange.c: what an attempt reports ------------------------------------------------------ */

/* Its connection is there, and noted. */
void nu_exchange_on_ready(struct nu_exchange *exchange);
/* None came about; `had_connection` says that one was there, and a breaker in between. */
void nu_exchange_on_no_connection(struct nu_exchange *exchange, enum nu_reset_reason reason,
                                  struct nu_str transport_failure, bool had_connection);
void nu_exchange_on_1xx(struct nu_exchange *exchange, struct nu_headers *headers);
void nu_exchange_on_headers(struct nu_exchange *exchange, bool ended);
void nu_exchange_on_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended);
void nu_exchange_on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers);
/* The response ended without an end; the connection is not the attempt's any more. */
void nu_exchange_on_reset(struct nu_exchange *exchange, enum nu_reset_reason reason);
/* It may not take longer: the cluster's max_stream_duration. */
void nu_exchange_on_max_duration(struct nu_exchange *exchange);

/* --- attempt.c -------------------------------------------------------------------------------- */

enum nu_attempt_start {
    NU_ATTEMPT_STARTED,
    NU_ATTEMPT_NO_HOST,
    NU_ATTEMPT_OVERFLOW, /* too many wait already */
};

void nu_attempt_init(struct nu_attempt *attempt, struct nu_exchange *exchange);
/* Chooses a host and notes it. nu_attempt_begin follows. */
enum nu_attempt_start nu_attempt_choose(struct nu_attempt *attempt);
/* Asks for a connection; may report from inside. */
void nu_attempt_begin(struct nu_attempt *attempt);
/* Gives the connection up, or the place in the pool's queue. Nothing is reported. */
void nu_attempt_release(struct nu_attempt *attempt);

/* --- exchange_raw.c --- */

/* params.raw: begins to connect to a host, which is noted. False if there is none, or, with
 * `*overflow` set, if too many wait for a connection. */
bool nu_attempt_open_raw(struct nu_attempt *attempt, bool *overflow);

/* --- charge.c --- */

/* An answer of this status, or a failure that stands for it. */
void nu_exchange_charge(struct nu_exchange *exchange, uint32_t status);
/* The attempt's answer: its status, and what its host is charged. */
void nu_exchange_charge_answer(struct nu_exchange *exchange, const struct nu_attempt *attempt,
                               uint32_t status);
/* The time from the request's end to the response's end, which is now. */
void nu_exchange_charge_time(struct nu_exchange *exchange);

static inline void nu_attempt_charge_host(const struct nu_attempt *attempt, bool success)
{
    struct nu_host_stats *host = attempt->host_stats;
    nu_counter_inc(success ? &host->rq_success : &host->rq_error);
}

#endif
