/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random registries against a simple model: names with every nesting that prefixes allow, values on
 * several threads, sets that come and go before and during renderings.
 */
#include "fixture.h"

#include <stdlib.h>

#include "stats/registry_internal.h"

struct leaf_stats {
    struct nu_counter b, a_rq_503;
    struct nu_gauge c;
    struct nu_counter lazy;
    struct nu_codes codes;
};

static const struct nu_stat_desc leaf_descs[] = {
    {"b", "", offsetof(struct leaf_stats, b), NU_STAT_COUNTER, 1},
    {"a_rq_503", "", offsetof(struct leaf_stats, a_rq_503), NU_STAT_COUNTER, 8},
    {"c", "", offsetof(struct leaf_stats, c), NU_STAT_GAUGE, 1},
    {"rq", "", offsetof(struct leaf_stats, lazy), NU_STAT_LAZY_COUNTER, 2},
    {"up_rq", "", offsetof(struct leaf_stats, codes), NU_STAT_CODES, 5},
};
static const struct nu_stat_table leaf_table = {
    "", "", leaf_descs, NU_ARRAY_LEN(leaf_descs), sizeof(struct leaf_stats), false};
/* The same under other names, for sets of two tables with one prefix. */
static const struct nu_stat_desc other_descs[] = {
    {"d.e", "", offsetof(struct leaf_stats, b), NU_STAT_COUNTER, 3},
    {"-", "", offsetof(struct leaf_stats, a_rq_503), NU_STAT_COUNTER, 1},
};
static const struct nu_stat_table other_table = {
    "", "", other_descs, NU_ARRAY_LEN(other_descs), sizeof(struct leaf_stats), false};

enum { MAX_SETS = 40, MAX_LINES = 4000 };

struct model {
    uint64_t seed;
    struct nu_stats *stats;
    struct nu_stat_set *sets[MAX_SETS];
    char *prefixes[MAX_SETS];
    const struct nu_stat_table *tables[MAX_SETS];
};

static unsigned pick(struct model *model, unsigned below)
{
    model->seed = model->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(model->seed >> 33) % below;
}

static char *random_prefix(struct model *model)
{
    static const char *const words[] = {"cluster", "http",  "listener", "a", "b", "a-b",
                                        "ssl",     "vhost", "a b",      "",  "c", "rbac"};
    struct nu_strbuf prefix = {0};
    for (unsigned left = pick(model, 4); left-- > 0;) {
        nu_strbuf_add_cstr(&prefix, words[pick(model, NU_ARRAY_LEN(words))]);
        if (left)
            nu_strbuf_add_char(&prefix, '.');
    }
    return nu_strbuf_take(&prefix);
}

static bool is_taken(const struct model *model, const char *prefix,
                     const struct nu_stat_table *table)
{
    for (unsigned i = 0; i < MAX_SETS; i++) {
        if (model->sets[i] && model->tables[i] == table && strcmp(model->prefixes[i], prefix) == 0)
            return true;
    }
    return false;
}

static void count_something(struct model *model, struct nu_stat_set *set)
{
    nu_thread_index_ = pick(model, 3);
    struct leaf_stats *block = nu_stat_set_block(set);
    nu_counter_add(&block->b, pick(model, 3));
    nu_counter_add(&block->a_rq_503, pick(model, 2));
    if (set->layout->table == &leaf_table) {
        nu_gauge_add(&block->c, pick(model, 5));
        nu_counter_add(&block->lazy, pick(model, 2));
        nu_codes_inc(&block->codes, 90 + pick(model, 600));
    }
    nu_thread_index_ = 0;
}

static void add_set(struct model *model)
{
    unsigned slot = pick(model, MAX_SETS);
    char *prefix = random_prefix(model);
    const struct nu_stat_table *table = pick(model, 3) ? &leaf_table : &other_table;
    if (model->sets[slot] || is_taken(model, prefix, table)) {
        nu_free(prefix);
        return;
    }
    model->prefixes[slot] = prefix;
    model->tables[slot] = table;
    model->sets[slot] = nu_stat_set_create(model->stats, table, nu_str_from(prefix));
    for (unsigned times = pick(model, 4); times-- > 0;)
        count_something(model, model->sets[slot]);
}

static void remove_set(struct model *model)
{
    unsigned slot = pick(model, MAX_SETS);
    if (!model->sets[slot])
        return;
    nu_stat_set_destroy(&model->sets[slot]);
    nu_free(model->prefixes[slot]);
}

/* --- What is to be shown --- */

struct lines {
    char *text[MAX_LINES];
    size_t count;
};

static void lines_finish(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        nu_free(lines->text[i]);
    lines->count = 0;
}

static void expect(struct lines *lines, const char *prefix, const char *name,
                   const struct nu_stat_set *set, uint32_t position)
{
    struct nu_stat_reading reading = nu_stat_read(set, position);
    if (nu_stat_kind_is_lazy(nu_stat_desc_at(set->layout, position)->kind) && !reading.used)
        return;
    assert_true(lines->count < MAX_LINES);
    lines->text[lines->count++] = nu_asprintf("%s%s%s: %llu", prefix, *prefix ? "." : "", name,
                                              (unsigned long long)reading.value);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All lines of all sets, found without any of the walks. */
static void expected_lines(const struct model *model, struct lines *lines)
{
    for (unsigned i = 0; i < MAX_SETS; i++) {
        const struct nu_stat_set *set = model->sets[i];
        for (uint32_t position = 0; set && position < set->layout->positions; position++) {
            if (position < set->layout->table->count &&
                set->layout->table->descs[position].kind == NU_STAT_CODES)
                continue;
            char buffer[NU_STAT_NAME_MAX + 1];
            struct nu_str name = nu_stat_name_at(set->layout, position, buffer);
            char *text = nu_strndup(name.ptr, name.len);
            expect(lines, model->prefixes[i], text, set, position);
            nu_free(text);
        }
    }
    qsort(lines->text, lines->count, sizeof(char *), compare);
}

static void split_lines(char *text, struct lines *lines)
{
    for (struct nu_str rest = nu_str_from(text); rest.len;) {
        struct nu_str line = nu_str_split(&rest, '\n');
        assert_true(lines->count < MAX_LINES);
        lines->text[lines->count++] = nu_strndup(line.ptr, line.len);
    }
}

/* The name of a line "name: value". */
static struct nu_str name_of(const char *line)
{
    struct nu_str text = nu_str_from(line);
    return nu_str_first(text, nu_str_rfind_char(text, ':'));
}

static void check_text(const struct model *model, size_t slice)
{
    static struct lines expected, shown;
    char *text = render_sliced(model->stats, "", slice);
    expected_lines(model, &expected);
    split_lines(text, &shown);
    for (size_t i = 1; i < shown.count; i++)
        assert_true(nu_str_cmp(name_of(shown.text[i - 1]), name_of(shown.text[i])) <= 0);
    qsort(shown.text, shown.count, sizeof(char *), compare);
    assert_int_equal(shown.count, expected.count);
    for (size_t i = 0; i < shown.count; i++)
        assert_string_equal(shown.text[i], expected.text[i]);
    lines_finish(&expected);
    lines_finish(&shown);
    nu_free(text);
}

/* Turns "name: value" into the line that Prometheus is to see, by the tag rules alone. */
static char *as_series(struct nu_stat_tags *tags, const char *line)
{
    struct nu_str name = name_of(line);
    const struct nu_stat_tagging *tagging = nu_stat_tags_extract(tags, name);
    struct nu_strbuf kept = {0};
    struct nu_strbuf out = {0};
    nu_stat_tags_keep(tagging, name, 0, &kept);
    nu_strbuf_add_cstr(&out, "envoy_");
    nu_stat_tags_prometheus_name(&out, nu_strbuf_str(&kept));
    nu_strbuf_add_char(&out, '{');
    for (size_t i = 0; i < tagging->tag_count; i++)
        nu_strbuf_addf(&out, "%s%s=\"%.*s\"", i ? "," : "", tagging->tags[i].label,
                       NU_STR_ARG(tagging->tags[i].value));
    nu_strbuf_addf(&out, "}%s", line + name.len + 1);
    nu_strbuf_finish(&kept);
    return nu_strbuf_take(&out);
}

static void check_prometheus(const struct model *model, struct nu_stat_tags *tags, size_t slice)
{
    static struct lines expected, shown, all;
    char *text = render_sliced(model->stats, "format=prometheus", slice);
    expected_lines(model, &all);
    for (size_t i = 0; i < all.count; i++)
        expected.text[expected.count++] = as_series(tags, all.text[i]);
    split_lines(text, &all);
    for (size_t i = expected.count; i < all.count; i++) {
        if (all.text[i][0] != '#')
            shown.text[shown.count++] = nu_strdup(all.text[i]);
    }
    qsort(expected.text, expected.count, sizeof(char *), compare);
    qsort(shown.text, shown.count, sizeof(char *), compare);
    assert_int_equal(shown.count, expected.count);
    for (size_t i = 0; i < shown.count; i++)
        assert_string_equal(shown.text[i], expected.text[i]);
    lines_finish(&expected);
    lines_finish(&shown);
    lines_finish(&all);
    nu_free(text);
}

/* --- Changes during a rendering --- */

/* How often the set's own counter line stands in the text. */
static unsigned occurrences(const char *text, const char *prefix, const char *name)
{
    char *line = nu_asprintf("\n%s%s%s: ", prefix, *prefix ? "." : "", name);
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, line)); at++)
        count++;
    nu_free(line);
    return count;
}

static void check_changes(struct model *model)
{
    bool stays[MAX_SETS];
    for (unsigned i = 0; i < MAX_SETS; i++)
        stays[i] = model->sets[i] != NULL;
    struct nu_stats_options options = {0};
    struct nu_stats_render *render = nu_stats_render_create(model->stats, &options);
    struct nu_strbuf out = {0};
    nu_strbuf_add_char(&out, '\n');
    while (nu_stats_render_next(render, &out, 1 + pick(model, 300))) {
        if (pick(model, 2))
            add_set(model);
        remove_set(model);
        for (unsigned i = 0; i < MAX_SETS; i++)
            stays[i] &= model->sets[i] != NULL;
    }
    for (unsigned i = 0; i < MAX_SETS; i++) {
        if (stays[i] && model->tables[i] == &leaf_table)
            assert_int_equal(occurrences(out.data, model->prefixes[i], "b"), 1);
    }
    nu_stats_render_destroy(&render);
    nu_strbuf_finish(&out);
}

/* Only that nothing breaks: which lines stay cannot be told from their text. */
static void churn_prometheus(struct model *model)
{
    struct nu_stats_options options = options_of("format=prometheus");
    struct nu_stats_render *render = nu_stats_render_create(model->stats, &options);
    struct nu_strbuf out = {0};
    while (nu_stats_render_next(render, &out, 1 + pick(model, 900))) {
        add_set(model);
        remove_set(model);
    }
    nu_stats_render_destroy(&render);
    nu_strbuf_finish(&out);
}

static void play(uint64_t seed)
{
    struct model model = {.seed = seed, .stats = nu_stats_create()};
    struct nu_stat_tags *tags =
        nu_stat_tags_create(&(struct nu_stat_tags_config){.use_all_default_tags = true}, NULL);
    for (unsigned turn = 0; turn < 6; turn++) {
        for (unsigned i = 0; i < 20; i++)
            add_set(&model);
        check_text(&model, 1 + pick(&model, 2000));
        check_prometheus(&model, tags, 1 + pick(&model, 2000));
        check_changes(&model);
        churn_prometheus(&model);
        for (unsigned i = 0; i < 10; i++)
            remove_set(&model);
        if (pick(&model, 2))
            nu_stats_reset_counters(model.stats);
    }
    for (unsigned i = 0; i < MAX_SETS; i++) {
        if (model.sets[i])
            nu_free(model.prefixes[i]);
    }
    nu_stat_tags_destroy(&tags);
    nu_stats_destroy(&model.stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(random_registries_are_shown_as_the_model_says)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        play(seed);
}

TEST_MAIN()
