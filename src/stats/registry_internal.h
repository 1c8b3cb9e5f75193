/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the registry, for the files that read and render it. Main thread, except where a
 * block is looked up or made.
 *
 *     nu_stats -> sets, sorted by prefix (a skip list, so that a new set costs a search)
 *     set -> layout (what its table looks like to a reader, shared by all sets of the table)
 *         -> blocks, one per thread that asked
 *         -> series (how it looks to Prometheus; found when first needed)
 *
 * A statistic within a set is named by its position: the index of its description, or, for a member
 * of a family of response codes, a number behind all of these.
 */
#ifndef NU_STATS_REGISTRY_INTERNAL_H
#define NU_STATS_REGISTRY_INTERNAL_H

#include <stdatomic.h>

#include "base/hash.h"
#include "stats/stats.h"
#include "stats/tags.h"
#include "stats/value_internal.h"

/* The three parts of a text or JSON rendering, in their order. */
enum nu_stat_phase {
    NU_STAT_PHASE_TEXTS,
    NU_STAT_PHASE_NUMBERS,
    NU_STAT_PHASE_HISTOGRAMS,
    NU_STAT_PHASE_COUNT
};

/* A table as a reader needs it. */
struct nu_stat_layout {
    const struct nu_stat_table *table;
    struct nu_stat_layout *next;
    struct nu_stat_set **sets; /* owned, in no order; the layout is freed with the last of them */
    uint32_t set_count;
    uint32_t set_cap;
    uint32_t positions;
    uint16_t *order[NU_STAT_PHASE_COUNT]; /* indexes of descriptions, by name */
    uint16_t order_count[NU_STAT_PHASE_COUNT];
    uint16_t *codes; /* indexes of the families of response codes */
    uint16_t code_count;
    uint16_t *histograms; /* indexes of the histograms */
    uint16_t histogram_count;
};

struct nu_stat_block {
    struct nu_stat_block *next;
    unsigned thread;
    _Alignas(16) unsigned char data[];
};

/* A histogram as of the last flush. */
struct nu_histogram_state {
    struct nu_histogram_snapshot *total;
    struct nu_histogram_snapshot *interval;
};

enum { NU_STAT_MAX_HEIGHT = 12 };

struct nu_stat_set {
    struct nu_stats *stats; /* borrowed */
    struct nu_stat_layout *layout;
    _Atomic(struct nu_stat_block *) blocks;
    /* What counters stood at when they were last reset; once there, it stays. */
    _Atomic(struct nu_stat_block *) baseline;
    struct nu_histogram_state *histograms; /* one per histogram of the layout; NULL before use */
    struct nu_series *series;              /* NULL until Prometheus first asks */
    char *labels;                          /* its label values there, a NUL behind each */
    uint32_t label_bytes;
    uint32_t refs;
    uint32_t index; /* in the sets of the layout */
    uint16_t prefix_len;
    uint8_t height;             /* 0 for a private set, which is in no list */
    atomic_bool is_marked;      /* its counters count as used, also where they are 0 */
    struct nu_stat_set *next[]; /* `height` links, then the prefix */
};

struct nu_stats {
    struct nu_stat_set *head[NU_STAT_MAX_HEIGHT];
    struct nu_stat_layout *layouts;
    struct nu_stat_tags *tags;
    struct nu_series_table *series;
    struct nu_custom_stats *custom; /* owned; NULL until a scope of them is made */
    uint64_t generation;            /* grows with every set that comes or goes */
    uint32_t height_seed;
    struct nu_histogram_bins *merge_bins; /* scratch of a flush */
};

static inline struct nu_str nu_stat_set_prefix(const struct nu_stat_set *set)
{
    return nu_str_make((const char *)&set->next[set->height], set->prefix_len);
}

/* Appends what comes before a statistic's own name: the prefix with its dot. A statistic without a
 * name of its own has the prefix for a name (stats/custom.h). */
static inline void nu_stat_set_add_prefix(const struct nu_stat_set *set, struct nu_strbuf *out)
{
    nu_strbuf_add(out, nu_stat_set_prefix(set));
    if (set->prefix_len && set->layout->table->descs[0].name_len)
        nu_strbuf_add_char(out, '.');
}

/* A set like `model`, a private set that lives longer, under a prefix, from any thread: it is seen
 * when the main thread has listed it. */
struct nu_stat_set *nu_stat_set_create_unlisted(const struct nu_stat_set *model,
                                                struct nu_str prefix);
void nu_stat_set_list(struct nu_stat_set *set);

/* The first set whose prefix is not below `prefix`, or NULL; its next[0] follow in order. */
struct nu_stat_set *nu_stats_lower_bound(const struct nu_stats *stats, struct nu_str prefix);

/* --- Layouts --- */

struct nu_stat_layout *nu_stat_layout_create(const struct nu_stat_table *table);
void nu_stat_layout_destroy(struct nu_stat_layout **layout);

/* --- Reading one statistic --- */

/* Enough for the name at any position. */
enum { NU_STAT_NAME_MAX = 256 + 16 };

/* The position of member `index` of the family `ordinal` (an index of layout->codes). */
static inline uint32_t nu_stat_code_position(const struct nu_stat_layout *layout, unsigned ordinal,
                                             unsigned index)
{
    return layout->table->count + ordinal * (unsigned)NU_CODE_INDEXES + index;
}

static inline const struct nu_stat_desc *nu_stat_desc_at(const struct nu_stat_layout *layout,
                                                         uint32_t position)
{
    const struct nu_stat_table *table = layout->table;
    if (position < table->count)
        return &table->descs[position];
    return &table->descs[layout->codes[(position - table->count) / NU_CODE_INDEXES]];
}

/* The name behind the prefix; written to `buffer` (NU_STAT_NAME_MAX) where it has to be made. */
struct nu_str nu_stat_name_at(const struct nu_stat_layout *layout, uint32_t position, char *buffer);

struct nu_stat_reading {
    uint64_t value;
    bool used;
};

/* Reads a counter or gauge: the sum over all threads. */
struct nu_stat_reading nu_stat_read(const struct nu_stat_set *set, uint32_t position);
/* The text at a position, empty if it was never set. */
struct nu_str nu_stat_read_text(const struct nu_stat_set *set, uint32_t position);
/* The histogram at a position, NULL before it was used. */
const struct nu_histogram_state *nu_stat_read_histogram(const struct nu_stat_set *set,
                                                        uint32_t position);
/* Whether the statistic is there at all: some are only once they were used. */
bool nu_stat_exists(const struct nu_stat_set *set, uint32_t position);
/* Whether a kind is only shown once it was used. */
bool nu_stat_kind_is_lazy(unsigned kind);
/* Which part of a rendering shows a kind; families of codes are numbers. */
enum nu_stat_phase nu_stat_kind_phase(unsigned kind);
/* The first member from `index` on that some thread may have counted, of the family `ordinal`. */
unsigned nu_stat_next_code(const struct nu_stat_set *set, unsigned ordinal, unsigned index);

#endif
