/* SPDX-License-Identifier: Apache-2.0 */
/* A forward proxy's names and hosts: the worker's and the main thread's sides, on one loop. */
#include "harness/cluster.h"
#include "harness/fake_resolver.h"

#include "upstream/discovery/discovery.h"
#include "upstream/discovery/forward_proxy.h"

struct fixture {
    struct cluster_fixture base;
    struct fake_resolver resolver;
    struct nu_dns_cache_params params;
    struct nu_forward_proxy config;
    struct nu_init_manager init;
    struct nu_cluster_local *local;
};

/* A request. */
struct asker {
    struct nu_dns_cache_wait wait;
    struct fixture *fixture;
    const char *name;
    unsigned told;
    bool has_address;
    bool no_room;
    bool found_host; /* when it was told */
    char details[96];
};

static void on_warm(struct nu_init_manager *manager)
{
    (void)manager;
}

static void fixture_prepare(struct fixture *f)
{
    nu_clock_fake_install(1000000, 1700000000000000);
    *f = (struct fixture){.resolver = {.base = {.cls = &fake_class}}};
    f->params = (struct nu_dns_cache_params){
        .resolver = &f->resolver.base,
        .family = NU_DNS_V4_ONLY,
        .refresh_ms = 60000,
        .min_refresh_ms = 5000,
        .query_timeout_ms = 5000,
        .host_ttl_ms = 300000,
        .max_hosts = 1024,
        .max_pending = 1024,
    };
    cluster_fixture_init(&f->base);
}

static void fixture_start(struct fixture *f)
{
    struct nu_cluster *cluster = f->base.cluster;
    struct nu_dns_caches *caches = nu_cluster_manager_dns_caches(f->base.manager);
    f->config.cache = nu_dns_caches_add(caches, NU_STR("n"), &f->params);
    f->config.default_port = 80;
    cluster->forward_proxy = &f->config;
    cluster->lb_class = &nu_lb_by_name;
    cluster->discovery = nu_forward_proxy_create(cluster, f->base.loop);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    nu_init_manager_init(&f->init, "test");
    nu_cluster_start_discovery(cluster, &f->init);
    nu_init_manager_start(&f->init, on_warm);
    f->base.loop->clusters = &f->base.table;
    f->local = cluster_local(&f->base);
    nu_cluster_local_stats(f->local);
}

static void fixture_init(struct fixture *f)
{
    fixture_prepare(f);
    fixture_start(f);
}

static void fixture_finish(struct fixture *f)
{
    nu_init_manager_finish(&f->init);
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

/* Messages go to the main thread and back. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 4; i++)
        nu_loop_run_once(f->base.loop);
}

static uint64_t stat(const struct fixture *f, const char *name)
{
    uint64_t value = 0;
    char full[128];
    snprintf(full, sizeof(full), "dns_cache.n.%s", name);
    nu_stats_value(f->base.stats, nu_str_from(full), &value);
    return value;
}

static int32_t choose(struct fixture *f, const char *key)
{
    struct nu_lb_context context = {.host_name = nu_str_from(key)};
    return nu_cluster_choose_host(f->local, &context).index;
}

static const struct nu_host *host_of(struct fixture *f, const char *key)
{
    int32_t index = choose(f, key);
    assert_true(index >= 0);
    return f->local->hosts->hosts[index];
}

static void on_result(struct nu_dns_cache_wait *wait, const struct nu_dns_result *result)
{
    struct asker *asker = nu_container_of(wait, struct asker, wait);
    asker->told++;
    asker->no_room = !result;
    if (!result)
        return;
    asker->has_address = result->has_address;
    asker->found_host = choose(asker->fixture, asker->name) >= 0;
    snprintf(asker->details, sizeof(asker->details), "%.*s", NU_STR_ARG(result->details));
}

static enum nu_dns_cache_status ask(struct fixture *f, struct asker *asker, const char *name)
{
    const struct nu_dns_result *result;
    const struct nu_dns_cache_name wanted = {nu_str_from(name), 80};
    *asker = (struct asker){.fixture = f, .name = name, .wait = {.on_result = on_result}};
    return nu_dns_cache_find(&f->base.table, f->config.cache, &wanted, &asker->wait, &result);
}

/* A name becomes known, with these addresses. */
static void learn(struct fixture *f, const char *name, const char *host, const char *addresses)
{
    struct asker asker;
    assert_int_equal(ask(f, &asker, name), NU_DNS_CACHE_LOADING);
    settle(f);
    answer(&f->resolver, host, addresses);
    settle(f);
    assert_int_equal(asker.told, 1);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void assert_key(const char *host, const char *key, const char *name, uint16_t port)
{
    char text[NU_DNS_CACHE_KEY_MAX];
    const struct nu_dns_cache_name wanted = {nu_str_from(host), 443};
    struct nu_str got = nu_dns_cache_key(&wanted, text);
    assert_str(got, key);
    struct nu_dns_cache_name split = nu_dns_cache_split_key(got, 443);
    assert_str(split.host, name);
    assert_int_equal(split.port, port);
}

TEST(a_name_without_a_port_gets_the_default_one)
{
    assert_key("a.test", "a.test:443", "a.test", 443);
    assert_key("a.test:80", "a.test:80", "a.test", 80);
    assert_key("1.2.3.4", "1.2.3.4:443", "1.2.3.4", 443);
    assert_key("[::1]", "[::1]:443", "::1", 443);
    assert_key("[::1]:8080", "[::1]:8080", "::1", 8080);
    assert_key("a.test:0", "a.test:0", "a.test", 0);
    assert_key("a.test:+81", "a.test:+81", "a.test", 81);
}

TEST(what_is_no_port_stays_in_the_name)
{
    assert_key("a.test:", "a.test::443", "a.test:", 443);
    assert_key("a.test:x", "a.test:x:443", "a.test:x", 443);
    assert_key("a.test:65536", "a.test:65536", "a.test:65536", 443);
    assert_key("a.test:99999999999", "a.test:99999999999:443", "a.test:99999999999", 443);
    assert_key("[name]:80", "[name]:80", "[name]", 80);
    assert_key("[::1", "[::1", "[:", 1);
    assert_key("", ":443", "", 443);
}

TEST(what_is_too_long_for_a_name_is_not_kept)
{
    struct fixture f;
    struct asker asker;
    char name[400];
    fixture_init(&f);
    memset(name, 'a', sizeof(name));
    name[295] = '\0';
    assert_int_equal(ask(&f, &asker, name), NU_DNS_CACHE_KNOWN);
    name[294] = '\0';
    assert_int_equal(ask(&f, &asker, name), NU_DNS_CACHE_LOADING);
    nu_dns_cache_wait_cancel(&asker.wait);
    settle(&f);
    assert_int_equal(stat(&f, "num_hosts"), 1);
    fixture_finish(&f);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

TEST(who_waits_for_a_name_finds_its_host)
{
    struct fixture f;
    struct asker asker;
    fixture_init(&f);
    assert_int_equal(ask(&f, &asker, "a.test:8080"), NU_DNS_CACHE_LOADING);
    settle(&f);
    assert_int_equal(asker.told, 0);
    assert_int_equal(choose(&f, "a.test:8080"), NU_LB_NONE);
    answer(&f.resolver, "a.test", "1.0.0.1 1.0.0.2");
    settle(&f);
    assert_true(asker.told == 1 && asker.has_address && asker.found_host);
    const struct nu_host *host = host_of(&f, "a.test:8080");
    assert_str(host->hostname, "a.test:8080");
    assert_str(nu_host_address_text(host), "1.0.0.1:8080");
    assert_int_equal(nu_host_addresses(host)->count, 2);
    assert_int_equal(ask(&f, &asker, "a.test:8080"), NU_DNS_CACHE_KNOWN);
    assert_int_equal(cluster_stat(&f.base, "membership_total"), 1);
    assert_int_equal(cluster_stat(&f.base, "membership_change"), 1);
    assert_int_equal(f.resolver.count, 1);
    fixture_finish(&f);
}

TEST(those_who_wait_for_one_name_share_a_question)
{
    struct fixture f;
    struct asker a, b, c;
    fixture_init(&f);
    ask(&f, &a, "a.test");
    ask(&f, &b, "a.test:80");
    ask(&f, &c, "a.test");
    assert_int_equal(stat(&f, "circuit_breakers.rq_pending_remaining"), 1021);
    nu_dns_cache_wait_cancel(&b.wait);
    settle(&f);
    assert_int_equal(f.resolver.count, 1);
    answer(&f.resolver, "a.test", "1.0.0.1");
    settle(&f);
    assert_true(a.told == 1 && b.told == 0 && c.told == 1);
    assert_int_equal(stat(&f, "circuit_breakers.rq_pending_remaining"), 1024);
    fixture_finish(&f);
}

TEST(as_many_wait_as_may)
{
    struct fixture f;
    struct asker asker;
    fixture_prepare(&f);
    f.params.max_pending = 1;
    fixture_start(&f);
    assert_true(nu_dns_cache_allows(&f.base.table, f.config.cache));
    ask(&f, &asker, "a.test");
    assert_false(nu_dns_cache_allows(&f.base.table, f.config.cache));
    assert_int_equal(stat(&f, "dns_rq_pending_overflow"), 1);
    assert_int_equal(stat(&f, "circuit_breakers.rq_pending_open"), 1);
    nu_dns_cache_wait_cancel(&asker.wait);
    assert_true(nu_dns_cache_allows(&f.base.table, f.config.cache));
    assert_int_equal(stat(&f, "circuit_breakers.rq_pending_open"), 0);
    settle(&f);
    fixture_finish(&f);
}

TEST(no_more_names_come_in_than_fit)
{
    struct fixture f;
    struct asker a, b, c;
    fixture_prepare(&f);
    f.params.max_hosts = 1;
    fixture_start(&f);
    /* Both look before either is there. */
    assert_int_equal(ask(&f, &a, "a.test"), NU_DNS_CACHE_LOADING);
    assert_int_equal(ask(&f, &b, "b.test"), NU_DNS_CACHE_LOADING);
    settle(&f);
    assert_true(a.told == 0 && b.told == 1 && b.no_room);
    assert_int_equal(ask(&f, &c, "c.test"), NU_DNS_CACHE_OVERFLOW);
    assert_int_equal(stat(&f, "host_overflow"), 2);
    assert_int_equal(stat(&f, "num_hosts"), 1);
    answer(&f.resolver, "a.test", "1.0.0.1");
    settle(&f);
    assert_true(a.has_address);
    assert_int_equal(ask(&f, &a, "a.test"), NU_DNS_CACHE_KNOWN);
    fixture_finish(&f);
}

/* --- Failures --------------------------------------------------------------------------------- */

TEST(a_failure_says_why)
{
    struct fixture f;
    struct asker asker;
    fixture_init(&f);
    ask(&f, &asker, "a.test");
    settle(&f);
    fail_question(&f.resolver, "a.test");
    settle(&f);
    assert_true(asker.told == 1 && !asker.has_address && !asker.found_host);
    assert_string_equal(asker.details, "dns_resolution_failure{cares_failure:no}");
    assert_int_equal(ask(&f, &asker, "a.test"), NU_DNS_CACHE_KNOWN);
    assert_int_equal(stat(&f, "dns_query_failure"), 1);
    assert_int_equal(cluster_stat(&f.base, "membership_total"), 0);
    fixture_finish(&f);
}

TEST(an_answer_may_take_too_long)
{
    struct fixture f;
    struct asker asker;
    fixture_init(&f);
    ask(&f, &asker, "a.test");
    settle(&f);
    harness_advance(f.base.loop, 4990);
    assert_int_equal(asker.told, 0);
    harness_advance(f.base.loop, 20);
    settle(&f);
    assert_string_equal(asker.details, "dns_resolution_failure{resolve_timeout}");
    assert_int_equal(f.resolver.cancelled, 1);
    assert_int_equal(stat(&f, "dns_query_timeout"), 1);
    fixture_finish(&f);
}

TEST(a_failed_name_may_be_asked_for_only_when_it_is_wanted)
{
    struct fixture f;
    struct asker a, b;
    fixture_prepare(&f);
    f.params.forgets_failures = true;
    fixture_start(&f);
    ask(&f, &a, "a.test");
    settle(&f);
    fail_question(&f.resolver, "a.test");
    settle(&f);
    harness_advance(f.base.loop, 200000);
    assert_int_equal(f.resolver.count, 1);
    assert_int_equal(ask(&f, &a, "a.test"), NU_DNS_CACHE_LOADING);
    assert_int_equal(ask(&f, &b, "a.test"), NU_DNS_CACHE_LOADING);
    settle(&f);
    assert_int_equal(f.resolver.count, 2);
    answer(&f.resolver, "a.test", "1.0.0.1");
    settle(&f);
    assert_true(a.has_address && b.has_address);
    assert_int_equal(stat(&f, "host_removed"), 1);
    assert_int_equal(stat(&f, "num_hosts"), 1);
    fixture_finish(&f);
}

TEST(a_failed_name_does_not_stay_for_ever)
{
    struct fixture f;
    struct asker asker;
    fixture_prepare(&f);
    f.params.forgets_failures = true;
    fixture_start(&f);
    ask(&f, &asker, "a.test");
    settle(&f);
    fail_question(&f.resolver, "a.test");
    harness_advance(f.base.loop, 300010);
    settle(&f);
    assert_int_equal(stat(&f, "num_hosts"), 0);
    assert_int_equal(f.resolver.count, 1);
    assert_int_equal(ask(&f, &asker, "a.test"), NU_DNS_CACHE_LOADING);
    nu_dns_cache_wait_cancel(&asker.wait);
    settle(&f);
    fixture_finish(&f);
}

/* --- Asking again ----------------------------------------------------------------------------- */

TEST(a_name_is_asked_for_again_when_its_answer_is_too_old)
{
    struct fixture f;
    fixture_init(&f);
    learn(&f, "a.test", "a.test", "1.0.0.1"); /* for 60 s */
    harness_advance(f.base.loop, 59990);
    assert_int_equal(f.resolver.count, 1);
    harness_advance(f.base.loop, 20);
    assert_int_equal(f.resolver.count, 2);
    answer_with_ttl(&f.resolver, "a.test", "1.0.0.1", 1); /* but no sooner than after 5 s */
    harness_advance(f.base.loop, 4990);
    assert_int_equal(f.resolver.count, 2);
    harness_advance(f.base.loop, 20);
    assert_int_equal(f.resolver.count, 3);
    answer(&f.resolver, "a.test", ""); /* without an address after refresh_ms */
    harness_advance(f.base.loop, 59990);
    assert_int_equal(f.resolver.count, 3);
    harness_advance(f.base.loop, 20);
    assert_int_equal(f.resolver.count, 4);
    assert_int_equal(stat(&f, "host_address_changed"), 1);
    fixture_finish(&f);
}

TEST(other_addresses_leave_the_host_what_it_is)
{
    struct fixture f;
    fixture_init(&f);
    learn(&f, "a.test", "a.test", "1.0.0.1");
    const struct nu_host *host = host_of(&f, "a.test:80");
    harness_advance(f.base.loop, 60010);
    answer(&f.resolver, "a.test", "1.0.0.2 1.0.0.3");
    settle(&f);
    assert_ptr_equal(host_of(&f, "a.test:80"), host);
    assert_str(nu_host_address_text(host), "1.0.0.2:80");
    assert_int_equal(stat(&f, "host_address_changed"), 2);
    assert_int_equal(cluster_stat(&f.base, "membership_change"), 1);
    fixture_finish(&f);
}

TEST(the_last_good_addresses_stand)
{
    struct fixture f;
    struct asker asker;
    fixture_init(&f);
    learn(&f, "a.test", "a.test", "1.0.0.1");
    harness_advance(f.base.loop, 60010);
    fail_question(&f.resolver, "a.test");
    settle(&f);
    assert_int_equal(ask(&f, &asker, "a.test"), NU_DNS_CACHE_KNOWN);
    assert_str(nu_host_address_text(host_of(&f, "a.test:80")), "1.0.0.1:80");
    fixture_finish(&f);
}

TEST(a_name_that_nobody_uses_goes)
{
    struct fixture f;
    struct asker asker;
    fixture_init(&f);
    learn(&f, "a.test", "a.test", "1.0.0.1");
    learn(&f, "b.test", "b.test", "1.0.0.2");
    for (int i = 0; i < 5; i++) { /* both are refreshed until the first is too long unused */
        harness_advance(f.base.loop, 60010);
        choose(&f, "b.test:80");
        if (i < 4)
            answer(&f.resolver, "a.test", "1.0.0.1");
        answer(&f.resolver, "b.test", "1.0.0.2");
        settle(&f);
    }
    assert_int_equal(choose(&f, "a.test:80"), NU_LB_NONE);
    assert_int_equal(f.local->hosts->count, 1);
    assert_str(host_of(&f, "b.test:80")->hostname, "b.test:80");
    assert_int_equal(stat(&f, "host_removed"), 1);
    assert_int_equal(cluster_stat(&f.base, "membership_total"), 1);
    assert_int_equal(ask(&f, &asker, "a.test:80"), NU_DNS_CACHE_LOADING);
    settle(&f);
    answer(&f.resolver, "a.test", "1.0.0.1");
    settle(&f);
    assert_true(asker.found_host);
    fixture_finish(&f);
}

TEST(first_names_are_asked_for_at_the_start)
{
    static const struct nu_dns_cache_name names[] = {
        {NU_STR_INIT("a.test"), 81},
        {NU_STR_INIT("b.test:82"), 83},
    };
    struct fixture f;
    struct asker asker;
    fixture_prepare(&f);
    f.params.first_names = names;
    f.params.first_name_count = NU_ARRAY_LEN(names);
    fixture_start(&f);
    answer(&f.resolver, "a.test", "1.0.0.1");
    answer(&f.resolver, "b.test", "1.0.0.2");
    settle(&f);
    assert_int_equal(ask(&f, &asker, "a.test:81"), NU_DNS_CACHE_KNOWN);
    assert_str(nu_host_address_text(host_of(&f, "b.test:82")), "1.0.0.2:82");
    fixture_finish(&f);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static void learn_number(struct fixture *f, int number)
{
    char name[32], address[32];
    snprintf(name, sizeof(name), "h%d.test", number);
    snprintf(address, sizeof(address), "10.0.%d.%d", number / 250, number % 250 + 1);
    learn(f, name, name, address);
}

/* Each is for use at once; one set follows for many of them. */
TEST(many_hosts_make_few_sets)
{
    enum { HOSTS = 400 };
    struct fixture f;
    unsigned sets = 0;
    fixture_init(&f);
    const struct nu_host_set *last = f.base.cluster->hosts;
    for (int i = 0; i < HOSTS; i++) {
        learn_number(&f, i);
        sets += f.base.cluster->hosts != last;
        last = f.base.cluster->hosts;
    }
    assert_true(sets < 80);
    assert_int_equal(f.local->hosts->count, HOSTS);
    harness_advance(f.base.loop, 101);
    settle(&f);
    assert_int_equal(f.base.cluster->hosts->count, HOSTS);
    assert_int_equal(f.local->hosts->count, HOSTS);
    assert_int_equal(f.local->fresh_count, 0);
    assert_int_equal(cluster_stat(&f.base, "membership_change"), HOSTS);
    assert_str(host_of(&f, "h7.test:80")->hostname, "h7.test:80");
    fixture_finish(&f);
}

struct counting_observer {
    struct nu_cluster_observer base;
    unsigned added;
    unsigned removed;
};

static void count_hosts(struct nu_cluster_observer *base, const struct nu_host_change *change)
{
    struct counting_observer *observer = nu_container_of(base, struct counting_observer, base);
    observer->added += change->added_count;
    observer->removed += change->removed_count;
}

/* Who watches hosts knows them before any worker does, and is told once. */
TEST(observers_hear_of_each_host_once)
{
    struct fixture f;
    struct counting_observer observer = {.base = {.on_hosts = count_hosts}};
    fixture_init(&f);
    nu_cluster_add_observer(f.base.cluster, &observer.base);
    for (int i = 0; i < 100; i++) {
        learn_number(&f, i);
        assert_int_equal(observer.added, i + 1);
    }
    harness_advance(f.base.loop, 101);
    assert_int_equal(observer.added, 100);
    assert_int_equal(observer.removed, 0);
    fixture_finish(&f);
}

TEST(an_unwell_host_is_not_chosen)
{
    struct fixture f;
    fixture_init(&f);
    learn(&f, "a.test", "a.test", "1.0.0.1");
    struct nu_host *host = nu_unconst(host_of(&f, "a.test:80"));
    nu_host_set_flag(host, NU_HOST_FAILED_OUTLIER_CHECK);
    assert_int_equal(choose(&f, "a.test:80"), NU_LB_NONE);
    nu_host_clear_flag(host, NU_HOST_FAILED_OUTLIER_CHECK);
    assert_ptr_equal(host_of(&f, "a.test:80"), host);
    fixture_finish(&f);
}

TEST(a_name_that_is_looked_up_may_be_left_alone_at_the_end)
{
    struct fixture f;
    struct asker a, b;
    fixture_init(&f);
    ask(&f, &a, "a.test");
    settle(&f);
    ask(&f, &b, "b.test"); /* on its way */
    fixture_finish(&f);
    assert_true(a.told == 0 && b.told == 0);
    assert_true(!a.wait.local && !b.wait.local);
}

/* What the leak sanitizer sees. */
TEST(a_question_that_the_main_thread_does_not_read_any_more_is_freed)
{
    struct fixture f;
    struct asker a;
    fixture_init(&f);
    ask(&f, &a, "a.test");
    nu_init_manager_finish(&f.init);
    nu_cluster_table_finish(&f.base.table);
    nu_cluster_manager_destroy(&f.base.manager);
    nu_loop_destroy(&f.base.loop);
    nu_stats_destroy(&f.base.stats);
    nu_clock_fake_remove();
    assert_int_equal(a.told, 0);
}

TEST_MAIN()
