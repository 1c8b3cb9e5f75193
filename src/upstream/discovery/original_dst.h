/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ORIGINAL_DST: a connection goes where its client meant to go, or where a header or metadata of the
 * request says. Hosts are made when they are needed, and go when nobody has needed them for a while.
 *
 *     worker: makes the host, uses it at once, tells the main thread
 *     main thread: adds it to the cluster's hosts, which all workers get soon; removes unused ones
 *
 * Two workers may make a host of one address at the same time; both are kept then, as in Envoy.
 */
#ifndef NU_UPSTREAM_ORIGINAL_DST_H
#define NU_UPSTREAM_ORIGINAL_DST_H

#include "upstream/lb/lb.h"

struct nu_discovery;
struct nu_headers;
struct nu_loop;
struct nu_stream_info;

/* Where the destination is looked for; immutable. */
struct nu_original_dst {
    struct nu_str header;      /* lower-case: has "ip:port"; empty: none is asked */
    struct nu_str metadata;    /* namespace of the request's metadata; empty: none is asked */
    const struct nu_str *path; /* in it: a text "ip:port" */
    size_t path_count;
    uint16_t port;       /* takes the place of the destination's; 0: its own */
    uint64_t cleanup_ms; /* how often unused hosts are looked for */
};

/* The class of its balancers: a host is chosen by nu_lb_context.destination. */
extern const struct nu_lb_class nu_lb_original_dst;

/* The discovery of a cluster with `original_dst` set, which takes it over; not started. Main
 * thread. */
struct nu_discovery *nu_original_dst_create(struct nu_cluster *cluster, struct nu_loop *loop);

/* Where a request or a connection (without headers) is to go, in the stream's arena; NULL: nothing
 * says it. The cluster has `original_dst`. */
const struct nu_address *nu_original_dst_find(struct nu_cluster_local *local,
                                              const struct nu_stream_info *info,
                                              const struct nu_headers *headers);

/* A host of the worker's cluster for a destination that none of its hosts has: made now, and in the
 * worker's set, of which this is the index. */
uint32_t nu_original_dst_make_host(struct nu_cluster_local *local,
                                   const struct nu_address *destination);
#endif
