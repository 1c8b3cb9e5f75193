/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: sets in a skip list by prefix, their blocks, and what happens to all of them at
 * once (flush, reset).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/thread.h"
#include "stats/custom_internal.h"
#include "stats/histogram_internal.h"
#include "stats/memory_internal.h"
#include "stats/registry_internal.h"
#include "stats/series_internal.h"

/* --- The list of sets --- */

static struct nu_stat_set **links_of(struct nu_stats *stats, struct nu_stat_set *set)
{
    return set ? set->next : stats->head;
}

/* Sorted by prefix; those of one prefix by the address of their table, so that each has one
 * place. */
static bool is_before(const struct nu_stat_set *set, struct nu_str prefix,
                      const struct nu_stat_table *table)
{
    int order = nu_str_cmp(nu_stat_set_prefix(set), prefix);
    if (order != 0)
        return order < 0;
    return table && (uintptr_t)set->layout->table < (uintptr_t)table;
}

/* For each level the links behind which (prefix, table) belongs. */
static void find_place(struct nu_stats *stats, struct nu_str prefix,
                       const struct nu_stat_table *table, struct nu_stat_set ***place)
{
    struct nu_stat_set *at = NULL;
    for (unsigned level = NU_STAT_MAX_HEIGHT; level-- > 0;) {
        struct nu_stat_set *next = links_of(stats, at)[level];
        while (next && is_before(next, prefix, table)) {
            at = next;
            next = at->next[level];
        }
        place[level] = &links_of(stats, at)[level];
    }
}

struct nu_stat_set *nu_stats_lower_bound(const struct nu_stats *stats, struct nu_str prefix)
{
    struct nu_stat_set **place[NU_STAT_MAX_HEIGHT];
    find_place(nu_unconst(stats), prefix, NULL, place);
    return *place[0];
}

static uint32_t next_seed(struct nu_stats *stats)
{
    uint32_t seed = stats->height_seed;
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    stats->height_seed = seed;
    return seed;
}

/* One level in four goes on to the next. */
static uint8_t height_of(uint32_t seed)
{
    uint8_t height = 1;
    while (height < NU_STAT_MAX_HEIGHT && (seed & 3) == 0) {
        seed >>= 2;
        height++;
    }
    return height;
}

/* --- Sets --- */

static const uint32_t not_adopted =
    UINT32_MAX; /* the index of a set that its layout does not list */

static struct nu_stat_layout *find_layout(struct nu_stats *stats, const struct nu_stat_table *table)
{
    struct nu_stat_layout *layout = stats->layouts;
    while (layout && layout->table != table)
        layout = layout->next;
    if (!layout) {
        layout = nu_stat_layout_create(table);
        layout->next = stats->layouts;
        stats->layouts = layout;
    }
    return layout;
}

static void layout_add(struct nu_stat_layout *layout, struct nu_stat_set *set)
{
    if (layout->set_count == layout->set_cap) {
        layout->set_cap = layout->set_cap * 2 + 1;
        layout->sets = nu_realloc(layout->sets, layout->set_cap * sizeof(struct nu_stat_set *));
    }
    set->index = layout->set_count++;
    layout->sets[set->index] = set;
}

static void layout_remove(struct nu_stat_layout *layout, struct nu_stat_set *set)
{
    struct nu_stat_set *last = layout->sets[--layout->set_count];
    layout->sets[set->index] = last;
    last->index = set->index;
}

static void drop_layout(struct nu_stats *stats, struct nu_stat_layout *layout)
{
    struct nu_stat_layout **at = &stats->layouts;
    while (*at != layout)
        at = &(*at)->next;
    *at = layout->next;
    nu_free(layout->sets);
    nu_stat_layout_destroy(&layout);
}

static size_t set_bytes(size_t height, size_t prefix_len)
{
    return sizeof(struct nu_stat_set) + height * sizeof(struct nu_stat_set *) + prefix_len;
}

static struct nu_stat_set *set_alloc(struct nu_stats *stats, struct nu_stat_layout *layout,
                                     struct nu_str prefix, uint8_t height)
{
    nu_assert(prefix.len <= UINT16_MAX);
    struct nu_stat_set *set = nu_stat_alloc(set_bytes(height, prefix.len));
    set->stats = stats;
    set->layout = layout;
    set->refs = 1;
    set->height = height;
    set->prefix_len = (uint16_t)prefix.len;
    if (prefix.len)
        memcpy(&set->next[height], prefix.ptr, prefix.len);
    return set;
}

static struct nu_stat_set *set_create(struct nu_stats *stats, const struct nu_stat_table *table,
                                      struct nu_str prefix, uint8_t height)
{
    struct nu_stat_set *set = set_alloc(stats, find_layout(stats, table), prefix, height);
    layout_add(set->layout, set);
    return set;
}

static void link_set(struct nu_stat_set *set, struct nu_stat_set ***place)
{
    for (unsigned level = 0; level < set->height; level++) {
        set->next[level] = *place[level];
        *place[level] = set;
    }
    set->stats->generation++;
}

struct nu_stat_set *nu_stat_set_create(struct nu_stats *stats, const struct nu_stat_table *table,
                                       struct nu_str prefix)
{
    struct nu_stat_set **place[NU_STAT_MAX_HEIGHT];
    find_place(stats, prefix, table, place);
    struct nu_stat_set *set = *place[0];
    if (set && set->layout->table == table && nu_str_eq(nu_stat_set_prefix(set), prefix)) {
        set->refs++;
        return set;
    }
    set = set_create(stats, table, prefix, height_of(next_seed(stats)));
    link_set(set, place);
    return set;
}

struct nu_stat_set *nu_stat_set_create_private(struct nu_stats *stats,
                                               const struct nu_stat_table *table)
{
    return set_create(stats, table, NU_STR(""), 0);
}

/* Until it is adopted nobody but its owner knows of it. */
struct nu_stat_set *nu_stat_set_create_like(const struct nu_stat_set *model)
{
    struct nu_stat_set *set = set_alloc(model->stats, model->layout, NU_STR(""), 0);
    set->index = not_adopted;
    return set;
}

void nu_stat_set_adopt(struct nu_stat_set *set)
{
    if (set->index == not_adopted)
        layout_add(set->layout, set);
}

struct nu_stat_set *nu_stat_set_create_unlisted(const struct nu_stat_set *model,
                                                struct nu_str prefix)
{
    struct nu_stat_set *set =
        set_alloc(model->stats, model->layout, prefix, height_of((uint32_t)nu_hash(prefix)));
    set->index = not_adopted;
    return set;
}

void nu_stat_set_list(struct nu_stat_set *set)
{
    struct nu_stat_set **place[NU_STAT_MAX_HEIGHT];
    find_place(set->stats, nu_stat_set_prefix(set), set->layout->table, place);
    nu_stat_set_adopt(set);
    link_set(set, place);
}

static size_t block_bytes(const struct nu_stat_table *table)
{
    return sizeof(struct nu_stat_block) + table->block_size;
}

static void block_destroy(struct nu_stat_block *block, const struct nu_stat_table *table)
{
    for (uint16_t i = 0; i < table->count; i++) {
        void *field = block->data + table->descs[i].offset;
        uint8_t kind = table->descs[i].kind;
        if (kind == NU_STAT_CODES)
            nu_codes_finish(field);
        else if (kind == NU_STAT_TEXT)
            nu_text_finish(field);
        else if (nu_stat_kind_phase(kind) == NU_STAT_PHASE_HISTOGRAMS)
            nu_histogram_finish(field);
    }
    nu_stat_free(block, block_bytes(table));
}

static size_t histograms_bytes(const struct nu_stat_layout *layout)
{
    return layout->histogram_count * sizeof(struct nu_histogram_state);
}

static void free_histograms(struct nu_stat_set *set)
{
    if (!set->histograms)
        return;
    for (unsigned i = 0; i < set->layout->histogram_count; i++) {
        nu_histogram_snapshot_destroy(&set->histograms[i].total);
        nu_histogram_snapshot_destroy(&set->histograms[i].interval);
    }
    nu_stat_free(set->histograms, histograms_bytes(set->layout));
}

static void unlink_set(struct nu_stat_set *set)
{
    struct nu_stat_set **place[NU_STAT_MAX_HEIGHT];
    find_place(set->stats, nu_stat_set_prefix(set), set->layout->table, place);
    for (unsigned level = 0; level < set->height; level++)
        *place[level] = set->next[level];
    set->stats->generation++;
}

static void set_free(struct nu_stat_set *set)
{
    nu_series_forget(set);
    if (set->height && set->index != not_adopted)
        unlink_set(set);
    const struct nu_stat_table *table = set->layout->table;
    for (struct nu_stat_block *block = set->blocks, *next; block; block = next) {
        next = block->next;
        block_destroy(block, table);
    }
    if (set->baseline)
        block_destroy(set->baseline, table);
    free_histograms(set);
    if (nu_likely(set->index != not_adopted))
        layout_remove(set->layout, set);
    if (set->layout->set_count == 0)
        drop_layout(set->stats, set->layout);
    nu_stat_free(set, set_bytes(set->height, set->prefix_len));
}

void nu_stat_set_destroy(struct nu_stat_set **set)
{
    if (*set && --(*set)->refs == 0)
        set_free(*set);
    *set = NULL;
}

void *nu_stat_set_block(struct nu_stat_set *set)
{
    unsigned thread = nu_thread_index();
    struct nu_stat_block *first = atomic_load_explicit(&set->blocks, memory_order_acquire);
    for (struct nu_stat_block *block = first; block; block = block->next) {
        if (block->thread == thread)
            return block->data;
    }
    struct nu_stat_block *block = nu_stat_alloc(block_bytes(set->layout->table));
    block->thread = thread;
    block->next = first;
    while (!atomic_compare_exchange_weak_explicit(&set->blocks, &block->next, block,
                                                  memory_order_acq_rel, memory_order_acquire))
        continue;
    return block->data;
}

/* --- The registry --- */

struct nu_stats *nu_stats_create(void)
{
    struct nu_stats *stats = nu_stat_alloc(sizeof(*stats));
    stats->height_seed = 0x9e3779b9u;
    stats->tags =
        nu_stat_tags_create(&(struct nu_stat_tags_config){.use_all_default_tags = true}, NULL);
    stats->series = nu_series_table_create();
    return stats;
}

void nu_stats_destroy(struct nu_stats **stats)
{
    struct nu_stats *old = *stats;
    if (!old)
        return;
    nu_custom_stats_destroy(&old->custom);
    while (old->head[0])
        set_free(old->head[0]);
    nu_debug_assert(!old->layouts);
    nu_series_table_destroy(&old->series);
    nu_stat_tags_destroy(&old->tags);
    nu_stat_free(old->merge_bins, sizeof(*old->merge_bins));
    nu_stat_free(old, sizeof(*old));
    *stats = NULL;
}

enum nu_result nu_stats_set_tags(struct nu_stats *stats, const struct nu_stat_tags_config *config,
                                 struct nu_strbuf *error)
{
    struct nu_stat_tags *tags = nu_stat_tags_create(config, error);
    if (!tags)
        return NU_INVALID;
    nu_assert(stats->series->holds == 0);
    for (struct nu_stat_set *set = stats->head[0]; set; set = set->next[0])
        nu_series_forget(set);
    nu_stat_tags_destroy(&stats->tags);
    stats->tags = tags;
    stats->generation++;
    return NU_OK;
}

/* --- Flush --- */

static const struct nu_histogram *histogram_in(const struct nu_stat_block *block,
                                               const struct nu_stat_set *set, unsigned ordinal)
{
    const struct nu_stat_layout *layout = set->layout;
    size_t offset = layout->table->descs[layout->histograms[ordinal]].offset;
    return (const struct nu_histogram *)(const void *)(block->data + offset);
}

static uint64_t total_of(const struct nu_stat_set *set, unsigned ordinal)
{
    uint64_t total = 0;
    for (const struct nu_stat_block *block = set->blocks; block; block = block->next)
        total += nu_histogram_total(histogram_in(block, set, ordinal));
    return total;
}

static void merge_histogram(struct nu_stat_set *set, unsigned ordinal,
                            struct nu_histogram_state *state)
{
    struct nu_histogram_bins *bins = set->stats->merge_bins;
    for (const struct nu_stat_block *block = set->blocks; block; block = block->next)
        nu_histogram_merge(histogram_in(block, set, ordinal), bins);
    struct nu_histogram_snapshot *before = state->total;
    state->total = nu_histogram_snapshot_create(bins);
    for (uint32_t i = 0; before && i < before->bucket_count; i++)
        bins->counts[before->buckets[i].bin] -= before->buckets[i].count;
    state->interval = nu_histogram_snapshot_create(bins);
    nu_histogram_bins_clear(bins);
    nu_histogram_snapshot_destroy(&before);
}

static void flush_set(struct nu_stat_set *set)
{
    for (unsigned i = 0; i < set->layout->histogram_count; i++) {
        uint64_t total = total_of(set, i);
        if (total == 0)
            continue;
        if (!set->histograms)
            set->histograms = nu_stat_alloc(histograms_bytes(set->layout));
        struct nu_histogram_state *state = &set->histograms[i];
        nu_histogram_snapshot_destroy(&state->interval);
        if (total != nu_histogram_count(state->total))
            merge_histogram(set, i, state);
    }
}

/* By layout rather than in order: the sets' memory is then not waited for one after the other. */
void nu_stats_flush(struct nu_stats *stats)
{
    if (!stats->merge_bins)
        stats->merge_bins = nu_stat_alloc(sizeof(*stats->merge_bins));
    nu_custom_stats_list(stats);
    for (struct nu_stat_layout *layout = stats->layouts; layout; layout = layout->next) {
        for (uint32_t i = 0; layout->histogram_count && i < layout->set_count; i++) {
            if (layout->sets[i]->blocks && layout->sets[i]->height)
                flush_set(layout->sets[i]);
        }
    }
}

/* --- Reset --- */

/* In one store: other threads may read the sums of custom statistics. */
static void note_counter(struct nu_counter *to, const struct nu_stat_block *block, size_t offset)
{
    uint64_t sum = 0;
    for (; block; block = block->next)
        sum += nu_counter_get((const void *)(block->data + offset));
    atomic_store_explicit(&to->value, sum, memory_order_relaxed);
}

static void add_codes(struct nu_codes *to, const struct nu_codes *from)
{
    unsigned index = nu_codes_next(from, 0);
    for (; index < NU_CODE_UNKNOWN; index = nu_codes_next(from, index + 1)) {
        unsigned hundred = index / NU_CODE_INDEXES_PER_CLASS;
        unsigned code = index % NU_CODE_INDEXES_PER_CLASS;
        uint64_t count = nu_codes_read(from, index);
        if (code == NU_CODE_CLASS_TOTAL)
            nu_counter_add(nu_codes_class_counter(to, hundred), count);
        else if (count)
            nu_counter_add(nu_codes_counter(to, (hundred + 1) * 100 + code), count);
    }
    nu_counter_add(&to->unknown, nu_counter_get(&from->unknown));
}

static void note_codes(struct nu_codes *to, const struct nu_stat_block *block, size_t offset)
{
    nu_codes_finish(to);
    memset(to, 0, sizeof(*to));
    for (; block; block = block->next)
        add_codes(to, (const void *)(block->data + offset));
}

/* The counters themselves belong to the threads: what they stand at is noted and taken off. */
static void reset_set(struct nu_stat_set *set)
{
    const struct nu_stat_table *table = set->layout->table;
    const struct nu_stat_block *block = atomic_load_explicit(&set->blocks, memory_order_acquire);
    if (!set->baseline)
        atomic_store_explicit(&set->baseline, nu_stat_alloc(block_bytes(table)),
                              memory_order_release);
    for (uint16_t i = 0; i < table->count; i++) {
        const struct nu_stat_desc *desc = &table->descs[i];
        void *into = set->baseline->data + desc->offset;
        if (desc->kind == NU_STAT_CODES)
            note_codes(into, block, desc->offset);
        else if (desc->kind == NU_STAT_COUNTER || desc->kind == NU_STAT_LAZY_COUNTER)
            note_counter(into, block, desc->offset);
    }
}

void nu_stats_reset_counters(struct nu_stats *stats)
{
    nu_custom_stats_list(stats);
    for (struct nu_stat_layout *layout = stats->layouts; layout; layout = layout->next) {
        for (uint32_t i = 0; i < layout->set_count; i++) {
            if (layout->sets[i]->blocks && layout->sets[i]->height)
                reset_set(layout->sets[i]);
        }
    }
}
