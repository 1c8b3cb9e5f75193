/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response flags: why a request did not end as it should, with Envoy's short and long names. A
 * request carries a set of them.
 */
#ifndef NU_HTTP_RESPONSE_FLAGS_H
#define NU_HTTP_RESPONSE_FLAGS_H

#include "base/str.h"

/* X(ID, short name, long name) */
#define NU_RESPONSE_FLAGS(X) \
    X(FAILED_LOCAL_HEALTH_CHECK, "LH", "FailedLocalHealthCheck") \
    X(NO_HEALTHY_UPSTREAM, "UH", "NoHealthyUpstream") \
    X(UPSTREAM_REQUEST_TIMEOUT, "UT", "UpstreamRequestTimeout") \
    X(LOCAL_RESET, "LR", "LocalReset") \
    X(UPSTREAM_REMOTE_RESET, "UR", "UpstreamRemoteReset") \
    X(UPSTREAM_CONNECTION_FAILURE, "UF", "UpstreamConnectionFailure") \
    X(UPSTREAM_CONNECTION_TERMINATION, "UC", "UpstreamConnectionTermination") \
    X(UPSTREAM_OVERFLOW, "UO", "UpstreamOverflow") \
    X(NO_ROUTE_FOUND, "NR", "NoRouteFound") \
    X(DELAY_INJECTED, "DI", "DelayInjected") \
    X(FAULT_INJECTED, "FI", "FaultInjected") \
    X(RATE_LIMITED, "RL", "RateLimited") \
    X(UNAUTHORIZED_EXTERNAL_SERVICE, "UAEX", "UnauthorizedExternalService") \
    X(RATE_LIMIT_SERVICE_ERROR, "RLSE", "RateLimitServiceError") \
    X(DOWNSTREAM_CONNECTION_TERMINATION, "DC", "DownstreamConnectionTermination") \
    X(UPSTREAM_RETRY_LIMIT_EXCEEDED, "URX", "UpstreamRetryLimitExceeded") \
    X(STREAM_IDLE_TIMEOUT, "SI", "StreamIdleTimeout") \
    X(INVALID_ENVOY_REQUEST_HEADERS, "IH", "InvalidEnvoyRequestHeaders") \
    X(DOWNSTREAM_PROTOCOL_ERROR, "DPE", "DownstreamProtocolError") \
    X(UPSTREAM_MAX_STREAM_DURATION, "UMSDR", "UpstreamMaxStreamDurationReached") \
    X(RESPONSE_FROM_CACHE, "RFCF", "ResponseFromCacheFilter") \
    X(NO_FILTER_CONFIG, "NFCF", "NoFilterConfigFound") \
    X(DURATION_TIMEOUT, "DT", "DurationTimeout") \
    X(UPSTREAM_PROTOCOL_ERROR, "UPE", "UpstreamProtocolError") \
    X(NO_CLUSTER_FOUND, "NC", "NoClusterFound") \
    X(OVERLOAD_MANAGER, "OM", "OverloadManagerTerminated") \
    X(DNS_RESOLUTION_FAILED, "DF", "DnsResolutionFailed") \
    X(DROP_OVERLOAD, "DO", "DropOverload") \
    X(DOWNSTREAM_REMOTE_RESET, "DR", "DownstreamRemoteReset") \
    X(UNCONDITIONAL_DROP_OVERLOAD, "UDO", "UnconditionalDropOverload")

enum nu_response_flag {
#define X(id, short_name, long_name) NU_FLAG_##id,
    NU_RESPONSE_FLAGS(X)
#undef X
        NU_FLAG_COUNT
};

/* A set of flags. */
typedef uint64_t nu_response_flags;

#define NU_FLAG_BIT(id) ((nu_response_flags)1 << NU_FLAG_##id)

struct nu_str nu_response_flag_short(enum nu_response_flag flag);
struct nu_str nu_response_flag_long(enum nu_response_flag flag);
/* The flag of a short name. */
NU_MUST_USE bool nu_response_flag_parse(struct nu_str short_name, enum nu_response_flag *out);

#endif
