/* SPDX-License-Identifier: Apache-2.0 */
/* Tags: those of the command line come first, as in Envoy. */
#include "server/stats_from_proto.h"

#include "config/values.h"
#include "stats/stats.h"
#include "stats/tags.h"

#include "envoy/config/metrics/v3/stats.pb-c.h"

typedef Envoy__Config__Metrics__V3__StatsConfig stats_proto;

static size_t count_option_tags(const struct nu_options *options)
{
    size_t count = 0;
    while (options->stats_tags && options->stats_tags[count])
        count++;
    return count;
}

/* "name:value", checked when it was read. */
static struct nu_stat_tag_rule option_rule(const char *tag)
{
    const char *colon = strchr(tag, ':');
    return (struct nu_stat_tag_rule){
        .name = nu_str_make(tag, (size_t)(colon - tag)),
        .fixed_value = nu_str_from(colon + 1),
        .fixed = true,
    };
}

static struct nu_stat_tag_rule config_rule(const Envoy__Config__Metrics__V3__TagSpecifier *proto)
{
    struct nu_stat_tag_rule rule = {.name = nu_str_from(proto->tag_name)};
    switch (proto->tag_value_case) {
    case ENVOY__CONFIG__METRICS__V3__TAG_SPECIFIER__TAG_VALUE_REGEX:
        rule.regex = nu_str_from(proto->regex);
        break;
    case ENVOY__CONFIG__METRICS__V3__TAG_SPECIFIER__TAG_VALUE_FIXED_VALUE:
        rule.fixed_value = nu_str_from(proto->fixed_value);
        rule.fixed = true;
        break;
    default:
        break;
    }
    return rule;
}

void nu_stats_from_proto(struct nu_factory *factory, const stats_proto *proto,
                         const struct nu_options *options)
{
    size_t from_options = count_option_tags(options);
    size_t from_config = proto ? proto->n_stats_tags : 0;
    if (!proto && from_options == 0)
        return;
    struct nu_stat_tag_rule *rules =
        nu_arena_calloc(factory->arena, (from_options + from_config + 1) * sizeof(*rules));
    for (size_t i = 0; i < from_options; i++)
        rules[i] = option_rule(options->stats_tags[i]);
    for (size_t i = 0; i < from_config; i++)
        rules[from_options + i] = config_rule(proto->stats_tags[i]);
    struct nu_stat_tags_config config = {
        .use_all_default_tags = nu_bool_or(proto ? proto->use_all_default_tags : NULL, true),
        .rules = rules,
        .rule_count = from_options + from_config,
    };
    struct nu_strbuf error = {0};
    if (nu_stats_set_tags(factory->stats, &config, &error) != NU_OK)
        nu_config_error(factory->ctx, proto, "stats_tags", "%s", error.data);
    nu_strbuf_finish(&error);
}
