/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts: a table's statistics sorted by name and sorted out by kind. */
#include <stdlib.h>

#include "base/assert.h"
#include "stats/memory_internal.h"
#include "stats/registry_internal.h"

bool nu_stat_kind_is_lazy(unsigned kind)
{
    return kind == NU_STAT_LAZY_COUNTER || kind == NU_STAT_LAZY_HISTOGRAM || kind == NU_STAT_CODES;
}

enum nu_stat_phase nu_stat_kind_phase(unsigned kind)
{
    switch ((enum nu_stat_kind)kind) {
    case NU_STAT_TEXT:
        return NU_STAT_PHASE_TEXTS;
    case NU_STAT_HISTOGRAM:
    case NU_STAT_LAZY_HISTOGRAM:
        return NU_STAT_PHASE_HISTOGRAMS;
    case NU_STAT_COUNTER:
    case NU_STAT_GAUGE:
    case NU_STAT_GAUGE64:
    case NU_STAT_LAZY_COUNTER:
    case NU_STAT_CODES:
    case NU_STAT_KIND_COUNT:
        break;
    }
    return NU_STAT_PHASE_NUMBERS;
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const struct nu_stat_desc *descs = arg;
    return strcmp(descs[*(const uint16_t *)a].name, descs[*(const uint16_t *)b].name);
}

static size_t index_bytes(const struct nu_stat_table *table)
{
    return table->count * sizeof(uint16_t);
}

static void sort_phase(struct nu_stat_layout *layout, enum nu_stat_phase phase)
{
    const struct nu_stat_table *table = layout->table;
    uint16_t *order = nu_stat_alloc(index_bytes(table));
    uint16_t count = 0;
    for (uint16_t i = 0; i < table->count; i++) {
        uint8_t kind = table->descs[i].kind;
        if (kind != NU_STAT_CODES && nu_stat_kind_phase(kind) == phase)
            order[count++] = i;
    }
    qsort_r(order, count, sizeof(*order), compare_names, nu_unconst(table->descs));
    layout->order[phase] = order;
    layout->order_count[phase] = count;
}

struct nu_stat_layout *nu_stat_layout_create(const struct nu_stat_table *table)
{
    struct nu_stat_layout *layout = nu_stat_alloc(sizeof(*layout));
    layout->table = table;
    for (unsigned phase = 0; phase < NU_STAT_PHASE_COUNT; phase++)
        sort_phase(layout, phase);
    layout->codes = nu_stat_alloc(index_bytes(table));
    layout->histograms = nu_stat_alloc(index_bytes(table));
    for (uint16_t i = 0; i < table->count; i++) {
        const struct nu_stat_desc *desc = &table->descs[i];
        nu_assert(desc->offset < table->block_size && desc->kind < NU_STAT_KIND_COUNT);
        if (desc->kind == NU_STAT_CODES)
            layout->codes[layout->code_count++] = i;
        else if (nu_stat_kind_phase(desc->kind) == NU_STAT_PHASE_HISTOGRAMS)
            layout->histograms[layout->histogram_count++] = i;
    }
    layout->positions = nu_stat_code_position(layout, layout->code_count, 0);
    return layout;
}

void nu_stat_layout_destroy(struct nu_stat_layout **layout)
{
    struct nu_stat_layout *old = *layout;
    if (!old)
        return;
    size_t bytes = index_bytes(old->table);
    for (unsigned phase = 0; phase < NU_STAT_PHASE_COUNT; phase++)
        nu_stat_free(old->order[phase], bytes);
    nu_stat_free(old->codes, bytes);
    nu_stat_free(old->histograms, bytes);
    nu_stat_free(old, sizeof(*old));
    *layout = NULL;
}

struct nu_str nu_stat_name_at(const struct nu_stat_layout *layout, uint32_t position, char *buffer)
{
    const struct nu_stat_desc *desc = nu_stat_desc_at(layout, position);
    if (position < layout->table->count)
        return nu_str_make(desc->name, desc->name_len);
    size_t len = desc->name_len;
    memcpy(buffer, desc->name, len);
    buffer[len++] = '_';
    unsigned index = (position - layout->table->count) % NU_CODE_INDEXES;
    if (index == NU_CODE_UNKNOWN) {
        memcpy(buffer + len, "unknown", 7);
        return nu_str_make(buffer, len + 7);
    }
    unsigned code = index % NU_CODE_INDEXES_PER_CLASS;
    buffer[len] = (char)('1' + index / NU_CODE_INDEXES_PER_CLASS);
    buffer[len + 1] = code == NU_CODE_CLASS_TOTAL ? 'x' : (char)('0' + code / 10);
    buffer[len + 2] = code == NU_CODE_CLASS_TOTAL ? 'x' : (char)('0' + code % 10);
    return nu_str_make(buffer, len + 3);
}
