/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a route table is made of. Everything lives in the table's arena; absent parts are NULL. The
 * public structs come first in the private ones, so that a match gives both.
 */
#ifndef NU_ROUTE_ROUTE_INTERNAL_H
#define NU_ROUTE_ROUTE_INTERNAL_H

#include <stdatomic.h>

#include "base/hash.h"
#include "http/headers.h"
#include "match/header_matcher.h"
#include "match/query_matcher.h"
#include "match/regex.h"
#include "route/header_edits.h"
#include "route/mirror_policy.h"
#include "route/path_index.h"
#include "route/route.h"
#include "runtime/settings.h"

struct nu_formatter;

/* What one level says to filters. */
struct nu_filter_setting {
    struct nu_str name;
    const void *config; /* NULL when disabled */
    bool is_disabled;
};

struct nu_filter_settings {
    struct nu_filter_setting *items;
    size_t count;
};

/* The parts that every level has. */
struct nu_route_level {
    const struct nu_header_edits *request_edits;
    const struct nu_header_edits *response_edits;
    struct nu_filter_settings filters;
};

/* Conditions beside the path, all of which must hold. */
struct nu_route_conditions {
    struct nu_header_matcher_list headers;
    struct nu_query_matcher_list query;
    struct nu_runtime_share share;
    bool has_share;
    bool is_grpc;
};

struct nu_weighted_cluster {
    struct nu_str name;
    uint64_t weight_end; /* the sum of the weights up to this one */
    struct nu_str host_rewrite;
    const struct nu_value *criteria; /* with those of the action; may be NULL */
    struct nu_route_level level;
};

/* How a `:path` is rewritten; nothing is set for none. */
struct nu_path_rewrite {
    struct nu_str prefix; /* replaces what the rule matched; empty: not set */
    struct nu_regex_rewrite regex;
};

enum nu_cluster_source { NU_CLUSTER_NAMED, NU_CLUSTER_BY_HEADER, NU_CLUSTER_WEIGHTED };
enum nu_host_rewrite {
    NU_HOST_KEPT,
    NU_HOST_LITERAL,
    NU_HOST_FROM_HEADER,
    NU_HOST_FROM_PATH,
};

struct nu_cluster_action {
    enum nu_cluster_source source;
    struct nu_str cluster; /* NAMED: the cluster; BY_HEADER: the header, lower case */
    struct nu_weighted_cluster *weighted;
    size_t weighted_count;
    uint64_t total_weight;
    const struct nu_value *criteria; /* for subsets of hosts; may be NULL */
    enum nu_host_rewrite host_rewrite;
    struct nu_str host; /* LITERAL: the host; FROM_HEADER: the header, lower case */
    struct nu_regex_rewrite host_regex;
    struct nu_path_rewrite path_rewrite;
};

struct nu_redirect_action {
    struct nu_str scheme; /* empty: the request's */
    struct nu_str host;   /* empty: the request's */
    struct nu_str port;   /* ":8443", or empty */
    struct nu_str path;   /* empty: the request's, perhaps rewritten */
    bool path_has_query;
    bool strip_query;
    struct nu_path_rewrite path_rewrite;
};

struct nu_direct_action {
    struct nu_str body;
    const struct nu_formatter *format;
    struct nu_str content_type;
};

struct nu_virtual_host_entry;

struct nu_route_entry {
    struct nu_route route;
    const struct nu_path_rule *rule;
    const struct nu_route_conditions *conditions;
    const struct nu_virtual_host_entry *virtual_host;
    union {
        const struct nu_cluster_action *cluster;
        const struct nu_redirect_action *redirect;
        const struct nu_direct_action *direct;
    };
    struct nu_route_level level;
    bool changes_request; /* edits or rewrites at this level or above */
    bool changes_response;
    bool has_filters;
};

struct nu_virtual_cluster_entry {
    struct nu_virtual_cluster cluster;
    struct nu_header_matcher_list headers;
};

enum nu_tls_requirement { NU_TLS_NOT_REQUIRED, NU_TLS_REQUIRED_EXTERNALLY, NU_TLS_REQUIRED };

struct nu_virtual_host_entry {
    struct nu_virtual_host host;
    enum nu_tls_requirement tls;
    const struct nu_retry_policy *retry;      /* for routes without one of their own; may be NULL */
    bool hedges;                              /* likewise */
    const struct nu_mirror_policies *mirrors; /* likewise, or the table's */
    struct nu_path_rule *rules;               /* beside `routes` */
    struct nu_route_entry *routes;
    uint32_t route_count;
    const struct nu_path_index *index; /* NULL while there are few routes */
    uint32_t *connect_routes;          /* numbers of those for CONNECT, ascending */
    uint32_t connect_count;
    struct nu_virtual_cluster_entry *virtual_clusters; /* the last one takes what is left */
    struct nu_route_level level;
};

/* Domains with a '*' at one end, without it. */
struct nu_wildcard_domains {
    struct nu_map hosts; /* text -> struct nu_virtual_host_entry */
    uint32_t *lengths;   /* of the texts, descending, each once */
    uint32_t length_count;
};

struct nu_route_table {
    struct nu_arena arena;
    struct nu_str name;
    struct nu_virtual_host_entry *virtual_hosts;
    size_t virtual_host_count;
    struct nu_map exact_hosts; /* lower-case domain -> struct nu_virtual_host_entry */
    struct nu_wildcard_domains suffixes;
    struct nu_wildcard_domains prefixes;
    const struct nu_virtual_host_entry *default_host;
    struct nu_route_level level;
    struct nu_header_set internal_ids;
    struct nu_str *internal_names; /* those without an id */
    size_t internal_count;
    bool ignore_port;
    bool ignore_path_parameters;
    bool most_specific_wins; /* edits of the table first, those of the route last */
};

static inline const struct nu_route_entry *nu_route_entry_of(const struct nu_route_match *match)
{
    return (const struct nu_route_entry *)match->route;
}

/* Rewrites the path of a request, if the rewrite is one, and keeps the old one in
 * x-envoy-original-path. `rule` is the one that matched. An outcome without a path becomes "/". */
void nu_route_rewrite_path(const struct nu_path_rule *rule, const struct nu_path_rewrite *rewrite,
                           struct nu_headers *headers, bool suppress_envoy_headers);

#endif
