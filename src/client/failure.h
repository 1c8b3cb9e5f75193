/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed exchange is called, and answered with where no answer has begun, all Envoy's. */
#ifndef NU_CLIENT_FAILURE_H
#define NU_CLIENT_FAILURE_H

#include "client/exchange.h"

struct nu_failure_answer {
    uint32_t status;
    struct nu_str body;
    bool is_overloaded; /* the answer says so: x-envoy-overloaded */
};

/* The answer; its body is a constant or in `arena`. NU_EXCHANGE_NOT_UPGRADED is none of these. */
struct nu_failure_answer nu_failure_answer_of(const struct nu_exchange_failure *failure,
                                              struct nu_arena *arena);
/* The same as an answer of gRPC, all in its head; in `arena`. */
struct nu_headers *nu_failure_grpc_reply(const struct nu_exchange_failure *failure,
                                         struct nu_arena *arena);

/* One word for what happened, such as "response_timeout"; a constant or in `arena`. */
struct nu_str nu_failure_details_of(const struct nu_exchange_failure *failure,
                                    struct nu_arena *arena);

#endif
