/* SPDX-License-Identifier: Apache-2.0 */
/* METADATA of HTTP/2 beside a request, and beside its response. */
#include "client/exchange_internal.h"
#include "http/frame_metadata.h"

static void encode(struct nu_exchange *exchange, struct nu_frame_metadata *metadata)
{
    struct nu_cluster_local *cluster = exchange->params.cluster;
    bool is_http = !exchange->params.raw;
    if (!nu_encode_metadata(exchange->attempt->encoder, metadata) && is_http)
        nu_counter_inc(&nu_cluster_local_http1_stats(cluster)->metadata_not_supported_error);
}

bool nu_exchange_has_metadata(const struct nu_exchange *exchange)
{
    const struct nu_frame_metadata_queue *kept = exchange->params.metadata;
    return kept && !nu_frame_metadata_queue_is_empty(kept);
}

void nu_exchange_send_kept_metadata(struct nu_exchange *exchange)
{
    struct nu_frame_metadata *metadata;
    while (exchange->attempt->encoder &&
           (metadata = nu_frame_metadata_queue_take(exchange->params.metadata)))
        encode(exchange, metadata);
}

bool nu_exchange_send_metadata(struct nu_exchange *exchange, struct nu_frame_metadata *metadata)
{
    if (nu_exchange_is_active(exchange) && exchange->attempt->encoder)
        encode(exchange, metadata);
    else if (nu_exchange_is_active(exchange))
        return nu_frame_metadata_queue_add(exchange->params.metadata, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
    return true;
}

/* Of several attempts at a time the last is heard. */
void nu_exchange_on_metadata(struct nu_attempt *attempt, struct nu_frame_metadata *metadata)
{
    struct nu_exchange *exchange = attempt->exchange;
    if (exchange->ops->on_metadata && exchange->attempt == attempt)
        exchange->ops->on_metadata(exchange, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}
