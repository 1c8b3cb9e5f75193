/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing by subsets. Each worker has a balancer for each subset that it has used, over the
 * subset's own host set; what that chooses is translated into an index of the whole set.
 */
#include "upstream/lb/lb_subset.h"

#include "base/alloc.h"
#include "stats/cluster_stats.h"
#include "upstream/cluster.h"

#define FALLBACK_LIST NU_STR("fallback_list")

/* Fields for criteria that are made on the way. */
struct fields {
    struct nu_value_field *items; /* owned */
    uint32_t cap;
};

struct subset_lb {
    struct nu_lb base;
    const struct nu_subset_settings *settings;
    const struct nu_subsets *subsets;
    struct fields merged;     /* with one of a list of fallbacks */
    struct fields filtered;   /* to the keys of a selector */
    struct nu_lb *children[]; /* by the subsets' numbers; NULL until used */
};

static struct nu_cluster_lb_stats *stats_of(const struct subset_lb *lb)
{
    return nu_cluster_local_lb_stats(lb->base.local);
}

/* A choice that was not accepted is made again, and was counted. */
static void count(const struct subset_lb *lb, struct nu_counter *counter)
{
    if (lb->base.attempt == 0)
        nu_counter_inc(counter);
}

/* --- Criteria --------------------------------------------------------------------------------- */

static struct nu_value_field *need_fields(struct fields *fields, uint32_t count)
{
    if (count > fields->cap) {
        fields->cap = count;
        fields->items = nu_realloc(fields->items, count * sizeof(*fields->items));
    }
    return fields->items;
}

static struct nu_value record_of(struct nu_value_field *fields, uint32_t count)
{
    return (struct nu_value){.type = NU_VALUE_STRUCT, .count = count, .fields = fields};
}

static bool has_key(const struct nu_subset_keys *keys, struct nu_str name)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (nu_str_eq(keys->names[i], name))
            return true;
    }
    return false;
}

/* Those of the fields that are among the keys. `criteria` may be what this made before. */
static struct nu_value filter(struct subset_lb *lb, const struct nu_value *criteria,
                              const struct nu_subset_keys *keys)
{
    struct nu_value_field *to = need_fields(&lb->filtered, criteria->count);
    const struct nu_value_field *from = criteria->fields;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < criteria->count; i++) {
        if (has_key(keys, from[i].name))
            to[kept++] = from[i];
    }
    return record_of(to, kept);
}

/* Both, sorted, without the list of fallbacks; what is in `over` goes before what is in `criteria`. */
static struct nu_value merge(struct subset_lb *lb, const struct nu_value *criteria,
                             const struct nu_value *over)
{
    uint32_t more = over && over->type == NU_VALUE_STRUCT ? over->count : 0;
    struct nu_value_field *to = need_fields(&lb->merged, criteria->count + more);
    uint32_t at = 0;
    for (uint32_t i = 0, j = 0; i < criteria->count || j < more;) {
        int order = i == criteria->count ? 1
                    : j == more          ? -1
                                : nu_str_cmp(criteria->fields[i].name, over->fields[j].name);
        if (order < 0 && nu_str_eq(criteria->fields[i].name, FALLBACK_LIST))
            i++;
        else if (order < 0)
            to[at++] = criteria->fields[i++];
        else
            to[at++] = over->fields[j++];
        i += order == 0;
    }
    return record_of(to, at);
}

static bool has_just(const struct nu_value *criteria, const struct nu_subset_keys *keys)
{
    if (criteria->count != keys->count)
        return false;
    for (uint32_t i = 0; i < criteria->count; i++) {
        if (!nu_str_eq(criteria->fields[i].name, keys->names[i]))
            return false;
    }
    return true;
}

static bool has_all(const struct nu_value *criteria, const struct nu_subset_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (!nu_value_get(criteria, keys->names[i]))
            return false;
    }
    return true;
}

/* The first selector whose keys are those of the criteria. */
static const struct nu_subset_selector *find_selector(const struct nu_subset_settings *settings,
                                                      const struct nu_value *criteria)
{
    for (size_t i = 0; i < settings->selector_count; i++) {
        if (has_just(criteria, &settings->selectors[i].keys))
            return &settings->selectors[i];
    }
    return NULL;
}

/* --- Choosing --------------------------------------------------------------------------------- */

static int32_t choose_in(struct subset_lb *lb, const struct nu_subset *subset,
                         const struct nu_lb_context *context)
{
    if (subset->is_single)
        return (int32_t)subset->indices[0];
    struct nu_lb **child = &lb->children[subset->number];
    if (nu_unlikely(!*child))
        *child = nu_lb_create(lb->settings->child, lb->base.local, subset->hosts);
    (*child)->attempt = lb->base.attempt;
    int32_t index = (*child)->cls->choose(*child, context);
    return index == NU_LB_NONE ? NU_LB_NONE : (int32_t)subset->indices[index];
}

static int32_t choose_fallback(struct subset_lb *lb, const struct nu_lb_context *context)
{
    const struct nu_subset_settings *settings = lb->settings;
    if (settings->fallback == NU_SUBSET_FALLBACK_NONE)
        return NU_LB_NONE;
    const struct nu_subset *any = nu_subsets_any(lb->subsets);
    bool is_any = settings->fallback == NU_SUBSET_FALLBACK_ANY;
    int32_t index = choose_in(lb, is_any ? any : nu_subsets_default(lb->subsets), context);
    if (index != NU_LB_NONE) {
        count(lb, &stats_of(lb)->lb_subsets_fallback);
    } else if (settings->panics_to_any) {
        index = choose_in(lb, any, context);
        if (index != NU_LB_NONE)
            count(lb, &stats_of(lb)->lb_subsets_fallback_panic);
    }
    return index;
}

static int32_t choose_by(struct subset_lb *lb, const struct nu_lb_context *context,
                         const struct nu_value *criteria);

static int32_t choose_by_selector(struct subset_lb *lb, const struct nu_subset_selector *selector,
                                  const struct nu_lb_context *context,
                                  const struct nu_value *criteria)
{
    struct nu_value fewer;
    switch (selector->fallback) {
    case NU_SUBSET_FALLBACK_UNDEFINED:
        return choose_fallback(lb, context);
    case NU_SUBSET_FALLBACK_NONE:
        break;
    case NU_SUBSET_FALLBACK_ANY:
        return choose_in(lb, nu_subsets_any(lb->subsets), context);
    case NU_SUBSET_FALLBACK_DEFAULT:
        return choose_in(lb, nu_subsets_default(lb->subsets), context);
    case NU_SUBSET_FALLBACK_KEYS: /* ends: there are fewer keys each time */
        fewer = filter(lb, criteria, &selector->fallback_keys);
        return choose_by(lb, context, &fewer);
    }
    return NU_LB_NONE;
}

/* Only what the first selector asks for whose keys are all there; else the criteria as they are. */
static struct nu_value without_redundant(struct subset_lb *lb, const struct nu_value *criteria)
{
    const struct nu_subset_settings *settings = lb->settings;
    for (size_t i = 0; i < settings->selector_count; i++) {
        if (has_all(criteria, &settings->selectors[i].keys))
            return filter(lb, criteria, &settings->selectors[i].keys);
    }
    return *criteria;
}

static int32_t choose_by(struct subset_lb *lb, const struct nu_lb_context *context,
                         const struct nu_value *criteria)
{
    struct nu_value reduced;
    if (!criteria)
        return choose_fallback(lb, context);
    if (nu_unlikely(lb->settings->drops_redundant_keys)) {
        reduced = without_redundant(lb, criteria);
        criteria = &reduced;
    }
    const struct nu_subset *subset = nu_subsets_find(lb->subsets, criteria);
    if (subset) {
        count(lb, &stats_of(lb)->lb_subsets_selected);
        return choose_in(lb, subset, context);
    }
    const struct nu_subset_selector *selector = find_selector(lb->settings, criteria);
    if (!selector)
        return choose_fallback(lb, context);
    return choose_by_selector(lb, selector, context, criteria);
}

/* The first of the listed criteria that finds a host. */
static int32_t choose_from_list(struct subset_lb *lb, const struct nu_lb_context *context,
                                const struct nu_value *list)
{
    uint32_t count = list->type == NU_VALUE_LIST ? list->count : 0;
    for (uint32_t i = 0; i < (count ? count : 1); i++) {
        struct nu_value criteria = merge(lb, context->criteria, count ? &list->items[i] : NULL);
        int32_t index = choose_by(lb, context, &criteria);
        if (index != NU_LB_NONE)
            return index;
    }
    return NU_LB_NONE;
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct subset_lb *lb = nu_container_of(base, struct subset_lb, base);
    if (nu_unlikely(lb->settings->has_fallback_list && context->criteria)) {
        const struct nu_value *list = nu_value_get(context->criteria, FALLBACK_LIST);
        if (list)
            return choose_from_list(lb, context, list);
    }
    return choose_by(lb, context, context->criteria);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Counts what changed since `before`. */
static void count_subsets(struct nu_cluster_lb_stats *stats, struct nu_subset_totals before,
                          struct nu_subset_totals now)
{
    uint64_t created = now.created - before.created;
    uint64_t removed = now.removed - before.removed;
    nu_counter_add(&stats->lb_subsets_created, created);
    nu_counter_add(&stats->lb_subsets_removed, removed);
    nu_gauge_add(&stats->lb_subsets_active, (int64_t)created - (int64_t)removed);
}

/* Every thread of Envoy's has subsets of its own, the main thread too, and counts them: here the
 * main thread counts what it makes, and each table what it is given. */
static void *share(const struct nu_cluster *cluster, const struct nu_host_set *set,
                   const struct nu_host_set_settings *settings)
{
    struct nu_subset_totals before = nu_subset_registry_totals(cluster->subset->registry);
    struct nu_subsets *subsets = nu_subsets_create(cluster, cluster->subset, set, settings);
    count_subsets(nu_stat_set_block(cluster->sets.lb), before, nu_subsets_totals(subsets));
    return subsets;
}

static void free_shared(void *shared)
{
    struct nu_subsets *subsets = shared;
    nu_subsets_destroy(&subsets);
}

static void count_for_table(struct nu_cluster_local *local, const struct nu_subsets *subsets)
{
    struct nu_subset_totals now = nu_subsets_totals(subsets);
    count_subsets(nu_cluster_local_lb_stats(local), local->subsets_counted, now);
    local->subsets_counted = now;
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *set)
{
    const struct nu_cluster *cluster = local->cluster;
    const struct nu_subsets *subsets = set->shared;
    size_t children = nu_subsets_count(subsets) * sizeof(struct nu_lb *);
    struct subset_lb *lb = nu_calloc(1, sizeof(*lb) + children);
    nu_lb_init(&lb->base, cluster->lb_class, local, set);
    lb->settings = cluster->subset;
    lb->subsets = subsets;
    count_for_table(local, subsets);
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct subset_lb *lb = nu_container_of(base, struct subset_lb, base);
    for (uint32_t i = 0; i < nu_subsets_count(lb->subsets); i++)
        nu_lb_destroy(&lb->children[i]);
    nu_free(lb->merged.items);
    nu_free(lb->filtered.items);
    nu_lb_finish(base);
    nu_free(lb);
}

const struct nu_lb_class *nu_subset_lb_class(const struct nu_subset_settings *settings,
                                             struct nu_arena *arena)
{
    struct nu_lb_class *cls = nu_arena_alloc(arena, sizeof(*cls));
    *cls = (struct nu_lb_class){
        .name = "subset",
        .counts_active = settings->child->counts_active,
        .uses_hash = settings->child->uses_hash,
        .uses_criteria = true,
        .share = share,
        .free_shared = free_shared,
        .create = create,
        .destroy = destroy,
        .choose = choose,
    };
    return cls;
}
