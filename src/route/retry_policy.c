/* SPDX-License-Identifier: Apache-2.0 */
/* The words of retry conditions, and what rules come to. */
#include "route/retry_policy.h"

struct word {
    const char *text;
    unsigned condition;
};

static const struct word http_words[] = {
    {"5xx", NU_RETRY_ON_5XX},
    {"gateway-error", NU_RETRY_ON_GATEWAY_ERROR},
    {"connect-failure", NU_RETRY_ON_CONNECT_FAILURE},
    {"envoy-ratelimited", NU_RETRY_ON_ENVOY_RATELIMITED},
    {"retriable-4xx", NU_RETRY_ON_RETRIABLE_4XX},
    {"refused-stream", NU_RETRY_ON_REFUSED_STREAM},
    {"retriable-status-codes", NU_RETRY_ON_RETRIABLE_STATUS_CODES},
    {"retriable-headers", NU_RETRY_ON_RETRIABLE_HEADERS},
    {"reset", NU_RETRY_ON_RESET},
    {"reset-before-request", NU_RETRY_ON_RESET_BEFORE_REQUEST},
    {"http3-post-connect-failure", NU_RETRY_ON_HTTP3_POST_CONNECT_FAILURE},
};

static const struct word grpc_words[] = {
    {"cancelled", NU_RETRY_ON_CANCELLED},
    {"deadline-exceeded", NU_RETRY_ON_DEADLINE_EXCEEDED},
    {"resource-exhausted", NU_RETRY_ON_RESOURCE_EXHAUSTED},
    {"unavailable", NU_RETRY_ON_UNAVAILABLE},
    {"internal", NU_RETRY_ON_INTERNAL},
};

static unsigned condition_of(struct nu_str text, const struct word *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (nu_str_eq(text, nu_str_from(words[i].text)))
            return words[i].condition;
    }
    return 0;
}

static unsigned parse(struct nu_str list, const struct word *words, size_t count, bool *unknown)
{
    unsigned conditions = 0;
    *unknown = false;
    while (list.ptr) {
        struct nu_str text = nu_str_trim(nu_str_split(&list, ','));
        unsigned condition = condition_of(text, words, count);
        conditions |= condition;
        *unknown |= text.len && !condition;
    }
    return conditions;
}

unsigned nu_retry_on_parse(struct nu_str list, bool *unknown)
{
    return parse(list, http_words, NU_ARRAY_LEN(http_words), unknown);
}

unsigned nu_retry_grpc_on_parse(struct nu_str list, bool *unknown)
{
    return parse(list, grpc_words, NU_ARRAY_LEN(grpc_words), unknown);
}

const struct nu_retry_policy nu_retry_policy_none = {.max_retries = 1, .host_attempts = 1};

void nu_retry_rules_init(struct nu_retry_rules *rules, const struct nu_retry_policy *policy,
                         bool hedges, uint64_t timeout_ms)
{
    *rules = (struct nu_retry_rules){
        .policy = policy,
        .conditions = policy->conditions,
        .max_retries = policy->max_retries,
        .per_try_timeout_ms = nu_retry_try_timeout(policy->per_try_timeout_ms, timeout_ms),
        .per_try_idle_timeout_ms = policy->per_try_idle_timeout_ms,
        .hedges = hedges,
    };
}

bool nu_retry_rules_are_plain(const struct nu_retry_rules *rules)
{
    return !rules->conditions && !rules->per_try_timeout_ms && !rules->per_try_idle_timeout_ms &&
           !rules->has_max_duration;
}
