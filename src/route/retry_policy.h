/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When requests of a route are tried again, and how: a RetryPolicy, compiled. Immutable, in the
 * table's arena. It knows words, numbers and matchers, and no hosts; src/client acts on it.
 */
#ifndef NU_ROUTE_RETRY_POLICY_H
#define NU_ROUTE_RETRY_POLICY_H

#include "match/header_matcher.h"

struct nu_metadata;

/* What is tried again: the words of retry_on and x-envoy-retry-on, and those about gRPC. */
enum nu_retry_on {
    NU_RETRY_ON_5XX = 1 << 0,
    NU_RETRY_ON_GATEWAY_ERROR = 1 << 1,
    NU_RETRY_ON_RESET = 1 << 2,
    NU_RETRY_ON_RESET_BEFORE_REQUEST = 1 << 3,
    NU_RETRY_ON_CONNECT_FAILURE = 1 << 4,
    NU_RETRY_ON_ENVOY_RATELIMITED = 1 << 5,
    NU_RETRY_ON_RETRIABLE_4XX = 1 << 6,
    NU_RETRY_ON_REFUSED_STREAM = 1 << 7,
    NU_RETRY_ON_RETRIABLE_STATUS_CODES = 1 << 8,
    NU_RETRY_ON_RETRIABLE_HEADERS = 1 << 9,
    NU_RETRY_ON_HTTP3_POST_CONNECT_FAILURE = 1 << 10, /* there is no HTTP/3: nothing */
    NU_RETRY_ON_CANCELLED = 1 << 11,
    NU_RETRY_ON_DEADLINE_EXCEEDED = 1 << 12,
    NU_RETRY_ON_RESOURCE_EXHAUSTED = 1 << 13,
    NU_RETRY_ON_UNAVAILABLE = 1 << 14,
    NU_RETRY_ON_INTERNAL = 1 << 15,

    NU_RETRY_ON_GRPC = NU_RETRY_ON_CANCELLED | NU_RETRY_ON_DEADLINE_EXCEEDED |
                       NU_RETRY_ON_RESOURCE_EXHAUSTED | NU_RETRY_ON_UNAVAILABLE |
                       NU_RETRY_ON_INTERNAL,
};

/* The conditions that a list names, by commas; *unknown says whether it has another word. */
unsigned nu_retry_on_parse(struct nu_str list, bool *unknown);
unsigned nu_retry_grpc_on_parse(struct nu_str list, bool *unknown);

/* A header by which an upstream names the pause before the next try. */
struct nu_retry_reset_header {
    struct nu_str name;     /* lower case */
    bool is_unix_timestamp; /* seconds since 1970; else seconds from now */
};

struct nu_retry_policy {
    unsigned conditions; /* set of enum nu_retry_on */
    uint32_t max_retries;
    uint64_t per_try_timeout_ms;      /* 0: none */
    uint64_t per_try_idle_timeout_ms; /* 0: none */
    uint64_t base_interval_ms;        /* 0: the runtime's, or 25 */
    uint64_t max_interval_ms;         /* 0: ten times the base */
    const uint32_t *status_codes;
    size_t status_code_count;
    const struct nu_header_matcher *headers; /* of responses: one that matches is enough */
    size_t header_count;
    const struct nu_header_matcher *request_headers; /* none: any request */
    size_t request_header_count;
    const struct nu_retry_reset_header *reset_headers;
    size_t reset_header_count;
    uint64_t max_reset_interval_ms;
    bool avoids_previous_hosts;
    bool avoids_canaries;
    const struct nu_metadata *const *avoided; /* hosts with all labels of one of these */
    size_t avoided_count;
    uint32_t host_attempts;             /* further choices while a host is to be avoided */
    uint32_t priority_update_frequency; /* of previous_priorities; 0: priorities as ever */
};

/* What holds where a request's headers alone ask for retries. */
extern const struct nu_retry_policy nu_retry_policy_none;

/* What one request's tries may do: its route's policy, perhaps changed by its own headers. Constant
 * once it is made. */
struct nu_retry_rules {
    const struct nu_retry_policy *policy; /* borrowed: the route table's */
    unsigned conditions;                  /* set of enum nu_retry_on; 0: nothing is tried again */
    uint32_t max_retries;
    uint64_t per_try_timeout_ms;      /* 0: none */
    uint64_t per_try_idle_timeout_ms; /* 0: none */
    uint64_t max_duration_ms;         /* of each try, where `has_max_duration`; 0: none */
    bool has_max_duration;            /* in place of the cluster's max_stream_duration */
    bool hedges;                      /* a try that takes too long goes on beside the next one */
    /* Beside the policy's. */
    const uint32_t *status_codes;
    size_t status_code_count;
    const struct nu_str *header_names; /* lower case: a response that has one of them */
    size_t header_name_count;
};

/* The rules of a request that says nothing itself. `timeout_ms`: of all tries, or 0. */
void nu_retry_rules_init(struct nu_retry_rules *rules, const struct nu_retry_policy *policy,
                         bool hedges, uint64_t timeout_ms);
/* A try's timeout that is not below that of all is none. */
static inline uint64_t nu_retry_try_timeout(uint64_t per_try_ms, uint64_t timeout_ms)
{
    return timeout_ms && per_try_ms >= timeout_ms ? 0 : per_try_ms;
}
/* Whether they come to one try without limits. */
bool nu_retry_rules_are_plain(const struct nu_retry_rules *rules);
/* The time that a host has for a try, of `timeout_ms` for all of them; `rules` may be NULL. */
static inline uint64_t nu_retry_expected_ms(const struct nu_retry_rules *rules, uint64_t timeout_ms)
{
    return rules && rules->per_try_timeout_ms && !rules->hedges ? rules->per_try_timeout_ms
                                                                : timeout_ms;
}

#endif
