/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round robin. Equal weights: hosts in turn, each worker beginning at a random one, so that workers
 * do not march in step. Different weights: earliest deadline first, as Envoy does it: a host that
 * was chosen is due again 1/weight later, and the one that is due first is next. The heap keeps
 * hosts that are due at the same time in the order in which they were added.
 */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/random.h"
#include "upstream/lb.h"

struct entry {
    double due;
    uint64_t order;  /* grows with every adding: the tie-breaker */
    uint64_t chosen; /* how often so far */
    uint32_t index;  /* of the host */
};

struct round_robin {
    struct nu_lb base;
    uint32_t next; /* without weights */
    uint64_t order;
    struct entry *heap; /* owned; NULL without weights */
};

static bool is_before(const struct entry *a, const struct entry *b)
{
    if (a->due < b->due || b->due < a->due)
        return a->due < b->due;
    return a->order < b->order;
}

static void sift_down(struct entry *heap, uint32_t count, uint32_t i)
{
    for (;;) {
        uint32_t first = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
            if (is_before(&heap[child], &heap[first]))
                first = child;
        }
        if (first == i)
            return;
        struct entry moved = heap[i];
        heap[i] = heap[first];
        heap[first] = moved;
        i = first;
    }
}

/* Counted from the beginning and not from the last deadline: so hosts that are due at the same time
 * are so exactly, and every cycle is like the first. */
static void set_due(const struct round_robin *lb, struct entry *entry)
{
    entry->due = (double)(entry->chosen + 1) / lb->base.hosts->hosts[entry->index]->weight;
}

static int32_t choose_by_deadline(struct round_robin *lb)
{
    struct entry *top = &lb->heap[0];
    uint32_t index = top->index;
    top->chosen++;
    top->order = lb->order++;
    set_due(lb, top);
    sift_down(lb->heap, lb->base.hosts->count, 0);
    return (int32_t)index;
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    (void)context;
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    uint32_t count = base->hosts->count;
    if (nu_unlikely(count == 0))
        return NU_LB_NONE;
    if (lb->heap)
        return choose_by_deadline(lb);
    if (lb->next >= count)
        lb->next = 0;
    return (int32_t)lb->next++;
}

static int by_last_choice(const void *a_ptr, const void *b_ptr)
{
    const struct entry *a = a_ptr;
    const struct entry *b = b_ptr;
    if (a->due < b->due || b->due < a->due)
        return a->due < b->due ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* When each host was chosen last at the time `start`, in that order: so they were added again. */
static void fill_heap(struct round_robin *lb, double start)
{
    uint32_t count = lb->base.hosts->count;
    for (uint32_t i = 0; i < count; i++) {
        double weight = lb->base.hosts->hosts[i]->weight;
        double chosen = floor(start * weight);
        lb->heap[i] =
            (struct entry){.due = chosen / weight, .chosen = (uint64_t)chosen, .index = i};
    }
    qsort(lb->heap, count, sizeof(*lb->heap), by_last_choice);
    for (uint32_t i = 0; i < count; i++) {
        set_due(lb, &lb->heap[i]);
        lb->heap[i].order = lb->order++;
    }
}

/* Begins anywhere in the cycle of choices, which takes a time of 1, as if all those before had been
 * made. So frequent changes of hosts do not favour the heavy ones, which a cycle begins with. */
static void build_heap(struct round_robin *lb, double start)
{
    uint32_t count = lb->base.hosts->count;
    lb->heap = nu_alloc(count * sizeof(*lb->heap));
    fill_heap(lb, start);
    for (uint32_t i = count / 2; i > 0; i--)
        sift_down(lb->heap, count, i - 1);
}

static double random_start(void)
{
    enum { STEPS = 1 << 30 };
    return (double)nu_random_below(STEPS) / STEPS;
}

static struct nu_lb *create(const struct nu_host_set *hosts)
{
    struct round_robin *lb = nu_calloc(1, sizeof(*lb));
    lb->base.cls = &nu_lb_round_robin;
    lb->base.hosts = hosts;
    if (hosts->count == 0)
        return &lb->base;
    if (hosts->weighted)
        build_heap(lb, random_start());
    else
        lb->next = (uint32_t)nu_random_below(hosts->count);
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    nu_free(lb->heap);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_round_robin = {
    .name = "round_robin",
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
