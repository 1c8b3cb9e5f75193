/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mirroring: which policies of the route hold for a request, and its parts on their way to the
 * copies (client/shadow.h). Copies are made once for a request, whatever its tries.
 */
#include "client/shadow.h"
#include "filters/http/router/router_internal.h"

static bool is_connect(const struct nu_headers *headers)
{
    return nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("CONNECT"));
}

struct nu_list *nu_router_mirror_prepare(struct nu_router *router, const struct nu_headers *headers,
                                         enum nu_charging charging)
{
    struct nu_filter_chain *chain = router->base.chain;
    const struct nu_route *route = router->match.route;
    const struct nu_mirror_policies *policies = route->mirrors;
    if (is_connect(headers))
        return NULL;
    struct nu_list *shadows = nu_arena_alloc(chain->arena, sizeof(*shadows));
    nu_list_init(shadows);
    struct nu_shadow_params params = {
        .info = chain->info,
        .timeout_ms = router->limits.timeout_ms,
        .lag_limit = nu_request_body_limit(route, nu_filter_decoder_buffer_limit(&router->base)),
        .charging = charging,
    };
    for (size_t i = 0; i < policies->count; i++) {
        params.policy = &policies->items[i];
        if (nu_runtime_share_has(&params.policy->share, chain->loop->runtime,
                                 chain->info->stream_id))
            nu_shadow_add(shadows, chain->loop, &params, headers);
    }
    return shadows;
}

void nu_router_mirror_start(struct nu_router *router, struct nu_list *shadows, bool end)
{
    if (end) {
        nu_shadows_start(shadows, true);
    } else if (router->base.chain->closed) {
        nu_shadows_cancel(shadows); /* the request failed already, and the rest will not come */
    } else {
        router->shadows = shadows;
        nu_shadows_start(shadows, false);
    }
}

void nu_router_mirror_data(struct nu_router *router, const struct nu_buf *data, bool end)
{
    uint32_t given_up = nu_shadows_send_data(router->shadows, data, end);
    if (nu_unlikely(given_up))
        nu_counter_add(&router->exchange.stats->retry_or_shadow_abandoned, given_up);
}

void nu_router_mirror_trailers(struct nu_router *router, const struct nu_headers *trailers)
{
    nu_shadows_send_trailers(router->shadows, trailers);
}

void nu_router_mirror_cancel(struct nu_router *router)
{
    nu_shadows_cancel(router->shadows);
}
