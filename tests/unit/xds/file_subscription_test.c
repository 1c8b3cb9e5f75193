/* SPDX-License-Identifier: Apache-2.0 */
/* Resources of a file: what counts as an update, as a failure and as a refusal. Fake clock. */
#include "harness/config.h"
#include "harness/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/factory.h"
#include "event/file_watch.h"
#include "stats/sds_stats.h"
#include "stats/stats.h"
#include "xds/subscribe.h"

#include "envoy/config/endpoint/v3/endpoint.pb-c.h"

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;

struct fixture {
    struct config_fixture config;
    char folder[40];
    char path[64];
    struct nu_loop *loop;
    struct nu_stats *stats;
    struct nu_file_watcher *files;
    struct nu_stat_set *set;
    struct nu_sds_stats *counters; /* any table that has them */
    struct nu_subscriber subscriber;
    struct nu_subscription *subscription;
    bool refuses;
    unsigned updates;
    unsigned failures;
    char seen[128]; /* "version: name name" of the last update */
};

static struct fixture *fixture_of(struct nu_subscriber *subscriber)
{
    return nu_container_of(subscriber, struct fixture, subscriber);
}

static void on_resources(struct nu_subscriber *subscriber, struct nu_config_ctx *ctx,
                         const struct nu_resources *resources)
{
    struct fixture *f = fixture_of(subscriber);
    struct nu_strbuf text = {0};
    f->updates++;
    nu_strbuf_addf(&text, "%.*s:", NU_STR_ARG(resources->version));
    for (size_t i = 0; i < resources->count; i++) {
        const assignment_proto *item = (const void *)resources->items[i];
        nu_strbuf_addf(&text, " %s", item->cluster_name);
        if (f->refuses)
            nu_config_error(ctx, item, "cluster_name", "not this one");
    }
    snprintf(f->seen, sizeof(f->seen), "%s", text.data);
    nu_strbuf_finish(&text);
}

static void on_failure(struct nu_subscriber *subscriber)
{
    fixture_of(subscriber)->failures++;
}

static const struct nu_subscriber_ops subscriber_ops = {on_resources, on_failure};

/* Puts a new file in the place of the old one. */
static void put(const struct fixture *f, const char *text)
{
    char temporary[80];
    snprintf(temporary, sizeof(temporary), "%s.new", f->path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(temporary, f->path), 0);
}

static void look(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        nu_loop_run_once(f->loop);
        harness_advance(f->loop, 2000);
    }
}

#define HEAD "version_info: v\nresources:\n"
#define RESOURCE(name) \
    "- {\"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment, " \
    "cluster_name: " name "}\n"

static struct nu_subscription *subscribe(struct fixture *f)
{
    char text[128];
    snprintf(text, sizeof(text), "path_config_source: {path: %s}", f->path);
    struct nu_factory factory = {.ctx = &f->config.ctx,
                                 .arena = &f->config.arena,
                                 .stats = f->stats,
                                 .loop = f->loop,
                                 .files = f->files};
    struct nu_sds_stats *counters = f->counters;
    struct nu_subscription_params params = {
        .source = config_yaml(&f->config, "envoy.config.core.v3.ConfigSource", text),
        .type = &envoy__config__endpoint__v3__cluster_load_assignment__descriptor,
        .name = NU_STR_INIT("test"),
        .subscriber = &f->subscriber,
        .stats = {&counters->update_attempt, &counters->update_success, &counters->update_failure,
                  &counters->update_rejected, &counters->update_time, &counters->version,
                  &counters->version_text, &counters->update_duration},
    };
    return nu_xds_subscribe(&factory, &params);
}

static void fixture_init(struct fixture *f, const char *text)
{
    nu_clock_fake_install((uint64_t)1000 * 1000000, (uint64_t)1700000000 * 1000000);
    *f = (struct fixture){.loop = nu_loop_create(), .stats = nu_stats_create()};
    config_open(&f->config);
    snprintf(f->folder, sizeof(f->folder), "/tmp/nuncio-subscription-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/r.yaml", f->folder);
    put(f, text);
    f->files = nu_file_watcher_create(f->loop);
    f->set = nu_stat_set_create(f->stats, &nu_sds_stats_table, NU_STR("s"));
    f->counters = nu_stat_set_block(f->set);
    f->subscriber.ops = &subscriber_ops;
    f->subscription = subscribe(f);
    assert_non_null(f->subscription);
}

static void fixture_finish(struct fixture *f)
{
    char command[64];
    nu_subscription_destroy(&f->subscription);
    nu_file_watcher_destroy(&f->files);
    nu_loop_destroy(&f->loop);
    nu_stat_set_destroy(&f->set);
    nu_stats_destroy(&f->stats);
    config_close(&f->config);
    nu_clock_fake_remove();
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
}

/* attempts, successes, failures, refusals */
static void assert_counts(const struct fixture *f, const char *expected)
{
    char text[64];
    snprintf(text, sizeof(text), "%llu %llu %llu %llu",
             (unsigned long long)nu_counter_get(&f->counters->update_attempt),
             (unsigned long long)nu_counter_get(&f->counters->update_success),
             (unsigned long long)nu_counter_get(&f->counters->update_failure),
             (unsigned long long)nu_counter_get(&f->counters->update_rejected));
    assert_string_equal(text, expected);
}

TEST(file_is_read_at_the_start)
{
    struct fixture f;
    fixture_init(&f, HEAD RESOURCE("a") RESOURCE("b"));
    assert_int_equal(f.updates, 0);
    nu_subscription_start(f.subscription);
    assert_string_equal(f.seen, "v: a b");
    assert_counts(&f, "1 1 0 0");
    assert_int_equal(nu_gauge_get(&f.counters->update_time), (int64_t)1700000000 * 1000);
    look(&f);
    assert_counts(&f, "1 1 0 0");
    fixture_finish(&f);
}

TEST(each_new_file_is_an_update_also_with_the_same_words)
{
    struct fixture f;
    fixture_init(&f, HEAD RESOURCE("a"));
    nu_subscription_start(f.subscription);
    put(&f, HEAD RESOURCE("b"));
    look(&f);
    assert_string_equal(f.seen, "v: b");
    put(&f, HEAD RESOURCE("b"));
    look(&f);
    assert_int_equal(f.updates, 3);
    assert_counts(&f, "3 3 0 0");
    fixture_finish(&f);
}

struct bad_case {
    const char *text, *counts;
    bool refuses;
};

/* What cannot be read has failed; what breaks a rule is refused. */
static const struct bad_case bad_cases[] = {
    {"resources: [", "2 1 1 0", false},
    {"resources: {a: b}", "2 1 1 0", false},
    {HEAD "- {\"@type\": type.googleapis.com/no.such.Type}", "2 1 1 0", false},
    {HEAD RESOURCE("''"), "2 1 0 1", false},
    {HEAD "- {\"@type\": type.googleapis.com/envoy.config.core.v3.Node, id: x}", "2 1 0 1", false},
    {HEAD RESOURCE("b"), "2 1 0 1", true},
};

TEST(bad_update_is_counted_and_told)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(bad_cases); i++) {
        const struct bad_case *c = &bad_cases[i];
        struct fixture f;
        fixture_init(&f, HEAD RESOURCE("a"));
        nu_subscription_start(f.subscription);
        f.refuses = c->refuses;
        put(&f, c->text);
        look(&f);
        assert_counts(&f, c->counts);
        assert_int_equal(f.failures, 1);
        f.refuses = false;
        put(&f, HEAD RESOURCE("c"));
        look(&f);
        assert_string_equal(f.seen, "v: c");
        fixture_finish(&f);
    }
}

TEST(file_that_went_is_a_failure)
{
    struct fixture f;
    fixture_init(&f, HEAD RESOURCE("a"));
    nu_subscription_start(f.subscription);
    assert_int_equal(unlink(f.path), 0);
    look(&f);
    assert_counts(&f, "2 1 1 0");
    fixture_finish(&f);
}

TEST(fields_that_nobody_knows_are_ignored)
{
    struct fixture f;
    fixture_init(&f, HEAD "- \"@type\": "
                          "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n"
                          "  cluster_name: a\n  colour: red\n");
    nu_subscription_start(f.subscription);
    assert_string_equal(f.seen, "v: a");
    fixture_finish(&f);
}

TEST(path_must_exist)
{
    struct fixture f;
    fixture_init(&f, HEAD);
    nu_subscription_destroy(&f.subscription);
    assert_int_equal(unlink(f.path), 0);
    assert_null(subscribe(&f));
    assert_int_equal(f.config.ctx.errors.count, 1);
    fixture_finish(&f);
}

TEST_MAIN()
