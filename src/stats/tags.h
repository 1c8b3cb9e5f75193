/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags: parts of a stat's name that are shown as labels instead. `cluster.foo.upstream_cx_total` is
 * the stat `cluster.upstream_cx_total` with the tag envoy.cluster_name=foo. Envoy's default rules
 * are built in, a configuration may add rules; every rule looks at the whole name, and what any of
 * them takes is cut out at the end.
 *
 * The main thread's. Extraction is done once per set, not per rendering.
 */
#ifndef NU_STATS_TAGS_H
#define NU_STATS_TAGS_H

#include "base/str.h"

struct nu_stat_tags;

/* One rule of stats_config.stats_tags, or one --stats-tag. */
struct nu_stat_tag_rule {
    struct nu_str name; /* of the tag */
    /* Group 1 is cut out of the name, group 2 (or else group 1) is the value. Empty: the default
     * rules of this tag's name, for a configuration that does not use all defaults. */
    struct nu_str regex;
    struct nu_str fixed_value; /* what every stat gets, if `fixed` */
    bool fixed;
};

struct nu_stat_tags_config {
    bool use_all_default_tags;
    /* Borrowed for the call: --stats-tag rules first, then those of the configuration. */
    const struct nu_stat_tag_rule *rules;
    size_t rule_count;
};

/*
 * Compiles the rules. A rule that cannot be used gives NULL and a reason, worded as Envoy does. The
 * order of tags in the output is Envoy's: rules whose pattern does not begin with a literal token
 * come first, each kind in the order of the rules, defaults before the configuration's.
 */
struct nu_stat_tags *nu_stat_tags_create(const struct nu_stat_tags_config *config,
                                         struct nu_strbuf *error);
void nu_stat_tags_destroy(struct nu_stat_tags **tags);

struct nu_stat_tag {
    const char *name;    /* as configured; belongs to the rules, like the label */
    const char *label;   /* the name as a Prometheus label */
    struct nu_str value; /* part of the name, or a fixed value, which belongs to the rules */
};

struct nu_stat_cut {
    size_t begin;
    size_t end;
};

struct nu_stat_tagging {
    struct nu_stat_tag *tags;
    size_t tag_count;
    struct nu_stat_cut *cuts; /* what to leave out of the name, ascending and apart */
    size_t cut_count;
};

/* What the rules find in `name`; valid until the next call, its values as long as `name`. */
const struct nu_stat_tagging *nu_stat_tags_extract(struct nu_stat_tags *tags, struct nu_str name);
/* The tags that every name gets, in the same way. */
const struct nu_stat_tagging *nu_stat_tags_fixed(struct nu_stat_tags *tags);
/* Appends the part of `name` from `begin` on that no cut covers. */
void nu_stat_tags_keep(const struct nu_stat_tagging *tagging, struct nu_str name, size_t begin,
                       struct nu_strbuf *out);
/* Appends a name with everything but [A-Za-z0-9_] turned into '_', as Prometheus has names. */
void nu_stat_tags_prometheus_name(struct nu_strbuf *out, struct nu_str name);

#endif
