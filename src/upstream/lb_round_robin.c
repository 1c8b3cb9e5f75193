/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round robin. Equal weights: hosts in turn, each worker beginning at a random one, so that workers do
 * not march in step. Different weights: earliest deadline first, as Envoy does it: a host that was
 * chosen is due again 1/weight later, and the one that is due first is next. The heap keeps hosts that
 * are due at the same time in the order in which they were added.
 */
#include "base/alloc.h"
#include "base/random.h"
#include "upstream/lb.h"

struct entry {
    double due;
    uint64_t order; /* grows with every adding: the tie-breaker */
    uint32_t index; /* of the host */
};

struct round_robin {
    struct nu_lb base;
    uint32_t next; /* without weights */
    double now;    /* deadline of the last choice */
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

static int32_t choose_by_deadline(struct round_robin *lb)
{
    struct entry *top = &lb->heap[0];
    uint32_t index = top->index;
    lb->now = top->due;
    top->due = lb->now + 1.0 / lb->base.hosts->hosts[index]->weight;
    top->order = lb->order++;
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

static void build_heap(struct round_robin *lb)
{
    uint32_t count = lb->base.hosts->count;
    lb->heap = nu_alloc(count * sizeof(*lb->heap));
    for (uint32_t i = 0; i < count; i++) {
        double period = 1.0 / lb->base.hosts->hosts[i]->weight;
        lb->heap[i] = (struct entry){.due = period, .order = lb->order++, .index = i};
    }
    for (uint32_t i = count / 2; i > 0; i--)
        sift_down(lb->heap, count, i - 1);
    /* Begin somewhere in the sequence. */
    for (uint64_t skip = nu_random_below(count); skip > 0; skip--)
        choose_by_deadline(lb);
}

static struct nu_lb *create(const struct nu_host_set *hosts)
{
    struct round_robin *lb = nu_calloc(1, sizeof(*lb));
    lb->base.cls = &nu_lb_round_robin;
    lb->base.hosts = hosts;
    if (hosts->count == 0)
        return &lb->base;
    if (hosts->weighted)
        build_heap(lb);
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
