/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host says of its load beside an answer (ORCA), in one of two headers or trailers:
 *
 *     endpoint-load-metrics: TEXT rps_fractional=100,cpu_utilization=0.4
 *     endpoint-load-metrics: JSON {"rps_fractional": 100, "cpu_utilization": 0.4}
 *     endpoint-load-metrics: BIN <base64 of an OrcaLoadReport>
 *     endpoint-load-metrics-bin: <the same>
 *
 * A report with anything wrong in it says nothing, as with Envoy.
 */
#ifndef NU_UPSTREAM_LOAD_REPORT_H
#define NU_UPSTREAM_LOAD_REPORT_H

#include "base/arena.h"
#include "base/str.h"

struct nu_headers;

/* Which metrics say how busy a host is: "named_metrics.x", "utilization.*", "mem_utilization" ... */
struct nu_load_metrics {
    const struct nu_str *names;
    size_t count;
    double error_penalty; /* how much the share of errors adds to that */
};

/* The weight that a report in these headers gives its host, at least 0. False if there is none, or
 * none that says it. What is read on the way is in `arena`. Any thread. */
bool nu_load_report_weight(const struct nu_headers *headers, const struct nu_load_metrics *metrics,
                           struct nu_arena *arena, uint32_t *weight);

#endif
