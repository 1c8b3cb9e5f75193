/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting what comes of using a host, on the worker's side. Which result counts as what is
 * Envoy's: without a split everything has a status, that of a failure on our side being 503 or 504.
 */
#include "upstream/outlier/host_outlier.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "upstream/hosts/host.h"
#include "upstream/outlier/outlier_internal.h"

/* --- Life ------------------------------------------------------------------------------------- */

struct nu_host_outlier *nu_host_outlier_create(struct nu_host *host)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct nu_host_outlier)) != 0)
        abort();
    struct nu_host_outlier *outlier = memory;
    memset(outlier, 0, sizeof(*outlier));
    outlier->host = host;
    nu_list_init(&outlier->link);
    return outlier;
}

void nu_host_outlier_destroy(struct nu_host_outlier **outlier)
{
    free(*outlier);
    *outlier = NULL;
}

double nu_host_outlier_rate(const struct nu_host *host, enum nu_outlier_origin origin)
{
    return host->outlier ? host->outlier->tally[origin].shown_rate : -1;
}

/* --- The inbox -------------------------------------------------------------------------------- */

/* Takes the newest host out of a chain that was cut from the inbox. From here on a worker may put
 * it there again. */
static struct nu_host_outlier *take(struct nu_host_outlier **chain, uint32_t *reached)
{
    struct nu_host_outlier *outlier = *chain;
    *chain = outlier->next;
    *reached = atomic_exchange_explicit(&outlier->reached, 0, memory_order_acq_rel);
    return outlier;
}

static struct nu_host_outlier *cut(struct nu_outlier_inbox *inbox)
{
    return atomic_exchange_explicit(&inbox->head, NULL, memory_order_acq_rel);
}

static void on_hosts(struct nu_task *task)
{
    struct nu_outlier_inbox *inbox = nu_container_of(task, struct nu_outlier_inbox, task);
    struct nu_host_outlier *chain = cut(inbox);
    while (chain) {
        uint32_t reached;
        struct nu_host_outlier *outlier = take(&chain, &reached);
        if (outlier->detector)
            nu_outlier_judge_runs(outlier, reached);
        nu_host_unref(outlier->host);
    }
}

/* The first host in an empty inbox sends the message, which is free by then: the main thread takes
 * it out of its mail before it empties the inbox, and who finds that empty sees it. */
static void put(struct nu_outlier_inbox *inbox, struct nu_host_outlier *outlier)
{
    nu_host_ref(outlier->host);
    struct nu_host_outlier *head = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    do {
        outlier->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->head, &head, outlier,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (!head)
        nu_loop_post(inbox->loop, &inbox->task);
}

void nu_outlier_inbox_init(struct nu_outlier_inbox *inbox, struct nu_loop *loop)
{
    *inbox = (struct nu_outlier_inbox){.loop = loop, .task = {.fn = on_hosts}};
}

void nu_outlier_inbox_finish(struct nu_outlier_inbox *inbox)
{
    struct nu_host_outlier *chain = cut(inbox);
    while (chain) {
        uint32_t reached;
        nu_host_unref(take(&chain, &reached)->host);
    }
}

/* --- Counting --------------------------------------------------------------------------------- */

static void count_one(_Atomic uint64_t *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/* Most runs are empty all the time: looking first keeps the line from being written twice. */
static void end_run(struct nu_host_outlier *outlier, enum nu_outlier_run run)
{
    _Atomic uint32_t *length = &outlier->runs[run];
    if (nu_unlikely(atomic_load_explicit(length, memory_order_relaxed) != 0))
        atomic_store_explicit(length, 0, memory_order_relaxed);
}

static void lengthen_run(struct nu_host_outlier *outlier, enum nu_outlier_run run,
                         const struct nu_runtime *runtime)
{
    uint32_t length = atomic_fetch_add_explicit(&outlier->runs[run], 1, memory_order_relaxed) + 1;
    if (length != nu_outlier_run_limit(outlier, run, runtime))
        return;
    if (!atomic_fetch_or_explicit(&outlier->reached, 1U << run, memory_order_acq_rel))
        put(&outlier->host->keeper->outliers, outlier);
}

static void count_status(struct nu_host_outlier *outlier, uint32_t status,
                         const struct nu_runtime *runtime)
{
    struct nu_outlier_counts *counts = &outlier->counts[NU_OUTLIER_EXTERNAL];
    if (nu_likely(status / 100 != 5)) {
        count_one(&counts->successes);
        end_run(outlier, NU_OUTLIER_RUN_5XX);
        end_run(outlier, NU_OUTLIER_RUN_GATEWAY);
        return;
    }
    count_one(&counts->failures);
    if (status >= 502 && status <= 504)
        lengthen_run(outlier, NU_OUTLIER_RUN_GATEWAY, runtime);
    else
        end_run(outlier, NU_OUTLIER_RUN_GATEWAY);
    lengthen_run(outlier, NU_OUTLIER_RUN_5XX, runtime);
}

static void count_local_success(struct nu_host_outlier *outlier)
{
    count_one(&outlier->counts[NU_OUTLIER_LOCAL].successes);
    end_run(outlier, NU_OUTLIER_RUN_LOCAL);
}

static void count_local_failure(struct nu_host_outlier *outlier, const struct nu_runtime *runtime)
{
    count_one(&outlier->counts[NU_OUTLIER_LOCAL].failures);
    lengthen_run(outlier, NU_OUTLIER_RUN_LOCAL, runtime);
}

static void count_split(struct nu_host_outlier *outlier, enum nu_outlier_result result,
                        uint32_t status, const struct nu_runtime *runtime)
{
    switch (result) {
    case NU_OUTLIER_CONNECTED:
    case NU_OUTLIER_SERVED:
        count_local_success(outlier);
        return;
    case NU_OUTLIER_FAILED:
    case NU_OUTLIER_TIMED_OUT:
        count_local_failure(outlier, runtime);
        return;
    case NU_OUTLIER_ANSWERED:
        count_status(outlier, status, runtime);
        return;
    }
}

static void count_joined(struct nu_host_outlier *outlier, enum nu_outlier_result result,
                         uint32_t status, const struct nu_runtime *runtime)
{
    switch (result) {
    case NU_OUTLIER_CONNECTED:
        return;
    case NU_OUTLIER_SERVED:
        count_status(outlier, 200, runtime);
        return;
    case NU_OUTLIER_FAILED:
        count_status(outlier, 503, runtime);
        return;
    case NU_OUTLIER_TIMED_OUT:
        count_status(outlier, status ? status : 504, runtime);
        return;
    case NU_OUTLIER_ANSWERED:
        count_status(outlier, status, runtime);
        return;
    }
}

void nu_host_outlier_count(struct nu_host_outlier *outlier, enum nu_outlier_result result,
                           uint32_t status, const struct nu_runtime *runtime)
{
    if (nu_unlikely(outlier->splits_origins))
        count_split(outlier, result, status, runtime);
    else
        count_joined(outlier, result, status, runtime);
}
