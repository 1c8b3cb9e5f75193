/* SPDX-License-Identifier: Apache-2.0 */
/* /clusters in slices: their size does not show, and updates in between are survived. */
#include "fixture.h"

#include "upstream/hosts/host.h"

static void start(struct admin_fixture *f, uint32_t count)
{
    struct nu_host *hosts[64];
    admin_open(f);
    for (uint32_t i = 0; i < count; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.0.0.%u:80", i + 1);
        hosts[i] = cluster_host(&f->clusters, address, 1);
    }
    cluster_fixture_start(&f->clusters, cluster_host_set(hosts, count));
}

static size_t count_of(const struct nu_strbuf *text, const char *needle)
{
    size_t count = 0;
    for (const char *at = text->data; (at = strstr(at, needle)); at++)
        count++;
    return count;
}

static void check_slices(const char *target)
{
    struct admin_fixture f;
    struct nu_strbuf whole = {0};
    struct nu_strbuf parts = {0};
    start(&f, 40);
    admin_ask(&f, "GET", target, 1 << 20, &whole);
    admin_ask(&f, "GET", target, 1, &parts);
    assert_int_equal(count_of(&whole, "10.0.0.40"), target[9] ? 1 : 18);
    assert_str(nu_strbuf_str(&parts), whole.data);
    nu_strbuf_finish(&whole);
    nu_strbuf_finish(&parts);
    admin_close(&f);
}

TEST(text_is_the_same_in_slices_of_any_size)
{
    check_slices("/clusters");
}

TEST(json_is_the_same_in_slices_of_any_size)
{
    check_slices("/clusters?format=json");
}

TEST(hosts_may_change_between_slices)
{
    struct admin_fixture f;
    struct nu_strbuf body = {0};
    start(&f, 8);
    struct nu_admin_request request = {
        .admin = &f.admin, .arena = &f.arena, .method = NU_STR("GET"), .path = NU_STR("/clusters")};
    struct nu_admin_response response = {0};
    nu_admin_handle(&request, &response);
    for (unsigned i = 0; i < 4; i++)
        assert_true(response.source->next(response.state, &body, 1));
    struct nu_host *only = cluster_host(&f.clusters, "10.1.1.1:80", 1);
    struct nu_host_set *set = cluster_host_set(&only, 1);
    nu_cluster_manager_set_hosts(f.clusters.manager, f.clusters.cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f.clusters.loop);
    while (response.source->next(response.state, &body, 1))
        continue;
    response.source->finish(response.state);
    assert_int_equal(count_of(&body, "::cx_total::0\n"), 8);
    assert_null(strstr(body.data, "10.1.1.1"));
    nu_strbuf_finish(&body);
    admin_close(&f);
}

TEST(a_dump_that_is_given_up_lets_the_hosts_go)
{
    struct admin_fixture f;
    struct nu_strbuf body = {0};
    start(&f, 8);
    struct nu_admin_request request = {
        .admin = &f.admin, .arena = &f.arena, .method = NU_STR("GET"), .path = NU_STR("/clusters")};
    struct nu_admin_response response = {0};
    uint32_t refs = atomic_load(&f.clusters.cluster->hosts->refs);
    nu_admin_handle(&request, &response);
    response.source->next(response.state, &body, 1);
    assert_int_equal(atomic_load(&f.clusters.cluster->hosts->refs), refs + 1);
    response.source->finish(response.state);
    assert_int_equal(atomic_load(&f.clusters.cluster->hosts->refs), refs);
    nu_strbuf_finish(&body);
    admin_close(&f);
}

TEST(no_listeners_and_no_clusters_are_empty_objects)
{
    struct admin_fixture f;
    admin_open(&f);
    assert_answer(&f, "GET", "/listeners?format=json", 200, "{}\n");
    assert_answer(&f, "GET", "/listeners", 200, "");
    assert_answer(&f, "GET", "/clusters?format=json", 200, "{}\n");
    assert_answer(&f, "GET", "/clusters", 200, "");
    admin_close(&f);
}

TEST_MAIN()
