/* SPDX-License-Identifier: Apache-2.0 */
/* Which hosts the next try goes to, and that they may change before it. */
#include "http/metadata.h"
#include "harness/tried.h"

/* --- Where retries go ------------------------------------------------------------------------- */

static struct nu_host *host_at(struct tried *t, const struct upstream *upstream,
                               const struct nu_metadata *metadata)
{
    struct nu_host_params params = {.weight = 1, .metadata = metadata};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(upstream->address), &params.address),
                     NU_OK);
    return nu_host_create(t->base.base.keeper, &params);
}

static void tried_finish_with(struct tried *t, struct upstream *other)
{
    upstream_finish(other);
    tried_finish(t);
}

/* Of two hosts one is bad, and the next one in turn would be it again. */
TEST(retry_avoids_the_host_that_was_tried)
{
    for (int avoids = 0; avoids < 2; avoids++) {
        struct tried t;
        struct upstream bad;
        tried_init(&t, GOOD, NU_RETRY_ON_5XX);
        upstream_init(&bad, t.base.base.loop, EMPTY("503 No") " | again");
        t.policy.avoids_previous_hosts = avoids;
        t.policy.host_attempts = 5;
        struct nu_host *hosts[] = {host_at(&t, &bad, NULL), host_at(&t, &bad, NULL),
                                   host_at(&t, &bad, NULL), host_at(&t, &t.base.upstream, NULL)};
        cluster_fixture_start(&t.base.base, cluster_host_set(hosts, 4));
        t.base.params =
            (struct nu_exchange_params){.cluster = cluster_local(&t.base.base), .retry = &t.rules};
        int good = 0;
        for (int i = 0; i < 4; i++) {
            exchange_start(&t.client, &t.base.params, "GET", true);
            run(&t);
            good += nu_str_ends_with(nu_strbuf_str(&t.client.events), NU_STR("200 [ok] end"));
            if (i < 3)
                exchange_finish(&t.client);
        }
        assert_true(avoids ? good == 4 : good < 4);
        tried_finish_with(&t, &bad);
    }
}

TEST(retry_avoids_canaries_and_labels)
{
    for (int by_label = 0; by_label < 2; by_label++) {
        struct tried t;
        struct upstream bad;
        tried_init(&t, GOOD, NU_RETRY_ON_5XX);
        upstream_init(&bad, t.base.base.loop, EMPTY("503 No") " | again");
        struct nu_arena arena;
        nu_arena_init(&arena);
        struct nu_metadata *labels = nu_metadata_create(&arena);
        nu_metadata_set(labels, NU_STR("envoy.lb"), NU_STR("canary"), nu_value_bool(true));
        const struct nu_metadata *avoided[] = {labels};
        t.policy.avoids_canaries = !by_label;
        t.policy.avoided = avoided;
        t.policy.avoided_count = by_label ? 1 : 0;
        t.policy.host_attempts = 5;
        struct nu_host *hosts[] = {host_at(&t, &bad, labels), host_at(&t, &bad, labels),
                                   host_at(&t, &t.base.upstream, NULL)};
        cluster_fixture_start(&t.base.base, cluster_host_set(hosts, 3));
        t.base.params =
            (struct nu_exchange_params){.cluster = cluster_local(&t.base.base), .retry = &t.rules};
        for (int i = 0; i < 4; i++) {
            exchange_start(&t.client, &t.base.params, "GET", true);
            run(&t);
            assert_true(nu_str_ends_with(nu_strbuf_str(&t.client.events), NU_STR("200 [ok] end")));
            if (i < 3)
                exchange_finish(&t.client);
        }
        tried_finish_with(&t, &bad);
        nu_arena_finish(&arena);
    }
}

TEST(tries_without_another_host_end_with_what_there_is)
{
    struct tried t;
    tried_init(&t, EMPTY("503 No") " | " GOOD, NU_RETRY_ON_5XX);
    t.policy.avoids_previous_hosts = true;
    t.policy.host_attempts = 3;
    tried_start(&t, true);
    run(&t);
    assert_events(&t, AGAIN);
    tried_finish(&t);
}

/* --- While they change ------------------------------------------------------------------------ */

/* A try has failed at the first host, and the next one is to begin. */
static void fail_first(struct tried *t)
{
    tried_init(t, EMPTY("503 No"), NU_RETRY_ON_5XX);
    t->policy.avoids_previous_hosts = true;
    t->policy.host_attempts = 5;
    tried_start(t, true);
    wait_pausing(t);
}

static void replace_hosts(struct tried *t, struct nu_host **hosts, uint32_t count)
{
    struct cluster_fixture *f = &t->base.base;
    struct nu_host_set *set = cluster_host_set(hosts, count);
    nu_cluster_manager_set_hosts(f->manager, f->cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f->loop);
    nu_loop_run_once(f->loop); /* what is not used any more has gone, too */
}

TEST(retry_goes_to_the_host_that_came_in_the_pause)
{
    struct tried t;
    struct upstream later;
    fail_first(&t);
    upstream_init(&later, t.base.base.loop, GOOD);
    struct nu_host *host = host_at(&t, &later, NULL);
    replace_hosts(&t, &host, 1);
    run(&t);
    assert_events(&t, AGAIN);
    tried_finish_with(&t, &later);
}

TEST(retry_whose_hosts_went_in_the_pause_has_none)
{
    struct tried t;
    fail_first(&t);
    replace_hosts(&t, NULL, 0);
    run(&t);
    assert_events(&t, "try 2 failed: no host");
    assert_stats(&t.base, "membership_total=0 upstream_cx_active=0");
    tried_finish(&t);
}

/* A host is known by its address: a new one at the same place was tried as well. */
TEST(host_that_came_back_was_tried)
{
    struct tried t;
    struct upstream later;
    fail_first(&t);
    upstream_init(&later, t.base.base.loop, GOOD);
    replace_hosts(&t, NULL, 0);
    struct nu_host *hosts[4];
    for (int i = 0; i < 3; i++)
        hosts[i] = host_at(&t, &t.base.upstream, NULL);
    hosts[3] = host_at(&t, &later, NULL);
    replace_hosts(&t, hosts, 4);
    run(&t);
    assert_events(&t, AGAIN);
    tried_finish_with(&t, &later);
}

TEST_MAIN()
