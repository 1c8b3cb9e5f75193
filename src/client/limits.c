/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts and retries of one request. */
#include "client/limits.h"

#include "http/grpc.h"

#define OTHER_NAMES(X) \
    X(X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS) \
    X(X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE) \
    X(X_ENVOY_UPSTREAM_STREAM_DURATION_MS) \
    X(X_ENVOY_RETRY_ON) \
    X(X_ENVOY_RETRY_GRPC_ON) \
    X(X_ENVOY_MAX_RETRIES) \
    X(X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT) \
    X(X_ENVOY_RETRIABLE_STATUS_CODES) \
    X(X_ENVOY_RETRIABLE_HEADER_NAMES) \
    X(X_ENVOY_UPSTREAM_ALT_STAT_NAME)

#define CONTROL_NAMES(X) \
    X(X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS) \
    OTHER_NAMES(X)

const struct nu_header_set nu_request_control_headers = NU_HEADER_SET_OF(CONTROL_NAMES);
/* Where the expected timeout was read: Envoy leaves the other one to whom comes next. */
static const struct nu_header_set other_headers = NU_HEADER_SET_OF(OTHER_NAMES);

static bool number_header(const struct nu_headers *headers, enum nu_header_id id, uint64_t *out)
{
    struct nu_str text = nu_headers_get_id(headers, id);
    return text.ptr && nu_header_number(text, out);
}

/* --- Retries ---------------------------------------------------------------------------------- */

static unsigned read_conditions(const struct nu_retry_policy *policy,
                                const struct nu_headers *headers)
{
    bool unknown;
    struct nu_str on = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_RETRY_ON);
    struct nu_str grpc_on = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_RETRY_GRPC_ON);
    unsigned conditions = policy->conditions | nu_retry_on_parse(on, &unknown) |
                          nu_retry_grpc_on_parse(grpc_on, &unknown);
    if (policy->request_header_count == 0)
        return conditions;
    for (size_t i = 0; i < policy->request_header_count; i++) {
        if (nu_header_matches(&policy->request_headers[i], headers))
            return conditions;
    }
    return 0;
}

static size_t count_items(struct nu_str list)
{
    size_t count = 1;
    for (size_t i = 0; i < list.len; i++)
        count += list.ptr[i] == ',';
    return count;
}

static void read_status_codes(struct nu_retry_rules *rules, struct nu_headers *headers)
{
    struct nu_str list = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_RETRIABLE_STATUS_CODES);
    if (!list.ptr)
        return;
    uint32_t *codes = nu_arena_alloc(headers->arena, count_items(list) * sizeof(*codes));
    rules->status_codes = codes;
    while (list.ptr) {
        uint64_t code;
        if (nu_header_number(nu_str_trim(nu_str_split(&list, ',')), &code) && code <= UINT32_MAX)
            codes[rules->status_code_count++] = (uint32_t)code;
    }
}

static void read_header_names(struct nu_retry_rules *rules, struct nu_headers *headers)
{
    struct nu_str list = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_RETRIABLE_HEADER_NAMES);
    if (!list.ptr)
        return;
    struct nu_str *names = nu_arena_alloc(headers->arena, count_items(list) * sizeof(*names));
    rules->header_names = names;
    while (list.ptr) {
        struct nu_str name = nu_str_trim(nu_str_split(&list, ','));
        if (name.len == 0)
            continue;
        name = nu_arena_dup(headers->arena, name);
        nu_header_name_lower(nu_unconst(name.ptr), name.len);
        names[rules->header_name_count++] = name;
    }
}

static bool read_hedges(const struct nu_route *route, const struct nu_headers *headers)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT);
    if (nu_str_eq(text, NU_STR("true")))
        return true;
    return route->hedges && !nu_str_eq(text, NU_STR("false"));
}

static const struct nu_retry_rules *read_rules(const struct nu_route *route,
                                               struct nu_headers *headers, uint64_t timeout_ms)
{
    const struct nu_retry_policy *policy = route->retry ? route->retry : &nu_retry_policy_none;
    struct nu_retry_rules *rules = nu_arena_alloc(headers->arena, sizeof(*rules));
    uint64_t asked;
    nu_retry_rules_init(rules, policy, read_hedges(route, headers), timeout_ms);
    rules->conditions = read_conditions(policy, headers);
    if (number_header(headers, NU_HEADER_X_ENVOY_MAX_RETRIES, &asked))
        rules->max_retries = asked < UINT32_MAX ? (uint32_t)asked : UINT32_MAX;
    if (number_header(headers, NU_HEADER_X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS, &asked))
        rules->per_try_timeout_ms = nu_retry_try_timeout(asked, timeout_ms);
    rules->has_max_duration = number_header(headers, NU_HEADER_X_ENVOY_UPSTREAM_STREAM_DURATION_MS,
                                            &rules->max_duration_ms);
    read_status_codes(rules, headers);
    read_header_names(rules, headers);
    return nu_retry_rules_are_plain(rules) ? NULL : rules;
}

/* --- Times ------------------------------------------------------------------------------------ */

/* The client's deadline, in place of the route's timeout. No deadline is one without an end. */
static void read_grpc_timeout(struct nu_request_limits *limits, const struct nu_route *route,
                              const struct nu_headers *headers)
{
    uint64_t max = route->max_grpc_timeout.ms;
    uint64_t timeout = 0;
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_GRPC_TIMEOUT);
    if (text.ptr && !nu_grpc_timeout_parse(text, &timeout))
        timeout = 0;
    if (route->max_grpc_timeout_offset_ms < timeout)
        timeout -= route->max_grpc_timeout_offset_ms;
    if (max && (!timeout || timeout > max))
        timeout = max;
    limits->timeout_ms = timeout;
}

static bool has_grpc_timeout(const struct nu_route *route, const struct nu_headers *headers)
{
    return route->max_grpc_timeout.is_set && !route->has_duration_rules &&
           nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE));
}

void nu_request_limits_tell(const struct nu_request_limits *limits, struct nu_headers *headers,
                            uint64_t elapsed_ms, bool tells_upstream)
{
    uint64_t timeout = limits->timeout_ms;
    uint64_t expected = nu_retry_expected_ms(limits->rules, timeout);
    if (!expected)
        return;
    if (timeout && elapsed_ms >= timeout)
        expected = 1; /* 0 would be any time */
    else if (timeout && timeout - elapsed_ms < expected)
        expected = timeout - elapsed_ms;
    if (tells_upstream)
        nu_headers_set_number(headers, NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, expected);
    if (!limits->tells_grpc)
        return;
    char *text = nu_arena_alloc(headers->arena, NU_GRPC_TIMEOUT_LEN_MAX);
    size_t len = nu_grpc_timeout_format(expected, text);
    nu_headers_set_id(headers, NU_HEADER_GRPC_TIMEOUT, nu_str_make(text, len));
}

void nu_request_limits_read_all(struct nu_request_limits *limits, const struct nu_route *route,
                                struct nu_headers *headers,
                                const struct nu_request_limits_input *input)
{
    uint64_t asked;
    *limits = (struct nu_request_limits){
        .timeout_ms = route->timeout_ms,
        .tells_grpc = has_grpc_timeout(route, headers),
        .alt_response =
            nu_headers_has_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE),
    };
    if (limits->tells_grpc)
        read_grpc_timeout(limits, route, headers);
    bool has_expected = input->respects_expected &&
                        nu_headers_has_id(headers, NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS);
    if (number_header(headers,
                      has_expected ? NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS
                                   : NU_HEADER_X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS,
                      &asked))
        limits->timeout_ms = asked;
    limits->rules = read_rules(route, headers, limits->timeout_ms);
    nu_headers_remove_set(headers, has_expected ? &other_headers : &nu_request_control_headers);
    nu_request_limits_tell(limits, headers, 0, input->tells_upstream);
}
