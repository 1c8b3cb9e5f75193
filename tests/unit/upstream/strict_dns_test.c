/* SPDX-License-Identifier: Apache-2.0 */
/* STRICT_DNS with a resolver that answers when the test says so, on the fake clock. */
#include "harness/dns_cluster.h"

static void fixture_start(struct fixture *f)
{
    struct cluster_fixture *base = &f->base;
    dns_fixture_start(f, nu_strict_dns_create(base->cluster, base->keeper, base->loop, &f->params));
}

/* The hosts as the worker's table has them: "1.2.3.4:80 ...". */
static void assert_hosts(struct fixture *f, const char *expected)
{
    struct nu_strbuf text = {0};
    nu_loop_run_once(f->base.loop);
    const struct nu_host_set *hosts = cluster_local(&f->base)->hosts;
    for (uint32_t i = 0; i < hosts->count; i++)
        nu_strbuf_addf(&text, "%s%.*s", i ? " " : "", NU_STR_ARG(hosts->hosts[i]->address_text));
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

static void advance(struct fixture *f, uint64_t ms)
{
    harness_advance(f->base.loop, ms);
}

#define stat(f, name) cluster_stat(&(f)->base, name)

/* --- Hosts ------------------------------------------------------------------------------------ */

TEST(every_address_is_a_host_with_the_endpoints_settings)
{
    struct fixture f;
    dns_fixture_init(&f, 2);
    fixture_start(&f);
    answer(&f.resolver, "b.test", "1.0.0.9");
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80 1.0.0.9:81");
    const struct nu_host_set *hosts = cluster_local(&f.base)->hosts;
    assert_str(hosts->hosts[0]->hostname, "a.test");
    assert_str(hosts->hosts[2]->hostname, "other");
    assert_int_equal(hosts->hosts[1]->weight, 5);
    assert_int_equal(hosts->hosts[2]->weight, 3);
    assert_true(hosts->weighted);
    assert_int_equal(f.resolver.asked[0].family, NU_DNS_V4_PREFERRED);
    assert_int_equal(stat(&f, "membership_total"), 3);
    assert_int_equal(stat(&f, "membership_healthy"), 3);
    assert_int_equal(stat(&f, "max_host_weight"), 5);
    fixture_finish(&f);
}

TEST(duplicates_of_one_name_are_one_host_those_of_two_names_are_two)
{
    struct fixture f;
    dns_fixture_init(&f, 2);
    f.endpoints[1].port = 80;
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.1 1.0.0.2");
    answer(&f.resolver, "b.test", "1.0.0.1");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80 1.0.0.1:80");
    fixture_finish(&f);
}

/* Answers one after the other, and what follows from the last one. */
struct answer_case {
    const char *first, *second; /* "!": a failure */
    const char *hosts;
    uint64_t changes, no_rebuild, failures;
};

static const struct answer_case answer_cases[] = {
    {"1.0.0.1", "1.0.0.1", "1.0.0.1:80", 1, 1, 0},
    {"1.0.0.1 1.0.0.2", "1.0.0.2 1.0.0.1", "1.0.0.1:80 1.0.0.2:80", 1, 1, 0},
    {"1.0.0.1 1.0.0.2", "1.0.0.2", "1.0.0.2:80", 2, 0, 0},
    {"1.0.0.1", "1.0.0.1 1.0.0.2", "1.0.0.1:80 1.0.0.2:80", 2, 0, 0},
    {"1.0.0.1", "1.0.0.2", "1.0.0.2:80", 2, 0, 0},
    {"1.0.0.1", "", "", 2, 0, 0},
    {"1.0.0.1", "!", "1.0.0.1:80", 1, 0, 1},
    {"", "1.0.0.1", "1.0.0.1:80", 1, 1, 0},
    {"", "", "", 0, 2, 0},
    {"!", "1.0.0.1", "1.0.0.1:80", 1, 0, 1},
    {"!", "!", "", 0, 0, 2},
};

static void give(struct fixture *f, const char *text)
{
    if (*text == '!')
        fail_question(&f->resolver, "a.test");
    else
        answer(&f->resolver, "a.test", text);
}

TEST(answers_replace_hosts_and_failures_keep_them)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(answer_cases); i++) {
        const struct answer_case *c = &answer_cases[i];
        struct fixture f;
        dns_fixture_init(&f, 1);
        fixture_start(&f);
        give(&f, c->first);
        advance(&f, 5001);
        give(&f, c->second);
        /* The order of the first answer stays while the addresses are the same. */
        assert_hosts(&f, c->hosts);
        assert_int_equal(stat(&f, "membership_change"), c->changes);
        assert_int_equal(stat(&f, "update_no_rebuild"), c->no_rebuild);
        assert_int_equal(stat(&f, "update_failure"), c->failures);
        assert_int_equal(stat(&f, "update_success"), 2 - c->failures);
        assert_int_equal(stat(&f, "update_attempt"), 2);
        fixture_finish(&f);
    }
}

TEST(hosts_that_stay_keep_their_identity)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80");
    const struct nu_host *second = cluster_local(&f.base)->hosts->hosts[1];
    advance(&f, 5001);
    answer(&f.resolver, "a.test", "1.0.0.3 1.0.0.2");
    assert_hosts(&f, "1.0.0.3:80 1.0.0.2:80");
    assert_ptr_equal(cluster_local(&f.base)->hosts->hosts[1], second);
    fixture_finish(&f);
}

/* A host that is not named any more stays while it passes its checks, and goes when it fails one.
 * Named again it has to come back, though the addresses are those of two answers ago. */
TEST(host_that_failed_its_check_comes_back_when_it_is_named_again)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    f.base.cluster->is_checked = f.base.cluster->keeps_passing_hosts = true;
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80");
    advance(&f, 5001);
    answer(&f.resolver, "a.test", "1.0.0.1");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80");
    struct nu_host *second = cluster_local(&f.base)->hosts->hosts[1];
    nu_host_set_flag(second, NU_HOST_FAILED_ACTIVE_HC);
    nu_cluster_health_changed(f.base.cluster);
    assert_hosts(&f, "1.0.0.1:80");
    advance(&f, 5001);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2");
    assert_hosts(&f, "1.0.0.1:80 1.0.0.2:80");
    assert_int_equal(stat(&f, "membership_change"), 3);
    fixture_finish(&f);
}

/* --- Pace ------------------------------------------------------------------------------------- */

/* Whether the next question comes after exactly `ms`. */
static void assert_asks_after(struct fixture *f, uint64_t ms)
{
    unsigned before = f->resolver.count;
    advance(f, ms - 1);
    assert_int_equal(f->resolver.count, before);
    advance(f, 1);
    assert_int_equal(f->resolver.count, before + 1);
}

TEST(names_are_asked_again_after_the_refresh_rate)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    fixture_start(&f);
    assert_int_equal(f.resolver.count, 1);
    advance(&f, 100000);
    /* Not before the answer came. */
    assert_int_equal(f.resolver.count, 1);
    answer(&f.resolver, "a.test", "1.0.0.1");
    assert_asks_after(&f, 5000);
    fail_question(&f.resolver, "a.test");
    assert_asks_after(&f, 5000);
    fixture_finish(&f);
}

TEST(ttl_sets_the_pace_only_when_asked_to_and_not_when_zero)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    f.params.pace.respect_ttl = true;
    fixture_start(&f);
    answer_with_ttl(&f.resolver, "a.test", "1.0.0.1 1.0.0.2", 2);
    assert_asks_after(&f, 2000);
    answer_with_ttl(&f.resolver, "a.test", "1.0.0.1", 0);
    assert_asks_after(&f, 5000);
    answer(&f.resolver, "a.test", "");
    assert_asks_after(&f, 5000);
    fixture_finish(&f);
}

TEST(jitter_delays_by_less_than_its_bound)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    f.params.pace.jitter_ms = 1000;
    fixture_start(&f);
    unsigned asked_early = 0;
    for (int i = 0; i < 20; i++) {
        unsigned before = f.resolver.count;
        answer(&f.resolver, "a.test", "1.0.0.1");
        advance(&f, 4999);
        assert_int_equal(f.resolver.count, before);
        advance(&f, 500);
        asked_early += f.resolver.count > before;
        advance(&f, 501);
        assert_int_equal(f.resolver.count, before + 1);
    }
    assert_in_range(asked_early, 2, 18);
    fixture_finish(&f);
}

/* The pause after the next failure, to the millisecond. */
static uint64_t pause_after_failure(struct fixture *f)
{
    unsigned before = f->resolver.count;
    uint64_t ms = 0;
    fail_question(&f->resolver, "a.test");
    for (; f->resolver.count == before; ms++)
        advance(f, 1);
    return ms;
}

TEST(failures_back_off_up_to_the_bound_and_start_over_after_an_answer)
{
    static const uint64_t bounds[] = {100, 200, 400, 800, 1000, 1000, 1000};
    struct fixture f;
    dns_fixture_init(&f, 1);
    f.params.pace.failure_base_ms = 100;
    f.params.pace.failure_max_ms = 1000;
    fixture_start(&f);
    uint64_t longest = 0;
    for (size_t i = 0; i < NU_ARRAY_LEN(bounds); i++) {
        uint64_t pause = pause_after_failure(&f);
        assert_in_range(pause, 1, bounds[i]);
        longest = pause > longest ? pause : longest;
    }
    assert_true(longest > 200);
    answer(&f.resolver, "a.test", "1.0.0.1");
    assert_asks_after(&f, 5000);
    assert_in_range(pause_after_failure(&f), 1, 100);
    fixture_finish(&f);
}

TEST(names_go_their_own_pace)
{
    struct fixture f;
    dns_fixture_init(&f, 2);
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1");
    advance(&f, 2000);
    answer(&f.resolver, "b.test", "1.0.0.2");
    advance(&f, 3001);
    answer(&f.resolver, "a.test", "1.0.0.3");
    assert_hosts(&f, "1.0.0.3:80 1.0.0.2:81");
    assert_int_equal(f.resolver.count, 3);
    advance(&f, 2000);
    assert_int_equal(f.resolver.count, 4);
    fixture_finish(&f);
}

/* --- Warming ---------------------------------------------------------------------------------- */

TEST(cluster_is_warm_after_the_first_answer)
{
    struct fixture f;
    dns_fixture_init(&f, 2);
    fixture_start(&f);
    assert_false(f.is_warm);
    answer(&f.resolver, "b.test", "1.0.0.1");
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(cluster_is_warm_after_a_failure)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    fixture_start(&f);
    fail_question(&f.resolver, "a.test");
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(cluster_without_names_is_warm_at_once)
{
    struct fixture f;
    dns_fixture_init(&f, 0);
    fixture_start(&f);
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(nobody_waits_when_told_not_to)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    f.params.wait_for_warm = false;
    fixture_start(&f);
    assert_true(f.is_warm);
    assert_int_equal(f.resolver.count, 1);
    fixture_finish(&f);
}

/* --- The end ---------------------------------------------------------------------------------- */

TEST(end_cancels_questions_and_frees_an_own_resolver)
{
    struct fixture f;
    dns_fixture_init(&f, 2);
    f.params.owns_resolver = true;
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1");
    fixture_finish(&f);
    assert_int_equal(f.resolver.cancelled, 1);
    assert_true(f.resolver.destroyed);
}

TEST(end_leaves_a_shared_resolver)
{
    struct fixture f;
    dns_fixture_init(&f, 1);
    fixture_start(&f);
    fixture_finish(&f);
    assert_false(f.resolver.destroyed);
}

TEST_MAIN()
