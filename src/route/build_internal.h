/* SPDX-License-Identifier: Apache-2.0 */
/* A table on its way: shared by the *_from_proto.c files of this module. */
#ifndef NU_ROUTE_BUILD_INTERNAL_H
#define NU_ROUTE_BUILD_INTERNAL_H

#include "config/config.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "route/route_from_proto.h"
#include "route/route_internal.h"

struct nu_route_build {
    const struct nu_route_factory *factory;
    struct nu_match_factory match; /* makes everything in the table's arena */
    struct nu_route_table *table;
    const struct nu_mirror_policies *mirrors; /* the table's; NULL: none */
    bool check_clusters;
    uint32_t max_body_bytes; /* of direct responses; 0: any */
};

/* A copy of the text; one that is empty has no pointer. */
static inline struct nu_str nu_build_dup(const struct nu_route_build *build, const char *text)
{
    struct nu_str view = nu_str_from(text);
    return view.len ? nu_arena_dup(build->match.arena, view) : nu_str_make(NULL, 0);
}

/* Whether a cluster may be named: there is one, or nobody is to look. */
bool nu_build_knows_cluster(const struct nu_route_build *build, struct nu_str cluster);

/* A header name in lower case; "host" is ":authority". */
struct nu_str nu_build_header_name(const struct nu_route_build *build, const char *text);

/* The lists of edits of a message: `direction` is request or response. */
#define NU_EDITS_SOURCE(proto, direction) \
    (struct nu_header_edits_source) \
    { \
        .owner = (proto), .add_field = #direction "_headers_to_add", \
        .remove_field = #direction "_headers_to_remove", \
        .adds = (proto)->direction##_headers_to_add, \
        .add_count = (proto)->n_##direction##_headers_to_add, \
        .removes = (proto)->direction##_headers_to_remove, \
        .remove_count = (proto)->n_##direction##_headers_to_remove, \
    }
/* Compiles the edits of one direction. */
const struct nu_header_edits *nu_build_edits(struct nu_route_build *build,
                                             struct nu_header_edits_source source);

/* Room for the filter settings of a level, which nu_build_filter then fills one by one. */
void nu_build_filters(struct nu_route_build *build, struct nu_route_level *level, size_t count);
void nu_build_filter(struct nu_route_build *build, struct nu_route_level *level, const char *name,
                     const struct Google__Protobuf__Any *config);

/* Fills a route whose virtual host and number are known, and its path rule. */
void nu_build_route(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                    uint32_t number, const Envoy__Config__Route__V3__Route *proto);
/* The actions of a route. */
void nu_build_cluster_action(struct nu_route_build *build, struct nu_route_entry *entry,
                             const Envoy__Config__Route__V3__RouteAction *proto);
/* A policy; NULL for NULL. */
const struct nu_retry_policy *
nu_build_retry_policy(struct nu_route_build *build,
                      const Envoy__Config__Route__V3__RetryPolicy *proto);
/* The redirects that a route follows; NULL for none. */
const struct nu_internal_redirect *
nu_build_internal_redirect(struct nu_route_build *build,
                           const Envoy__Config__Route__V3__RouteAction *proto);
/* Mirror policies; NULL for none. */
const struct nu_mirror_policies *
nu_build_mirrors(struct nu_route_build *build,
                 Envoy__Config__Route__V3__RouteAction__RequestMirrorPolicy *const *protos,
                 size_t count);
void nu_build_redirect(struct nu_route_build *build, struct nu_route_entry *entry,
                       const Envoy__Config__Route__V3__RedirectAction *proto);
void nu_build_direct(struct nu_route_build *build, struct nu_route_entry *entry,
                     const Envoy__Config__Route__V3__DirectResponseAction *proto);

#endif
