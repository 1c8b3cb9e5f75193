/* SPDX-License-Identifier: Apache-2.0 */
/* Tag extraction: Envoy's answers to its default rules, and configured rules. */
#include "harness/test.h"

#include "base/alloc.h"
#include "stats/tags.h"

/* The series as Prometheus shows it: the name without its tags, and the tags as labels. */
static char *series_of(struct nu_stat_tags *tags, const char *name)
{
    struct nu_str full = nu_str_from(name);
    const struct nu_stat_tagging *tagging = nu_stat_tags_extract(tags, full);
    struct nu_strbuf kept = {0};
    struct nu_strbuf out = {0};
    nu_stat_tags_keep(tagging, full, 0, &kept);
    nu_strbuf_add_cstr(&out, "envoy_");
    nu_stat_tags_prometheus_name(&out, nu_strbuf_str(&kept));
    nu_strbuf_finish(&kept);
    for (size_t i = 0; i < tagging->tag_count; i++) {
        nu_strbuf_addf(&out, "%s%s=\"", i ? "," : "{", tagging->tags[i].label);
        for (size_t at = 0; at < tagging->tags[i].value.len; at++) {
            char c = tagging->tags[i].value.ptr[at];
            if (c == '"' || c == '\\')
                nu_strbuf_add_char(&out, '\\');
            nu_strbuf_add_char(&out, c);
        }
        nu_strbuf_add_char(&out, '"');
    }
    nu_strbuf_add_cstr(&out, tagging->tag_count ? "}" : "{}");
    return nu_strbuf_take(&out);
}

static void check(struct nu_stat_tags *tags, const char *name, const char *expected)
{
    char *series = series_of(tags, name);
    assert_str(nu_str_from(series), expected);
    nu_free(series);
}

static struct nu_stat_tags *default_tags(void)
{
    return nu_stat_tags_create(&(struct nu_stat_tags_config){.use_all_default_tags = true}, NULL);
}

TEST(default_rules_give_what_envoy_gives)
{
    static const struct {
        const char *name, *series;
    } recorded[] = {
#define X(name, series) {name, series},
#include "envoy_tags.inc"
#undef X
    };
    struct nu_stat_tags *tags = default_tags();
    for (size_t i = 0; i < NU_ARRAY_LEN(recorded); i++)
        check(tags, recorded[i].name, recorded[i].series);
    nu_stat_tags_destroy(&tags);
}

/* Not recorded: none of the filters of those configurations has such names. */
TEST(two_stars_in_the_middle_are_one_token_or_more)
{
    struct nu_stat_tags *tags = default_tags();
    check(
        tags, "mongo.a.collection.b.x.query.z",
        "envoy_mongo_collection_x_query_z{envoy_mongo_collection=\"b\",envoy_mongo_prefix=\"a\"}");
    check(tags, "mongo.a.collection.b.x.y.query.z",
          "envoy_mongo_collection_x_y_query_z{envoy_mongo_collection=\"b\","
          "envoy_mongo_prefix=\"a\"}");
    check(tags, "mongo.a.collection.b.query.z",
          "envoy_mongo_collection_b_query_z{envoy_mongo_prefix=\"a\"}");
    nu_stat_tags_destroy(&tags);
}

TEST(a_name_without_a_dot_has_no_tags)
{
    struct nu_stat_tags *tags = default_tags();
    check(tags, "cluster", "envoy_cluster{}");
    check(tags, "", "envoy_{}");
    nu_stat_tags_destroy(&tags);
}

#define RULE(tag, pattern) \
    { \
        .name = NU_STR_INIT(tag), .regex = NU_STR_INIT(pattern) \
    }
#define FIXED(tag, value) \
    { \
        .name = NU_STR_INIT(tag), .fixed_value = NU_STR_INIT(value), .fixed = true \
    }

static struct nu_stat_tags *configured(bool defaults, const struct nu_stat_tag_rule *rules,
                                       size_t count)
{
    struct nu_strbuf error = {0};
    struct nu_stat_tags *tags = nu_stat_tags_create(
        &(struct nu_stat_tags_config){
            .use_all_default_tags = defaults, .rules = rules, .rule_count = count},
        &error);
    assert_non_null(tags);
    nu_strbuf_finish(&error);
    return tags;
}

/* Rules and answers as recorded from Envoy with --stats-tag cl:i --stats-tag onegroup:dup. */
TEST(configured_rules_give_what_envoy_gives)
{
    static const struct nu_stat_tag_rule rules[] = {
        FIXED("cl", "i"),
        FIXED("onegroup", "dup"),
        RULE("custom1", "^cluster\\.((.+?)_svc\\.)"),
        RULE("onegroup", "upstream_(cx)_total$"),
        RULE("nogroup", "^cluster"),
        RULE("emptyg2", "(_connect)()_fail$"),
        FIXED("fix.ed-1", "v\"1"),
        RULE("envoy.cluster_name", "^cluster\\.((a)-b\\.)"),
        RULE("outside", "_(overflow).*()$"),
        RULE("out2", "(pool)_(overflow)$"),
        RULE("9tag", "http\\.((p1)\\.)"),
        RULE("threeg", "(idle)_((time)out)$"),
    };
#define FIX "cl=\"i\",onegroup=\"dup\",fix_ed_1=\"v\\\"1\","
    struct nu_stat_tags *tags = configured(true, rules, NU_ARRAY_LEN(rules));
    check(tags, "cluster.a.upstream_cx_overflow",
          "envoy_cluster_upstream_cx_{" FIX "outside=\"\",envoy_cluster_name=\"a\"}");
    check(tags, "cluster.a.upstream_cx_pool_overflow",
          "envoy_cluster_upstream_cx__{" FIX
          "outside=\"\",out2=\"overflow\",envoy_cluster_name=\"a\"}");
    check(tags, "cluster.foo_svc.upstream_cx_idle_timeout",
          "envoy_cluster_upstream_cx__timeout{" FIX
          "threeg=\"timeout\",envoy_cluster_name=\"foo_svc\",custom1=\"foo\"}");
    check(tags, "cluster.a-b.upstream_cx_connect_fail",
          "envoy_cluster_upstream_cx_fail{cl=\"i\",onegroup=\"dup\",emptyg2=\"\",fix_ed_1="
          "\"v\\\"1\",envoy_cluster_name=\"a-b\"}");
    check(tags, "cluster.bar_svc.ext_authz.z.upstream_cx_total",
          "envoy_cluster_ext_authz_upstream_cx_total{" FIX
          "envoy_cluster_name=\"bar_svc\",envoy_ext_authz_prefix=\"z\",custom1=\"bar\"}");
    check(tags, "http.p1.fault.downstream_cx_total",
          "envoy_http_fault_downstream_cx_total{" FIX
          "9tag=\"p1\",envoy_http_conn_manager_prefix=\"p1\"}");
#undef FIX
    nu_stat_tags_destroy(&tags);
}

TEST(without_defaults_a_rule_may_name_one)
{
    static const struct nu_stat_tag_rule rules[] = {{.name = NU_STR_INIT("envoy.cluster_name")}};
    struct nu_stat_tags *tags = configured(false, rules, 1);
    check(tags, "cluster.a.upstream_rq_200",
          "envoy_cluster_upstream_rq_200{envoy_cluster_name=\"a\"}");
    check(tags, "http.a.rq_total", "envoy_http_a_rq_total{}");
    nu_stat_tags_destroy(&tags);
}

static void check_error(const struct nu_stat_tag_rule *rule, const char *expected)
{
    struct nu_strbuf error = {0};
    assert_null(nu_stat_tags_create(
        &(struct nu_stat_tags_config){.use_all_default_tags = true, .rules = rule, .rule_count = 1},
        &error));
    assert_str(nu_strbuf_str(&error), expected);
    nu_strbuf_finish(&error);
}

TEST(rules_that_cannot_be_used_are_told)
{
    static const struct nu_stat_tag_rule unknown = {.name = NU_STR_INIT("foo")};
    static const struct nu_stat_tag_rule nameless = RULE("", "a");
    static const struct nu_stat_tag_rule broken = RULE("foo", "[");
    check_error(&unknown,
                "No regex specified for tag specifier and no default regex for name: 'foo'");
    check_error(&nameless, "tag_name cannot be empty");
    check_error(&broken, "Invalid regex '[': missing ]: [");
}

TEST_MAIN()
