/* SPDX-License-Identifier: Apache-2.0 */
/* METADATA on its way from one codec to another. */
#include "http/frame_metadata.h"

#include "base/small.h"

struct nu_frame_metadata *nu_frame_metadata_create(uint32_t len)
{
    struct nu_frame_metadata *metadata = nu_small_alloc(sizeof(*metadata) + len);
    nu_list_init(&metadata->link);
    metadata->len = len;
    return metadata;
}

void nu_frame_metadata_destroy(struct nu_frame_metadata **metadata)
{
    nu_small_free(*metadata);
    *metadata = NULL;
}

static size_t bytes_of(const struct nu_frame_metadata *metadata)
{
    return sizeof(*metadata) + metadata->len;
}

void nu_frame_metadata_queue_init(struct nu_frame_metadata_queue *queue)
{
    nu_list_init(&queue->list);
    queue->bytes = 0;
    queue->count = 0;
}

bool nu_frame_metadata_queue_add(struct nu_frame_metadata_queue *queue,
                                 struct nu_frame_metadata *metadata)
{
    if (queue->count && queue->bytes + bytes_of(metadata) > NU_FRAME_METADATA_QUEUE_MAX) {
        nu_frame_metadata_destroy(&metadata);
        return false;
    }
    nu_list_add_last(&queue->list, &metadata->link);
    queue->bytes += bytes_of(metadata);
    queue->count++;
    return true;
}

void nu_frame_metadata_queue_remove(struct nu_frame_metadata_queue *queue,
                                    struct nu_frame_metadata *metadata)
{
    nu_list_remove(&metadata->link);
    queue->bytes -= bytes_of(metadata);
    queue->count--;
}

struct nu_frame_metadata *nu_frame_metadata_queue_take(struct nu_frame_metadata_queue *queue)
{
    if (nu_frame_metadata_queue_is_empty(queue))
        return NULL;
    struct nu_frame_metadata *metadata =
        nu_list_first(&queue->list, struct nu_frame_metadata, link);
    nu_frame_metadata_queue_remove(queue, metadata);
    return metadata;
}

void nu_frame_metadata_queue_clear(struct nu_frame_metadata_queue *queue)
{
    struct nu_frame_metadata *metadata;
    while ((metadata = nu_frame_metadata_queue_take(queue)))
        nu_frame_metadata_destroy(&metadata);
}
