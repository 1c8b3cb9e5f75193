/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the statistics of all sets in the order of their full names, without a list of names. A
 * set's names are sorted, and those of nested prefixes interleave ("cluster.a", "cluster.a.ssl"),
 * so the walk merges a few streams: a set joins when the walk gets to its prefix and leaves at its
 * end.
 *
 * A walk can pause while sets come and go; it then finds its place again by the last name. Main
 * thread.
 */
#ifndef NU_STATS_WALK_INTERNAL_H
#define NU_STATS_WALK_INTERNAL_H

#include "stats/registry_internal.h"

/* One sorted sequence of names: a set's descriptions of the phase, or one family of codes. */
struct nu_stat_stream {
    const struct nu_stat_set *set;
    int family;            /* -1, or the number of the family of codes */
    uint32_t index;        /* of the current name in the sequence */
    struct nu_strbuf name; /* the current full name */
};

struct nu_stat_walk {
    struct nu_stats *stats; /* borrowed */
    enum nu_stat_phase phase;
    bool used_only;                     /* leaves out sets that no thread has a block of */
    const struct nu_stat_set *next_set; /* the next to join */
    struct nu_stat_stream *streams;     /* owned; a heap, the least name first */
    size_t stream_count;
    size_t stream_cap;
    struct nu_strbuf last; /* the name last given; empty at the start */
    uint64_t generation;   /* of the registry when the streams were right */
    bool is_started;
};

struct nu_stat_ref {
    const struct nu_stat_set *set;
    uint32_t position;
    struct nu_str name; /* in full; valid until the walk goes on */
};

void nu_stat_walk_init(struct nu_stat_walk *walk, struct nu_stats *stats, enum nu_stat_phase phase);
void nu_stat_walk_finish(struct nu_stat_walk *walk);

enum nu_stat_walk_result {
    NU_STAT_WALK_FOUND, /* here is the next statistic that exists */
    NU_STAT_WALK_ON,    /* none found yet, and a good time to pause */
    NU_STAT_WALK_END
};

/* What NU_STAT_WALK_ON took, in bytes of output that might have been made in that time. */
enum { NU_STAT_WALK_ON_WORK = 2048 };

enum nu_stat_walk_result nu_stat_walk_next(struct nu_stat_walk *walk, struct nu_stat_ref *ref);

#endif
