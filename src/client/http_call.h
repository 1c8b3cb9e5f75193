/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of our own to a cluster, its answer kept whole: what is behind nu_filter_http_call and
 * behind the calls of proxy-wasm. It says what Envoy's client says: the request is internal, and the
 * cluster's statistics count it like any other.
 *
 *     create -> fill own.request -> send -> on_done -> destroy
 *
 * The owner destroys it, at any time: on its way it is given up then, and on_done is not called.
 * Everything in it lives in its own arena until the end of the turn in which it was destroyed.
 *
 * Everything happens on the loop's thread.
 */
#ifndef NU_CLIENT_HTTP_CALL_H
#define NU_CLIENT_HTTP_CALL_H

#include "base/byte_budget.h"
#include "client/failure.h"
#include "client/own_exchange.h"

enum nu_http_call_state {
    NU_HTTP_CALL_ON_ITS_WAY,
    NU_HTTP_CALL_ANSWERED, /* a whole response came, whatever its status */
    NU_HTTP_CALL_FAILED,   /* see `failure` */
    NU_HTTP_CALL_TOO_LARGE,
};

struct nu_http_call {
    /* Called once, never below nu_http_call_send. */
    void (*on_done)(struct nu_http_call *call);
    void *owner;                /* for on_done */
    struct nu_arena *arena;     /* owned: holds this struct as well */
    struct nu_own_exchange own; /* its `request` is to be filled before it is sent, in `arena` */

    /* When it is done: */
    enum nu_http_call_state state;
    struct nu_headers *response; /* NULL: none came, or not whole */
    struct nu_headers *trailers; /* NULL: none came */
    struct nu_buf body;          /* of the response */
    struct nu_exchange_failure failure;

    /* Private. */
    uint64_t max_body_bytes;
    struct nu_byte_budget *budget;
    size_t budgeted;            /* of it, for the body */
    struct nu_turn_task report; /* of a failure while it was sent */
    bool is_sending;
    bool is_refused;
};

struct nu_http_call_params {
    struct nu_str body;          /* copied; the request gets its content-length */
    struct nu_headers *trailers; /* of the request, in the call's arena; NULL: none */
    uint64_t timeout_ms;         /* for the whole call; 0: none */
    uint64_t max_body_bytes;     /* of the response; more is TOO_LARGE */
    struct nu_byte_budget
        *budget;           /* borrowed: what responses' bodies may hold; NULL: no such bound */
    bool tells_address;    /* this machine's, in x-forwarded-for */
    bool hashes_authority; /* for balancers that hash and have no policy of their own */
};

/* A call to the loop's cluster of this name, or NULL if there is none. */
struct nu_http_call *nu_http_call_create(struct nu_loop *loop, struct nu_str cluster);
/* Sends it: the request has :method, :path and :authority. */
void nu_http_call_send(struct nu_http_call *call, const struct nu_http_call_params *params);
/* Whether it was sent in vain: the cluster has no host for it, no room, or takes no requests. on_done
 * is called for that at the end of the turn, if it is not destroyed before. */
static inline bool nu_http_call_is_refused(const struct nu_http_call *call)
{
    return call->is_refused;
}
/* Clears the pointer; NULL inside is allowed. */
void nu_http_call_destroy(struct nu_http_call **call);

#endif
