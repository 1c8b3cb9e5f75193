/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router filter (envoy.filters.http.router): the end of every chain. It answers direct
 * responses and redirects, and forwards everything else to the route's cluster.
 */
#ifndef NU_FILTERS_HTTP_ROUTER_H
#define NU_FILTERS_HTTP_ROUTER_H

#include "filter/chain.h"
#include "stats/stats.h"

/* Headers that strict_check_headers may name. */
enum nu_strict_header {
    NU_STRICT_RQ_TIMEOUT_MS = 1 << 0,
    NU_STRICT_RQ_PER_TRY_TIMEOUT_MS = 1 << 1,
    NU_STRICT_MAX_RETRIES = 1 << 2,
    NU_STRICT_RETRY_ON = 1 << 3,
    NU_STRICT_RETRY_GRPC_ON = 1 << 4,
};

/* The settings of one router; immutable. */
struct nu_router_config {
    bool suppress_envoy_headers;
    bool respect_expected_rq_timeout;
    bool charges_answers;      /* dynamic_stats */
    bool hides_grpc_codes;     /* suppress_grpc_request_failure_code_stats */
    unsigned strict_headers;   /* set of enum nu_strict_header */
    struct nu_stat_set *stats; /* http.PREFIX., the router's part */
};

extern const struct nu_filter_class nu_router_filter;

#endif
