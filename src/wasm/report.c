/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all VMs, and the gauges of their memory. */
#include "wasm/report.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/thread.h"
#include "wasm/plugin.h"
#include "wasm/wasm_stats.h"

enum { KEY_BYTES = 4 }; /* of a VM's key, that are shown */

static struct {
    pthread_mutex_t lock;
    struct nu_list vms;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .vms = {&all.vms, &all.vms}};

/* --- Gauges ----------------------------------------------------------------------------------- */

static void add_to_plugin(const struct nu_wasm_context *root, int64_t bytes)
{
    struct nu_stat_set *set = root->plugin->stats;
    if (!set || !bytes)
        return;
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(set);
    nu_gauge_add(&stats->vm_memory_bytes, bytes);
}

static void add_to_runtime(const struct nu_wasm_vm *vm, int64_t bytes)
{
    if (!vm->spec->stats || !bytes)
        return;
    struct nu_wasm_runtime_stats *stats = nu_stat_set_block(vm->spec->stats);
    nu_gauge_add(&stats->memory_bytes, bytes);
}

static int64_t told_memory(const struct nu_wasm_vm *vm)
{
    return (int64_t)nu_wasm_report_bytes(&vm->report);
}

void nu_wasm_report_memory(struct nu_wasm_vm *vm)
{
    int64_t more = (int64_t)vm->guest.memory_bytes - told_memory(vm);
    atomic_store_explicit(&vm->report.memory_bytes, vm->guest.memory_bytes, memory_order_relaxed);
    add_to_runtime(vm, more);
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
        {
            if (context->root == context && context->is_reported)
                add_to_plugin(context, more);
        }
    }
}

/* --- VMs come and go -------------------------------------------------------------------------- */

void nu_wasm_report_begin(struct nu_wasm_vm *vm)
{
    struct nu_wasm_report *report = &vm->report;
    report->thread = nu_thread_index();
    report->made_us = nu_clock_monotonic_us();
    pthread_mutex_lock(&all.lock);
    nu_list_add_last(&all.vms, &report->link);
    pthread_mutex_unlock(&all.lock);
}

void nu_wasm_report_end(struct nu_wasm_vm *vm)
{
    pthread_mutex_lock(&all.lock);
    nu_list_remove(&vm->report.link);
    pthread_mutex_unlock(&all.lock);
    add_to_runtime(vm, -told_memory(vm));
    nu_strbuf_finish(&vm->report.plugins);
}

static void name_plugins(struct nu_wasm_vm *vm, struct nu_strbuf *out)
{
    nu_strbuf_clear(out);
    for (size_t i = 0; i < NU_WASM_CONTEXT_BUCKETS; i++) {
        struct nu_wasm_context *context;
        nu_list_for_each(context, &vm->contexts[i], struct nu_wasm_context, link)
        {
            if (context->root != context || !context->is_reported)
                continue;
            nu_strbuf_add(out, context->plugin->name);
            nu_strbuf_add_char(out, '\0');
        }
    }
}

void nu_wasm_report_root(struct nu_wasm_context *root, bool is_there)
{
    struct nu_wasm_vm *vm = root->vm;
    if (root->is_reported == is_there)
        return;
    root->is_reported = is_there;
    add_to_plugin(root, is_there ? told_memory(vm) : -told_memory(vm));
    pthread_mutex_lock(&all.lock);
    name_plugins(vm, &vm->report.plugins);
    pthread_mutex_unlock(&all.lock);
}

static _Atomic uint64_t failures;

void nu_wasm_report_death(struct nu_wasm_vm *vm)
{
    atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&vm->spec->failures, 1, memory_order_relaxed);
    atomic_store_explicit(&vm->report.is_dead, true, memory_order_relaxed);
}

/* --- Reading ---------------------------------------------------------------------------------- */

uint64_t nu_wasm_report_failures(void)
{
    return atomic_load_explicit(&failures, memory_order_relaxed);
}

static struct nu_str print_key(struct nu_arena *arena, struct nu_str key)
{
    char *text = nu_arena_alloc(arena, KEY_BYTES * 2);
    size_t count = nu_min_size(key.len, KEY_BYTES);
    nu_hex_write((const unsigned char *)key.ptr, count, text);
    return nu_str_make(text, count * 2);
}

static struct nu_wasm_vm_row make_row(const struct nu_wasm_vm *vm, struct nu_arena *arena,
                                      uint64_t now_us)
{
    const struct nu_wasm_report *report = &vm->report;
    const struct nu_wasm_vm_spec *spec = vm->spec;
    return (struct nu_wasm_vm_row){
        .vm_id = nu_arena_dup(arena, spec->vm_id),
        .key = print_key(arena, spec->key),
        .plugins = nu_arena_dup(arena, nu_strbuf_str(&report->plugins)),
        .thread = report->thread,
        .is_dead = atomic_load_explicit(&report->is_dead, memory_order_relaxed),
        .memory_bytes = nu_wasm_report_bytes(report),
        .memory_limit_bytes = spec->program.limits.memory_bytes,
        .contexts = atomic_load_explicit(&report->contexts, memory_order_relaxed),
        .calls = nu_wasm_watch_calls(&vm->guest.watch),
        .age_s = now_us > report->made_us ? (now_us - report->made_us) / 1000000 : 0,
        .failures = atomic_load_explicit(&spec->failures, memory_order_relaxed),
    };
}

static int compare_rows(const void *left, const void *right)
{
    const struct nu_wasm_vm_row *a = left;
    const struct nu_wasm_vm_row *b = right;
    int order = nu_str_cmp(a->vm_id, b->vm_id);
    if (order == 0)
        order = nu_str_cmp(a->key, b->key);
    return order ? order : (a->thread > b->thread) - (a->thread < b->thread);
}

const struct nu_wasm_vm_row *nu_wasm_report_list(struct nu_arena *arena, size_t *count)
{
    uint64_t now_us = nu_clock_monotonic_us();
    struct nu_list *link;
    size_t total = 0;
    *count = 0;
    pthread_mutex_lock(&all.lock);
    for (link = all.vms.next; link != &all.vms; link = link->next)
        total++;
    struct nu_wasm_vm_row *rows = nu_arena_calloc(arena, (total + 1) * sizeof(*rows));
    for (link = all.vms.next; link != &all.vms; link = link->next)
        rows[(*count)++] =
            make_row(nu_container_of(link, struct nu_wasm_vm, report.link), arena, now_us);
    pthread_mutex_unlock(&all.lock);
    qsort(rows, *count, sizeof(*rows), compare_rows);
    return rows;
}

uint64_t nu_wasm_report_total(void)
{
    uint64_t total = 0;
    pthread_mutex_lock(&all.lock);
    for (struct nu_list *link = all.vms.next; link != &all.vms; link = link->next)
        total += nu_wasm_report_bytes(nu_container_of(link, struct nu_wasm_report, link));
    pthread_mutex_unlock(&all.lock);
    return total;
}
