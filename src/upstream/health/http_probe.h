/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks by an HTTP request, over HTTP/1 or HTTP/2. */
#ifndef NU_UPSTREAM_HEALTH_HTTP_PROBE_H
#define NU_UPSTREAM_HEALTH_HTTP_PROBE_H

#include "match/string_matcher.h"
#include "upstream/health/payload.h"
#include "upstream/health/probe.h"

struct nu_header_edits;

/* Statuses from `start` up to but not `end`. */
struct nu_health_statuses {
    uint32_t start;
    uint32_t end;
};

/* Settings; immutable, from the configuration. */
struct nu_health_http {
    bool is_h2;
    struct nu_str method;
    struct nu_str host; /* empty: the cluster's name */
    struct nu_str path;
    struct nu_str send;                  /* the request's body; may be empty */
    const struct nu_header_edits *edits; /* of the request; may be NULL */
    const struct nu_health_statuses *expected;
    size_t expected_count;
    const struct nu_health_statuses *retriable;
    size_t retriable_count;
    struct nu_health_payload receive;
    uint64_t response_buffer_bytes; /* of a body that are looked at; 0: all */
    bool verifies_service;
    struct nu_string_matcher service; /* whose host it must say to be */
};

/* `settings` is a struct nu_health_http. */
extern const struct nu_health_probe_class nu_health_http_probe;

#endif
