/* SPDX-License-Identifier: Apache-2.0 */
/* Status and body of what an exchange's failure becomes. */
#include "client/failure.h"

static struct nu_str reset_body(const struct nu_exchange_failure *failure, struct nu_arena *arena)
{
    struct nu_str reason = nu_reset_reason_text(failure->reason);
    struct nu_str transport = failure->transport_failure;
    return nu_str_from(nu_arena_printf(
        arena,
        "upstream connect error or disconnect/reset before headers. %sreset reason: %.*s%s%.*s",
        failure->is_retry ? "retried and the latest " : "", NU_STR_ARG(reason),
        transport.len ? ", transport failure reason: " : "", NU_STR_ARG(transport)));
}

struct nu_failure_answer nu_failure_answer_of(const struct nu_exchange_failure *failure,
                                              struct nu_arena *arena)
{
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        return (struct nu_failure_answer){.status = 503, .body = NU_STR("no healthy upstream")};
    case NU_EXCHANGE_TIMEOUT:
    case NU_EXCHANGE_TRY_TIMEOUT:
    case NU_EXCHANGE_TRY_IDLE:
        return (struct nu_failure_answer){.status = 504,
                                          .body = NU_STR("upstream request timeout")};
    case NU_EXCHANGE_BODY_LIMIT:
        return (struct nu_failure_answer){
            .status = 507,
            .body = NU_STR("exceeded request buffer limit while retrying upstream"),
        };
    case NU_EXCHANGE_MAX_DURATION:
        return (struct nu_failure_answer){.status = 504,
                                          .body = NU_STR("upstream max stream duration reached")};
    case NU_EXCHANGE_NOT_UPGRADED:
    case NU_EXCHANGE_RESET:
        break;
    }
    return (struct nu_failure_answer){
        .status = failure->reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503,
        .body = reset_body(failure, arena),
        .is_overloaded = failure->reason == NU_RESET_OVERFLOW,
    };
}
