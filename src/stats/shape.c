/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes: applying the tag rules to the names of one set, and sorting what comes out by metric. The
 * draft holds what was found for one set; a shape is made of it only if it is the first of its
 * kind.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "stats/memory_internal.h"
#include "stats/rows.h"
#include "stats/series_internal.h"

/* Of a family of response codes these are looked at: of each class a code and the total,
 * "unknown". */
enum { SAMPLES_PER_FAMILY = NU_CODE_CLASSES * 2 + 1 };

static uint32_t sample_count(const struct nu_stat_layout *layout)
{
    return layout->table->count + layout->code_count * (uint32_t)SAMPLES_PER_FAMILY;
}

static uint32_t sample_of(const struct nu_stat_table *table, uint32_t position)
{
    if (position < table->count)
        return position;
    uint32_t family = (position - table->count) / NU_CODE_INDEXES;
    uint32_t index = (position - table->count) % NU_CODE_INDEXES;
    uint32_t sample = SAMPLES_PER_FAMILY - 1;
    if (index != NU_CODE_UNKNOWN)
        sample = index / NU_CODE_INDEXES_PER_CLASS * 2 +
                 (index % NU_CODE_INDEXES_PER_CLASS == NU_CODE_CLASS_TOTAL);
    return table->count + family * SAMPLES_PER_FAMILY + sample;
}

static uint32_t position_of_sample(const struct nu_stat_layout *layout, uint32_t sample)
{
    if (sample < layout->table->count)
        return sample;
    sample -= layout->table->count;
    uint32_t family = sample / SAMPLES_PER_FAMILY;
    uint32_t within = sample % SAMPLES_PER_FAMILY;
    uint32_t index = NU_CODE_UNKNOWN;
    if (within < NU_CODE_CLASSES * 2)
        index = within / 2 * NU_CODE_INDEXES_PER_CLASS + within % 2 * NU_CODE_CLASS_TOTAL;
    return nu_stat_code_position(layout, family, index);
}

const struct nu_pattern *nu_shape_pattern(const struct nu_shape *shape, uint32_t position)
{
    return shape->patterns[shape->sample_patterns[sample_of(shape->table, position)]];
}

/* --- Taking names apart --- */

static size_t pattern_bytes(uint16_t labels, uint16_t cuts)
{
    return sizeof(struct nu_pattern) + labels * sizeof(struct nu_label) +
           cuts * sizeof(struct nu_pattern_cut);
}

static size_t bytes_of(const struct nu_pattern *pattern)
{
    return pattern_bytes(pattern->label_count, pattern->cut_count);
}

static struct nu_pattern_cut *cuts_of(const struct nu_pattern *pattern)
{
    return nu_unconst(&pattern->labels[pattern->label_count]);
}

/* The number of a text in a row of texts with a NUL behind each; adds it if it is not there. */
static uint32_t intern_text(struct nu_strbuf *texts, uint32_t count, struct nu_str text)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(texts->data + at);
        if (nu_str_eq(nu_str_make(texts->data + at, len), text))
            return i;
        at += len + 1;
    }
    nu_strbuf_add(texts, text);
    nu_strbuf_add_char(texts, '\0');
    return count;
}

struct name {
    struct nu_str full;
    size_t base; /* where the statistic's own name begins */
};

/* What is left of the prefix, its dot included. */
static uint16_t draft_variant(struct nu_shape_draft *draft, const struct nu_stat_tagging *tagging,
                              const struct name *name)
{
    struct nu_strbuf kept = {0};
    nu_stat_tags_keep(tagging, nu_str_first(name->full, name->base), 0, &kept);
    uint32_t variant = intern_text(&draft->variants, draft->variant_count, nu_strbuf_str(&kept));
    if (variant == draft->variant_count)
        draft->variant_count++;
    nu_strbuf_finish(&kept);
    return (uint16_t)variant;
}

static uint32_t draft_value(struct nu_shape_draft *draft, struct nu_str value)
{
    struct nu_strbuf escaped = {0};
    nu_stat_escape_label(&escaped, value);
    uint32_t number = intern_text(&draft->values, draft->value_count, nu_strbuf_str(&escaped));
    if (number == draft->value_count)
        draft->value_count++;
    nu_strbuf_finish(&escaped);
    return number;
}

static bool is_inside(struct nu_str whole, struct nu_str part)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

/* A value that lies in the statistic's own name is the same for all sets, any other is this
 * set's. */
static struct nu_label draft_label(struct nu_shape_draft *draft, const struct nu_stat_tag *tag,
                                   const struct name *name)
{
    struct nu_label label;
    memset(&label, 0, sizeof(label));
    label.label = tag->label;
    if (!is_inside(name->full, tag->value)) {
        label.source = NU_LABEL_FIXED;
        label.fixed = tag->value;
    } else if (tag->value.ptr >= name->full.ptr + name->base) {
        label.source = NU_LABEL_OF_NAME;
        label.at = (uint32_t)(tag->value.ptr - name->full.ptr - (ptrdiff_t)name->base);
        label.len = (uint32_t)tag->value.len;
    } else {
        label.source = NU_LABEL_OF_SET;
        label.at = draft_value(draft, tag->value);
    }
    return label;
}

static void draft_cuts(struct nu_pattern *pattern, const struct nu_stat_tagging *tagging,
                       size_t base)
{
    struct nu_pattern_cut *cuts = cuts_of(pattern);
    for (size_t i = 0; i < tagging->cut_count; i++) {
        const struct nu_stat_cut *cut = &tagging->cuts[i];
        if (cut->end > base)
            cuts[pattern->cut_count++] = (struct nu_pattern_cut){
                (uint32_t)(nu_max_size(cut->begin, base) - base), (uint32_t)(cut->end - base)};
    }
}

static struct nu_pattern *draft_pattern(struct nu_shape_draft *draft,
                                        const struct nu_stat_tagging *tagging,
                                        const struct name *name)
{
    struct nu_pattern *pattern =
        nu_calloc(1, pattern_bytes((uint16_t)tagging->tag_count, (uint16_t)tagging->cut_count));
    pattern->variant = draft_variant(draft, tagging, name);
    for (size_t i = 0; i < tagging->tag_count; i++)
        pattern->labels[pattern->label_count++] = draft_label(draft, &tagging->tags[i], name);
    draft_cuts(pattern, tagging, name->base);
    return pattern;
}

static uint16_t intern_pattern(struct nu_shape_draft *draft, struct nu_pattern *pattern)
{
    for (uint16_t i = 0; i < draft->pattern_count; i++) {
        const struct nu_pattern *other = draft->patterns[i];
        if (bytes_of(other) == bytes_of(pattern) && !memcmp(other, pattern, bytes_of(pattern))) {
            nu_free(pattern);
            return i;
        }
    }
    draft->patterns =
        nu_realloc(draft->patterns, (draft->pattern_count + 1u) * sizeof(struct nu_pattern *));
    draft->patterns[draft->pattern_count] = pattern;
    return draft->pattern_count++;
}

void nu_shape_draft_init(struct nu_shape_draft *draft, const struct nu_stat_set *set)
{
    const struct nu_stat_layout *layout = set->layout;
    *draft = (struct nu_shape_draft){.table = layout->table, .sample_count = sample_count(layout)};
    draft->sample_patterns = nu_calloc(draft->sample_count, sizeof(uint16_t));
    struct nu_strbuf full = {0};
    nu_stat_set_add_prefix(set, &full);
    size_t base = full.len;
    for (uint32_t sample = 0; sample < draft->sample_count; sample++) {
        char buffer[NU_STAT_NAME_MAX];
        full.len = base;
        nu_strbuf_add(&full, nu_stat_name_at(layout, position_of_sample(layout, sample), buffer));
        struct name name = {nu_strbuf_str(&full), base};
        const struct nu_stat_tagging *tagging = nu_stat_tags_extract(set->stats->tags, name.full);
        draft->sample_patterns[sample] =
            intern_pattern(draft, draft_pattern(draft, tagging, &name));
    }
    nu_strbuf_finish(&full);
}

void nu_shape_draft_finish(struct nu_shape_draft *draft)
{
    for (uint16_t i = 0; i < draft->pattern_count; i++)
        nu_free(draft->patterns[i]);
    nu_free(draft->patterns);
    nu_free(draft->sample_patterns);
    nu_strbuf_finish(&draft->variants);
    nu_strbuf_finish(&draft->values);
}

void nu_shape_draft_key(const struct nu_shape_draft *draft, struct nu_strbuf *out)
{
    nu_strbuf_add(out, nu_str_make((const char *)&draft->table, sizeof(draft->table)));
    nu_strbuf_add(out, nu_str_make((const char *)draft->sample_patterns,
                                   draft->sample_count * sizeof(uint16_t)));
    for (uint16_t i = 0; i < draft->pattern_count; i++)
        nu_strbuf_add(out,
                      nu_str_make((const char *)draft->patterns[i], bytes_of(draft->patterns[i])));
}

/* --- Sorting by metric --- */

enum nu_metric_kind nu_stat_metric_kind(unsigned kind)
{
    switch ((enum nu_stat_kind)kind) {
    case NU_STAT_GAUGE:
    case NU_STAT_GAUGE64:
        return NU_METRIC_GAUGE;
    case NU_STAT_TEXT:
        return NU_METRIC_TEXT;
    case NU_STAT_HISTOGRAM:
    case NU_STAT_LAZY_HISTOGRAM:
        return NU_METRIC_HISTOGRAM;
    case NU_STAT_COUNTER:
    case NU_STAT_LAZY_COUNTER:
    case NU_STAT_CODES:
    case NU_STAT_KIND_COUNT:
        break;
    }
    return NU_METRIC_COUNTER;
}

static int order_of(unsigned char c)
{
    return c == '.' ? -1 : c;
}

int nu_stat_name_cmp(struct nu_str a, struct nu_str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.ptr[i] != b.ptr[i])
            return order_of((unsigned char)a.ptr[i]) - order_of((unsigned char)b.ptr[i]);
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* A position on its way to its metric. */
struct item {
    enum nu_metric_kind kind;
    uint16_t variant;
    char *suffix; /* owned */
    uint32_t position;
};

static bool same_metric(const struct item *a, const struct item *b)
{
    return a->kind == b->kind && a->variant == b->variant && strcmp(a->suffix, b->suffix) == 0;
}

/* By metric, and within one by the names as they are: tables are in the order of their use. */
static int compare_items(const void *left, const void *right, void *arg)
{
    const struct item *a = left;
    const struct item *b = right;
    const struct nu_stat_layout *layout = arg;
    char name_a[NU_STAT_NAME_MAX];
    char name_b[NU_STAT_NAME_MAX];
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->variant != b->variant)
        return a->variant < b->variant ? -1 : 1;
    int order = nu_stat_name_cmp(nu_str_from(a->suffix), nu_str_from(b->suffix));
    if (order != 0)
        return order;
    return nu_str_cmp(nu_stat_name_at(layout, a->position, name_a),
                      nu_stat_name_at(layout, b->position, name_b));
}

/* A name without what the pattern cuts out. */
static char *kept_suffix(const struct nu_pattern *pattern, struct nu_str name)
{
    struct nu_strbuf kept = {0};
    const struct nu_pattern_cut *cuts = cuts_of(pattern);
    size_t at = 0;
    for (uint16_t i = 0; i < pattern->cut_count; i++) {
        nu_strbuf_add(&kept, nu_str_first(nu_str_skip(name, at), cuts[i].begin - at));
        at = cuts[i].end;
    }
    nu_strbuf_add(&kept, nu_str_skip(name, at));
    return nu_strbuf_take(&kept);
}

static uint32_t collect_items(const struct nu_shape *shape, const struct nu_stat_layout *layout,
                              struct item *items)
{
    uint32_t count = 0;
    for (uint32_t position = 0; position < layout->positions; position++) {
        char buffer[NU_STAT_NAME_MAX];
        unsigned kind = nu_stat_desc_at(layout, position)->kind;
        if (position < layout->table->count && kind == NU_STAT_CODES)
            continue; /* the family itself is no statistic */
        const struct nu_pattern *pattern = nu_shape_pattern(shape, position);
        items[count++] = (struct item){
            .kind = nu_stat_metric_kind(kind),
            .variant = pattern->variant,
            .suffix = kept_suffix(pattern, nu_stat_name_at(layout, position, buffer)),
            .position = position,
        };
    }
    return count;
}

/* The metrics of a kind and variant stand side by side. */
static void note_range(struct nu_shape *shape, const struct item *item)
{
    struct nu_metric_range *range =
        &shape->ranges[item->kind * (unsigned)shape->variant_count + item->variant];
    if (range->count++ == 0)
        range->first = shape->metric_count;
}

static void group_items(struct nu_shape *shape, const struct item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct nu_metric *last = &shape->metrics[shape->metric_count - (i > 0)];
        shape->positions[i] = items[i].position;
        if (i > 0 && same_metric(&items[last->first], &items[i])) {
            last->count++;
            nu_free(items[i].suffix);
            continue;
        }
        note_range(shape, &items[i]);
        shape->metrics[shape->metric_count++] =
            (struct nu_metric){.suffix = items[i].suffix, .first = i, .count = 1};
    }
    /* most families of codes end up in three metrics */
    shape->metrics = nu_realloc(shape->metrics, shape->metric_count * sizeof(*shape->metrics));
}

static void sort_by_metric(struct nu_shape *shape, const struct nu_stat_layout *layout)
{
    struct item *items = nu_calloc(layout->positions, sizeof(*items));
    uint32_t count = collect_items(shape, layout, items);
    qsort_r(items, count, sizeof(*items), compare_items, nu_unconst(layout));
    shape->positions = nu_calloc(count, sizeof(*shape->positions));
    shape->metrics = nu_calloc(count, sizeof(*shape->metrics));
    shape->ranges =
        nu_calloc((size_t)NU_METRIC_KIND_COUNT * shape->variant_count, sizeof(*shape->ranges));
    group_items(shape, items, count);
    nu_free(items);
}

struct nu_shape *nu_shape_create(struct nu_shape_draft *draft, const struct nu_stat_layout *layout,
                                 struct nu_str key)
{
    struct nu_shape *shape = nu_calloc(1, sizeof(*shape));
    shape->key = nu_str_make(nu_strndup(key.ptr, key.len), key.len);
    shape->table = draft->table;
    shape->variant_count = draft->variant_count;
    shape->pattern_count = draft->pattern_count;
    shape->patterns = draft->patterns;
    shape->sample_patterns = draft->sample_patterns;
    draft->patterns = NULL;
    draft->pattern_count = 0;
    draft->sample_patterns = NULL;
    sort_by_metric(shape, layout);
    return shape;
}

void nu_shape_destroy(struct nu_shape *shape)
{
    for (uint32_t i = 0; i < shape->metric_count; i++)
        nu_free(shape->metrics[i].suffix);
    for (uint16_t i = 0; i < shape->pattern_count; i++)
        nu_free(shape->patterns[i]);
    nu_free(shape->patterns);
    nu_free(shape->sample_patterns);
    nu_free(shape->positions);
    nu_free(shape->metrics);
    nu_free(shape->ranges);
    nu_free(nu_unconst(shape->key.ptr));
    nu_free(shape);
}
