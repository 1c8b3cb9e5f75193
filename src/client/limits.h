/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a request may take and how often it is tried: what its route says, and what it says
 * itself by x-envoy headers, which end here. The upstream is told of the time that it has.
 */
#ifndef NU_CLIENT_LIMITS_H
#define NU_CLIENT_LIMITS_H

#include "client/retry.h"
#include "route/route.h"

struct nu_request_limits {
    uint64_t timeout_ms; /* of all tries; 0: none */
    const struct nu_retry_rules
        *rules;        /* the route's, or the request's own, in its arena; NULL: one
                                           try without limits */
    bool alt_response; /* x-envoy-upstream-rq-timeout-alt-response: a timeout is 204 */
    bool tells_grpc;   /* grpc-timeout is rewritten with what the upstream is told */
};

/* What the reading depends on beside route and headers. */
struct nu_request_limits_input {
    bool respects_expected; /* x-envoy-expected-rq-timeout-ms of the request goes before all */
    bool tells_upstream;    /* by the same header */
};

/* How many bytes of a request's body the route lets be kept, or else the connection's limit does;
 * NU_ROUTE_NO_LIMIT for any. */
static inline uint64_t nu_request_body_limit(const struct nu_route *route, uint64_t buffer_limit)
{
    if (route->body_limit != NU_ROUTE_NO_LIMIT)
        return route->body_limit;
    return buffer_limit ? buffer_limit : NU_ROUTE_NO_LIMIT;
}

/* Headers that are for us and nobody behind us. */
extern const struct nu_header_set nu_request_control_headers;

/* The same where a request's own headers matter. */
void nu_request_limits_read_all(struct nu_request_limits *limits, const struct nu_route *route,
                                struct nu_headers *headers,
                                const struct nu_request_limits_input *input);

/* Reads the headers, and changes them for the upstream. */
static inline void nu_request_limits_read(struct nu_request_limits *limits,
                                          const struct nu_route *route, struct nu_headers *headers,
                                          const struct nu_request_limits_input *input)
{
    if (nu_unlikely(route->looks_at_requests || input->respects_expected ||
                    nu_headers_has_any(headers, &nu_request_control_headers))) {
        nu_request_limits_read_all(limits, route, headers, input);
        return;
    }
    *limits = (struct nu_request_limits){.timeout_ms = route->timeout_ms, .rules = route->rules};
    if (route->expected_text.len && input->tells_upstream)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, route->expected_text);
}

/* The headers for another try; the request has been complete for `elapsed_ms`, or 0. */
void nu_request_limits_tell(const struct nu_request_limits *limits, struct nu_headers *headers,
                            uint64_t elapsed_ms, bool tells_upstream);

#endif
