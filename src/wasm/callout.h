/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callouts: what a guest has asked of clusters and is to be told of later. HTTP calls, gRPC calls
 * and gRPC streams each embed a struct nu_wasm_callout, which has the guest's token for it and
 * belongs to a root context, whoever asked; the VM finds them by their tokens.
 *
 *     open    gives it a token
 *     tell    calls the guest about it, any number of times; what it may read then is an answer
 *     close   it is over; the guest's token stands for nothing any more
 *
 * The guest is never told below one of its own calls: who learns something of a callout notes it,
 * and tells it from a task of the turn's end. What a guest wakes there (streams that go on,
 * replies) is done in tasks behind that one, in the same turn.
 *
 * When its root ends or the VM dies, a callout is cancelled without a word.
 */
#ifndef NU_WASM_CALLOUT_H
#define NU_WASM_CALLOUT_H

#include "base/byte_budget.h"
#include "base/list.h"
#include "wasm/abi.h"

struct nu_buf;
struct nu_headers;
struct nu_wasm_context;
struct nu_wasm_vm;

/* The two lowest bits of a token. */
enum nu_wasm_callout_kind {
    NU_WASM_HTTP_CALL,
    NU_WASM_GRPC_CALL,
    NU_WASM_GRPC_STREAM,
    NU_WASM_CALLOUT_KIND_COUNT,
};

enum {
    NU_WASM_CALLOUT_KIND_MASK = 3,
    NU_WASM_CALLOUT_STEP = 4, /* between two tokens of a kind */
    NU_WASM_CALLOUT_BUCKETS = 64,
    /* Of nuncio's memory, for what the callouts of a VM send and receive, and what each costs
     * beside that. */
    NU_WASM_CALLOUT_BYTES_MAX = 256 * 1024 * 1024,
    NU_WASM_CALLOUT_COST = 8 * 1024,
    /* Envoy's limit of an answer, if the runtime key http.async_response_buffer_limit sets none. */
    NU_WASM_ANSWER_BYTES_MAX = 32 * 1024 * 1024,
};

/* Embedded in a call of some kind; its maker's. */
struct nu_wasm_callout {
    struct nu_list link;          /* of the VM's, in the bucket of its token */
    struct nu_wasm_context *root; /* borrowed: cancels it before it ends */
    uint32_t token;
    size_t cost; /* of the VM's budget */
    /* Gives up what it stands for, silently, and frees it; it is closed by then. */
    void (*cancel)(struct nu_wasm_callout *callout);
};

/* What a guest may read while it is told of a callout. All of it is borrowed. */
struct nu_wasm_answer {
    /* From NU_WASM_GRPC_INITIAL_METADATA on; NULL: not there. */
    const struct nu_headers *maps[NU_WASM_MAP_COUNT - NU_WASM_GRPC_INITIAL_METADATA];
    const struct nu_buf *body;         /* NU_WASM_CALL_RESPONSE_BODY; NULL: not there */
    const struct nu_buf *grpc_message; /* NU_WASM_GRPC_RECEIVE; NULL: not there */
    bool has_status;                   /* it sets what proxy_get_status returns: */
    uint32_t status;                   /* for good */
    struct nu_str message;             /* while the guest is told */
};

/* A VM's callouts, embedded in it. */
struct nu_wasm_callouts {
    struct nu_list buckets[NU_WASM_CALLOUT_BUCKETS];
    uint32_t last_tokens[NU_WASM_CALLOUT_KIND_COUNT];
    struct nu_byte_budget budget;       /* also of what responses hold */
    const struct nu_wasm_answer *shown; /* NULL: the guest is told nothing now */
    const struct nu_wasm_context *root; /* who is told */
    bool is_limit_told;
    struct nu_list ended; /* host_grpc.c's: streams that only wait for the guest to close them */
    uint32_t ended_count;
};

void nu_wasm_callouts_init(struct nu_wasm_callouts *callouts);
/* Cancels all callouts of the root, or of all roots if that is NULL. */
void nu_wasm_callouts_cancel(struct nu_wasm_vm *vm, const struct nu_wasm_context *root);

/*
 * Gives `callout`, whose `cancel` is set, a token of this kind. `bytes` is what it holds of
 * nuncio's memory. False, which is logged once, if the VM's callouts would have more than their
 * share.
 */
NU_MUST_USE bool nu_wasm_callout_open(struct nu_wasm_callout *callout, struct nu_wasm_context *root,
                                      enum nu_wasm_callout_kind kind, size_t bytes);
/* It is over. Harmless when it is closed or was never opened (zeroed memory). */
void nu_wasm_callout_close(struct nu_wasm_callout *callout);
/* It will hold no more than so many bytes from now on, fewer than it did. */
void nu_wasm_callout_shrink(struct nu_wasm_callout *callout, size_t bytes);
/* The root's callout with this token, or NULL. */
struct nu_wasm_callout *nu_wasm_callout_find(const struct nu_wasm_context *root, uint32_t token);

static inline enum nu_wasm_callout_kind nu_wasm_callout_kind_of(uint32_t token)
{
    return (enum nu_wasm_callout_kind)(token & NU_WASM_CALLOUT_KIND_MASK);
}

/*
 * Calls the guest's `callback`, whose first argument is the root's id, with `answer` (which may be
 * NULL) to be read. Only from a task of the turn's end. The callout, its root and the VM may be
 * gone afterwards.
 */
void nu_wasm_callout_tell(struct nu_wasm_context *root, enum nu_wasm_callback callback,
                          const union nu_wasm_value *args, const struct nu_wasm_answer *answer);

/* --- For host functions ----------------------------------------------------------------------- */

/* What the context that host functions act for is told now; NULL: nothing. */
const struct nu_wasm_answer *nu_wasm_vm_answer(const struct nu_wasm_vm *vm);
/* A map of it, from NU_WASM_GRPC_INITIAL_METADATA on, to be read only; NULL: not there. */
const struct nu_headers *nu_wasm_callout_map(const struct nu_wasm_vm *vm, enum nu_wasm_map map);
/* Bytes that it says it received, to be read only; NULL: not there. */
const struct nu_buf *nu_wasm_callout_buffer(const struct nu_wasm_vm *vm,
                                            enum nu_wasm_buffer buffer);

#endif
