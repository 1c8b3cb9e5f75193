/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a request, for a cluster that is to see the same requests as another one. What it
 * answers is dropped, and nobody hears of its failures but the statistics of its cluster.
 *
 * A shadow is an object of its own with an arena of its own, since it may outlive its request. It is
 * made before the request is sent, whose headers may change then, and begins afterwards. While the
 * request's body comes, each piece is shared with it by reference; the bytes are in memory once. It
 * stands in a list of its owner until it has all of the request, is over or was given up, and leaves
 * that list by itself; from then on nobody may touch it. It is freed at the end of the turn in
 * which it is over.
 *
 * A shadow never holds the request back. One whose connection takes no more is given what still
 * comes up to a limit, and is given up when that is exceeded.
 *
 * Everything happens on the worker's thread.
 */
#ifndef NU_CLIENT_SHADOW_H
#define NU_CLIENT_SHADOW_H

#include "client/exchange.h"
#include "route/mirror_policy.h"

struct nu_shadow;

struct nu_shadow_params {
    const struct nu_mirror_policy *policy;
    const struct nu_stream_info *info; /* the request's; for the call */
    uint64_t timeout_ms;               /* as the request's */
    uint64_t lag_limit;                /* bytes that may wait for a connection that is full */
    enum nu_charging charging;
};

/* Makes a shadow of a request with these headers, which are copied, and adds it to `owner`. False if
 * there is no such cluster. */
bool nu_shadow_add(struct nu_list *owner, struct nu_loop *loop,
                   const struct nu_shadow_params *params, const struct nu_headers *headers);
/* Sends the head to all shadows of the list. `end`: that is all, and the list is empty afterwards. */
void nu_shadows_start(struct nu_list *owner, bool end);
/* More of the request. Returns how many shadows were given up because of it. */
uint32_t nu_shadows_send_data(struct nu_list *owner, const struct nu_buf *data, bool end);
/* The list is empty afterwards. */
void nu_shadows_send_trailers(struct nu_list *owner, const struct nu_headers *trailers);
/* The request will not be complete: gives up all that are in the list. */
void nu_shadows_cancel(struct nu_list *owner);

#endif
