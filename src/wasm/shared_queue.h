/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that VMs share: whoever knows a queue's token may put something in or take the first out,
 * on any thread. A queue has a name within a vm_id, and lasts as long as that one's space
 * (wasm/shared_data.h): it outlives the VM that registered it.
 *
 *     guest A, thread 1 --enqueue--> queue --"ready", a message to thread 2--> root of guest B
 *
 * Who registers a queue is told of each thing that is put in: a root context, which has a listener
 * for it. Of several roots that registered, it is the last of those that still are. What would have
 * been told to one that leaves is told to the one before.
 */
#ifndef NU_WASM_SHARED_QUEUE_H
#define NU_WASM_SHARED_QUEUE_H

#include "event/loop.h"
#include "wasm/shared_data.h"

struct nu_wasm_queue_listener;

/* Of a vm_id's queues, with their names. */
enum { NU_WASM_QUEUE_BYTES_MAX = 64 * 1024 * 1024 };

/* Tells `root` that something was put into a queue: from its loop, once for each thing. It may
 * leave within. */
typedef void nu_wasm_queue_ready_fn(void *root, uint32_t token);

/*
 * Someone who may register queues, on the thread of `loop`, which outlives it. The caller owns it
 * and ends it with nu_wasm_queue_leave.
 */
struct nu_wasm_queue_listener *nu_wasm_queue_listen(struct nu_loop *loop, void *root,
                                                    nu_wasm_queue_ready_fn *ready);
/* Nothing is told any more; clears the pointer, NULL inside is allowed. On the loop's thread, or
 * when that runs no more. */
void nu_wasm_queue_leave(struct nu_wasm_queue_listener **listener);

/*
 * Makes the queue of this name if it is not there, and tells `listener` of it from now on. Its
 * token, which is not 0; 0 if the space has no room for another.
 */
uint32_t nu_wasm_queue_register(struct nu_wasm_shared_data *space, struct nu_str name,
                                struct nu_wasm_queue_listener *listener);
/* The token of a queue; 0 if there is none. */
uint32_t nu_wasm_queue_resolve(struct nu_str vm_id, struct nu_str name);

/* NU_WASM_NOT_FOUND for a token of no queue; NU_WASM_INTERNAL_FAILURE, logged once for a space,
 * where there is no room. Calls nobody. */
enum nu_wasm_status nu_wasm_queue_add(uint32_t token, struct nu_str bytes);
/* Moves the first thing to `bytes`: NU_WASM_NOT_FOUND, or NU_WASM_EMPTY. */
enum nu_wasm_status nu_wasm_queue_take(uint32_t token, struct nu_strbuf *bytes);

#endif
