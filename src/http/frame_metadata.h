/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a METADATA frame of HTTP/2 says: pairs of texts that pass beside a message, an extension of
 * Envoy's. It travels as the header block of its pairs, literals that need no table, so that whoever
 * passes it on need not look into it.
 *
 * It is of the heap, has one owner, and belongs to one thread.
 */
#ifndef NU_HTTP_FRAME_METADATA_H
#define NU_HTTP_FRAME_METADATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct nu_frame_metadata {
    struct nu_list link; /* in a queue, or in none */
    uint32_t len;
    uint8_t block[];
};

/* With room for `len` bytes, which the caller writes. */
struct nu_frame_metadata *nu_frame_metadata_create(uint32_t len);
/* Frees it and clears the pointer; NULL is allowed. It must be in no queue. */
void nu_frame_metadata_destroy(struct nu_frame_metadata **metadata);

/* METADATA that waits. It knows no flow control: what may wait is bounded. */
struct nu_frame_metadata_queue {
    struct nu_list list; /* owns what is in it */
    size_t bytes;        /* of memory */
    uint32_t count;
};

enum { NU_FRAME_METADATA_QUEUE_MAX = 1024 * 1024 };

void nu_frame_metadata_queue_init(struct nu_frame_metadata_queue *queue);
/* Takes it in any case; false, and it is gone, if there is no room. */
bool nu_frame_metadata_queue_add(struct nu_frame_metadata_queue *queue,
                                 struct nu_frame_metadata *metadata);
/* Takes one of them out, which is the caller's then. */
void nu_frame_metadata_queue_remove(struct nu_frame_metadata_queue *queue,
                                    struct nu_frame_metadata *metadata);
/* Takes out the first; NULL if there is none. */
struct nu_frame_metadata *nu_frame_metadata_queue_take(struct nu_frame_metadata_queue *queue);
/* Frees all. */
void nu_frame_metadata_queue_clear(struct nu_frame_metadata_queue *queue);

static inline bool nu_frame_metadata_queue_is_empty(const struct nu_frame_metadata_queue *queue)
{
    return queue->count == 0;
}

#endif
