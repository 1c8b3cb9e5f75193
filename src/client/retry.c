/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions about retries, in Envoy's order. */
#include "client/retry.h"

#include "base/clock.h"
#include "base/random.h"
#include "http/grpc.h"
#include "runtime/runtime.h"

enum { DEFAULT_BASE_INTERVAL_MS = 25, GROWTH = 10 };

void nu_retry_init(struct nu_retry_state *retry, const struct nu_retry_rules *rules,
                   const struct nu_runtime *runtime)
{
    const struct nu_retry_policy *policy = rules->policy;
    uint64_t base = policy->base_interval_ms;
    if (!base && runtime)
        base = nu_runtime_integer(runtime, NU_STR("upstream.base_retry_backoff_ms"),
                                  DEFAULT_BASE_INTERVAL_MS);
    else if (!base)
        base = DEFAULT_BASE_INTERVAL_MS;
    if (!base)
        base = 1;
    *retry = (struct nu_retry_state){
        .rules = rules,
        .left = rules->max_retries,
        .next_interval_ms = base,
        .max_interval_ms = policy->max_interval_ms ? policy->max_interval_ms : base * GROWTH,
    };
}

/* --- Answers ---------------------------------------------------------------------------------- */

static bool is_listed(const uint32_t *codes, size_t count, uint32_t status)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == status)
            return true;
    }
    return false;
}

static bool is_retriable_status(const struct nu_retry_rules *rules, uint32_t status)
{
    const unsigned on = rules->conditions;
    const struct nu_retry_policy *policy = rules->policy;
    if ((on & NU_RETRY_ON_5XX) && status >= 500 && status < 600)
        return true;
    if ((on & NU_RETRY_ON_GATEWAY_ERROR) && status >= 502 && status <= 504)
        return true;
    if ((on & NU_RETRY_ON_RETRIABLE_4XX) && status == 409)
        return true;
    return (on & NU_RETRY_ON_RETRIABLE_STATUS_CODES) &&
           (is_listed(policy->status_codes, policy->status_code_count, status) ||
            is_listed(rules->status_codes, rules->status_code_count, status));
}

static bool has_retriable_header(const struct nu_retry_rules *rules,
                                 const struct nu_headers *headers)
{
    const struct nu_retry_policy *policy = rules->policy;
    if (!(rules->conditions & NU_RETRY_ON_RETRIABLE_HEADERS))
        return false;
    for (size_t i = 0; i < policy->header_count; i++) {
        if (nu_header_matches(&policy->headers[i], headers))
            return true;
    }
    for (size_t i = 0; i < rules->header_name_count; i++) {
        if (nu_headers_get(headers, rules->header_names[i]).ptr)
            return true;
    }
    return false;
}

static unsigned condition_of_grpc(uint64_t status)
{
    switch (status) {
    case NU_GRPC_CANCELED:
        return NU_RETRY_ON_CANCELLED;
    case NU_GRPC_DEADLINE_EXCEEDED:
        return NU_RETRY_ON_DEADLINE_EXCEEDED;
    case NU_GRPC_RESOURCE_EXHAUSTED:
        return NU_RETRY_ON_RESOURCE_EXHAUSTED;
    case NU_GRPC_UNAVAILABLE:
        return NU_RETRY_ON_UNAVAILABLE;
    case NU_GRPC_INTERNAL:
        return NU_RETRY_ON_INTERNAL;
    default:
        return 0;
    }
}

/* Only an answer that says it in its head: one that has a body has been begun. */
static bool is_retriable_grpc(const struct nu_retry_rules *rules, const struct nu_headers *headers)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_GRPC_STATUS);
    uint64_t status;
    return (rules->conditions & NU_RETRY_ON_GRPC) && text.ptr &&
           nu_str_to_u64(text, &status) == NU_OK && (rules->conditions & condition_of_grpc(status));
}

bool nu_retry_wants_response(const struct nu_retry_rules *rules, uint32_t status,
                             const struct nu_headers *headers)
{
    if (nu_headers_has_id(headers, NU_HEADER_X_ENVOY_RATELIMITED))
        return rules->conditions & NU_RETRY_ON_ENVOY_RATELIMITED;
    return is_retriable_status(rules, status) || has_retriable_header(rules, headers) ||
           is_retriable_grpc(rules, headers);
}

/* --- Resets ----------------------------------------------------------------------------------- */

static bool is_connect_failure(enum nu_reset_reason reason)
{
    return reason == NU_RESET_LOCAL_CONNECTION_FAILURE ||
           reason == NU_RESET_REMOTE_CONNECTION_FAILURE || reason == NU_RESET_CONNECTION_TIMEOUT;
}

bool nu_retry_wants_reset(const struct nu_retry_rules *rules, enum nu_reset_reason reason,
                          bool had_begun)
{
    const unsigned on = rules->conditions;
    if (reason == NU_RESET_OVERFLOW)
        return false;
    if ((on & NU_RETRY_ON_CONNECT_FAILURE) && is_connect_failure(reason))
        return true;
    if ((on & NU_RETRY_ON_RESET_BEFORE_REQUEST) && !had_begun)
        return true;
    if (on & (NU_RETRY_ON_RESET | NU_RETRY_ON_5XX | NU_RETRY_ON_GATEWAY_ERROR))
        return true;
    return (on & NU_RETRY_ON_REFUSED_STREAM) && reason == NU_RESET_REMOTE_REFUSED;
}

/* --- Pauses ----------------------------------------------------------------------------------- */

uint64_t nu_retry_next_pause_ms(struct nu_retry_state *retry)
{
    uint64_t bound = retry->next_interval_ms;
    uint64_t max = retry->max_interval_ms;
    retry->next_interval_ms = bound <= max / 2 ? bound * 2 : max;
    return nu_random_below(bound);
}

/* False unless the header names a pause that is not over yet. */
static bool read_reset_header(const struct nu_retry_reset_header *header,
                              const struct nu_headers *headers, uint64_t *seconds)
{
    struct nu_str text = nu_headers_get(headers, header->name);
    if (!text.ptr || nu_str_to_u64(nu_str_trim(text), seconds) != NU_OK)
        return false;
    if (!header->is_unix_timestamp)
        return true;
    uint64_t now = nu_clock_realtime_us() / 1000000;
    if (*seconds < now)
        return false;
    *seconds -= now;
    return true;
}

uint64_t nu_retry_asked_pause_ms(const struct nu_retry_rules *rules,
                                 const struct nu_headers *headers)
{
    const struct nu_retry_policy *policy = rules->policy;
    for (size_t i = 0; i < policy->reset_header_count; i++) {
        uint64_t seconds;
        if (!read_reset_header(&policy->reset_headers[i], headers, &seconds) ||
            seconds > policy->max_reset_interval_ms / 1000)
            continue;
        uint64_t ms = seconds * 1000;
        return ms > 1 ? ms + nu_random_below(ms / 2) : 0;
    }
    return 0;
}
