/* SPDX-License-Identifier: Apache-2.0 */
/* LOGICAL_DNS with a resolver that answers when the test says so, on the fake clock. */
#include "harness/dns_cluster.h"

#include "upstream/discovery/logical_dns.h"

/* One name. */
static void fixture_init(struct fixture *f)
{
    dns_fixture_init(f, 1);
    f->params.family = NU_DNS_ALL;
}

static void fixture_start(struct fixture *f)
{
    struct cluster_fixture *base = &f->base;
    dns_fixture_start(f,
                      nu_logical_dns_create(base->cluster, base->keeper, base->loop, &f->params));
}

/* The one host of the worker's table. */
static const struct nu_host *the_host(struct fixture *f)
{
    nu_loop_run_once(f->base.loop);
    const struct nu_host_set *hosts = cluster_local(&f->base)->hosts;
    assert_int_equal(hosts->count, 1);
    return hosts->hosts[0];
}

/* What it is known by, and all its addresses as they are tried: "1.0.0.1:80: 1.0.0.1 ::1". */
static void assert_addresses(struct fixture *f, const char *expected)
{
    struct nu_strbuf text = {0};
    const struct nu_host_addresses *now = nu_host_addresses(the_host(f));
    nu_strbuf_addf(&text, "%.*s:", NU_STR_ARG(now->text));
    for (uint32_t i = 0; i < now->count; i++) {
        char one[NU_ADDRESS_TEXT_MAX];
        size_t len = nu_address_format_ip(&now->list[i], one);
        nu_strbuf_addf(&text, " %.*s", (int)len, one);
    }
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

#define stat(f, name) cluster_stat(&(f)->base, name)

TEST(host_stays_and_its_address_follows_the_answers)
{
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    assert_false(f.is_warm);
    answer(&f.resolver, "a.test", "1.0.0.1");
    assert_true(f.is_warm);
    const struct nu_host *host = the_host(&f);
    assert_str(host->hostname, "a.test");
    assert_int_equal(nu_host_weight(host), 5);
    assert_addresses(&f, "1.0.0.1:80: 1.0.0.1");
    assert_true(nu_host_is_at_one_address(host));
    harness_advance(f.base.loop, 5000);
    answer(&f.resolver, "a.test", "1.0.0.2");
    assert_ptr_equal(the_host(&f), host);
    assert_addresses(&f, "1.0.0.2:80: 1.0.0.2");
    assert_int_equal(stat(&f, "membership_change"), 1);
    assert_int_equal(stat(&f, "update_success"), 2);
    fixture_finish(&f);
}

TEST(families_take_turns_and_the_first_answer_names_the_host)
{
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2 ::1");
    assert_addresses(&f, "1.0.0.1:80: 1.0.0.1 ::1 1.0.0.2");
    assert_false(nu_host_is_at_one_address(the_host(&f)));
    harness_advance(f.base.loop, 5000);
    answer(&f.resolver, "a.test", "::1 1.0.0.1");
    assert_addresses(&f, "[::1]:80: ::1 1.0.0.1");
    fixture_finish(&f);
}

TEST(last_good_answer_is_kept)
{
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1");
    harness_advance(f.base.loop, 5000);
    fail_question(&f.resolver, "a.test");
    assert_addresses(&f, "1.0.0.1:80: 1.0.0.1");
    harness_advance(f.base.loop, 5000);
    answer(&f.resolver, "a.test", "");
    assert_addresses(&f, "1.0.0.1:80: 1.0.0.1");
    assert_int_equal(stat(&f, "update_failure"), 2);
    fixture_finish(&f);
}

TEST(failure_makes_warm_and_the_host_comes_later)
{
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    fail_question(&f.resolver, "a.test");
    assert_true(f.is_warm);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_local(&f.base)->hosts->count, 0);
    harness_advance(f.base.loop, 5000);
    answer(&f.resolver, "a.test", "1.0.0.1");
    assert_addresses(&f, "1.0.0.1:80: 1.0.0.1");
    fixture_finish(&f);
}

TEST(end_cancels_the_question)
{
    struct fixture f;
    fixture_init(&f);
    fixture_start(&f);
    fixture_finish(&f);
    assert_int_equal(f.resolver.cancelled, 1);
}

TEST_MAIN()
