/* SPDX-License-Identifier: Apache-2.0 */
/* Reading values: sums over the blocks of all threads, less what a reset took off. */
#include "stats/registry_internal.h"

static const struct nu_stat_block *first_block(const struct nu_stat_set *set)
{
    return atomic_load_explicit(&set->blocks, memory_order_acquire);
}

static const struct nu_stat_block *baseline_of(const struct nu_stat_set *set)
{
    return atomic_load_explicit(&set->baseline, memory_order_acquire);
}

static const void *field(const struct nu_stat_block *block, size_t offset)
{
    return block->data + offset;
}

static struct nu_stat_reading read_counter(const struct nu_stat_set *set, size_t offset)
{
    uint64_t sum = 0;
    for (const struct nu_stat_block *block = first_block(set); block; block = block->next)
        sum += nu_counter_get(field(block, offset));
    const struct nu_stat_block *reset = baseline_of(set);
    uint64_t baseline = reset ? nu_counter_get(field(reset, offset)) : 0;
    bool used = sum != 0 || atomic_load_explicit(&set->is_marked, memory_order_relaxed);
    return (struct nu_stat_reading){.value = sum - baseline, .used = used};
}

static struct nu_stat_reading read_code(const struct nu_stat_set *set, size_t offset,
                                        unsigned index)
{
    uint64_t sum = 0;
    for (const struct nu_stat_block *block = first_block(set); block; block = block->next)
        sum += nu_codes_read(field(block, offset), index);
    const struct nu_stat_block *reset = baseline_of(set);
    uint64_t baseline = reset ? nu_codes_read(field(reset, offset), index) : 0;
    return (struct nu_stat_reading){.value = sum - baseline, .used = sum != 0};
}

/* Parts are read one after the other while they change, so a sum may be off by the changes of that
 * moment: below 0 it would look like a huge number. */
static struct nu_stat_reading read_gauge(const struct nu_stat_set *set, size_t offset,
                                         bool all_bits)
{
    uint64_t sum = 0;
    bool used = false;
    for (const struct nu_stat_block *block = first_block(set); block; block = block->next) {
        const struct nu_gauge *gauge = field(block, offset);
        sum += (uint64_t)nu_gauge_get(gauge);
        used |= atomic_load_explicit(&gauge->touched, memory_order_relaxed) != 0;
    }
    if (!all_bits && sum > INT64_MAX)
        sum = 0;
    return (struct nu_stat_reading){.value = sum, .used = used};
}

struct nu_stat_reading nu_stat_read(const struct nu_stat_set *set, uint32_t position)
{
    const struct nu_stat_table *table = set->layout->table;
    const struct nu_stat_desc *desc = nu_stat_desc_at(set->layout, position);
    if (desc->kind == NU_STAT_CODES)
        return read_code(set, desc->offset, (position - table->count) % NU_CODE_INDEXES);
    if (desc->kind == NU_STAT_GAUGE || desc->kind == NU_STAT_GAUGE64)
        return read_gauge(set, desc->offset, desc->kind == NU_STAT_GAUGE64);
    return read_counter(set, desc->offset);
}

struct nu_str nu_stat_read_text(const struct nu_stat_set *set, uint32_t position)
{
    const struct nu_stat_desc *desc = nu_stat_desc_at(set->layout, position);
    const struct nu_stat_block *block = first_block(set);
    while (block && block->thread != 0)
        block = block->next;
    if (!block)
        return NU_STR("");
    const struct nu_text *text = field(block, desc->offset);
    return text->value ? nu_str_from(text->value) : NU_STR("");
}

const struct nu_histogram_state *nu_stat_read_histogram(const struct nu_stat_set *set,
                                                        uint32_t position)
{
    if (!set->histograms)
        return NULL;
    unsigned ordinal = 0;
    while (set->layout->histograms[ordinal] != position)
        ordinal++;
    const struct nu_histogram_state *state = &set->histograms[ordinal];
    return state->total ? state : NULL;
}

static bool was_recorded(const struct nu_stat_set *set, size_t offset)
{
    for (const struct nu_stat_block *block = first_block(set); block; block = block->next) {
        const struct nu_histogram *histogram = field(block, offset);
        if (atomic_load_explicit(&histogram->table, memory_order_relaxed))
            return true;
    }
    return false;
}

bool nu_stat_exists(const struct nu_stat_set *set, uint32_t position)
{
    const struct nu_stat_desc *desc = nu_stat_desc_at(set->layout, position);
    if (!nu_stat_kind_is_lazy(desc->kind))
        return true;
    if (desc->kind == NU_STAT_LAZY_HISTOGRAM)
        return was_recorded(set, desc->offset);
    return nu_stat_read(set, position).used;
}

unsigned nu_stat_next_code(const struct nu_stat_set *set, unsigned ordinal, unsigned index)
{
    const struct nu_stat_layout *layout = set->layout;
    size_t offset = layout->table->descs[layout->codes[ordinal]].offset;
    unsigned next = NU_CODE_UNKNOWN;
    for (const struct nu_stat_block *block = first_block(set); block; block = block->next) {
        unsigned candidate = nu_codes_next(field(block, offset), index);
        next = candidate < next ? candidate : next;
    }
    return next;
}

uint64_t nu_stat_set_counter(const struct nu_stat_set *set, size_t offset)
{
    return read_counter(set, offset).value;
}

uint64_t nu_stat_set_gauge(const struct nu_stat_set *set, size_t offset)
{
    return read_gauge(set, offset, false).value;
}
