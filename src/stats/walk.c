/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered walk over all statistics: a heap of streams, fed from the sorted list of sets. */
#include "stats/walk_internal.h"

#include "base/alloc.h"

/* --- One stream --- */

static uint32_t stream_length(const struct nu_stat_walk *walk, const struct nu_stat_stream *stream)
{
    return stream->family < 0 ? stream->set->layout->order_count[walk->phase]
                              : (uint32_t)NU_CODE_INDEXES;
}

static uint32_t stream_position(const struct nu_stat_walk *walk,
                                const struct nu_stat_stream *stream)
{
    const struct nu_stat_layout *layout = stream->set->layout;
    if (stream->family < 0)
        return layout->order[walk->phase][stream->index];
    return nu_stat_code_position(layout, (unsigned)stream->family, stream->index);
}

static void compose_name(const struct nu_stat_walk *walk, struct nu_stat_stream *stream)
{
    char buffer[NU_STAT_NAME_MAX];
    struct nu_str own = nu_stat_name_at(stream->set->layout, stream_position(walk, stream), buffer);
    nu_strbuf_clear(&stream->name);
    nu_stat_set_add_prefix(stream->set, &stream->name);
    nu_strbuf_add(&stream->name, own);
}

/* Moves to the first existing name at or behind the index; false at the end. */
static bool stream_settle(const struct nu_stat_walk *walk, struct nu_stat_stream *stream)
{
    for (uint32_t length = stream_length(walk, stream); stream->index < length; stream->index++) {
        if (stream->family >= 0)
            stream->index = nu_stat_next_code(stream->set, (unsigned)stream->family, stream->index);
        if (nu_stat_exists(stream->set, stream_position(walk, stream))) {
            compose_name(walk, stream);
            return true;
        }
    }
    return false;
}

/* --- The heap --- */

static bool is_less(const struct nu_stat_stream *a, const struct nu_stat_stream *b)
{
    return nu_str_cmp(nu_strbuf_str(&a->name), nu_strbuf_str(&b->name)) < 0;
}

static void swap(struct nu_stat_stream *a, struct nu_stat_stream *b)
{
    struct nu_stat_stream tmp = *a;
    *a = *b;
    *b = tmp;
}

static void sift_down(struct nu_stat_walk *walk)
{
    struct nu_stat_stream *heap = walk->streams;
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < walk->stream_count;
             child++) {
            if (is_less(&heap[child], &heap[least]))
                least = child;
        }
        if (least == at)
            return;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

static void sift_up(struct nu_stat_walk *walk)
{
    struct nu_stat_stream *heap = walk->streams;
    for (size_t at = walk->stream_count - 1; at > 0 && is_less(&heap[at], &heap[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

/* Slots behind the count keep their name's memory for the next stream. */
static struct nu_stat_stream *new_stream(struct nu_stat_walk *walk)
{
    if (walk->stream_count == walk->stream_cap) {
        size_t cap = walk->stream_cap * 2 + 4;
        walk->streams = nu_realloc(walk->streams, cap * sizeof(*walk->streams));
        memset(&walk->streams[walk->stream_cap], 0,
               (cap - walk->stream_cap) * sizeof(*walk->streams));
        walk->stream_cap = cap;
    }
    return &walk->streams[walk->stream_count];
}

/* Adds a stream that begins behind the name `after`. */
static void add_stream(struct nu_stat_walk *walk, const struct nu_stat_set *set, int family,
                       struct nu_str after)
{
    struct nu_stat_stream *stream = new_stream(walk);
    stream->set = set;
    stream->family = family;
    stream->index = 0;
    while (stream_settle(walk, stream)) {
        if (nu_str_cmp(nu_strbuf_str(&stream->name), after) > 0) {
            walk->stream_count++;
            sift_up(walk);
            return;
        }
        stream->index++;
    }
}

static void join(struct nu_stat_walk *walk, const struct nu_stat_set *set, struct nu_str after)
{
    const struct nu_stat_layout *layout = set->layout;
    if ((walk->used_only || layout->table->when_used) && !set->blocks)
        return;
    if (layout->order_count[walk->phase])
        add_stream(walk, set, -1, after);
    bool has_codes = walk->phase == NU_STAT_PHASE_NUMBERS && set->blocks;
    for (int family = 0; has_codes && family < layout->code_count; family++)
        add_stream(walk, set, family, after);
}

/* --- The walk --- */

void nu_stat_walk_init(struct nu_stat_walk *walk, struct nu_stats *stats, enum nu_stat_phase phase)
{
    *walk = (struct nu_stat_walk){.stats = stats, .phase = phase};
}

void nu_stat_walk_finish(struct nu_stat_walk *walk)
{
    for (size_t i = 0; i < walk->stream_cap; i++)
        nu_strbuf_finish(&walk->streams[i].name);
    nu_free(walk->streams);
    nu_strbuf_finish(&walk->last);
}

/*
 * Finds the place behind the last name again. Of the sets up to there only those still have names
 * to come whose prefix is the beginning of that name, at whatever length.
 */
static void rebuild(struct nu_stat_walk *walk)
{
    walk->stream_count = 0;
    struct nu_str last = nu_strbuf_str(&walk->last);
    for (size_t len = 0; walk->is_started && len <= last.len; len++) {
        struct nu_str prefix = nu_str_first(last, len);
        const struct nu_stat_set *set = nu_stats_lower_bound(walk->stats, prefix);
        for (; set && nu_str_eq(nu_stat_set_prefix(set), prefix); set = set->next[0])
            join(walk, set, last);
    }
    walk->next_set = nu_stats_lower_bound(walk->stats, last);
    while (walk->is_started && walk->next_set &&
           nu_str_eq(nu_stat_set_prefix(walk->next_set), last))
        walk->next_set = walk->next_set->next[0];
    walk->generation = walk->stats->generation;
    walk->is_started = true;
}

/* Sets that join in one go: most may have nothing of the phase, and the walk is to pause at
 * times. */
enum { JOINS_AT_ONCE = 32 };

/* Lets sets join that may have a name before the least one at hand; false if some are still to. */
static bool join_due(struct nu_stat_walk *walk)
{
    for (unsigned joins = 0; joins < JOINS_AT_ONCE; joins++) {
        const struct nu_stat_set *set = walk->next_set;
        if (!set || (walk->stream_count && nu_str_cmp(nu_stat_set_prefix(set),
                                                      nu_strbuf_str(&walk->streams[0].name)) >= 0))
            return true;
        walk->next_set = set->next[0];
        join(walk, set, NU_STR(""));
    }
    return false;
}

static void remove_first(struct nu_stat_walk *walk)
{
    walk->stream_count--;
    swap(&walk->streams[0], &walk->streams[walk->stream_count]);
}

static void advance_first(struct nu_stat_walk *walk)
{
    walk->streams[0].index++;
    if (!stream_settle(walk, &walk->streams[0]))
        remove_first(walk);
    sift_down(walk);
}

enum nu_stat_walk_result nu_stat_walk_next(struct nu_stat_walk *walk, struct nu_stat_ref *ref)
{
    if (!walk->is_started || walk->generation != walk->stats->generation)
        rebuild(walk);
    if (!join_due(walk))
        return NU_STAT_WALK_ON;
    if (walk->stream_count == 0)
        return NU_STAT_WALK_END;
    struct nu_stat_stream *first = &walk->streams[0];
    ref->set = first->set;
    ref->position = stream_position(walk, first);
    nu_strbuf_clear(&walk->last);
    nu_strbuf_add(&walk->last, nu_strbuf_str(&first->name));
    ref->name = nu_strbuf_str(&walk->last);
    advance_first(walk);
    return NU_STAT_WALK_FOUND;
}
