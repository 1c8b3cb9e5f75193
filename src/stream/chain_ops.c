/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter chain asks of its stream. */
#include "stream/stream_internal.h"

static void chain_reply(struct nu_filter_chain *chain, const struct nu_reply *answer)
{
    nu_hcm_reply(nu_hcm_stream_of_chain(chain), answer);
}

static void chain_reset(struct nu_filter_chain *chain)
{
    nu_hcm_stream_reset(nu_hcm_stream_of_chain(chain));
}

static void chain_on_too_large(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_http_stats *stats = nu_stream_stats(nu_hcm_stream_of_chain(chain));
    nu_counter_inc(dir == NU_DECODE ? &stats->downstream_rq_too_large : &stats->rs_too_large);
}

/* The last releases come from the end of the stream, and free the connection for the next one. */
static void chain_hold_request(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->conn)
        return;
    stream->holds++;
    stream->encoder->ops->hold_read(stream->encoder);
}

static void chain_release_request(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->conn || stream->holds == 0)
        return;
    stream->holds--;
    stream->encoder->ops->release_read(stream->encoder);
}

static const struct nu_filter_route_config *chain_route_config(struct nu_filter_chain *chain,
                                                               const struct nu_filter_entry *entry,
                                                               bool *disabled)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_likely(!stream->route.virtual_host || !nu_route_has_filter_configs(&stream->route)))
        return NULL;
    return nu_route_filter_config(&stream->route, entry->name, disabled);
}

static size_t chain_route_configs(struct nu_filter_chain *chain,
                                  const struct nu_filter_entry *entry,
                                  const struct nu_filter_route_config *out[NU_ROUTE_LEVELS])
{
    const void *configs[NU_ROUTE_LEVELS];
    size_t count =
        nu_route_filter_configs(&nu_hcm_stream_of_chain(chain)->route, entry->name, configs);
    for (size_t i = 0; i < count; i++)
        out[i] = configs[i];
    return count;
}

static void chain_clear_route_cache(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    nu_hcm_find_route(stream);
    nu_hcm_apply_route_timeouts(stream);
}

static const struct nu_route_match *chain_route(struct nu_filter_chain *chain)
{
    return &nu_hcm_stream_of_chain(chain)->route;
}

const struct nu_filter_chain_ops nu_hcm_chain_ops = {
    .encode_1xx = nu_hcm_encode_1xx,
    .encode_headers = nu_hcm_encode_headers,
    .encode_data = nu_hcm_encode_data,
    .encode_trailers = nu_hcm_encode_trailers,
    .encode_metadata = nu_hcm_encode_metadata,
    .reply = chain_reply,
    .reset = chain_reset,
    .on_too_large = chain_on_too_large,
    .hold_request = chain_hold_request,
    .release_request = chain_release_request,
    .route_config = chain_route_config,
    .route_configs = chain_route_configs,
    .clear_route_cache = chain_clear_route_cache,
    .route = chain_route,
    .can_recreate = nu_hcm_can_recreate,
    .recreate = nu_hcm_recreate,
};
