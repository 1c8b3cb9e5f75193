/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether to try again, and when: the rules of one request and the decisions that follow from them.
 * Nothing here knows an exchange; exchange_retry.c acts on what is decided.
 */
#ifndef NU_CLIENT_RETRY_H
#define NU_CLIENT_RETRY_H

#include "codec/codec.h"
#include "route/retry_policy.h"

struct nu_runtime;

/* What is left of the retries of one request. */
struct nu_retry_state {
    const struct nu_retry_rules *rules; /* borrowed */
    uint32_t left;
    uint64_t next_interval_ms; /* bounds the next pause */
    uint64_t max_interval_ms;
};

/* `runtime` may be NULL. */
void nu_retry_init(struct nu_retry_state *retry, const struct nu_retry_rules *rules,
                   const struct nu_runtime *runtime);
/* Whether an answer is to be tried again. */
bool nu_retry_wants_response(const struct nu_retry_rules *rules, uint32_t status,
                             const struct nu_headers *headers);
/* Whether a try that ended without an answer is. `had_begun`: one byte of the request was sent, now
 * or at an earlier try. */
bool nu_retry_wants_reset(const struct nu_retry_rules *rules, enum nu_reset_reason reason,
                          bool had_begun);
/* The pause before the next try, random below a bound that grows with each call. */
uint64_t nu_retry_next_pause_ms(struct nu_retry_state *retry);
/* The pause that an answer asks for, drawn out at random by up to a half; 0 if it asks for none. */
uint64_t nu_retry_asked_pause_ms(const struct nu_retry_rules *rules,
                                 const struct nu_headers *headers);

#endif
