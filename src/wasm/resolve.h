/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that guests ask addresses of (envoy_resolve_dns). The process's resolver belongs to the
 * main thread: a question goes there, its answer comes back to the thread of the root that asked.
 *
 *     worker: nu_wasm_resolve --message--> main: resolver --message--> worker: on_resolved(root)
 *
 * A root that ends wants no answer any more; a question that is on its way then ends where it
 * arrives.
 */
#ifndef NU_WASM_RESOLVE_H
#define NU_WASM_RESOLVE_H

#include "event/loop.h"
#include "net/dns.h"
#include "wasm/abi.h"

struct nu_wasm_asker;

/* Questions of a root that may be on their way. */
enum { NU_WASM_LOOKUPS_MAX = 1000 };

/*
 * Tells `root` an answer, from its loop: "u32 N, N times u32 seconds, N texts with a NUL" in the
 * byte order of guests; empty if there was none. The root may end its asker within.
 */
typedef void nu_wasm_resolved_fn(void *root, uint32_t token, struct nu_str answer);

/* Someone who asks, on the thread of `loop`. `dns` is of `main_loop`. The caller owns it. */
struct nu_wasm_asker *nu_wasm_asker_create(struct nu_loop *loop, struct nu_dns_resolver *dns,
                                           struct nu_loop *main_loop, void *root,
                                           nu_wasm_resolved_fn *tell);
/* Nothing is told any more; clears the pointer, NULL inside is allowed. The loop's thread. */
void nu_wasm_asker_destroy(struct nu_wasm_asker **asker);

/* Asks; false, which is logged once, if too much has been asked already. */
NU_MUST_USE bool nu_wasm_resolve(struct nu_wasm_asker *asker, struct nu_str name, uint32_t token);

#endif
