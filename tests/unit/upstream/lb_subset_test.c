/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets over changes of hosts, and with other balancers inside. Which host is chosen for which
 * criteria is in tests/compat/cases/subset. */
#include "harness/cluster.h"

#include "http/metadata.h"
#include "upstream/lb/lb_subset.h"

enum { MAX_HOSTS = 16 };

static struct cluster_fixture f;
static struct nu_arena arena;
static struct nu_host *hosts[MAX_HOSTS];
static uint32_t host_count;

static const struct nu_str version[] = {NU_STR_INIT("version")};
static const struct nu_subset_selector selector = {.keys = {version, 1}};

static void begin(struct nu_subset_settings settings)
{
    nu_arena_init(&arena);
    host_count = 0;
    cluster_fixture_init(&f);
    settings.child = settings.child ? settings.child : &nu_lb_round_robin;
    if (!settings.selectors) {
        settings.selectors = &selector;
        settings.selector_count = 1;
    }
    settings.fallback = settings.fallback ? settings.fallback : NU_SUBSET_FALLBACK_NONE;
    f.cluster->lb_class = nu_cluster_set_subsets(f.cluster, &settings);
}

static struct nu_host *add_to(const char *label, struct nu_host_params params)
{
    char address[32];
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    snprintf(address, sizeof(address), "1.0.0.%u:80", host_count + 1);
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("version"),
                    nu_value_string(nu_str_from(label)));
    params.metadata = metadata;
    return hosts[host_count++] = nu_host_create(f.keeper, &params);
}

static struct nu_host *add(const char *label)
{
    return add_to(label, (struct nu_host_params){0});
}

static void start(void)
{
    cluster_fixture_start(&f, nu_host_set_create(hosts, host_count));
}

/* The hosts from `first` on are those of the cluster now. */
static void change(uint32_t first, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts + first, count);
    nu_cluster_manager_set_hosts(f.manager, f.cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f.loop);
}

static void end(void)
{
    for (uint32_t i = 0; i < host_count; i++)
        nu_host_unref(hosts[i]);
    cluster_fixture_finish(&f);
    nu_arena_finish(&arena);
}

static const struct nu_host *choose_with(const char *label, struct nu_lb_context context)
{
    struct nu_value criteria = nu_value_struct();
    nu_value_set(&criteria, &arena, NU_STR("version"), nu_value_string(nu_str_from(label)));
    context.criteria = &criteria;
    int32_t index = nu_lb_choose(cluster_local(&f)->lb, &context);
    return index == NU_LB_NONE ? NULL : cluster_local(&f)->hosts->hosts[index];
}

static const struct nu_host *choose(const char *label)
{
    return choose_with(label, (struct nu_lb_context){0});
}

static void assert_totals(uint64_t active, uint64_t created, uint64_t removed)
{
    /* The main thread and one table count each. */
    assert_int_equal(cluster_stat(&f, "lb_subsets_active"), 2 * active);
    assert_int_equal(cluster_stat(&f, "lb_subsets_created"), 2 * created);
    assert_int_equal(cluster_stat(&f, "lb_subsets_removed"), 2 * removed);
}

TEST(hosts_of_a_subset_take_turns)
{
    begin((struct nu_subset_settings){0});
    add("a"), add("b"), add("a");
    start();
    const struct nu_host *first = choose("a");
    const struct nu_host *second = choose("a");
    assert_ptr_not_equal(first, second);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(choose("a"), i % 2 ? second : first);
        assert_ptr_equal(choose("b"), hosts[1]);
    }
    assert_null(choose("c"));
    assert_int_equal(cluster_stat(&f, "lb_subsets_selected"), 22);
    end();
}

TEST(subsets_come_and_go_with_their_hosts)
{
    begin((struct nu_subset_settings){0});
    add("a"), add("b"), add("c"), add("c");
    start();
    assert_totals(3, 3, 0);
    change(1, 2);
    assert_totals(2, 3, 1);
    assert_null(choose("a"));
    assert_ptr_equal(choose("c"), hosts[2]);
    change(0, 4);
    assert_totals(3, 4, 1);
    assert_ptr_equal(choose("a"), hosts[0]);
    change(0, 0);
    assert_totals(0, 4, 4);
    assert_null(choose("a"));
    end();
}

TEST(health_is_that_of_the_subset)
{
    begin((struct nu_subset_settings){0});
    add("a"), add("a"), add("a"), add("b"), add("b");
    nu_host_set_flag(hosts[0], NU_HOST_FAILED_ACTIVE_HC);
    nu_host_set_flag(hosts[3], NU_HOST_FAILED_ACTIVE_HC);
    nu_host_set_flag(hosts[4], NU_HOST_FAILED_ACTIVE_HC);
    start();
    for (int i = 0; i < 20; i++)
        assert_ptr_not_equal(choose("a"), hosts[0]);
    assert_int_equal(cluster_stat(&f, "lb_healthy_panic"), 0);
    assert_non_null(choose("b")); /* all of them, in panic */
    assert_int_equal(cluster_stat(&f, "lb_healthy_panic"), 1);
    end();
}

TEST(priorities_are_kept_inside)
{
    begin((struct nu_subset_settings){0});
    add_to("a", (struct nu_host_params){.priority = 0});
    add_to("b", (struct nu_host_params){.priority = 0});
    add_to("a", (struct nu_host_params){.priority = 1});
    nu_host_set_flag(hosts[0], NU_HOST_FAILED_ACTIVE_HC);
    start();
    for (int i = 0; i < 20; i++)
        assert_ptr_equal(choose("a"), hosts[2]);
    assert_ptr_equal(choose("b"), hosts[1]);
    end();
}

TEST(single_host_is_the_first_of_the_first_priority)
{
    static const struct nu_subset_selector single = {.keys = {version, 1}, .is_single = true};
    begin((struct nu_subset_settings){.selectors = &single, .selector_count = 1});
    add_to("a", (struct nu_host_params){.priority = 1});
    add_to("a", (struct nu_host_params){.priority = 0});
    add_to("a", (struct nu_host_params){.priority = 0});
    add_to("b", (struct nu_host_params){.priority = 1});
    nu_host_set_flag(hosts[1], NU_HOST_FAILED_ACTIVE_HC);
    start();
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(choose("a"), hosts[1]); /* whatever its health */
    assert_ptr_equal(choose("b"), hosts[3]);
    assert_int_equal(cluster_stat(&f, "lb_subsets_single_host_per_subset_duplicate"), 1);
    end();
}

TEST(rings_are_made_for_each_subset)
{
    const struct nu_hash_lb_settings ring = {.ring = {.min_size = 1024, .max_size = 1024}};
    begin((struct nu_subset_settings){.child = &nu_lb_ring_hash});
    nu_cluster_set_hash(f.cluster, &ring, NU_HASH_RING);
    for (int i = 0; i < 8; i++)
        add(i % 2 ? "a" : "b");
    assert_true(f.cluster->lb_class->uses_hash);
    start();
    for (uint64_t hash = 0; hash < 64; hash++) {
        const struct nu_lb_context context = {.has_hash = true, .hash = hash << 58};
        const struct nu_host *host = choose_with("a", context);
        assert_string_equal(
            nu_metadata_find(nu_host_metadata(host), NU_STR("envoy.lb"), version, 1)->text, "a");
        assert_ptr_equal(choose_with("a", context), host);
    }
    end();
}

static const struct nu_host *refused;

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    (void)context;
    return host != refused;
}

TEST(host_that_is_not_accepted_is_chosen_anew_and_counted_once)
{
    begin((struct nu_subset_settings){0});
    add("a"), add("a"), add("b");
    start();
    refused = hosts[0];
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(
            choose_with("a", (struct nu_lb_context){.accepts = accepts, .max_attempts = 3}),
            hosts[1]);
    assert_int_equal(cluster_stat(&f, "lb_subsets_selected"), 10);
    end();
}

TEST(redundant_keys_are_dropped_where_that_is_asked_for)
{
    for (int drops = 0; drops < 2; drops++) {
        begin((struct nu_subset_settings){.drops_redundant_keys = drops});
        add("a");
        start();
        struct nu_value criteria = nu_value_struct();
        nu_value_set(&criteria, &arena, NU_STR("stage"), nu_value_bool(true));
        nu_value_set(&criteria, &arena, NU_STR("version"), nu_value_string(NU_STR("a")));
        const struct nu_lb_context context = {.criteria = &criteria};
        assert_int_equal(nu_lb_choose(cluster_local(&f)->lb, &context), drops ? 0 : NU_LB_NONE);
        end();
    }
}

/* Many subsets: each is found. */
TEST(table_grows_with_the_subsets)
{
    enum { MANY = 1000 };
    static struct nu_host *many[MANY];
    begin((struct nu_subset_settings){0});
    for (int i = 0; i < MANY; i++) {
        host_count = 0;
        char *label = nu_arena_printf(&arena, "v%d", i);
        many[i] = add(label);
    }
    host_count = 0;
    cluster_fixture_start(&f, nu_host_set_create(many, MANY));
    assert_totals(MANY, MANY, 0);
    for (int i = 0; i < MANY; i++) {
        char label[16];
        snprintf(label, sizeof(label), "v%d", i);
        assert_ptr_equal(choose(label), many[i]);
        nu_host_unref(many[i]);
    }
    end();
}

/* A locality of weight 3 with half of its hosts in the subset counts for 2 (1.5, rounded). */
TEST(locality_weights_are_scaled_by_the_hosts_left)
{
    begin((struct nu_subset_settings){.is_locality_aware = true, .scales_locality_weights = true});
    const struct nu_locality here = {.zone = NU_STR("here")};
    const struct nu_locality there = {.zone = NU_STR("there")};
    add_to("a", (struct nu_host_params){.locality = here});
    add_to("b", (struct nu_host_params){.locality = here});
    add_to("a", (struct nu_host_params){.locality = there});
    struct nu_assignment *assignment = nu_assignment_create();
    struct nu_locality_weight weights[] = {{here, 0, 3}, {there, 0, 5}};
    assignment->locality_weights = weights;
    assignment->locality_weight_count = 2;
    struct nu_host_set *set = nu_host_set_create(hosts, host_count);
    nu_host_set_take_assignment(set, assignment);
    cluster_fixture_start(&f, set);
    struct nu_value criteria = nu_value_struct();
    nu_value_set(&criteria, &arena, NU_STR("version"), nu_value_string(NU_STR("a")));
    const struct nu_subset *subset = nu_subsets_find(f.cluster->hosts->shared, &criteria);
    assert_non_null(subset);
    const struct nu_assignment *scaled = subset->hosts->assignment;
    assert_int_equal(nu_assignment_locality_weight(scaled, 0, &here), 2);
    assert_int_equal(nu_assignment_locality_weight(scaled, 0, &there), 5);
    end();
}

TEST_MAIN()
