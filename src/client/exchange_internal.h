/* SPDX-License-Identifier: Apache-2.0 */
/* What the exchange's files share: how it comes to a connection, of a pool or of its own. */
#ifndef NU_CLIENT_EXCHANGE_INTERNAL_H
#define NU_CLIENT_EXCHANGE_INTERNAL_H

#include "client/exchange.h"

/* A connection is there, and noted: sends what was given so far. */
void nu_exchange_begin_sending(struct nu_exchange *exchange, struct nu_stream_encoder *encoder);
/* None came about; `had_connection` says that one was there, and a breaker in between. */
void nu_exchange_fail_to_connect(struct nu_exchange *exchange, enum nu_reset_reason reason,
                                 struct nu_str transport_failure, bool had_connection);

/* --- exchange_raw.c --- */

/* params.raw: begins to connect to a host, which is noted. False if there is none, or, with
 * `*overflow` set, if too many wait for a connection. */
bool nu_exchange_open_raw(struct nu_exchange *exchange, bool *overflow);

#endif
