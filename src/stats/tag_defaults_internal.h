/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's default tag rules, as data. */
#ifndef NU_STATS_TAG_DEFAULTS_INTERNAL_H
#define NU_STATS_TAG_DEFAULTS_INTERNAL_H

#include <stddef.h>

struct nu_stat_default_tag {
    const char *name;
    const char *regex;    /* or NULL */
    const char *tokens;   /* or NULL */
    const char *needle;   /* with a regex: a text that every match contains, or NULL */
    const char *excluded; /* with a regex: a value that is no match, or NULL */
};

/* Regular expressions first, then token patterns: the order that the output's labels follow. */
extern const struct nu_stat_default_tag nu_stat_default_tags[];
extern const size_t nu_stat_default_tag_count;

#endif
