/* SPDX-License-Identifier: Apache-2.0 */
/* Earliest deadline first, as a binary heap. */
#include "upstream/lb/edf.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/random.h"

struct nu_edf_entry {
    double due;
    double since;    /* from here on the weight is as it is now */
    double weight;   /* since then */
    uint64_t picked; /* how often since then */
    uint64_t order;  /* grows with every adding: the tie-breaker */
    uint32_t item;
};

static bool is_before(const struct nu_edf_entry *a, const struct nu_edf_entry *b)
{
    if (a->due < b->due || b->due < a->due)
        return a->due < b->due;
    return a->order < b->order;
}

static void sift_down(struct nu_edf_entry *heap, uint32_t count, uint32_t i)
{
    for (;;) {
        uint32_t first = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
            if (is_before(&heap[child], &heap[first]))
                first = child;
        }
        if (first == i)
            return;
        struct nu_edf_entry moved = heap[i];
        heap[i] = heap[first];
        heap[first] = moved;
        i = first;
    }
}

/* Counted from where the weight began to hold and not from the last deadline: so items that are due
 * at the same time are so exactly, and every cycle is like the first. */
static void set_due(struct nu_edf_entry *entry)
{
    entry->due = entry->since + (double)(entry->picked + 1) / entry->weight;
}

uint32_t nu_edf_pick(struct nu_edf *edf, nu_edf_weight_fn *weight, void *arg)
{
    struct nu_edf_entry *top = &edf->heap[0];
    uint32_t item = top->item;
    double now = weight(arg, item);
    if (now < top->weight || top->weight < now) {
        top->since = top->due;
        top->weight = now;
        top->picked = 0;
    } else {
        top->picked++;
    }
    top->order = edf->order++;
    set_due(top);
    sift_down(edf->heap, edf->count, 0);
    return item;
}

static int by_last_pick(const void *a_ptr, const void *b_ptr)
{
    const struct nu_edf_entry *a = a_ptr;
    const struct nu_edf_entry *b = b_ptr;
    if (a->due < b->due || b->due < a->due)
        return a->due < b->due ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

/* When each item was picked last at the time `start`, in that order: so they were added again. */
static void fill(struct nu_edf *edf, double start, nu_edf_weight_fn *weight, void *arg)
{
    for (uint32_t i = 0; i < edf->count; i++) {
        double w = weight(arg, i);
        double picked = floor(start * w);
        edf->heap[i] = (struct nu_edf_entry){
            .due = w > 0 ? picked / w : 0, .weight = w, .picked = (uint64_t)picked, .item = i};
    }
    qsort(edf->heap, edf->count, sizeof(*edf->heap), by_last_pick);
    for (uint32_t i = 0; i < edf->count; i++) {
        set_due(&edf->heap[i]);
        edf->heap[i].order = edf->order++;
    }
}

static double random_share(void)
{
    enum { STEPS = 1 << 30 };
    return (double)nu_random_below(STEPS) / STEPS;
}

void nu_edf_init(struct nu_edf *edf, uint32_t count, nu_edf_weight_fn *weight, void *arg)
{
    *edf = (struct nu_edf){.count = count, .heap = nu_alloc(count * sizeof(*edf->heap))};
    fill(edf, random_share(), weight, arg);
    for (uint32_t i = count / 2; i > 0; i--)
        sift_down(edf->heap, count, i - 1);
}

void nu_edf_finish(struct nu_edf *edf)
{
    nu_free(edf->heap);
    *edf = (struct nu_edf){0};
}
