/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What VMs there are and how they are, for people and for scrapers. A VM's thread keeps figures
 * that any thread may read: plain stores on the request path, and none at all where nothing
 * changed. A lock is taken when VMs and their roots come and go.
 *
 * Memory is what the guest's memory has grown to, as of its last calls: it never shrinks.
 */
#ifndef NU_WASM_REPORT_H
#define NU_WASM_REPORT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/str.h"

struct nu_wasm_vm;
struct nu_wasm_context;

/* A VM's, embedded in it. */
struct nu_wasm_report {
    struct nu_list link;      /* of all VMs, under the lock */
    struct nu_strbuf plugins; /* their names, a NUL behind each */
    unsigned thread;
    uint64_t made_us;
    _Atomic uint64_t memory_bytes;
    _Atomic uint32_t contexts;
    _Atomic bool is_dead;
};

/* --- By the VM's thread --- */

void nu_wasm_report_begin(struct nu_wasm_vm *vm);
/* Its roots are gone. */
void nu_wasm_report_end(struct nu_wasm_vm *vm);
/* A root has come, or is about to go. */
void nu_wasm_report_root(struct nu_wasm_context *root, bool is_there);
/* Its guest has failed. */
void nu_wasm_report_death(struct nu_wasm_vm *vm);
/* Its memory has grown. */
void nu_wasm_report_memory(struct nu_wasm_vm *vm);

/* What its memory was when it was told. */
static inline uint64_t nu_wasm_report_bytes(const struct nu_wasm_report *report)
{
    return atomic_load_explicit(&report->memory_bytes, memory_order_relaxed);
}

/* One context more, or one less. */
static inline void nu_wasm_report_context(struct nu_wasm_report *report, int change)
{
    uint32_t count = atomic_load_explicit(&report->contexts, memory_order_relaxed);
    atomic_store_explicit(&report->contexts, count + (uint32_t)change, memory_order_relaxed);
}

/* --- By any thread --- */

struct nu_wasm_vm_row {
    struct nu_str vm_id;
    struct nu_str key;     /* tells VMs of one vm_id apart: eight hexadecimal digits */
    struct nu_str plugins; /* the names of those in it, a NUL behind each */
    unsigned thread;
    bool is_dead; /* its guest has failed, and some request or plug-in still holds it */
    uint64_t memory_bytes;
    uint64_t memory_limit_bytes;
    uint64_t contexts; /* plug-ins and streams */
    uint64_t calls;    /* of its callbacks */
    uint64_t age_s;
    uint64_t failures; /* of VMs like it, on all threads */
};

/* All VMs of the process, by vm_id, key and thread; in `arena`. */
const struct nu_wasm_vm_row *nu_wasm_report_list(struct nu_arena *arena, size_t *count);
/* How many VMs of the process have failed so far. */
uint64_t nu_wasm_report_failures(void);
/* Bytes of all guests' memory together; 0 without a VM. */
uint64_t nu_wasm_report_total(void);

#endif
