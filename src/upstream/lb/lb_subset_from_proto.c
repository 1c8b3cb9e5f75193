/* SPDX-License-Identifier: Apache-2.0 */
/* Reading how hosts are divided into subsets. */
#include <stdlib.h>

#include "config/struct.h"
#include "stats/cluster_stats.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/lb_subset.h"

typedef Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig config_proto;
typedef Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig__LbSubsetSelector selector_proto;

#define FALLBACK(name) \
    ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_FALLBACK_POLICY__##name
#define SELECTOR_FALLBACK(name) \
    ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_SELECTOR__LB_SUBSET_SELECTOR_FALLBACK_POLICY__##name

/* --- Keys ------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return nu_str_cmp(*(const struct nu_str *)a, *(const struct nu_str *)b);
}

static struct nu_subset_keys read_keys(struct nu_arena *arena, const char *const *texts,
                                       size_t count)
{
    struct nu_str *names = nu_arena_alloc(arena, (count + 1) * sizeof(*names));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        names[i] = nu_arena_dup(arena, nu_str_from(texts[i]));
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !nu_str_eq(names[kept - 1], names[i]))
            names[kept++] = names[i];
    }
    return (struct nu_subset_keys){names, kept};
}

static bool has_key(const struct nu_subset_keys *keys, struct nu_str name)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (nu_str_eq(keys->names[i], name))
            return true;
    }
    return false;
}

static bool has_all(const struct nu_subset_keys *keys, const struct nu_subset_keys *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!has_key(keys, wanted->names[i]))
            return false;
    }
    return true;
}

static bool begins_with(const struct nu_subset_keys *keys, const struct nu_subset_keys *first)
{
    for (size_t i = 0; i < first->count; i++) {
        if (i == keys->count || !nu_str_eq(keys->names[i], first->names[i]))
            return false;
    }
    return true;
}

/* --- Selectors -------------------------------------------------------------------------------- */

static enum nu_subset_fallback selector_fallback(const selector_proto *proto)
{
    switch (proto->fallback_policy) {
    case SELECTOR_FALLBACK(NO_FALLBACK):
        return NU_SUBSET_FALLBACK_NONE;
    case SELECTOR_FALLBACK(ANY_ENDPOINT):
        return NU_SUBSET_FALLBACK_ANY;
    case SELECTOR_FALLBACK(DEFAULT_SUBSET):
        return NU_SUBSET_FALLBACK_DEFAULT;
    case SELECTOR_FALLBACK(KEYS_SUBSET):
        return NU_SUBSET_FALLBACK_KEYS;
    default:
        return NU_SUBSET_FALLBACK_UNDEFINED;
    }
}

static void check_selector(struct nu_factory *factory, const struct nu_subset_selector *selector,
                           const selector_proto *proto)
{
    const char *wrong = NULL;
    if (selector->fallback != NU_SUBSET_FALLBACK_KEYS)
        wrong = selector->fallback_keys.count
                    ? "fallback_keys_subset can be set only for KEYS_SUBSET fallback_policy"
                    : NULL;
    else if (selector->fallback_keys.count == 0)
        wrong = "fallback_keys_subset cannot be empty";
    else if (!has_all(&selector->keys, &selector->fallback_keys))
        wrong = "fallback_keys_subset must be a subset of selector keys";
    else if (selector->keys.count == selector->fallback_keys.count)
        wrong = "fallback_keys_subset cannot be equal to keys";
    if (wrong)
        nu_config_error(factory->ctx, proto, "fallback_keys_subset", "%s", wrong);
}

/* As in Envoy, whose selectors make a tree: an earlier one that begins with the same keys keeps the
 * fallback of this one out. */
static void drop_hidden_fallback(struct nu_subset_selector *selectors, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (begins_with(&selectors[i].keys, &selectors[index].keys))
            selectors[index].fallback = NU_SUBSET_FALLBACK_UNDEFINED;
    }
}

static void read_selectors(struct nu_factory *factory, struct nu_subset_settings *settings,
                           selector_proto *const *protos, size_t count)
{
    struct nu_subset_selector *selectors =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*selectors));
    for (size_t i = 0; i < count; i++) {
        selectors[i] = (struct nu_subset_selector){
            .keys = read_keys(factory->arena, protos[i]->keys, protos[i]->n_keys),
            .fallback_keys = read_keys(factory->arena, protos[i]->fallback_keys_subset,
                                       protos[i]->n_fallback_keys_subset),
            .fallback = selector_fallback(protos[i]),
            .is_single = protos[i]->single_host_per_subset,
        };
        check_selector(factory, &selectors[i], protos[i]);
        drop_hidden_fallback(selectors, i);
    }
    settings->selectors = selectors;
    settings->selector_count = count;
}

/* --- The whole -------------------------------------------------------------------------------- */

static enum nu_subset_fallback fallback_of(const config_proto *proto)
{
    switch (proto->fallback_policy) {
    case FALLBACK(ANY_ENDPOINT):
        return NU_SUBSET_FALLBACK_ANY;
    case FALLBACK(DEFAULT_SUBSET):
        return NU_SUBSET_FALLBACK_DEFAULT;
    default:
        return NU_SUBSET_FALLBACK_NONE;
    }
}

static bool has_fallback(const struct nu_subset_settings *settings,
                         enum nu_subset_fallback fallback)
{
    if (settings->fallback == fallback)
        return true;
    for (size_t i = 0; i < settings->selector_count; i++) {
        if (settings->selectors[i].fallback == fallback)
            return true;
    }
    return false;
}

const struct nu_lb_class *nu_subset_from_cluster(struct nu_factory *factory,
                                                 struct nu_cluster *cluster,
                                                 const config_proto *proto,
                                                 const struct nu_lb_class *child)
{
    if (!proto || proto->n_subset_selectors == 0)
        return child;
    struct nu_subset_settings settings = {
        .child = child,
        .fallback = fallback_of(proto),
        .default_subset = nu_struct_from_proto(proto->default_subset, factory->arena),
        .panics_to_any = proto->panic_mode_any,
        .list_is_any = proto->list_as_any,
        .has_fallback_list =
            proto->metadata_fallback_policy ==
            ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_METADATA_FALLBACK_POLICY__FALLBACK_LIST,
        .is_locality_aware = proto->locality_weight_aware,
        .scales_locality_weights = proto->scale_locality_weight,
    };
    read_selectors(factory, &settings, proto->subset_selectors, proto->n_subset_selectors);
    if (settings.is_locality_aware && !cluster->lb->is_locality_weighted)
        nu_config_error(factory->ctx, proto, "locality_weight_aware",
                        "Locality weight aware subset LB requires that a "
                        "locality_weighted_lb_config be set in %.*s",
                        NU_STR_ARG(cluster->name));
    settings.needs_any = settings.panics_to_any || has_fallback(&settings, NU_SUBSET_FALLBACK_ANY);
    settings.needs_default = has_fallback(&settings, NU_SUBSET_FALLBACK_DEFAULT);
    return nu_cluster_set_subsets(cluster, &settings);
}
