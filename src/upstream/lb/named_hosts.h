/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that requests name themselves (the policy override_host): in headers, or in metadata that
 * filters have set. The lists of all sources stand one behind the other, and each try of a request
 * takes the next host that the cluster has.
 */
#ifndef NU_UPSTREAM_NAMED_HOSTS_H
#define NU_UPSTREAM_NAMED_HOSTS_H

#include "upstream/lb/lb.h"

struct nu_headers;
struct nu_stream_info;

/* Where a list of addresses stands. */
struct nu_named_host_source {
    struct nu_str header;   /* lower-case; empty: in metadata */
    struct nu_str metadata; /* namespace of the request's */
    const struct nu_str *path;
    size_t path_count;
};

/* In the cluster's arena. */
struct nu_named_host_settings {
    const struct nu_named_host_source *sources;
    size_t count;
};

/* What a request names, in the stream's arena; never NULL. */
struct nu_lb_named_hosts *nu_named_hosts_find(const struct nu_named_host_settings *settings,
                                              const struct nu_headers *headers,
                                              const struct nu_stream_info *info);

#endif
