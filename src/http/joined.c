/* SPDX-License-Identifier: Apache-2.0 */
/* The two sets of joined names. */
#include "http/joined.h"

#define REQUEST_NAMES(X) \
    X(AUTHORITY) \
    X(METHOD) \
    X(PATH) \
    X(PROTOCOL) \
    X(SCHEME) \
    X(HOST) \
    X(CONNECTION) \
    X(KEEP_ALIVE) \
    X(PROXY_CONNECTION) \
    X(TRANSFER_ENCODING) \
    X(UPGRADE) \
    X(TE) \
    X(CONTENT_TYPE) \
    X(EXPECT) \
    X(ACCEPT) \
    X(ACCEPT_ENCODING) \
    X(ACCESS_CONTROL_REQUEST_HEADERS) \
    X(ACCESS_CONTROL_REQUEST_METHOD) \
    X(ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK) \
    X(AUTHORIZATION) \
    X(CACHE_CONTROL) \
    X(CONTENT_ENCODING) \
    X(GRPC_ACCEPT_ENCODING) \
    X(GRPC_TIMEOUT) \
    X(IF_MATCH) \
    X(IF_MODIFIED_SINCE) \
    X(IF_NONE_MATCH) \
    X(IF_RANGE) \
    X(IF_UNMODIFIED_SINCE) \
    X(ORIGIN) \
    X(PRAGMA) \
    X(PROXY_STATUS) \
    X(REFERER) \
    X(USER_AGENT) \
    X(VIA) \
    X(X_CLIENT_TRACE_ID) \
    X(X_ENVOY_ATTEMPT_COUNT) \
    X(X_ENVOY_DECORATOR_OPERATION) \
    X(X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER) \
    X(X_ENVOY_DOWNSTREAM_SERVICE_NODE) \
    X(X_ENVOY_EXPECTED_RQ_TIMEOUT_MS) \
    X(X_ENVOY_EXTERNAL_ADDRESS) \
    X(X_ENVOY_FORCE_TRACE) \
    X(X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT) \
    X(X_ENVOY_INTERNAL) \
    X(X_ENVOY_IP_TAGS) \
    X(X_ENVOY_IS_TIMEOUT_RETRY) \
    X(X_ENVOY_MAX_RETRIES) \
    X(X_ENVOY_ORIGINAL_HOST) \
    X(X_ENVOY_ORIGINAL_PATH) \
    X(X_ENVOY_ORIGINAL_URL) \
    X(X_ENVOY_RETRIABLE_HEADER_NAMES) \
    X(X_ENVOY_RETRIABLE_STATUS_CODES) \
    X(X_ENVOY_RETRY_GRPC_ON) \
    X(X_ENVOY_RETRY_ON) \
    X(X_ENVOY_UPSTREAM_ALT_STAT_NAME) \
    X(X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS) \
    X(X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE) \
    X(X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS) \
    X(X_ENVOY_UPSTREAM_STREAM_DURATION_MS) \
    X(X_FORWARDED_CLIENT_CERT) \
    X(X_FORWARDED_FOR) \
    X(X_FORWARDED_HOST) \
    X(X_FORWARDED_PORT) \
    X(X_FORWARDED_PROTO) \
    X(X_REQUEST_ID)

#define RESPONSE_NAMES(X) \
    X(STATUS) \
    X(CONNECTION) \
    X(KEEP_ALIVE) \
    X(PROXY_CONNECTION) \
    X(TRANSFER_ENCODING) \
    X(UPGRADE) \
    X(CONTENT_TYPE) \
    X(ACCESS_CONTROL_ALLOW_CREDENTIALS) \
    X(ACCESS_CONTROL_ALLOW_HEADERS) \
    X(ACCESS_CONTROL_ALLOW_METHODS) \
    X(ACCESS_CONTROL_ALLOW_ORIGIN) \
    X(ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK) \
    X(ACCESS_CONTROL_EXPOSE_HEADERS) \
    X(ACCESS_CONTROL_MAX_AGE) \
    X(AGE) \
    X(CACHE_CONTROL) \
    X(CONTENT_ENCODING) \
    X(DATE) \
    X(ETAG) \
    X(EXPIRES) \
    X(GRPC_MESSAGE) \
    X(GRPC_STATUS) \
    X(LAST_MODIFIED) \
    X(LOCATION) \
    X(PROXY_STATUS) \
    X(SERVER) \
    X(VARY) \
    X(VIA) \
    X(X_ENVOY_ATTEMPT_COUNT) \
    X(X_ENVOY_DECORATOR_OPERATION) \
    X(X_ENVOY_DEGRADED) \
    X(X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL) \
    X(X_ENVOY_RATELIMITED) \
    X(X_ENVOY_UPSTREAM_CANARY) \
    X(X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER) \
    X(X_ENVOY_UPSTREAM_SERVICE_TIME) \
    X(X_REQUEST_ID)

const struct nu_header_set nu_joined_request_headers = NU_HEADER_SET_OF(REQUEST_NAMES);
const struct nu_header_set nu_joined_response_headers = NU_HEADER_SET_OF(RESPONSE_NAMES);

void nu_headers_join_value(struct nu_headers *headers, enum nu_header_id id, struct nu_str value)
{
    struct nu_header *header = nu_headers_find_id(headers, id);
    if (value.len == 0)
        return;
    if (header->value.len == 0) {
        header->value = value;
        return;
    }
    struct nu_str joined = nu_arena_concat(headers->arena, header->value, NU_STR(","));
    header->value = nu_arena_concat(headers->arena, joined, value);
}

/* All values of a name that are not empty. */
static struct nu_str join_values(const struct nu_headers *headers, enum nu_header_id id)
{
    size_t room = 0;
    nu_headers_for_each(header, headers)
    {
        if (header->id == id && header->value.len)
            room += header->value.len + 1;
    }
    char *text = nu_arena_alloc(headers->arena, room);
    size_t len = 0;
    nu_headers_for_each(header, headers)
    {
        if (header->id != id || header->value.len == 0)
            continue;
        if (len)
            text[len++] = ',';
        memcpy(text + len, header->value.ptr, header->value.len);
        len += header->value.len;
    }
    return nu_str_make(text, len);
}

void nu_headers_join_repeated(struct nu_headers *headers, const struct nu_header_set *joined)
{
    for (unsigned id = NU_HEADER_OTHER + 1; id < NU_HEADER_ID_COUNT; id++) {
        enum nu_header_id name = (enum nu_header_id)id;
        if (nu_header_set_has(joined, name) && nu_headers_count_id(headers, name) > 1)
            nu_headers_set_id(headers, name, join_values(headers, name));
    }
}
