/* SPDX-License-Identifier: Apache-2.0 */
/* The callouts of a VM: tokens, who is told what, and how much of nuncio's memory they have. */
#include "wasm/callout.h"

#include "base/log.h"
#include "wasm/vm.h"

void nu_wasm_callouts_init(struct nu_wasm_callouts *callouts)
{
    *callouts = (struct nu_wasm_callouts){.budget = {.max = NU_WASM_CALLOUT_BYTES_MAX}};
    for (size_t i = 0; i < NU_WASM_CALLOUT_BUCKETS; i++)
        nu_list_init(&callouts->buckets[i]);
    nu_list_init(&callouts->ended);
    for (uint32_t kind = 0; kind < NU_WASM_CALLOUT_KIND_COUNT; kind++)
        callouts->last_tokens[kind] = kind;
}

static struct nu_list *bucket_of(struct nu_wasm_vm *vm, uint32_t token)
{
    return &vm->callouts.buckets[token / NU_WASM_CALLOUT_STEP % NU_WASM_CALLOUT_BUCKETS];
}

static struct nu_wasm_callout *find(struct nu_wasm_vm *vm, uint32_t token)
{
    struct nu_wasm_callout *callout;
    nu_list_for_each(callout, bucket_of(vm, token), struct nu_wasm_callout, link)
    {
        if (callout->token == token)
            return callout;
    }
    return NULL;
}

struct nu_wasm_callout *nu_wasm_callout_find(const struct nu_wasm_context *root, uint32_t token)
{
    struct nu_wasm_callout *callout = find(root->vm, token);
    return callout && callout->root == root ? callout : NULL;
}

/* Tokens go round after a billion callouts: none is given twice at a time, nor 0. */
static uint32_t next_token(struct nu_wasm_vm *vm, enum nu_wasm_callout_kind kind)
{
    uint32_t *last = &vm->callouts.last_tokens[kind];
    do
        *last += NU_WASM_CALLOUT_STEP;
    while (*last == 0 || find(vm, *last));
    return *last;
}

bool nu_wasm_callout_open(struct nu_wasm_callout *callout, struct nu_wasm_context *root,
                          enum nu_wasm_callout_kind kind, size_t bytes)
{
    struct nu_wasm_callouts *callouts = &root->vm->callouts;
    size_t cost = bytes + NU_WASM_CALLOUT_COST;
    nu_list_init(&callout->link);
    if (!nu_byte_budget_take(&callouts->budget, cost)) {
        if (!callouts->is_limit_told)
            nu_log(NU_LOG_WASM, NU_LOG_WARN,
                   "a guest's calls to clusters hold %u MiB: it may make no more until some end",
                   NU_WASM_CALLOUT_BYTES_MAX / 1024 / 1024);
        callouts->is_limit_told = true;
        return false;
    }
    callout->cost = cost;
    callout->root = root;
    callout->token = next_token(root->vm, kind);
    nu_list_add_last(bucket_of(root->vm, callout->token), &callout->link);
    return true;
}

void nu_wasm_callout_close(struct nu_wasm_callout *callout)
{
    if (!callout->root)
        return;
    nu_byte_budget_give_back(&callout->root->vm->callouts.budget, callout->cost);
    callout->root = NULL;
    nu_list_remove(&callout->link);
}

void nu_wasm_callout_shrink(struct nu_wasm_callout *callout, size_t bytes)
{
    nu_byte_budget_give_back(&callout->root->vm->callouts.budget, callout->cost - bytes);
    callout->cost = bytes;
}

/* One after the other from the start: who cancels one may cancel others. */
static struct nu_wasm_callout *first_of(struct nu_list *bucket, const struct nu_wasm_context *root)
{
    struct nu_wasm_callout *callout;
    nu_list_for_each(callout, bucket, struct nu_wasm_callout, link)
    {
        if (!root || callout->root == root)
            return callout;
    }
    return NULL;
}

void nu_wasm_callouts_cancel(struct nu_wasm_vm *vm, const struct nu_wasm_context *root)
{
    struct nu_wasm_callout *callout;
    for (size_t i = 0; i < NU_WASM_CALLOUT_BUCKETS; i++) {
        while ((callout = first_of(&vm->callouts.buckets[i], root))) {
            nu_wasm_callout_close(callout);
            callout->cancel(callout);
        }
    }
}

void nu_wasm_callout_tell(struct nu_wasm_context *root, enum nu_wasm_callback callback,
                          const union nu_wasm_value *args, const struct nu_wasm_answer *answer)
{
    struct nu_wasm_vm *vm = root->vm;
    nu_assert(vm->guest.depth == 0);
    vm->references++;
    if (answer && answer->has_status)
        root->call_status = answer->status;
    vm->callouts.shown = answer;
    vm->callouts.root = root;
    nu_wasm_vm_call(root, callback, args, 0);
    vm->callouts.shown = NULL;
    vm->callouts.root = NULL;
    nu_wasm_vm_is_dead(vm);
    nu_wasm_vm_unref(&vm);
}

/* --- For host functions ----------------------------------------------------------------------- */

const struct nu_wasm_answer *nu_wasm_vm_answer(const struct nu_wasm_vm *vm)
{
    return vm->effective->root == vm->callouts.root ? vm->callouts.shown : NULL;
}

const struct nu_headers *nu_wasm_callout_map(const struct nu_wasm_vm *vm, enum nu_wasm_map map)
{
    const struct nu_wasm_answer *answer = nu_wasm_vm_answer(vm);
    if (!answer || map < NU_WASM_GRPC_INITIAL_METADATA || map >= NU_WASM_MAP_COUNT)
        return NULL;
    return answer->maps[map - NU_WASM_GRPC_INITIAL_METADATA];
}

const struct nu_buf *nu_wasm_callout_buffer(const struct nu_wasm_vm *vm, enum nu_wasm_buffer buffer)
{
    const struct nu_wasm_answer *answer = nu_wasm_vm_answer(vm);
    if (!answer)
        return NULL;
    if (buffer == NU_WASM_CALL_RESPONSE_BODY)
        return answer->body;
    return buffer == NU_WASM_GRPC_RECEIVE ? answer->grpc_message : NULL;
}
