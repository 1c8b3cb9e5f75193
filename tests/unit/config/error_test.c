/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator reads: all mistakes at once, each with its place, its path and a hint. */
#include "harness/config.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

#define BOOTSTRAP "envoy.config.bootstrap.v3.Bootstrap"
#define CLUSTER "envoy.config.cluster.v3.Cluster"

TEST(all_mistakes_of_a_file_are_found_in_one_run)
{
    struct config_fixture f;
    config_open(&f);
    config_yaml(&f, BOOTSTRAP,
                "static_resources:\n"
                "  clusters:\n"
                "  - name: ''\n"
                "    lb_polcy: ROUND_ROBIN\n"
                "    connect_timeout: 5\n"
                "    lrs_report_endpoint_metrics: [a]\n"
                "  - name: b\n"
                "    load_assignment:\n"
                "      endpoints:\n"
                "      - lb_endpoints:\n"
                "        - endpoint:\n"
                "            address:\n"
                "              socket_address: {address: x, port_value: 99999}\n"
                "admn: {}\n");
    assert_config_errors(
        &f,
        "t:3:11: static_resources.clusters[0].name: value length must be at least 1 characters\n"
        "t:4:5: static_resources.clusters[0].lb_polcy: no such field in Cluster (did you mean "
        "lb_policy?)\n"
        "t:5:22: static_resources.clusters[0].connect_timeout: a duration needs its unit, as "
        "in 5s\n"
        "t:6:5: static_resources.clusters[0].lrs_report_endpoint_metrics: known to Envoy, not "
        "implemented by nuncio\n"
        "t:9:7: static_resources.clusters[1].load_assignment.cluster_name: value length must "
        "be at least 1 characters\n"
        "t:13:56: static_resources.clusters[1].load_assignment.endpoints[0].lb_endpoints[0]."
        "endpoint.address.socket_address.port_value: value must be less than or equal to 65535\n"
        "t:14:1: admn: no such field in Bootstrap (did you mean admin?)");
    config_close(&f);
}

TEST(a_field_that_belongs_one_message_further_in_is_told_so)
{
    static const struct config_case cases[] = {
        {"{match: {prefix: /}, route: {cluster: a}, upgrade_configs: []}", NULL,
         "t:1:43: upgrade_configs: no such field in Route (did you mean route.upgrade_configs?)"},
        {"{match: {prefix: /}, route: {cluster: a}, clusters: []}", NULL,
         "t:1:43: clusters: no such field in Route"},
    };
    check_yaml_cases("envoy.config.route.v3.Route", cases);
}

TEST(a_merge_key_is_told_to_be_one)
{
    static const struct config_case cases[] = {
        {"{prefix: /, <<: {case_sensitive: false}}", NULL,
         "t:1:13: <<: no such field in RouteMatch; merge keys are not read, by Envoy neither: "
         "write "
         "the fields out"},
    };
    check_yaml_cases("envoy.config.route.v3.RouteMatch", cases);
}

TEST(a_field_that_could_not_be_read_is_not_said_to_be_missing)
{
    static const struct config_case cases[] = {
        {"{match: 5, redirect: {}}", NULL,
         "t:1:9: match: expected an object (a RouteMatch), not a number"},
        {"{match: {prefix: /}, filter_action: {}}", NULL,
         "t:1:22: filter_action: known to Envoy, not implemented by nuncio"},
        {"{match: {prefix: /}, rout: {}}", NULL,
         "t:1:22: rout: no such field in Route (did you mean route?)"},
        {"{redirect: {}}", NULL, "t:1:1: match: value is required"},
        {"{match: {prefix: /}}", NULL, "t:1:1: value is required: action"},
    };
    check_yaml_cases("envoy.config.route.v3.Route", cases);
}

TEST(names_of_the_v2_api_are_answered_with_the_present_ones)
{
    static const struct config_case cases[] = {
        {"{name: a, hosts: []}", NULL,
         "t:1:11: hosts: no such field in Cluster; it is of the v2 API, which Envoy removed: write "
         "load_assignment"},
        {"{name: a, tlsContext: {}}", NULL,
         "t:1:11: tlsContext: no such field in Cluster; it is of the v2 API, which Envoy removed: "
         "write transport_socket"},
    };
    check_yaml_cases(CLUSTER, cases);
    static const struct config_case filter[] = {
        {"{name: a, config: {}}", NULL,
         "t:1:11: config: no such field in HttpFilter; it is of the v2 API, which Envoy removed: "
         "write typed_config with an \"@type\""},
    };
    check_yaml_cases("envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
                     filter);
    static const struct config_case host[] = {
        {"{name: a, domains: a, per_filter_config: {}}", NULL,
         "t:1:23: per_filter_config: no such field in VirtualHost; it is of the v2 API, which "
         "Envoy removed: write typed_per_filter_config"},
    };
    check_yaml_cases("envoy.config.route.v3.VirtualHost", host);
}

TEST(later_checks_name_the_place_of_a_field)
{
    struct config_fixture f;
    config_open(&f);
    Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap =
        config_yaml(&f, BOOTSTRAP,
                    "static_resources:\n"
                    "  listeners:\n"
                    "    name: l\n"
                    "    statPrefix: p\n"
                    "    metadata: {filter_metadata: {x: {}}}\n"
                    "node: {client_features: [[a, b], c]}\n"
                    "layered_runtime: {layers: [{name: a, admin_layer: {}}]}\n");
    const Envoy__Config__Listener__V3__Listener *listener =
        bootstrap->static_resources->listeners[0];
    nu_config_error(&f.ctx, listener, "stat_prefix", "one %d", 1);
    nu_config_error(&f.ctx, listener, "address", "two");
    nu_config_error(&f.ctx, listener, NULL, "three");
    nu_config_error_at(&f.ctx, bootstrap->node, "client_features", 1, "four");
    nu_config_error_at(&f.ctx, bootstrap->node, "client_features", 2, "five");
    nu_config_error(&f.ctx, listener->metadata->filter_metadata[0], "value", "six");
    nu_config_error(&f.ctx, bootstrap->layered_runtime->layers[0]->admin_layer, NULL, "seven");
    assert_config_errors(
        &f, "t:4:17: static_resources.listeners[0].stat_prefix: one 1\n"
            "t:3:5: static_resources.listeners[0].address: two\n"
            "t:3:5: static_resources.listeners[0]: three\n"
            "t:6:30: node.client_features[1]: four\n"
            "t:6:34: node.client_features[2]: five\n"
            "t:5:37: static_resources.listeners[0].metadata.filter_metadata[\"x\"]: six\n"
            "t:7:51: layered_runtime.layers[0].admin_layer: seven");
    config_close(&f);
}

TEST(a_message_from_elsewhere_has_no_place)
{
    struct config_fixture f;
    config_open(&f);
    Envoy__Config__Bootstrap__V3__Bootstrap message = ENVOY__CONFIG__BOOTSTRAP__V3__BOOTSTRAP__INIT;
    nu_config_error(&f.ctx, &message, "node", "not good");
    assert_config_errors(&f, "node: not good");
    config_close(&f);
}

TEST(fields_without_effect_and_deprecated_ones_are_warned_of_once)
{
    struct config_fixture f;
    config_open(&f);
    config_yaml(
        &f, BOOTSTRAP,
        "admin: {profile_path: /x, access_log_path: /y}\n"
        "static_resources:\n"
        "  clusters:\n"
        "  - {name: a, eds_cluster_config: {eds_config: {path: /x, initial_fetch_timeout: 1s}}, "
        "max_requests_per_connection: 1}\n"
        "  - {name: b, eds_cluster_config: {eds_config: {path: /x, initial_fetch_timeout: 1s}}, "
        "max_requests_per_connection: 1}\n"
        "  - {name: c}\n");
    assert_config_errors(&f, "");
    nu_error_list_sort(&f.ctx.warnings);
    assert_config_warnings(
        &f, "t:1:23: admin.profile_path: has no effect: there is no built-in profiler\n"
            "t:1:44: admin.access_log_path: is deprecated\n"
            "t:4:82: static_resources.clusters[0].eds_cluster_config.eds_config."
            "initial_fetch_timeout: has no effect: a file is there or it is not, so nothing waits "
            "for it\n"
            "t:4:117: static_resources.clusters[0].max_requests_per_connection: is deprecated");
    config_close(&f);
}

TEST_MAIN()
