/* SPDX-License-Identifier: Apache-2.0 */
/* What the VMs of a vm_id have in common, for the files of shared data and of shared queues. */
#ifndef NU_WASM_SHARED_INTERNAL_H
#define NU_WASM_SHARED_INTERNAL_H

#include <pthread.h>

#include "base/hash.h"
#include "base/list.h"
#include "wasm/shared_data.h"

enum { NU_WASM_SHARED_ENTRY_BYTES = 128 }; /* what an entry takes beside its bytes, about */

struct nu_wasm_shared_data {
    struct nu_list link;
    struct nu_strbuf vm_id;
    uint32_t references;
    struct nu_map entries; /* of struct entry */
    uint64_t bytes;        /* that they take */
    struct nu_list queues; /* of struct queue */
    struct nu_map
        queue_of; /* the same by name: a guest may make very many, and all wait for the lock */
    uint64_t queue_bytes;
    bool is_full_told; /* that a queue had no room was logged */
};

/* All of it is held for a look-up and a copy, and only by guests that share something. */
extern pthread_mutex_t nu_wasm_shared_lock;

/* The space of a vm_id, or NULL. Under the lock. */
struct nu_wasm_shared_data *nu_wasm_shared_find(struct nu_str vm_id);
/* Ends the queues of a space that nobody holds any more. Under the lock. */
void nu_wasm_shared_end_queues(struct nu_wasm_shared_data *space);

#endif
