/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route tables: which virtual host and route a request takes, and what that does to its headers. A
 * table is compiled once from a RouteConfiguration, immutable, and shared by all workers; it names
 * clusters and never sees one.
 *
 *     table -> virtual host (by host) -> route (first that matches) -> weighted cluster (by random)
 *
 * A match is a small value that the stream keeps; it stays valid as long as the table, which the
 * stream holds.
 */
#ifndef NU_ROUTE_ROUTE_H
#define NU_ROUTE_ROUTE_H

#include "base/arena.h"
#include "base/str.h"

struct nu_format_context;
struct nu_hash_policy; /* match/hash_policy.h */
struct nu_headers;
struct nu_internal_redirect; /* route/internal_redirect.h */
struct nu_metadata;
struct nu_mirror_policies; /* route/mirror_policy.h */
struct nu_retry_policy;    /* route/retry_policy.h */
struct nu_retry_rules;
struct nu_route_table;
struct nu_runtime;
struct nu_stat_set;
struct nu_stream_info;
struct nu_value;

enum nu_route_action {
    NU_ROUTE_CLUSTER,         /* forward */
    NU_ROUTE_REDIRECT,        /* answer with a location */
    NU_ROUTE_DIRECT_RESPONSE, /* answer with a configured status and body */
    NU_ROUTE_NON_FORWARDING,  /* for servers that end requests themselves: a proxy answers as for an
                                 unknown cluster */
};

/* A duration that may be absent: absent and 0 differ. */
struct nu_route_duration {
    uint64_t ms;
    bool is_set;
};

/* What a route says about requests that ask for a protocol, or for a CONNECT. */
struct nu_route_upgrade {
    struct nu_str type; /* in any case */
    bool is_enabled;
};

/* A CONNECT ends here: what it carries goes to the upstream as it is. */
struct nu_route_connect {
    bool allow_post;       /* also the bodies of POST requests */
    uint8_t proxy_version; /* of the PROXY header that goes first; 0: none */
};

#define NU_ROUTE_NO_LIMIT UINT64_MAX

/* What a route's user reads. The rest of a route is private to this module. */
struct nu_route {
    enum nu_route_action action;
    struct nu_str name;                 /* may be empty */
    const struct nu_metadata *metadata; /* may be NULL */
    /* nu_route_stats, of its stat_prefix; NULL: none. The registry's. */
    struct nu_stat_set *stats;

    uint32_t cluster_not_found_status; /* CLUSTER, NON_FORWARDING: 503 by default */

    /* CLUSTER */
    uint64_t timeout_ms; /* 15000 by default; 0: none, as where there are duration rules */
    struct nu_route_duration idle_timeout;
    struct nu_route_duration flush_timeout; /* of an answer that ended, with HTTP/2 */
    /* max_stream_duration stands there: it alone, and no route timeout, limits a stream. */
    bool has_duration_rules;
    struct nu_route_duration max_stream_duration;
    struct nu_route_duration grpc_timeout_max;    /* honour grpc-timeout up to this; 0: any */
    struct nu_route_duration grpc_timeout_offset; /* subtracted from it */
    const struct nu_hash_policy *hash_policy;     /* for balancers that hash; NULL: none */
    /* The older way, without has_duration_rules: in place of the timeout, for gRPC requests. */
    struct nu_route_duration max_grpc_timeout;
    uint64_t max_grpc_timeout_offset_ms;
    const struct nu_retry_policy *retry; /* the virtual host's where there is none; may be NULL */
    /* What that comes to for a request whose headers say nothing; NULL: one try without limits. */
    const struct nu_retry_rules *rules;
    bool looks_at_requests; /* the rest of their headers matters for rules and times */
    bool hedges;            /* a try that takes too long is not given up for the next */
    /* Milliseconds that the upstream is told it has, where the headers say nothing; empty: any. */
    struct nu_str expected_text;
    uint64_t body_limit; /* bytes kept for another try; NU_ROUTE_NO_LIMIT: the connection's */
    const struct nu_internal_redirect *internal_redirect; /* NULL: redirects go to the client */
    const struct nu_mirror_policies *mirrors; /* the virtual host's, or the table's, where there
                                                 are none; may be NULL */
    bool is_high_priority;
    bool auto_host_rewrite; /* the host's name becomes the authority once a host is chosen */
    bool append_x_forwarded_host;
    const struct nu_route_upgrade *upgrades;
    size_t upgrade_count;
    const struct nu_route_connect *connect; /* NULL: a CONNECT is forwarded as one */

    /* DIRECT_RESPONSE, and REDIRECT's status */
    uint32_t status;
};

/* Requests that are counted together, beside their cluster's statistics. */
struct nu_virtual_cluster {
    struct nu_str name;        /* empty: none of those that are configured */
    struct nu_stat_set *stats; /* nu_route_stats; the registry's */
};

struct nu_virtual_host {
    struct nu_str name;
    const struct nu_metadata *metadata; /* may be NULL */
    bool has_virtual_clusters;
    bool include_request_attempt_count;
    bool include_attempt_count_in_response;
    bool include_is_timeout_retry_header;
};

/* What is looked at. Everything is borrowed for the call. */
struct nu_route_input {
    const struct nu_headers *headers; /* after normalisation */
    const struct nu_stream_info *info;
    const struct nu_runtime *runtime;
    uint64_t
        random;  /* the stream's: weighted clusters and fractions use it, retries see the same */
    bool is_tls; /* of the connection */
};

struct nu_route_match {
    const struct nu_route_table *table;
    const struct nu_virtual_host *virtual_host; /* NULL: no virtual host */
    const struct nu_route *route;               /* NULL: no route */
    const void *weighted;                       /* private: the chosen weighted cluster, or NULL */
    struct nu_str cluster; /* CLUSTER: its name, from the table or from a header of the request */
    bool needs_tls;        /* require_tls: answer 301 to https instead of anything else */
};

/* Finds the route of a request; returns whether there is one (or needs_tls is set). */
bool nu_route_table_match(const struct nu_route_table *table, const struct nu_route_input *input,
                          struct nu_route_match *match);

/* Removes the table's internal_only_headers from an external request. */
void nu_route_table_remove_internal(const struct nu_route_table *table, struct nu_headers *headers);

/*
 * Changes a request's headers for the upstream: header mutations of all levels, host rewrite (but
 * auto_host_rewrite), path rewrite, with x-envoy-original-host and x-envoy-original-path unless
 * `suppress_envoy_headers`. Once per request, before it is sent.
 */
void nu_route_finalize_request(const struct nu_route_match *match, struct nu_headers *headers,
                               const struct nu_stream_info *info, bool suppress_envoy_headers);
/* auto_host_rewrite with the name of the chosen host; nothing for an empty name. */
void nu_route_rewrite_host(const struct nu_route_match *match, struct nu_headers *headers,
                           struct nu_str host_name, bool suppress_envoy_headers);
/* Response header mutations of all levels, of an upstream's response or of a local reply of this
 * route. */
void nu_route_finalize_response(const struct nu_route_match *match, struct nu_headers *headers,
                                const struct nu_headers *request_headers,
                                const struct nu_stream_info *info);

/*
 * REDIRECT and needs_tls: the location, in the arena of the request's headers. Its status is
 * nu_route_redirect_status. A redirect that rewrites the path changes the request's as well, once:
 * the access log shows the new one, and x-envoy-original-path (unless `suppress_envoy_headers`) the
 * old. A DIRECT_RESPONSE with status 201 or 3xx has a location too, the URL of the request; for the
 * other ones the result is empty.
 */
struct nu_str nu_route_redirect_location(const struct nu_route_match *match,
                                         struct nu_headers *headers, bool suppress_envoy_headers);
uint32_t nu_route_redirect_status(const struct nu_route_match *match);
/* DIRECT_RESPONSE: the body (formatted into `arena` if it has a format), and its content type
 * (empty: text/plain). */
struct nu_str nu_route_direct_body(const struct nu_route_match *match,
                                   const struct nu_format_context *context, struct nu_arena *arena,
                                   struct nu_str *content_type);

/* Ends a table that no worker looks at any more, and clears the pointer; NULL inside is allowed. */
void nu_route_table_destroy(struct nu_route_table **table);

/* What the route asks of the hosts' metadata (http/lb_criteria.h); NULL: nothing. */
const struct nu_value *nu_route_criteria(const struct nu_route_match *match);

/* Where the request counts, as it is before the route changes it; only where the virtual host has
 * virtual clusters. */
const struct nu_virtual_cluster *nu_route_virtual_cluster(const struct nu_route_match *match,
                                                          const struct nu_headers *headers);

enum { NU_ROUTE_LEVELS = 4 }; /* table, virtual host, route, cluster of a route's */

/* Whether any level of this match configures filters: lets the caller skip the lookups. */
bool nu_route_has_filter_configs(const struct nu_route_match *match);
/* The most specific configuration for the filter called `name`, as the factory made it, or NULL;
 * *disabled is set or cleared where a level says so, else left alone. */
const void *nu_route_filter_config(const struct nu_route_match *match, struct nu_str name,
                                   bool *disabled);
/* Those of all levels, the most specific one last; how many there are. */
size_t nu_route_filter_configs(const struct nu_route_match *match, struct nu_str name,
                               const void *out[NU_ROUTE_LEVELS]);

#endif
