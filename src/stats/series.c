/* SPDX-License-Identifier: Apache-2.0 */
/* Series: which sets look alike to Prometheus, kept in the order of output. */
#include "stats/series_internal.h"

#include "base/alloc.h"
#include "stats/memory_internal.h"
#include "stats/rows.h"

struct nu_series_table *nu_series_table_create(void)
{
    return nu_calloc(1, sizeof(struct nu_series_table));
}

/* --- Series --- */

static void shape_unref(struct nu_series_table *table, struct nu_shape *shape)
{
    if (--shape->refs > 0)
        return;
    nu_map_remove(&table->shapes, shape->key);
    nu_shape_destroy(shape);
}

static void series_destroy(struct nu_series_table *table, struct nu_series *series)
{
    if (series->prev)
        series->prev->next = series->next;
    else
        table->first = series->next;
    if (series->next)
        series->next->prev = series->prev;
    for (uint16_t i = 0; i < series->shape->variant_count; i++)
        nu_free(series->prefixes[i]);
    nu_free(series->prefixes);
    shape_unref(table, series->shape);
    nu_free(nu_unconst(series->key.ptr));
    nu_free(series->sets);
    nu_free(series);
}

/* A series without sets is found no more, and freed if nobody may be looking at it. */
static void series_retire(struct nu_series_table *table, struct nu_series *series)
{
    nu_map_remove(&table->by_key, series->key);
    if (table->holds == 0)
        series_destroy(table, series);
    else
        table->has_empty = true;
}

void nu_series_table_hold(struct nu_series_table *table)
{
    table->holds++;
}

void nu_series_table_release(struct nu_series_table *table)
{
    if (--table->holds > 0 || !table->has_empty)
        return;
    table->has_empty = false;
    for (struct nu_series *series = table->first, *next; series; series = next) {
        next = series->next;
        if (series->set_count == 0)
            series_destroy(table, series);
    }
}

void nu_series_table_destroy(struct nu_series_table **table)
{
    struct nu_series_table *old = *table;
    while (old->first)
        series_destroy(old, old->first);
    nu_map_finish(&old->by_key);
    nu_map_finish(&old->shapes);
    nu_free(old);
    *table = NULL;
}

static char **split_texts(const struct nu_strbuf *texts, uint16_t count)
{
    char **out = nu_calloc(count, sizeof(*out));
    const char *at = texts->data;
    for (uint16_t i = 0; i < count; i++) {
        out[i] = nu_strdup(at);
        at += strlen(at) + 1;
    }
    return out;
}

static struct nu_series *series_create(struct nu_series_table *table, struct nu_shape *shape,
                                       const struct nu_shape_draft *draft, struct nu_str key)
{
    struct nu_series *series = nu_calloc(1, sizeof(*series));
    series->key = nu_str_make(nu_strndup(key.ptr, key.len), key.len);
    series->shape = shape;
    shape->refs++;
    series->prefixes = split_texts(&draft->variants, draft->variant_count);
    series->next = table->first;
    if (series->next)
        series->next->prev = series;
    table->first = series;
    nu_map_put(&table->by_key, series->key, series);
    return series;
}

static struct nu_shape *find_shape(struct nu_series_table *table, struct nu_shape_draft *draft,
                                   const struct nu_stat_layout *layout)
{
    struct nu_strbuf key = {0};
    nu_shape_draft_key(draft, &key);
    struct nu_shape *shape = nu_map_get(&table->shapes, nu_strbuf_str(&key));
    if (!shape) {
        shape = nu_shape_create(draft, layout, nu_strbuf_str(&key));
        nu_map_put(&table->shapes, shape->key, shape);
    }
    nu_strbuf_finish(&key);
    return shape;
}

/* The shape and the prefixes make the key. */
static struct nu_series *find_series(struct nu_series_table *table, struct nu_shape_draft *draft,
                                     const struct nu_stat_layout *layout)
{
    struct nu_shape *shape = find_shape(table, draft, layout);
    struct nu_strbuf key = {0};
    nu_strbuf_add(&key, nu_str_make((const char *)&shape, sizeof(void *)));
    nu_strbuf_add(&key, nu_strbuf_str(&draft->variants));
    struct nu_series *series = nu_map_get(&table->by_key, nu_strbuf_str(&key));
    if (!series)
        series = series_create(table, shape, draft, nu_strbuf_str(&key));
    nu_strbuf_finish(&key);
    return series;
}

/* --- Sets in a series --- */

size_t nu_series_above(const struct nu_series *series, struct nu_str prefix)
{
    size_t low = 0;
    size_t high = series->set_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (nu_stat_name_cmp(nu_stat_set_prefix(series->sets[middle]), prefix) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void series_add(struct nu_series *series, struct nu_stat_set *set)
{
    if (series->set_count == series->set_cap) {
        series->set_cap = series->set_cap * 2 + 1;
        series->sets = nu_realloc(series->sets, series->set_cap * sizeof(struct nu_stat_set *));
    }
    size_t at = nu_series_above(series, nu_stat_set_prefix(set));
    memmove(&series->sets[at + 1], &series->sets[at],
            (series->set_count - at) * sizeof(struct nu_stat_set *));
    series->sets[at] = set;
    series->set_count++;
}

size_t nu_series_classify(struct nu_stat_set *set)
{
    if (set->series)
        return 0;
    struct nu_shape_draft draft;
    nu_shape_draft_init(&draft, set);
    set->series = find_series(set->stats->series, &draft, set->layout);
    series_add(set->series, set);
    if (draft.value_count) {
        set->label_bytes = (uint32_t)draft.values.len;
        set->labels = nu_stat_alloc(draft.values.len);
        memcpy(set->labels, draft.values.data, draft.values.len);
    }
    size_t names = draft.sample_count;
    nu_shape_draft_finish(&draft);
    return names;
}

void nu_series_forget(struct nu_stat_set *set)
{
    struct nu_series *series = set->series;
    if (!series)
        return;
    size_t at = nu_series_above(series, nu_stat_set_prefix(set)) - 1;
    series->set_count--;
    memmove(&series->sets[at], &series->sets[at + 1],
            (series->set_count - at) * sizeof(struct nu_stat_set *));
    if (series->set_count == 0)
        series_retire(set->stats->series, series);
    nu_stat_free(set->labels, set->label_bytes);
    set->labels = NULL;
    set->series = NULL;
}

struct nu_str nu_series_value(const struct nu_stat_set *set, uint32_t index)
{
    const char *at = set->labels;
    while (index-- > 0)
        at += strlen(at) + 1;
    return nu_str_from(at);
}

void nu_stat_escape_label(struct nu_strbuf *out, struct nu_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"')
            nu_strbuf_add_char(out, '\\');
        if (c == '\n')
            nu_strbuf_add_cstr(out, "\\n");
        else
            nu_strbuf_add_char(out, c);
    }
}
