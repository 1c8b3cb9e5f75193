/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subsets of a cluster's hosts, by their metadata: what selectors of the configuration make of a
 * host set. Built with the set, on the main thread, immutable and shared by all workers.
 *
 * Each subset is a host set of its own, sealed, with what the balancer inside it shares. A subset
 * is found by its criteria: the fields of all keys of a selector, sorted by name.
 */
#ifndef NU_UPSTREAM_SUBSET_H
#define NU_UPSTREAM_SUBSET_H

#include "base/value.h"
#include "upstream/hosts/host_set.h"

struct nu_cluster;
struct nu_lb_class;
struct nu_subset_registry;

/* What is done for requests that no subset is for. */
enum nu_subset_fallback {
    NU_SUBSET_FALLBACK_UNDEFINED, /* of a selector: the cluster's is used */
    NU_SUBSET_FALLBACK_NONE,
    NU_SUBSET_FALLBACK_ANY,     /* any host */
    NU_SUBSET_FALLBACK_DEFAULT, /* the hosts of the default subset */
    NU_SUBSET_FALLBACK_KEYS,    /* of a selector: the subset of fewer keys */
};

struct nu_subset_keys {
    const struct nu_str *names; /* sorted, each once */
    size_t count;
};

struct nu_subset_selector {
    struct nu_subset_keys keys;
    struct nu_subset_keys fallback_keys; /* KEYS */
    enum nu_subset_fallback fallback;
    bool is_single; /* a subset is its first host alone */
};

/* In the cluster's arena. */
struct nu_subset_settings {
    const struct nu_lb_class *child; /* balances inside of a subset */
    const struct nu_subset_selector *selectors;
    size_t selector_count;
    enum nu_subset_fallback fallback;
    struct nu_value default_subset; /* a struct */
    bool needs_any;                 /* the subset of all hosts, for some fallback */
    bool needs_default;
    bool panics_to_any;           /* where the fallback has no host either */
    bool list_is_any;             /* a list in a host's metadata stands for each of its values */
    bool has_fallback_list;       /* criteria may have lists of others to try */
    bool drops_redundant_keys;    /* of criteria that have more than a selector asks for */
    bool is_locality_aware;       /* locality weights count inside of subsets */
    bool scales_locality_weights; /* by how many of the hosts are in the subset */
    struct nu_stat_set *stats;    /* borrowed: the cluster's */
    struct nu_subset_registry *registry;
};

struct nu_subset {
    struct nu_value criteria;  /* a struct; empty for the two of fallbacks */
    struct nu_host_set *hosts; /* one reference */
    uint32_t *indices;         /* owned: where its hosts are in the whole set */
    uint32_t number;           /* among the subsets */
    bool is_single;
};

struct nu_subsets;

/* Those of a sealed set, sealed as that was. */
struct nu_subsets *nu_subsets_create(const struct nu_cluster *cluster,
                                     const struct nu_subset_settings *settings,
                                     const struct nu_host_set *set,
                                     const struct nu_host_set_settings *set_settings);
void nu_subsets_destroy(struct nu_subsets **subsets);

/* How many there are, those of fallbacks included. */
uint32_t nu_subsets_count(const struct nu_subsets *subsets);
/* The one for these criteria; NULL if there is none. It has a host. */
const struct nu_subset *nu_subsets_find(const struct nu_subsets *subsets,
                                        const struct nu_value *criteria);
/* Those of fallbacks, which may have no hosts; NULL unless the settings need them. */
const struct nu_subset *nu_subsets_any(const struct nu_subsets *subsets);
const struct nu_subset *nu_subsets_default(const struct nu_subsets *subsets);

/* How many subsets of selectors the cluster's sets have had up to this one, and how many of them
 * are gone. */
struct nu_subset_totals {
    uint64_t created;
    uint64_t removed;
};
struct nu_subset_totals nu_subsets_totals(const struct nu_subsets *subsets);

/* Remembers subsets from set to set, to count them; freed with the arena. */
struct nu_subset_registry *nu_subset_registry_create(struct nu_arena *arena);
struct nu_subset_totals nu_subset_registry_totals(const struct nu_subset_registry *registry);

#endif
