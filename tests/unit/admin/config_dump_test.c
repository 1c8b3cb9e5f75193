/* SPDX-License-Identifier: Apache-2.0 */
/* /config_dump: what a request chooses, and slices of any size. */
#include "fixture.h"
#include "harness/config.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"

static const char bootstrap_text[] =
    "node: {id: me}\n"
    "static_resources:\n"
    "  clusters:\n"
    "  - {name: one, connect_timeout: 1s}\n"
    "  - {name: two, connect_timeout: 2s, metadata: {filter_metadata: {x: {z: 1}}}}\n"
    "  listeners:\n"
    "  - name: l\n"
    "    address: {socket_address: {address: 1.2.3.4, port_value: 5}}\n"
    "    filter_chains:\n"
    "    - filters:\n"
    "      - name: f\n"
    "        typed_config:\n"
    "          '@type': t/envoy.extensions.filters.http.router.v3.Router\n";

struct dump_fixture {
    struct admin_fixture admin;
    struct config_fixture config;
    const Envoy__Config__Route__V3__RouteConfiguration *routes;
};

static void setup(struct dump_fixture *f)
{
    admin_open(&f->admin);
    config_open(&f->config);
    f->admin.admin.bootstrap =
        config_yaml(&f->config, "envoy.config.bootstrap.v3.Bootstrap", bootstrap_text);
    f->routes = config_yaml(&f->config, "envoy.config.route.v3.RouteConfiguration", "name: r");
    f->admin.admin.route_configs = &f->routes;
    f->admin.admin.route_config_count = 1;
    f->admin.admin.created = "2026-01-02T03:04:05.678Z";
    assert_config_errors(&f->config, "");
    struct nu_host *host = cluster_host(&f->admin.clusters, "10.0.0.1:80", 3);
    cluster_fixture_start(&f->admin.clusters, cluster_host_set(&host, 1));
}

static void teardown(struct dump_fixture *f)
{
    config_close(&f->config);
    admin_close(&f->admin);
}

static void check(const char *query, uint32_t status, const char *expected)
{
    struct dump_fixture f;
    char target[200];
    snprintf(target, sizeof(target), "/config_dump?%s", query);
    setup(&f);
    assert_answer(&f.admin, "GET", target, status, expected);
    teardown(&f);
}

TEST(slices_of_any_size_make_the_same_dump)
{
    static const char *const targets[] = {
        "/config_dump",
        "/config_dump?include_eds",
        "/config_dump?resource=static_listeners",
        "/config_dump?mask=bootstrap.static_resources",
    };
    struct dump_fixture f;
    setup(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(targets); i++) {
        struct nu_strbuf whole = {0};
        struct nu_strbuf parts = {0};
        assert_int_equal(admin_ask(&f.admin, "GET", targets[i], 1 << 20, &whole), 200);
        assert_int_equal(admin_ask(&f.admin, "GET", targets[i], 1, &parts), 200);
        assert_true(whole.len > 200);
        assert_str(nu_strbuf_str(&parts), whole.data);
        nu_strbuf_finish(&whole);
        nu_strbuf_finish(&parts);
    }
    teardown(&f);
}

TEST(a_resource_gives_the_items_of_one_list)
{
    check("resource=static_clusters&name_regex=t.o", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": \"type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster\",\n"
          "   \"cluster\": {\n"
          "    \"@type\": \"type.googleapis.com/envoy.config.cluster.v3.Cluster\",\n"
          "    \"name\": \"two\",\n"
          "    \"connect_timeout\": \"2s\",\n"
          "    \"metadata\": {\n     \"filter_metadata\": {\n      \"x\": {\n"
          "       \"z\": 1\n      }\n     }\n    }\n   },\n"
          "   \"last_updated\": \"2026-01-02T03:04:05.678Z\"\n  }\n ]\n}\n");
    check("resource=static_clusters&name_regex=o", 200, "{}\n");
    check("resource=dynamic_route_configs", 200, "{}\n");
}

TEST(a_mask_reaches_into_the_items_of_a_resource)
{
    check("resource=static_route_configs&mask=route_config.name", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": "
          "\"type.googleapis.com/envoy.admin.v3.RoutesConfigDump.StaticRouteConfig\",\n"
          "   \"route_config\": {\n"
          "    \"@type\": \"type.googleapis.com/envoy.config.route.v3.RouteConfiguration\",\n"
          "    \"name\": \"r\"\n   }\n  }\n ]\n}\n");
    check("resource=static_listeners&mask=last_updated", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": "
          "\"type.googleapis.com/envoy.admin.v3.ListenersConfigDump.StaticListener\",\n"
          "   \"last_updated\": \"2026-01-02T03:04:05.678Z\"\n  }\n ]\n}\n");
}

TEST(a_mask_alone_chooses_sections)
{
    check("mask=bootstrap.node.id", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": \"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump\",\n"
          "   \"bootstrap\": {\n    \"node\": {\n     \"id\": \"me\"\n    }\n   }\n  }\n ]\n}\n");
    check("mask=static_clusters&name_regex=none", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": \"type.googleapis.com/envoy.admin.v3.ClustersConfigDump\"\n"
          "  }\n ]\n}\n");
}

TEST(hosts_are_dumped_as_they_are)
{
    check("include_eds&resource=static_endpoint_configs&mask=endpoint_config.endpoints", 200,
          "{\n \"configs\": [\n  {\n"
          "   \"@type\": "
          "\"type.googleapis.com/envoy.admin.v3.EndpointsConfigDump.StaticEndpointConfig\",\n"
          "   \"endpoint_config\": {\n"
          "    \"@type\": \"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\",\n"
          "    \"endpoints\": [\n     {\n      \"locality\": {},\n      \"lb_endpoints\": [\n"
          "       {\n        \"endpoint\": {\n         \"address\": {\n"
          "          \"socket_address\": {\n           \"address\": \"10.0.0.1\",\n"
          "           \"port_value\": 80\n          }\n         },\n"
          "         \"health_check_config\": {}\n        },\n"
          "        \"health_status\": \"HEALTHY\",\n"
          "        \"load_balancing_weight\": 3\n       }\n      ],\n"
          "      \"load_balancing_weight\": 0\n     }\n    ]\n   }\n  }\n ]\n}\n");
}

TEST(what_does_not_fit_is_said)
{
    check("resource=nosuch", 404, "nosuch not found in config dump");
    check("resource=static_endpoint_configs", 404,
          "static_endpoint_configs not found in config dump");
    check("resource=bootstrap", 400,
          "bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field");
    check("resource=static_clusters&mask=cluster.nosuch", 400,
          "FieldMask paths: \"cluster.nosuch\"\n could not be successfully used.");
    check("mask=static_clusters.cluster", 400,
          "FieldMask static_clusters.cluster could not be successfully applied to any configs.");
    check("name_regex=(", 400,
          "INVALID_ARGUMENT: Error while parsing name_regex from (: missing ): (");
}

TEST(a_dump_may_be_given_up_anywhere)
{
    struct dump_fixture f;
    setup(&f);
    for (unsigned steps = 0; steps < 60; steps++) {
        struct nu_strbuf body = {0};
        struct nu_admin_request request = {.admin = &f.admin.admin,
                                           .arena = &f.admin.arena,
                                           .method = NU_STR("GET"),
                                           .path = NU_STR("/config_dump")};
        struct nu_admin_response response = {0};
        nu_admin_parse_params(&request, NU_STR("include_eds&name_regex=.*"));
        nu_admin_handle(&request, &response);
        for (unsigned i = 0; i < steps; i++)
            assert_true(response.source->next(response.state, &body, 1));
        response.source->finish(response.state);
        nu_strbuf_finish(&response.body);
        nu_strbuf_finish(&body);
    }
    teardown(&f);
}

TEST_MAIN()
