/* SPDX-License-Identifier: Apache-2.0 */
/* What a new word of discovery makes of the hosts there are. */
#include "harness/cluster.h"

#include "upstream/hosts/host_update.h"

enum { MAX_HOSTS = 8 };

struct fixture {
    struct cluster_fixture base;
    struct nu_host_update_rules rules;
    struct nu_host_update now; /* the present hosts */
    struct nu_host_params wanted[MAX_HOSTS];
    size_t wanted_count;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    cluster_fixture_init(&f->base);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    f->rules.keeper = f->base.keeper;
}

static void fixture_finish(struct fixture *f)
{
    nu_host_update_finish(&f->now);
    cluster_fixture_finish(&f->base);
}

/* Discovery will say that there is a host. */
static struct nu_host_params *want(struct fixture *f, const char *address)
{
    struct nu_host_params *params = &f->wanted[f->wanted_count++];
    *params = (struct nu_host_params){.weight = 1};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params->address), NU_OK);
    return params;
}

/* It says it now. */
static void update(struct fixture *f)
{
    struct nu_host_update next;
    nu_host_update(&f->rules, f->now.hosts, f->now.count, f->wanted, f->wanted_count, &next);
    nu_host_update_finish(&f->now);
    f->now = next;
    f->wanted_count = 0;
}

/* "address address; added removed changed" */
static void assert_update(const struct fixture *f, const char *expected)
{
    struct nu_strbuf text = {0};
    for (uint32_t i = 0; i < f->now.count; i++)
        nu_strbuf_addf(&text, "%s%.*s", i ? " " : "",
                       NU_STR_ARG(nu_host_address_text(f->now.hosts[i])));
    nu_strbuf_addf(&text, "; %u %u %u", f->now.added, f->now.removed, f->now.changed);
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

TEST(hosts_that_stay_are_the_same_objects_in_the_order_wanted)
{
    struct fixture f;
    fixture_init(&f);
    want(&f, "1.0.0.1:80");
    want(&f, "1.0.0.2:80");
    update(&f);
    assert_update(&f, "1.0.0.1:80 1.0.0.2:80; 2 0 0");
    struct nu_host *first = f.now.hosts[0], *second = f.now.hosts[1];
    want(&f, "1.0.0.2:80");
    want(&f, "1.0.0.1:80");
    update(&f);
    assert_update(&f, "1.0.0.2:80 1.0.0.1:80; 0 0 0");
    assert_false(nu_host_update_is_change(&f.now));
    assert_ptr_equal(f.now.hosts[0], second);
    assert_ptr_equal(f.now.hosts[1], first);
    assert_int_equal(first->refs, 1);
    fixture_finish(&f);
}

TEST(hosts_come_and_go)
{
    struct fixture f;
    fixture_init(&f);
    want(&f, "1.0.0.1:80");
    want(&f, "1.0.0.2:80");
    update(&f);
    want(&f, "1.0.0.2:80");
    want(&f, "1.0.0.2:81");
    update(&f);
    assert_update(&f, "1.0.0.2:80 1.0.0.2:81; 1 1 0");
    update(&f);
    assert_update(&f, "; 0 2 0");
    fixture_finish(&f);
}

TEST(first_of_several_with_one_address_counts)
{
    struct fixture f;
    fixture_init(&f);
    want(&f, "1.0.0.1:80")->weight = 3;
    want(&f, "1.0.0.1:80")->weight = 9;
    update(&f);
    assert_update(&f, "1.0.0.1:80; 1 0 0");
    assert_int_equal(f.now.max_weight, 3);
    fixture_finish(&f);
}

static struct nu_metadata *metadata(struct nu_arena *arena, double number)
{
    struct nu_metadata *metadata = nu_metadata_create(arena);
    nu_metadata_set(metadata, NU_STR("a"), NU_STR("k"), nu_value_number(number));
    return metadata;
}

TEST(each_part_is_changed_in_place)
{
    struct fixture f;
    struct nu_arena arena;
    fixture_init(&f);
    nu_arena_init(&arena);
    want(&f, "1.0.0.1:80")->metadata = metadata(&arena, 1);
    update(&f);
    struct nu_host *host = f.now.hosts[0];
    struct nu_address list[2] = {host->address, host->address};
    list[1].port = 81;
    for (int i = 0; i < 7; i++) {
        struct nu_host_params *params = want(&f, "1.0.0.1:80");
        params->metadata = metadata(&arena, i < 1 ? 1 : 2);
        params->weight = i < 2 ? 1 : 5;
        params->eds_health = i < 3 ? NU_EDS_UNKNOWN : NU_EDS_UNHEALTHY;
        params->priority = i < 4 ? 0 : 2;
        params->list = list;
        params->list_count = i < 5 ? 0 : 2;
        update(&f);
        assert_update(&f, i == 0 || i == 6 ? "1.0.0.1:80; 0 0 0" : "1.0.0.1:80; 0 0 1");
        assert_ptr_equal(f.now.hosts[0], host);
        assert_int_equal(f.now.new_metadata, i == 1);
        assert_int_equal(f.now.moved, i == 4);
        assert_int_equal(f.now.max_weight, params->weight);
    }
    assert_int_equal(nu_host_weight(host), 5);
    assert_int_equal(nu_host_priority(host), 2);
    assert_true(nu_host_has_flag(host, NU_HOST_FAILED_EDS_HEALTH));
    assert_int_equal(nu_host_addresses(host)->count, 2);
    want(&f, "1.0.0.1:80");
    update(&f);
    assert_update(&f, "1.0.0.1:80; 0 0 1");
    assert_null(nu_host_metadata(host));
    assert_int_equal(nu_host_addresses(host)->count, 1);
    nu_arena_finish(&arena);
    fixture_finish(&f);
}

TEST(host_in_another_locality_is_another_host)
{
    struct fixture f;
    fixture_init(&f);
    want(&f, "1.0.0.1:80");
    update(&f);
    struct nu_host *old = nu_host_ref(f.now.hosts[0]);
    want(&f, "1.0.0.1:80")->locality.zone = NU_STR("z");
    f.rules.keeps_passing = true; /* the old one goes nevertheless */
    update(&f);
    assert_update(&f, "1.0.0.1:80; 1 1 0");
    assert_ptr_not_equal(f.now.hosts[0], old);
    nu_host_unref(old);
    fixture_finish(&f);
}

static bool is_other(const struct nu_host *host, const struct nu_host_params *params)
{
    return host->address.port == params->address.port;
}

TEST(owner_may_say_that_a_host_is_another_one)
{
    struct fixture f;
    fixture_init(&f);
    want(&f, "1.0.0.1:80");
    update(&f);
    f.rules.is_other = is_other;
    want(&f, "1.0.0.1:80");
    update(&f);
    assert_update(&f, "1.0.0.1:80; 1 1 0");
    fixture_finish(&f);
}

/* What holds a host that passes its checks. */
TEST(host_that_passes_its_checks_stays_until_it_fails)
{
    struct fixture f;
    fixture_init(&f);
    f.rules.keeps_passing = true;
    want(&f, "1.0.0.1:80");
    want(&f, "1.0.0.2:80");
    want(&f, "1.0.0.3:80");
    update(&f);
    nu_host_set_flag(f.now.hosts[1], NU_HOST_FAILED_ACTIVE_HC);
    nu_host_set_flag(f.now.hosts[2], NU_HOST_FAILED_EDS_HEALTH);
    update(&f);
    assert_update(&f, "1.0.0.1:80; 0 2 0");
    struct nu_host *host = f.now.hosts[0];
    assert_true(nu_host_has_flag(host, NU_HOST_PENDING_DYNAMIC_REMOVAL));
    assert_false(nu_host_is_gone(host));
    update(&f);
    assert_update(&f, "1.0.0.1:80; 0 0 0");
    want(&f, "1.0.0.1:80"); /* it is back */
    update(&f);
    assert_update(&f, "1.0.0.1:80; 0 0 0");
    assert_false(nu_host_has_flag(host, NU_HOST_PENDING_DYNAMIC_REMOVAL));
    update(&f);
    nu_host_set_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    assert_true(nu_host_is_gone(host));
    update(&f);
    assert_update(&f, "; 0 1 0");
    fixture_finish(&f);
}

TEST(host_that_is_not_checked_goes_at_once)
{
    struct fixture f;
    fixture_init(&f);
    const struct nu_host_check_place off = {.is_off = true}, on = {.port = 81};
    f.rules.keeps_passing = true;
    want(&f, "1.0.0.1:80")->check_place = &off;
    want(&f, "1.0.0.2:80")->check_place = &on;
    update(&f);
    update(&f);
    assert_update(&f, "1.0.0.2:80; 0 1 0");
    fixture_finish(&f);
}

TEST_MAIN()
