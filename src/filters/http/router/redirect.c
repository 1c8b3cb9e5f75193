/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal redirects: an answer that the route follows by itself. The request is turned into the one
 * that the client would have sent next, and starts over from the first filter on. What cannot be
 * followed goes to the client as it came, with the request's headers as they were.
 */
#include "filters/http/router/router_internal.h"
#include "http/status.h"
#include "http/url.h"
#include "route/internal_redirect.h"
#include "stats/http_stats.h"

struct nu_router_redirect {
    struct nu_buf body; /* of the request so far; shared */
    uint64_t limit;
    bool outgrown; /* there is more of it than may be kept */
};

/* --- The request's body ----------------------------------------------------------------------- */

void nu_router_redirect_prepare(struct nu_router *router)
{
    struct nu_filter_chain *chain = router->base.chain;
    if (chain->info->tunnel != NU_TUNNEL_NONE)
        return;
    router->redirect = nu_arena_calloc(chain->arena, sizeof(*router->redirect));
    router->redirect->limit =
        nu_request_body_limit(router->match.route, nu_filter_decoder_buffer_limit(&router->base));
}

void nu_router_redirect_keep(struct nu_router *router, const struct nu_buf *data)
{
    struct nu_router_redirect *redirect = router->redirect;
    if (redirect->outgrown)
        return;
    if (redirect->body.len + data->len <= redirect->limit) {
        nu_buf_collect_shared(&redirect->body, data);
        return;
    }
    redirect->outgrown = true;
    nu_buf_clear(&redirect->body);
}

void nu_router_redirect_drop(struct nu_router *router)
{
    nu_buf_clear(&router->redirect->body);
}

/* --- The next request ------------------------------------------------------------------------- */

static struct nu_str scheme_of(bool is_https)
{
    return is_https ? NU_STR("https") : NU_STR("http");
}

/* Whether the request came by plain HTTP, as far as it says so or its connection does. */
static bool is_https(struct nu_router *router, const struct nu_headers *headers)
{
    return !nu_str_eq_nocase(nu_headers_get_id(headers, NU_HEADER_SCHEME), NU_STR("http")) &&
           nu_router_info(router)->connection->is_tls;
}

static bool is_https_url(const struct nu_url *url)
{
    return !nu_str_eq_nocase(url->scheme, NU_STR("http"));
}

static void copy_entries(struct nu_headers *to, const struct nu_headers *from)
{
    nu_headers_init(to, from->arena, from->used + 4);
    nu_headers_for_each(header, from)
    {
        nu_headers_add_ref(to, header->id, header->name, header->value)->original_name =
            header->original_name;
    }
}

/* The answer's values take the place of the request's, also where it has none. */
static void copy_from_answer(const struct nu_internal_redirect *policy, struct nu_headers *headers,
                             const struct nu_headers *answer)
{
    for (size_t i = 0; i < policy->copied_count; i++) {
        struct nu_str name = policy->copied[i];
        nu_headers_remove(headers, name);
        nu_headers_for_each(header, answer)
        {
            if (nu_str_eq(header->name, name))
                nu_headers_add(headers, name, header->value);
        }
    }
}

/* Another scheme than these two is no way to go: the request keeps its own (Envoy's rule). */
static void set_target(struct nu_headers *headers, const struct nu_url *url)
{
    struct nu_str path = nu_str_first(url->path, nu_str_find_char(url->path, '#'));
    if (path.len == 0 || path.ptr[0] != '/')
        path = nu_arena_concat(headers->arena, NU_STR("/"), path);
    if (nu_scheme_is_valid(url->scheme))
        nu_headers_set_id(headers, NU_HEADER_SCHEME, scheme_of(is_https_url(url)));
    nu_headers_set_id(headers, NU_HEADER_AUTHORITY, nu_arena_dup(headers->arena, url->authority));
    nu_headers_set_id(headers, NU_HEADER_PATH, nu_arena_dup(headers->arena, path));
}

/* RFC 9110, section 15.4.4: what is to be seen elsewhere is asked for without a body. */
static void become_get(struct nu_router *router, struct nu_headers *headers)
{
    struct nu_str method = nu_headers_get_id(headers, NU_HEADER_METHOD);
    if (nu_str_eq(method, NU_STR("GET")) || nu_str_eq(method, NU_STR("HEAD")))
        return;
    nu_headers_set_id(headers, NU_HEADER_METHOD, NU_STR("GET"));
    nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
    nu_buf_clear(&router->redirect->body);
    router->base.chain->half[NU_DECODE].trailers = NULL;
}

/* "scheme://host/path" of the request that was redirected. */
static struct nu_str url_of(const struct nu_headers *headers, bool from_https)
{
    return nu_str_from(nu_arena_printf(headers->arena, "%.*s://%.*s%.*s",
                                       NU_STR_ARG(scheme_of(from_https)),
                                       NU_STR_ARG(nu_headers_get_id(headers, NU_HEADER_AUTHORITY)),
                                       NU_STR_ARG(nu_headers_get_id(headers, NU_HEADER_PATH))));
}

/* --- Whether it is followed ------------------------------------------------------------------- */

/* Looks for the route of the request as it is now. Logs show it from now on, whatever comes of it. */
static bool find_target(struct nu_router *router, struct nu_str *name)
{
    struct nu_filter_chain *chain = router->base.chain;
    struct nu_upstream_info *info = &chain->info->upstream;
    chain->ops->clear_route_cache(chain);
    const struct nu_route_match *match = chain->ops->route(chain);
    const struct nu_route *route = match->route;
    bool forwards = route && route->action == NU_ROUTE_CLUSTER && !match->needs_tls;
    const struct nu_cluster_local *cluster =
        forwards ? nu_cluster_table_find(chain->loop->clusters, match->cluster) : NULL;
    info->cluster = cluster ? cluster->cluster->name : nu_str_make(NULL, 0);
    info->cluster_observability =
        cluster ? cluster->cluster->observability_name : nu_str_make(NULL, 0);
    info->cluster_metadata = cluster ? cluster->cluster->metadata : NULL;
    *name = route ? route->name : nu_str_make(NULL, 0);
    return route || match->needs_tls;
}

/* Turns the request into the next one, or leaves it in any state. */
static bool turn(struct nu_router *router, struct nu_headers *headers,
                 const struct nu_headers *answer, const struct nu_url *url)
{
    const struct nu_route *route = router->match.route;
    const struct nu_internal_redirect *policy = route->internal_redirect;
    struct nu_redirect_target target = {
        .from = route->name,
        .from_https = is_https(router, headers),
        .to_https = is_https_url(url),
    };
    struct nu_str original = url_of(headers, target.from_https);
    copy_from_answer(policy, headers, answer);
    set_target(headers, url);
    if (!find_target(router, &target.to)) {
        nu_counter_inc(&router->stats->passthrough_internal_redirect_no_route);
        return false;
    }
    if (!nu_internal_redirect_allows(policy, &target, nu_router_info(router))) {
        nu_counter_inc(&router->stats->passthrough_internal_redirect_predicate);
        return false;
    }
    if (nu_status_parse(nu_headers_get_id(answer, NU_HEADER_STATUS)) == 303)
        become_get(router, headers);
    nu_headers_set_id(headers, NU_HEADER_X_ENVOY_ORIGINAL_URL, original);
    return true;
}

/* What can be said of the location alone; counts why it is not followed. */
static bool may_go(struct nu_router *router, const struct nu_headers *headers,
                   struct nu_str location, struct nu_url *url)
{
    const struct nu_internal_redirect *policy = router->match.route->internal_redirect;
    if (!nu_url_parse(location, url)) {
        nu_counter_inc(&router->stats->passthrough_internal_redirect_bad_location);
        return false;
    }
    if (!policy->allows_other_scheme && is_https(router, headers) != is_https_url(url)) {
        nu_counter_inc(&router->stats->passthrough_internal_redirect_unsafe_scheme);
        return false;
    }
    if (nu_router_info(router)->redirects.count >= policy->max) {
        nu_counter_inc(&router->stats->passthrough_internal_redirect_too_many_redirects);
        return false;
    }
    return true;
}

static bool follow(struct nu_router *router, struct nu_headers *answer)
{
    struct nu_headers *headers = nu_router_request(router);
    struct nu_str location = nu_headers_get_id(answer, NU_HEADER_LOCATION);
    struct nu_url url;
    /* What filters still hold back was received, but is not here. */
    bool is_whole = router->exchange.request_end_us && !router->redirect->outgrown;
    if (!is_whole || !location.ptr || !nu_headers_has_id(headers, NU_HEADER_PATH) ||
        !may_go(router, headers, location, &url))
        return false;
    struct nu_headers before;
    copy_entries(&before, headers);
    if (!turn(router, headers, answer, &url)) {
        *headers = before;
        return false;
    }
    nu_router_info(router)->redirects.count++;
    return nu_chain_recreate(&router->base, &router->redirect->body, answer);
}

bool nu_router_diverts(struct nu_exchange *exchange, struct nu_headers *answer)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    uint32_t status = nu_status_parse(nu_headers_get_id(answer, NU_HEADER_STATUS));
    if (!nu_internal_redirect_has(router->match.route->internal_redirect, status))
        return false;
    bool followed = follow(router, answer);
    nu_counter_inc(followed ? &exchange->stats->upstream_internal_redirect_succeeded_total
                            : &exchange->stats->upstream_internal_redirect_failed_total);
    return followed;
}
