/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tag extraction. There are three kinds of rules: token patterns over the parts between dots, which
 * are cheap, regular expressions, and fixed values. Every rule is applied to the whole name as it
 * was. Rules are sorted by their first literal token, so that a name meets only those that can
 * match.
 */
#include "stats/tags.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/regex.h"
#include "stats/tag_defaults_internal.h"

struct rule {
    struct rule *next;      /* in its list */
    char *name;             /* owned, as configured */
    char *label;            /* owned, for Prometheus */
    char *token;            /* owned; the first token of names it can match; NULL for any */
    char *pattern;          /* owned; a token pattern, or NULL */
    struct nu_regex *regex; /* owned, or NULL */
    int groups;
    bool is_shared;       /* another rule has the same name: the first that matches counts */
    const char *needle;   /* what a name must contain to be worth a try, or NULL */
    const char *excluded; /* a value that is no match after all, or NULL */
    char *fixed_value;    /* owned, or NULL */
};

struct rule_list {
    struct rule *first;
    struct rule **end;
};

struct nu_stat_tags {
    struct rule_list any;   /* rules for all names */
    struct nu_map by_token; /* first token to struct rule_list, owned */
    struct nu_map by_name;  /* name to the first rule of that name */
    size_t rule_count;
    struct nu_stat_tagging result; /* its arrays have room for all rules */
    struct nu_str *tokens;         /* scratch: the name's tokens */
    size_t token_cap;
};

/* --- Building --- */

void nu_stat_tags_prometheus_name(struct nu_strbuf *out, struct nu_str name)
{
    char *to = nu_strbuf_reserve(out, name.len);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        to[i] = nu_ascii_is_alpha(c) || nu_ascii_is_digit(c) ? c : '_';
    }
    nu_strbuf_commit(out, name.len);
}

static struct rule *rule_create(struct nu_str name)
{
    struct rule *rule = nu_calloc(1, sizeof(*rule));
    rule->name = nu_strndup(name.ptr ? name.ptr : "", name.len);
    struct nu_strbuf label = {0};
    nu_stat_tags_prometheus_name(&label, name);
    rule->label = nu_strbuf_take(&label);
    return rule;
}

static void rule_destroy(struct rule *rule)
{
    nu_free(rule->name);
    nu_free(rule->label);
    nu_free(rule->token);
    nu_free(rule->pattern);
    nu_free(rule->fixed_value);
    if (rule->regex)
        nu_regex_destroy(&rule->regex);
    nu_free(rule);
}

static void list_append(struct rule_list *list, struct rule *rule)
{
    if (!list->end)
        list->end = &list->first;
    *list->end = rule;
    list->end = &rule->next;
}

static void list_finish(struct rule_list *list)
{
    for (struct rule *rule = list->first, *next; rule; rule = next) {
        next = rule->next;
        rule_destroy(rule);
    }
}

static void add_rule(struct nu_stat_tags *tags, struct rule *rule)
{
    tags->rule_count++;
    struct rule *namesake = nu_map_get(&tags->by_name, nu_str_from(rule->name));
    if (namesake)
        namesake->is_shared = rule->is_shared = true;
    else
        nu_map_put(&tags->by_name, nu_str_from(rule->name), rule);
    if (!rule->token) {
        list_append(&tags->any, rule);
        return;
    }
    struct rule_list *list = nu_map_get(&tags->by_token, nu_str_from(rule->token));
    if (!list) {
        list = nu_calloc(1, sizeof(*list));
        nu_map_put(&tags->by_token, nu_str_from(rule->token), list);
    }
    list_append(list, rule);
}

static bool is_word(char c)
{
    return nu_ascii_is_alpha(c) || nu_ascii_is_digit(c) || c == '_';
}

/* The literal token that a regex begins with: "^token\." or "^token$"; empty if there is none. */
static struct nu_str regex_token(struct nu_str regex)
{
    if (!nu_str_starts_with(regex, NU_STR("^")))
        return NU_STR("");
    struct nu_str rest = nu_str_skip(regex, 1);
    size_t len = 0;
    while (len < rest.len && is_word(rest.ptr[len]))
        len++;
    struct nu_str behind = nu_str_skip(rest, len);
    bool ends = nu_str_starts_with(behind, NU_STR("\\.")) || nu_str_eq(behind, NU_STR("$"));
    return ends ? nu_str_first(rest, len) : NU_STR("");
}

static struct nu_str pattern_token(struct nu_str pattern)
{
    struct nu_str token = nu_str_split(&pattern, '.');
    bool is_literal = !nu_str_eq(token, NU_STR("$")) && token.ptr[0] != '*';
    return is_literal ? token : NU_STR("");
}

static void set_token(struct rule *rule, struct nu_str token)
{
    if (token.len)
        rule->token = nu_strndup(token.ptr, token.len);
}

static bool add_regex(struct nu_stat_tags *tags, struct nu_str name, struct nu_str regex,
                      const struct nu_stat_default_tag *known, struct nu_strbuf *error)
{
    struct nu_strbuf reason = {0};
    struct nu_regex *compiled = nu_regex_create(regex, &reason);
    if (!compiled) {
        if (error)
            nu_strbuf_addf(error, "Invalid regex '%.*s': %s", NU_STR_ARG(regex), reason.data);
        nu_strbuf_finish(&reason);
        return false;
    }
    nu_strbuf_finish(&reason);
    struct rule *rule = rule_create(name);
    rule->regex = compiled;
    rule->groups = nu_regex_group_count(compiled);
    rule->needle = known ? known->needle : NULL;
    rule->excluded = known ? known->excluded : NULL;
    set_token(rule, regex_token(regex));
    add_rule(tags, rule);
    return true;
}

static void add_default(struct nu_stat_tags *tags, const struct nu_stat_default_tag *tag)
{
    struct nu_str name = nu_str_from(tag->name);
    if (tag->regex) {
        add_regex(tags, name, nu_str_from(tag->regex), tag, NULL);
        return;
    }
    struct rule *rule = rule_create(name);
    rule->pattern = nu_strdup(tag->tokens);
    set_token(rule, pattern_token(nu_str_from(tag->tokens)));
    add_rule(tags, rule);
}

/* All defaults, or those of one name; returns how many. */
static size_t add_defaults(struct nu_stat_tags *tags, const struct nu_str *name)
{
    size_t added = 0;
    for (size_t i = 0; i < nu_stat_default_tag_count; i++) {
        const struct nu_stat_default_tag *tag = &nu_stat_default_tags[i];
        if (name && !nu_str_eq(*name, nu_str_from(tag->name)))
            continue;
        add_default(tags, tag);
        added++;
    }
    return added;
}

static bool add_configured(struct nu_stat_tags *tags, const struct nu_stat_tag_rule *config,
                           struct nu_strbuf *error)
{
    if (config->fixed) {
        struct rule *rule = rule_create(config->name);
        rule->fixed_value = nu_strndup(config->fixed_value.ptr, config->fixed_value.len);
        add_rule(tags, rule);
        return true;
    }
    if (config->regex.len) {
        if (config->name.len)
            return add_regex(tags, config->name, config->regex, NULL, error);
        if (error)
            nu_strbuf_add_cstr(error, "tag_name cannot be empty");
        return false;
    }
    if (add_defaults(tags, &config->name) > 0)
        return true;
    if (error)
        nu_strbuf_addf(error,
                       "No regex specified for tag specifier and no default regex for name: '%.*s'",
                       NU_STR_ARG(config->name));
    return false;
}

struct nu_stat_tags *nu_stat_tags_create(const struct nu_stat_tags_config *config,
                                         struct nu_strbuf *error)
{
    struct nu_stat_tags *tags = nu_calloc(1, sizeof(*tags));
    if (config->use_all_default_tags)
        add_defaults(tags, NULL);
    for (size_t i = 0; i < config->rule_count; i++) {
        if (!add_configured(tags, &config->rules[i], error)) {
            nu_stat_tags_destroy(&tags);
            return NULL;
        }
    }
    tags->result.tags = nu_calloc(tags->rule_count, sizeof(*tags->result.tags));
    tags->result.cuts = nu_calloc(tags->rule_count, sizeof(*tags->result.cuts));
    return tags;
}

void nu_stat_tags_destroy(struct nu_stat_tags **tags)
{
    struct nu_stat_tags *old = *tags;
    if (!old)
        return;
    list_finish(&old->any);
    nu_map_for_each(entry, &old->by_token)
    {
        list_finish(entry->value);
        nu_free(entry->value);
    }
    nu_map_finish(&old->by_token);
    nu_map_finish(&old->by_name);
    nu_free(old->result.tags);
    nu_free(old->result.cuts);
    nu_free(old->tokens);
    nu_free(old);
    *tags = NULL;
}

/* --- Matching --- */

struct match {
    struct nu_str cut; /* what goes; its pointer is NULL if nothing does */
    struct nu_str value;
};

static size_t split_name(struct nu_stat_tags *tags, struct nu_str name)
{
    size_t count = 0;
    for (struct nu_str rest = name; rest.ptr; count++) {
        if (count == tags->token_cap) {
            tags->token_cap = tags->token_cap * 2 + 16;
            tags->tokens = nu_realloc(tags->tokens, tags->token_cap * sizeof(*tags->tokens));
        }
        tags->tokens[count] = nu_str_split(&rest, '.');
    }
    return count;
}

/*
 * "*" is any token, "$" any token whose text is the value, "**" one token or more, all else itself.
 */
static bool match_tokens(struct nu_str pattern, const struct nu_str *tokens, size_t count,
                         struct match *match)
{
    if (!pattern.ptr || count == 0)
        return !pattern.ptr && count == 0;
    struct nu_str want = nu_str_split(&pattern, '.');
    if (nu_str_eq(want, NU_STR("**"))) {
        if (!pattern.ptr)
            return true;
        for (size_t skip = 1; skip < count; skip++) {
            if (match_tokens(pattern, tokens + skip, count - skip, match))
                return true;
        }
        return false;
    }
    bool is_value = nu_str_eq(want, NU_STR("$"));
    if (!is_value && !nu_str_eq(want, NU_STR("*")) && !nu_str_eq(want, tokens[0]))
        return false;
    if (!match_tokens(pattern, tokens + 1, count - 1, match))
        return false;
    if (is_value) {
        match->value = tokens[0];
        match->cut = nu_str_make(tokens[0].ptr, tokens[0].len + (count > 1)); /* and its dot */
    }
    return true;
}

static bool match_regex(const struct rule *rule, struct nu_str name, struct match *match)
{
    struct nu_str groups[3];
    if (rule->groups < 1)
        return false;
    if (rule->needle && nu_str_find(name, nu_str_from(rule->needle)) == NU_NPOS)
        return false;
    if (!nu_regex_find(rule->regex, name, groups, NU_ARRAY_LEN(groups)))
        return false;
    match->cut = groups[1];
    match->value = rule->groups > 1 ? groups[2] : groups[1];
    return !rule->excluded || !nu_str_eq(match->value, nu_str_from(rule->excluded));
}

static bool match_rule(const struct rule *rule, struct nu_str name, const struct nu_str *tokens,
                       size_t token_count, struct match *match)
{
    *match = (struct match){0};
    if (rule->fixed_value) {
        match->value = nu_str_from(rule->fixed_value);
        return true;
    }
    if (rule->regex)
        return match_regex(rule, name, match);
    return match_tokens(nu_str_from(rule->pattern), tokens, token_count, match);
}

/* --- Extraction --- */

static bool has_tag(const struct nu_stat_tagging *result, const char *name)
{
    for (size_t i = 0; i < result->tag_count; i++) {
        if (strcmp(result->tags[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Keeps cuts ascending and apart: one that touches others swallows them. */
static void add_cut(struct nu_stat_tagging *result, size_t begin, size_t end)
{
    size_t at = 0;
    while (at < result->cut_count && result->cuts[at].end < begin)
        at++;
    size_t behind = at;
    while (behind < result->cut_count && result->cuts[behind].begin <= end) {
        begin = nu_min_size(begin, result->cuts[behind].begin);
        end = nu_max_size(end, result->cuts[behind].end);
        behind++;
    }
    memmove(&result->cuts[at + 1], &result->cuts[behind],
            (result->cut_count - behind) * sizeof(*result->cuts));
    result->cuts[at] = (struct nu_stat_cut){begin, end};
    result->cut_count = result->cut_count - (behind - at) + 1;
}

static void apply_rules(struct nu_stat_tags *tags, const struct rule_list *list, struct nu_str name,
                        size_t token_count)
{
    struct nu_stat_tagging *result = &tags->result;
    for (const struct rule *rule = list->first; rule; rule = rule->next) {
        struct match match;
        if ((rule->is_shared && has_tag(result, rule->name)) ||
            !match_rule(rule, name, tags->tokens, token_count, &match))
            continue;
        result->tags[result->tag_count++] =
            (struct nu_stat_tag){rule->name, rule->label, match.value};
        if (match.cut.len) {
            size_t begin = (size_t)(match.cut.ptr - name.ptr);
            add_cut(result, begin, begin + match.cut.len);
        }
    }
}

const struct nu_stat_tagging *nu_stat_tags_extract(struct nu_stat_tags *tags, struct nu_str name)
{
    tags->result.tag_count = 0;
    tags->result.cut_count = 0;
    size_t token_count = split_name(tags, name);
    apply_rules(tags, &tags->any, name, token_count);
    if (token_count > 1) {
        const struct rule_list *list = nu_map_get(&tags->by_token, tags->tokens[0]);
        if (list)
            apply_rules(tags, list, name, token_count);
    }
    return &tags->result;
}

const struct nu_stat_tagging *nu_stat_tags_fixed(struct nu_stat_tags *tags)
{
    struct nu_stat_tagging *result = &tags->result;
    result->tag_count = 0;
    result->cut_count = 0;
    for (const struct rule *rule = tags->any.first; rule; rule = rule->next) {
        if (rule->fixed_value && !(rule->is_shared && has_tag(result, rule->name)))
            result->tags[result->tag_count++] =
                (struct nu_stat_tag){rule->name, rule->label, nu_str_from(rule->fixed_value)};
    }
    return result;
}

void nu_stat_tags_keep(const struct nu_stat_tagging *tagging, struct nu_str name, size_t begin,
                       struct nu_strbuf *out)
{
    for (size_t i = 0; i < tagging->cut_count; i++) {
        const struct nu_stat_cut *cut = &tagging->cuts[i];
        if (cut->begin > begin)
            nu_strbuf_add(out, nu_str_first(nu_str_skip(name, begin), cut->begin - begin));
        begin = nu_max_size(begin, cut->end);
    }
    nu_strbuf_add(out, nu_str_skip(name, begin));
}
