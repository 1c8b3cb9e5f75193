/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP connection manager: the network filter that turns a connection's bytes into streams,
 * runs the filter chain on each, and keeps Envoy's header contract towards both sides.
 *
 *     connection -> codec -> stream { headers, route, filter chain, timeouts, log }
 *
 * A manager (struct nu_hcm) is one configured instance; it is handed to the listener as the network
 * filter's configuration. Each worker has its own counters and caches in it.
 */
#ifndef NU_STREAM_HCM_H
#define NU_STREAM_HCM_H

#include "base/thread.h"
#include "http/date.h"
#include "net/listener.h"
#include "stream/config.h"

/* One thread's part of a manager. */
struct nu_hcm_worker {
    struct nu_http_stats *stats;
    struct nu_listener_http_stats *listener_stats;
    struct nu_http1_stats *http1_stats;
    struct nu_http2_stats *http2_stats; /* NULL before the first such connection */
    struct nu_date_cache date;
    struct nu_list idle;        /* connections without a stream, longest idle first */
    struct nu_timer idle_timer; /* armed at the latest when the first of them was idle for long
                                      enough; while there is a connection */
    uint32_t connection_count;
    uint32_t spare_count;
    struct nu_hcm_codec *spare_codecs; /* owned */
};

struct nu_hcm {
    struct nu_hcm_config config;
    struct nu_hcm_worker *workers[NU_THREAD_MAX]; /* owned; made on a thread's first connection */
};

/* The manager as a network filter; its configuration is the struct nu_hcm. */
extern const struct nu_network_filter_class nu_hcm_filter;

/* Makes the tables of header names; for whoever fills a manager, before its first request. Any
 * thread. */
void nu_hcm_make_header_sets(void);
/* Frees the workers' parts, when no connection is left. The config's owner frees the rest. */
void nu_hcm_finish(struct nu_hcm *hcm);

#endif
