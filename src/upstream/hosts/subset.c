/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building subsets: every host is offered to every selector, and goes into the subset of the values
 * that it has for the selector's keys. A hash table finds subsets by their criteria.
 */
#include "upstream/hosts/subset_internal.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "stats/cluster_stats.h"
#include "upstream/cluster.h"

/* A subset on its way. */
struct draft {
    struct nu_value criteria; /* in the subsets' arena */
    uint64_t hash;
    uint32_t *members; /* indices of the whole set; owned */
    uint32_t count;
    uint32_t cap;
    uint32_t last_priority; /* where a subset of a single host got it */
    bool is_single;
};

struct nu_subsets {
    struct nu_arena arena; /* criteria */
    struct nu_subset *items;
    uint32_t count;
    const struct nu_subset *any;
    const struct nu_subset *fallback; /* the default subset */
    uint32_t *slots;                  /* of the table: numbers of items and 1; 0: free */
    uint32_t mask;
    struct nu_subset_totals totals;
};

struct builder {
    const struct nu_cluster *cluster;
    const struct nu_subset_settings *settings;
    const struct nu_host_set *set;
    const struct nu_host_set_settings *set_settings;
    struct nu_subsets *subsets;
    struct draft *drafts; /* owned */
    uint32_t count;
    uint32_t cap;
    uint32_t *slots; /* as in the outcome; owned */
    uint32_t mask;
    uint32_t duplicates;           /* hosts left out of subsets of a single one */
    struct nu_value_field *fields; /* of the host that is looked at; owned */
};

/* --- Criteria --------------------------------------------------------------------------------- */

static uint64_t join(uint64_t hash, uint64_t part)
{
    return (hash ^ part) * 0x9e3779b97f4a7c15u + (hash >> 32);
}

static uint64_t hash_value(const struct nu_value *value);

static uint64_t hash_fields(const struct nu_value *record)
{
    uint64_t hash = record->count;
    for (uint32_t i = 0; i < record->count; i++) {
        hash = join(hash, nu_hash(record->fields[i].name));
        hash = join(hash, hash_value(&record->fields[i].value));
    }
    return hash;
}

static uint64_t hash_items(const struct nu_value *list)
{
    uint64_t hash = list->count;
    for (uint32_t i = 0; i < list->count; i++)
        hash = join(hash, hash_value(&list->items[i]));
    return hash;
}

static uint64_t hash_number(double number)
{
    double same = number + 0.0; /* the two zeros are equal */
    return nu_hash(nu_str_make((const char *)&same, sizeof(same)));
}

static uint64_t hash_value(const struct nu_value *value)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
        return 1;
    case NU_VALUE_BOOL:
        return value->boolean ? 2 : 3;
    case NU_VALUE_NUMBER:
        return hash_number(value->number);
    case NU_VALUE_STRING:
        return nu_hash(nu_value_text(value));
    case NU_VALUE_LIST:
        return hash_items(value);
    case NU_VALUE_STRUCT:
        return hash_fields(value);
    }
    return 0;
}

/* --- Drafts ----------------------------------------------------------------------------------- */

static void place_draft(struct builder *builder, uint32_t number)
{
    uint32_t at = (uint32_t)builder->drafts[number].hash & builder->mask;
    while (builder->slots[at])
        at = (at + 1) & builder->mask;
    builder->slots[at] = number + 1;
}

/* Keeps the table at most half full. */
static void make_room(struct builder *builder)
{
    if (builder->slots && 2 * (builder->count + 1) <= builder->mask)
        return;
    nu_free(builder->slots);
    builder->mask = 2 * builder->mask + 1;
    builder->slots = nu_calloc((size_t)builder->mask + 1, sizeof(*builder->slots));
    for (uint32_t i = 0; i < builder->count; i++)
        place_draft(builder, i);
}

static struct draft *find_draft(struct builder *builder, const struct nu_value *criteria,
                                uint64_t hash)
{
    for (uint32_t at = (uint32_t)hash & builder->mask; builder->slots[at];
         at = (at + 1) & builder->mask) {
        struct draft *draft = &builder->drafts[builder->slots[at] - 1];
        if (draft->hash == hash && nu_value_eq(&draft->criteria, criteria))
            return draft;
    }
    return NULL;
}

static struct draft *add_draft(struct builder *builder)
{
    if (builder->count == builder->cap) {
        builder->cap = builder->cap ? builder->cap * 2 : 8;
        builder->drafts = nu_realloc(builder->drafts, builder->cap * sizeof(*builder->drafts));
    }
    struct draft *draft = &builder->drafts[builder->count++];
    *draft = (struct draft){.criteria = nu_value_struct()};
    return draft;
}

static struct draft *draft_of(struct builder *builder, const struct nu_value *criteria,
                              bool is_single)
{
    uint64_t hash = hash_fields(criteria);
    make_room(builder);
    struct draft *draft = find_draft(builder, criteria, hash);
    if (draft)
        return draft;
    draft = add_draft(builder);
    draft->criteria = nu_value_copy(criteria, &builder->subsets->arena);
    draft->hash = hash;
    draft->is_single = is_single;
    place_draft(builder, builder->count - 1);
    return draft;
}

static void add_member(struct draft *draft, uint32_t index)
{
    if (draft->count && draft->members[draft->count - 1] == index)
        return; /* by another selector or value */
    if (draft->count == draft->cap) {
        draft->cap = draft->cap ? draft->cap * 2 : 4;
        draft->members = nu_realloc(draft->members, draft->cap * sizeof(*draft->members));
    }
    draft->members[draft->count++] = index;
}

/* A subset of a single host takes one of each priority, the first of which is used. */
static void offer(struct builder *builder, struct draft *draft, uint32_t index)
{
    uint32_t priority = nu_host_priority(builder->set->hosts[index]);
    if (!draft->is_single)
        add_member(draft, index);
    else if (draft->count && draft->last_priority == priority)
        builder->duplicates++;
    else if (draft->count == 0)
        add_member(draft, index);
    draft->last_priority = priority;
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static const struct nu_value *labels_of(const struct nu_host *host)
{
    return nu_metadata_find(nu_host_metadata(host), NU_STR("envoy.lb"), NULL, 0);
}

/* The host's values for the selector's keys from the n-th on; a list may stand for several. */
static void offer_by(struct builder *builder, const struct nu_subset_selector *selector, size_t n,
                     uint32_t index)
{
    if (n == selector->keys.count) {
        struct nu_value criteria = {.type = NU_VALUE_STRUCT, .count = (uint32_t)n};
        criteria.fields = builder->fields;
        offer(builder, draft_of(builder, &criteria, selector->is_single), index);
        return;
    }
    const struct nu_value *value =
        nu_value_get(labels_of(builder->set->hosts[index]), selector->keys.names[n]);
    if (!value)
        return;
    bool is_any = builder->settings->list_is_any && value->type == NU_VALUE_LIST;
    builder->fields[n].name = selector->keys.names[n];
    for (uint32_t i = 0; i < (is_any ? value->count : 1); i++) {
        builder->fields[n].value = is_any ? value->items[i] : *value;
        offer_by(builder, selector, n + 1, index);
    }
}

static bool has_value(const struct nu_value *found, const struct nu_value *wanted, bool list_is_any)
{
    if (!found)
        return false;
    if (!list_is_any || found->type != NU_VALUE_LIST)
        return nu_value_eq(found, wanted);
    for (uint32_t i = 0; i < found->count; i++) {
        if (nu_value_eq(&found->items[i], wanted))
            return true;
    }
    return false;
}

static bool is_in_default(const struct nu_subset_settings *settings, const struct nu_host *host)
{
    const struct nu_value *wanted = &settings->default_subset;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct nu_value_field *field = &wanted->fields[i];
        if (!has_value(nu_value_get(labels_of(host), field->name), &field->value,
                       settings->list_is_any))
            return false;
    }
    return true;
}

static void offer_to_selectors(struct builder *builder)
{
    const struct nu_subset_settings *settings = builder->settings;
    size_t most = 0;
    for (size_t i = 0; i < settings->selector_count; i++)
        most = nu_max_size(most, settings->selectors[i].keys.count);
    builder->fields = nu_alloc((most + 1) * sizeof(*builder->fields));
    for (uint32_t index = 0; index < builder->set->count; index++) {
        for (size_t i = 0; i < settings->selector_count; i++)
            offer_by(builder, &settings->selectors[i], 0, index);
    }
    nu_free(builder->fields);
}

static void draft_any(struct builder *builder)
{
    struct draft *draft = add_draft(builder);
    for (uint32_t index = 0; index < builder->set->count; index++)
        add_member(draft, index);
}

static void draft_default(struct builder *builder)
{
    struct draft *draft = add_draft(builder);
    for (uint32_t index = 0; index < builder->set->count; index++) {
        if (is_in_default(builder->settings, builder->set->hosts[index]))
            add_member(draft, index);
    }
}

/* --- The whole -------------------------------------------------------------------------------- */

static struct nu_host_set *make_set(const struct builder *builder, const struct draft *draft)
{
    struct nu_host **hosts = nu_alloc((draft->count + 1) * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < draft->count; i++)
        hosts[i] = builder->set->hosts[draft->members[i]];
    struct nu_host_set *set = nu_host_set_create(hosts, draft->count);
    nu_free(hosts);
    nu_host_set_take_assignment(set, nu_subset_assignment(builder->settings, builder->set, set));
    nu_lb_prepare(builder->settings->child, builder->cluster, set, builder->set_settings);
    return set;
}

static void finish_draft(struct builder *builder, uint32_t number)
{
    struct draft *draft = &builder->drafts[number];
    builder->subsets->items[number] = (struct nu_subset){
        .criteria = draft->criteria,
        .hosts = make_set(builder, draft),
        .indices = draft->members,
        .number = number,
        .is_single = draft->is_single,
    };
}

struct nu_subsets *nu_subsets_create(const struct nu_cluster *cluster,
                                     const struct nu_subset_settings *settings,
                                     const struct nu_host_set *set,
                                     const struct nu_host_set_settings *set_settings)
{
    struct nu_subsets *subsets = nu_calloc(1, sizeof(*subsets));
    struct builder builder = {
        .cluster = cluster,
        .settings = settings,
        .set = set,
        .set_settings = set_settings,
        .subsets = subsets,
        .mask = 3,
    };
    nu_arena_init(&subsets->arena);
    offer_to_selectors(&builder);
    uint32_t of_selectors = builder.count;
    if (settings->needs_any)
        draft_any(&builder);
    if (settings->needs_default)
        draft_default(&builder);
    subsets->count = builder.count;
    subsets->items = nu_calloc(builder.count + 1, sizeof(*subsets->items));
    for (uint32_t i = 0; i < builder.count; i++)
        finish_draft(&builder, i);
    subsets->any = settings->needs_any ? &subsets->items[of_selectors] : NULL;
    subsets->fallback = settings->needs_default ? &subsets->items[builder.count - 1] : NULL;
    subsets->slots = builder.slots;
    subsets->mask = builder.mask;
    subsets->totals = nu_subset_registry_note(settings->registry, subsets->items, of_selectors);
    struct nu_subset_stats *stats = nu_stat_set_block(settings->stats);
    nu_gauge_set(&stats->lb_subsets_single_host_per_subset_duplicate, builder.duplicates);
    nu_free(builder.drafts);
    return subsets;
}

void nu_subsets_destroy(struct nu_subsets **subsets_ptr)
{
    struct nu_subsets *subsets = *subsets_ptr;
    if (!subsets)
        return;
    *subsets_ptr = NULL;
    for (uint32_t i = 0; i < subsets->count; i++) {
        nu_host_set_unref(subsets->items[i].hosts);
        nu_free(subsets->items[i].indices);
    }
    nu_free(subsets->items);
    nu_free(subsets->slots);
    nu_arena_finish(&subsets->arena);
    nu_free(subsets);
}

uint32_t nu_subsets_count(const struct nu_subsets *subsets)
{
    return subsets->count;
}

const struct nu_subset *nu_subsets_find(const struct nu_subsets *subsets,
                                        const struct nu_value *criteria)
{
    if (!subsets->slots)
        return NULL;
    for (uint32_t at = (uint32_t)hash_fields(criteria) & subsets->mask; subsets->slots[at];
         at = (at + 1) & subsets->mask) {
        const struct nu_subset *subset = &subsets->items[subsets->slots[at] - 1];
        if (nu_value_eq(&subset->criteria, criteria))
            return subset;
    }
    return NULL;
}

const struct nu_subset *nu_subsets_any(const struct nu_subsets *subsets)
{
    return subsets->any;
}

const struct nu_subset *nu_subsets_default(const struct nu_subsets *subsets)
{
    return subsets->fallback;
}

struct nu_subset_totals nu_subsets_totals(const struct nu_subsets *subsets)
{
    return subsets->totals;
}
