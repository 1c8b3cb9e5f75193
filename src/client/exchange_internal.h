/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exchange's files share.
 *
 *     exchange.c           its life
 *     exchange_request.c   the request's bytes on their way to the present attempt
 *     exchange_response.c  the response on its way to the owner, and failures
 *     exchange_metadata.c  METADATA beside both
 *     attempt.c            one attempt: host, pool, connection, decoder
 *     exchange_lookup.c    waiting until a forward proxy knows the host
 *     exchange_raw.c       the same over a plain connection
 *     exchange_retry.c     whether there is another one, and its start
 *     retry.c              the rules of that
 *     retry_hosts.c        which hosts it goes to
 *     charge.c             the statistics of answers
 *     meter.c              those of times and sizes, where they are tracked
 */
#ifndef NU_CLIENT_EXCHANGE_INTERNAL_H
#define NU_CLIENT_EXCHANGE_INTERNAL_H

#include "client/exchange.h"
#include "stats/http_stats.h"

/* Each has a bit of its own, by its place. */
#define NU_EXCHANGE_FLAGS(X) \
    X(STARTED) \
    X(OVER)             /* nothing more is called */ \
    X(REQUEST_ENDED)    /* the owner gave everything */ \
    X(RESPONSE_STARTED) /* the response's head was passed on */ \
    X(RESPONSE_ENDED) \
    X(ABOVE_HIGH) /* `pending` is over its limit: the owner was told */ \
    X(HOLDING)    /* the response is held back */ \
    X(WAITING)    /* a tunnel's bytes are held back: it was not granted yet */ \
    X(GRPC)       /* a request of gRPC: its answer has a status of its own */ \
    X(TIMED)      /* the clock of its timeout may run */ \
    X(RUNNING)    /* it was started */ \
    X(INTERIM)    /* an interim answer came */ \
    X(ASKS)       /* the owner may make something else of an answer */ \
    X(BODILESS)   /* the request ended with its headers */

enum nu_exchange_bit {
#define X(name) NU_EXCHANGE_##name##_BIT,
    NU_EXCHANGE_FLAGS(X)
#undef X
};

enum nu_exchange_flag {
#define X(name) NU_EXCHANGE_##name = 1 << NU_EXCHANGE_##name##_BIT,
    NU_EXCHANGE_FLAGS(X)
#undef X
};

#define X(name) +1
_Static_assert(NU_EXCHANGE_FLAGS(X) <= 16, "nu_exchange.flags has a bit for each");
#undef X

static inline struct nu_loop *nu_exchange_loop(const struct nu_exchange *exchange)
{
    return exchange->params.cluster->loop;
}

static inline bool nu_exchange_is_answered(const struct nu_exchange *exchange)
{
    return exchange->flags & NU_EXCHANGE_RESPONSE_STARTED;
}

/* Something was passed on, if only an interim answer: a try has begun that stands, and what becomes
 * of it is not charged as an answer of its own (Envoy's rule). */
static inline bool nu_exchange_has_begun(const struct nu_exchange *exchange)
{
    return exchange->flags & (NU_EXCHANGE_RESPONSE_STARTED | NU_EXCHANGE_INTERIM);
}

static inline bool nu_exchange_is_request_over(const struct nu_exchange *exchange)
{
    return exchange->flags & NU_EXCHANGE_REQUEST_ENDED;
}

/* The present attempt's; NULL while it has no connection. */
static inline struct nu_stream_encoder *nu_exchange_encoder(const struct nu_exchange *exchange)
{
    return exchange->attempt->encoder;
}

/* --- exchange.c ------------------------------------------------------------------------------- */

/* The newest attempt has found no host: the end, with on_failed. */
void nu_exchange_fail_without_host(struct nu_exchange *exchange);
/* The newest attempt's host is known now: it goes on. */
void nu_exchange_on_looked_up(struct nu_exchange *exchange);
/* Starts the attempt, which is the newest, or fails. */
void nu_exchange_try(struct nu_exchange *exchange);
/* The end: nothing is at work any more. */
void nu_exchange_finish(struct nu_exchange *exchange);
/* The end, with on_failed; what is at work is given up. */
void nu_exchange_fail(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind,
                      enum nu_reset_reason reason, struct nu_str transport_failure);
/* The same on our side, for a reason of ours. */
void nu_exchange_break_off(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind);

/* --- exchange_request.c ----------------------------------------------------------------------- */

/* The attempt's connection is there, and noted. */
void nu_exchange_on_ready(struct nu_exchange *exchange);
/* The request is complete: the clock of the timeout starts. */
void nu_exchange_end_request(struct nu_exchange *exchange);
/* Starts the clock of the timeout, if it may run and does not yet. */
void nu_exchange_arm_timeout(struct nu_exchange *exchange);
/* The end of a tunnel's bytes is not awaited: the clock starts now. */
void nu_exchange_begin_tunnel(struct nu_exchange *exchange);
/* The tunnel is granted: sends what came so far. */
void nu_exchange_send_kept(struct nu_exchange *exchange);
/* What is to be sent of the request begins anew, with the bytes that were kept. */
void nu_exchange_rewind(struct nu_exchange *exchange, const struct nu_buf *kept);

/* --- exchange_response.c ---------------------------------------------------------------------- */

/* What attempts report. */
/* None came about; `had_connection` says that one was there, and a breaker in between. */
void nu_exchange_on_no_connection(struct nu_attempt *attempt, enum nu_reset_reason reason,
                                  struct nu_str transport_failure, bool had_connection);
void nu_exchange_on_1xx(struct nu_attempt *attempt, struct nu_headers *headers);
void nu_exchange_on_headers(struct nu_attempt *attempt, bool ended);
void nu_exchange_on_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended);
void nu_exchange_on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers);
/* The response ended without an end; the connection is not the attempt's any more. */
void nu_exchange_on_reset(struct nu_attempt *attempt, enum nu_reset_reason reason);
/* It took too long (TRY_TIMEOUT, TRY_IDLE, MAX_DURATION), and was given up. */
void nu_exchange_on_try_over(struct nu_attempt *attempt, enum nu_exchange_failure_kind kind);
/* The time of all of them is over (exchange->timeout). */
void nu_exchange_on_timeout(struct nu_timer *timer);

/* --- attempt.c -------------------------------------------------------------------------------- */

enum nu_attempt_start {
    NU_ATTEMPT_STARTED,
    NU_ATTEMPT_NO_HOST,
    NU_ATTEMPT_LATER,    /* the host is being looked up: nu_exchange_on_looked_up follows */
    NU_ATTEMPT_OVERFLOW, /* too many wait already */
};

void nu_attempt_init(struct nu_attempt *attempt, struct nu_exchange *exchange);
/* Makes one that is over ready for another start. */
void nu_attempt_renew(struct nu_attempt *attempt);
/* Chooses a host and notes it. nu_attempt_begin follows. */
enum nu_attempt_start nu_attempt_choose(struct nu_attempt *attempt);
/* Asks for a connection; may report from inside. */
void nu_attempt_begin(struct nu_attempt *attempt);
/* Its connection is there, and noted. */
void nu_attempt_set_ready(struct nu_attempt *attempt, struct nu_stream_encoder *encoder);
/* Starts the clocks of a try: the request is complete, and a connection is there. */
void nu_attempt_arm_timers(struct nu_attempt *attempt);
static inline void nu_attempt_time(struct nu_attempt *attempt)
{
    const struct nu_retry_rules *rules = attempt->exchange->params.retry;
    if (nu_unlikely(rules && (rules->per_try_timeout_ms || rules->per_try_idle_timeout_ms)))
        nu_attempt_arm_timers(attempt);
}
/* Nothing limits its time any more. */
void nu_attempt_cancel_timers(struct nu_attempt *attempt);
static inline void nu_attempt_stop_timers(struct nu_attempt *attempt)
{
    if (nu_unlikely(attempt->timers != NULL))
        nu_attempt_cancel_timers(attempt);
}
/* Gives the connection up, or the place in the pool's queue. Nothing is reported. */
void nu_attempt_release(struct nu_attempt *attempt);
/* The same to one that others go on without. */
void nu_attempt_drop(struct nu_attempt *attempt);

/* --- exchange_retry.c ------------------------------------------------------------------------- */

/*
 * The tries of an exchange whose rules have conditions. Most requests need one try and no more, so
 * these are made when something is to be kept for another one, or remembered of the first.
 */
struct nu_tries {
    struct nu_exchange *exchange; /* borrowed: whose tries they are */
    struct nu_retry_state retry;
    struct nu_timer pause; /* until the next try */
    struct nu_buf body;    /* of the request so far, while there may be another try */
    struct nu_tried_host *hosts;
    struct nu_priority_load *loads; /* of the priorities, for the next choice; NULL: as ever */
    uint32_t load_count;
    uint32_t host_count;
    uint32_t first_of_round; /* of the hosts; of those before it priorities are free again */
    uint32_t host_cap;
    bool is_open;       /* another try is possible, if rules and limits allow it */
    bool is_pending;    /* one is to begin after the pause */
    bool is_counted;    /* one holds a place of the breaker */
    bool had_begun;     /* bytes of the request were sent */
    bool after_timeout; /* why the next try begins */
};

/* Whether another try may be in question. */
static inline bool nu_exchange_has_tries(const struct nu_exchange *exchange)
{
    return nu_unlikely(exchange->params.retry != NULL) && exchange->params.retry->conditions;
}
/* Those of an exchange that has some; makes them if need be. */
struct nu_tries *nu_tries_of(struct nu_exchange *exchange);
/* The answer of an attempt: true if it is not to be passed on, since another try begins or may
 * still answer; else the attempt is the only one left. */
bool nu_tries_settle_headers(struct nu_attempt *attempt, uint32_t status, bool ended,
                             bool is_wanted);
static inline bool nu_tries_take_headers(struct nu_attempt *attempt, uint32_t status, bool ended)
{
    const struct nu_exchange *exchange = attempt->exchange;
    bool is_wanted =
        nu_retry_wants_response(exchange->params.retry, status, &attempt->response_headers);
    if (nu_likely(!exchange->tries && !is_wanted))
        return false; /* the first try's, and good */
    return nu_tries_settle_headers(attempt, status, ended, is_wanted);
}
/* An attempt has an interim answer: it is the one that counts. */
void nu_tries_take_interim(struct nu_attempt *attempt);
/* An attempt failed: true if another one begins. The attempt is over then. */
bool nu_tries_take_failure(struct nu_attempt *attempt, enum nu_reset_reason reason,
                           bool is_timeout);
/* Whether another attempt than this one is at work, or begins after a pause. */
bool nu_tries_go_on(const struct nu_attempt *attempt);
/* A try takes too long and is not given up for it: begins another one, if that is allowed. */
void nu_tries_hedge(struct nu_attempt *attempt);
/* Keeps bytes of the request. False if the exchange is over, or nobody takes them now. */
bool nu_tries_keep(struct nu_exchange *exchange, struct nu_buf *data);
/* There will be no other try. */
void nu_tries_close(struct nu_tries *tries);

/* --- retry_hosts.c ---------------------------------------------------------------------------- */

/* Where an attempt went. */
struct nu_tried_host {
    struct nu_address address;
    uint32_t priority;
};

/* Remembers the host of an attempt, where the rules want that. */
void nu_tries_add_host(const struct nu_attempt *attempt);
static inline void nu_tries_note_host(const struct nu_attempt *attempt)
{
    const struct nu_retry_policy *policy = attempt->exchange->params.retry->policy;
    if (nu_unlikely(policy->avoids_previous_hosts || policy->priority_update_frequency))
        nu_tries_add_host(attempt);
}
/* What the choice of the next host depends on. */
void nu_tries_fill_context(struct nu_exchange *exchange);

/* --- exchange_lookup.c --- */

/* The host of a forward proxy's cluster: whether it must be looked up first. If it cannot be, why
 * stands in exchange->no_host. */
bool nu_attempt_look_up(struct nu_attempt *attempt);
void nu_attempt_cancel_lookup(struct nu_attempt *attempt);

/* --- exchange_raw.c --- */

/* params.raw: begins to connect to a host, which is noted. False if there is none, or, with
 * `*overflow` set, if too many wait for a connection. */
bool nu_attempt_open_raw(struct nu_attempt *attempt, bool *overflow);

/* --- exchange_metadata.c --- */

bool nu_exchange_has_metadata(const struct nu_exchange *exchange);
/* The head was sent: what was kept follows it. */
void nu_exchange_send_kept_metadata(struct nu_exchange *exchange);
void nu_exchange_on_metadata(struct nu_attempt *attempt, struct nu_frame_metadata *metadata);

/* --- meter.c --- */

/* Measures the attempt from now on, to its end. */
void nu_attempt_start_meter(struct nu_attempt *attempt);
/* Records what was measured. Once for an attempt. */
void nu_attempt_record_meter(struct nu_attempt *attempt);
/* The exchange failed, or its response ended: how much of its time it took. */
void nu_exchange_meter_failure(const struct nu_exchange *exchange,
                               enum nu_exchange_failure_kind kind);
void nu_exchange_meter_time(const struct nu_exchange *exchange);

static inline void nu_attempt_stop_meter(struct nu_attempt *attempt)
{
    if (nu_unlikely(attempt->meter != NULL))
        nu_attempt_record_meter(attempt);
}

/* Bytes of the request's body go out. */
static inline void nu_attempt_meter_sent(struct nu_attempt *attempt, size_t len)
{
    if (nu_unlikely(attempt->meter != NULL))
        attempt->meter->sent += len;
}

/* --- charge.c --- */

/* Adds to a counter of nu_route_stats, given by its place in it, wherever the request is counted
 * beside its cluster. */
void nu_exchange_add_also(const struct nu_exchange *exchange, size_t counter);
static inline void nu_exchange_count_also(const struct nu_exchange *exchange, size_t counter)
{
    if (nu_unlikely(exchange->params.also != NULL))
        nu_exchange_add_also(exchange, counter);
}
#define NU_ROUTE_COUNTER(name) offsetof(struct nu_route_stats, name)

/* A failure that stands for an answer of this status, where there was no host. */
void nu_exchange_charge(struct nu_exchange *exchange, uint32_t status);
/* The host's answer of this status, or a failure (`answer` is NULL) that stands for it. */
void nu_attempt_charge(const struct nu_attempt *attempt, uint32_t status,
                       const struct nu_headers *answer);
/* The attempt's answer: its status, and what its host is charged. Of gRPC the latter is known with
 * the status that it ends with. */
void nu_exchange_charge_answer(struct nu_exchange *exchange, struct nu_attempt *attempt,
                               uint32_t status, bool ended);
/* The answer ended, with these trailers or without (NULL), or broke off. */
void nu_attempt_charge_end(struct nu_attempt *attempt, const struct nu_headers *trailers);
/* An answer that is tried again. */
void nu_exchange_charge_retried(struct nu_exchange *exchange, uint32_t status);
/* The time from the request's end to the response's end, which is now. */
void nu_exchange_charge_time(struct nu_exchange *exchange);

/* --- charge.c: what outlier detection is told of the attempt's host --- */

/* It answered with this status, of gRPC with that of the headers, if they have one. */
void nu_attempt_report_answer(const struct nu_attempt *attempt, uint32_t status);
/* It did not answer in time. Once for an attempt. */
void nu_attempt_report_timeout(struct nu_attempt *attempt);

static inline void nu_attempt_report(const struct nu_attempt *attempt,
                                     enum nu_outlier_result result, uint32_t status)
{
    nu_outlier_report(attempt->host->outlier, result, status,
                      nu_exchange_loop(attempt->exchange)->runtime);
}

static inline void nu_attempt_charge_host(const struct nu_attempt *attempt, bool success)
{
    struct nu_host_stats *host = attempt->host_stats;
    nu_counter_inc(success ? &host->rq_success : &host->rq_error);
}

#endif
