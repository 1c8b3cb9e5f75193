/* SPDX-License-Identifier: Apache-2.0 */
/* Reading how hosts are divided into subsets. */
#include <stdlib.h>

#include "config/struct.h"
#include "stats/cluster_stats.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/lb_subset.h"

#include "envoy/extensions/load_balancing_policies/subset/v3/subset.pb-c.h"

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

/* `where` is the message of the configuration, for errors. */
static void check_selector(struct nu_factory *factory, const struct nu_subset_selector *selector,
                           const void *where)
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
        nu_config_error(factory->ctx, where, "fallback_keys_subset", "%s", wrong);
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
                           selector_proto *const *protos, size_t count, const void *const *wheres)
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
        check_selector(factory, &selectors[i], wheres[i]);
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

static const struct nu_lb_class *finish(struct nu_factory *factory, struct nu_cluster *cluster,
                                        const config_proto *proto, const void *const *wheres,
                                        struct nu_subset_settings *settings)
{
    settings->fallback = fallback_of(proto);
    settings->default_subset = nu_struct_from_proto(proto->default_subset, factory->arena);
    settings->panics_to_any = proto->panic_mode_any;
    settings->list_is_any = proto->list_as_any;
    settings->has_fallback_list =
        proto->metadata_fallback_policy ==
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_METADATA_FALLBACK_POLICY__FALLBACK_LIST;
    settings->is_locality_aware = proto->locality_weight_aware;
    settings->scales_locality_weights = proto->scale_locality_weight;
    read_selectors(factory, settings, proto->subset_selectors, proto->n_subset_selectors, wheres);
    settings->needs_any = settings->panics_to_any || has_fallback(settings, NU_SUBSET_FALLBACK_ANY);
    settings->needs_default = has_fallback(settings, NU_SUBSET_FALLBACK_DEFAULT);
    return nu_cluster_set_subsets(cluster, settings);
}

const struct nu_lb_class *nu_subset_from_cluster(struct nu_factory *factory,
                                                 struct nu_cluster *cluster,
                                                 const config_proto *proto,
                                                 const struct nu_lb_class *child)
{
    struct nu_subset_settings settings = {.child = child};
    if (!proto || proto->n_subset_selectors == 0)
        return child;
    if (proto->locality_weight_aware && !cluster->lb->is_locality_weighted)
        nu_config_error(factory->ctx, proto, "locality_weight_aware",
                        "Locality weight aware subset LB requires that a "
                        "locality_weighted_lb_config be set in %.*s",
                        NU_STR_ARG(cluster->name));
    return finish(factory, cluster, proto, (const void *const *)proto->subset_selectors, &settings);
}

/* --- As a policy ------------------------------------------------------------------------------ */

typedef Envoy__Extensions__LoadBalancingPolicies__Subset__V3__Subset policy_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__Subset__V3__Subset__LbSubsetSelector
    policy_selector_proto;

static selector_proto *as_selector(struct nu_arena *arena, const policy_selector_proto *proto)
{
    selector_proto *out = nu_arena_alloc(arena, sizeof(*out));
    *out = (selector_proto)
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_SELECTOR__INIT;
    out->keys = proto->keys;
    out->n_keys = proto->n_keys;
    out->single_host_per_subset = proto->single_host_per_subset;
    out->fallback_policy =
        (Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig__LbSubsetSelector__LbSubsetSelectorFallbackPolicy)
            proto->fallback_policy;
    out->fallback_keys_subset = proto->fallback_keys_subset;
    out->n_fallback_keys_subset = proto->n_fallback_keys_subset;
    return out;
}

/* The same in the message of Cluster, whose numbers are the same. */
static config_proto as_config(struct nu_arena *arena, const policy_proto *proto)
{
    config_proto out = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_SUBSET_CONFIG__INIT;
    out.fallback_policy =
        (Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig__LbSubsetFallbackPolicy)
            proto->fallback_policy;
    out.default_subset = proto->default_subset;
    out.n_subset_selectors = proto->n_subset_selectors;
    out.subset_selectors =
        nu_arena_alloc(arena, (proto->n_subset_selectors + 1) * sizeof(*out.subset_selectors));
    for (size_t i = 0; i < proto->n_subset_selectors; i++)
        out.subset_selectors[i] = as_selector(arena, proto->subset_selectors[i]);
    out.locality_weight_aware = proto->locality_weight_aware;
    out.scale_locality_weight = proto->scale_locality_weight;
    out.panic_mode_any = proto->panic_mode_any;
    out.list_as_any = proto->list_as_any;
    out.metadata_fallback_policy =
        (Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig__LbSubsetMetadataFallbackPolicy)
            proto->metadata_fallback_policy;
    return out;
}

/* What a subset cannot have inside. */
static void check_child(struct nu_factory *factory, const struct nu_cluster *cluster,
                        const policy_proto *proto)
{
    if (cluster->subset || cluster->named || cluster->wants_provided_lb)
        nu_config_error(factory->ctx, proto, "subset_lb_policy",
                        "subset, override_host and cluster_provided are not implemented by nuncio "
                        "inside of subsets");
}

const struct nu_lb_class *nu_subset_from_policy(struct nu_factory *factory,
                                                struct nu_cluster *cluster,
                                                struct nu_lb_settings *common,
                                                const ProtobufCMessage *message)
{
    const policy_proto *proto = (const policy_proto *)message;
    config_proto config = as_config(factory->arena, proto);
    const struct nu_named_host_settings *named = cluster->named;
    struct nu_subset_settings settings = {.drops_redundant_keys = proto->allow_redundant_keys};
    cluster->named = NULL;
    settings.child = nu_lb_from_policies(factory, cluster, common, proto, "subset_lb_policy",
                                         proto->subset_lb_policy);
    check_child(factory, cluster, proto);
    cluster->named = named;
    if (cluster->hash && !proto->locality_weight_aware)
        nu_cluster_ignore_locality_hash(cluster);
    return finish(factory, cluster, &config, (const void *const *)proto->subset_selectors,
                  &settings);
}
