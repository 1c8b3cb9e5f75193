/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters from their configuration: what is made of it, and what is refused in which words. */
#include "harness/cluster_config.h"
#include "upstream/discovery/discovery.h"

#define CARES \
    "\"@type\": " \
    "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
#define DNS_CLUSTER "\"@type\": type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster"

static const char *const accepted_with_discovery[] = {
    "name: c\ntype: STRICT_DNS\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ntype: STRICT_DNS\n" CLUSTER_ENDPOINT("127.0.0.1"),
    "name: c\ntype: STRICT_DNS",
    "name: c\ntype: STRICT_DNS\ndns_resolvers: [{socket_address: {address: 1.2.3.4, port_value: "
    "53}}]\nuse_tcp_for_dns_lookups: true\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ntype: STRICT_DNS\ndns_resolution_config: {resolvers: [{socket_address: {address: "
    "'::1', port_value: 53}}]}\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ntype: STRICT_DNS\ntyped_dns_resolver_config: {name: x, typed_config: {" CARES
    ", resolvers: [{socket_address: {address: 1.2.3.4, port_value: 0}}], query_tries: "
    "2}}\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ntype: STRICT_DNS\ndns_failure_refresh_rate: {base_interval: 1s, max_interval: "
    "1s}\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ncluster_type: {name: envoy.cluster.strict_dns}\n" CLUSTER_ENDPOINT("a.test"),
    "name: c\ncluster_type: {name: envoy.clusters.dns, typed_config: {" DNS_CLUSTER
    ", dns_refresh_rate: 3s, respect_dns_ttl: true, dns_lookup_family: "
    "V4_ONLY}}\n" CLUSTER_ENDPOINT("a.test"),
};

TEST(names_are_left_to_a_discovery)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(accepted_with_discovery); i++) {
        struct cluster_config f;
        cluster_config_build(&f, accepted_with_discovery[i]);
        assert_config_errors(&f.config, "");
        assert_non_null(f.cluster);
        assert_non_null(f.cluster->discovery);
        assert_int_equal(f.cluster->hosts->count, 0);
        cluster_config_finish(&f);
    }
}

static const char *const accepted_static[] = {
    "name: c\n" CLUSTER_ENDPOINT("127.0.0.1"),
    "name: c\ntype: STATIC\n" CLUSTER_ENDPOINT("'::1'"),
    "name: c\ncluster_type: {name: envoy.cluster.static}\n" CLUSTER_ENDPOINT("127.0.0.1"),
    "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
    "{pipe: {path: /x}}}}]}]}",
};

TEST(addresses_are_hosts_at_once)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(accepted_static); i++) {
        struct cluster_config f;
        cluster_config_build(&f, accepted_static[i]);
        assert_config_errors(&f.config, "");
        assert_non_null(f.cluster);
        assert_null(f.cluster->discovery);
        assert_int_equal(f.cluster->hosts->count, 1);
        cluster_config_finish(&f);
    }
}

TEST(tcp_alone_names_no_resolver)
{
    struct cluster_config f;
    cluster_config_build(
        &f,
        "name: c\ntype: STRICT_DNS\nuse_tcp_for_dns_lookups: true\n" CLUSTER_ENDPOINT("a.test"));
    assert_config_errors(&f.config, "");
    assert_config_warnings(&f.config, "t:3:26: use_tcp_for_dns_lookups: is deprecated\n"
                                      "t:3:26: use_tcp_for_dns_lookups: has no effect without "
                                      "dns_resolvers");
    cluster_config_finish(&f);
}

struct refused_case {
    const char *yaml;
    const char *error;
};

static const struct refused_case refused[] = {
    {"name: c\n" CLUSTER_ENDPOINT("a.test"),
     "t:2:112: load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address."
     "address: malformed IP address: a.test. Consider setting the cluster type to 'STRICT_DNS', "
     "which resolves names"},
    {"name: c\ntype: STRICT_DNS\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: "
     "[{endpoint: {address: {pipe: {path: /x}}}}]}]}",
     "t:3:85: load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: a STRICT_DNS cluster "
     "needs a name and a port here"},
    {"name: c\ntype: STRICT_DNS\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: "
     "[{endpoint: {hostname: x}}]}]}",
     "t:3:75: load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: address is necessary"},
    {"name: c\nload_assignment: {cluster_name: c, policy: {drop_overloads: [{category: a}, "
     "{category: b}]}}",
     "t:2:61: load_assignment.policy.drop_overloads: there are 2 categories, and only one is "
     "supported"},
    {"name: c\nload_assignment: {cluster_name: c, policy: {drop_overloads: [{category: a, "
     "drop_percentage: {numerator: 10001, denominator: TEN_THOUSAND}}]}}",
     "t:2:62: load_assignment.policy.drop_overloads[0]: 10001 of 10000 is more than all requests"},
    {"name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{}]}]}",
     "t:2:64: load_assignment.endpoints[0].lb_endpoints[0].endpoint: value is required"},
    {"name: c\ntype: LOGICAL_DNS",
     "t:1:1: load_assignment: LOGICAL_DNS clusters must have a single locality_lb_endpoint and a "
     "single lb_endpoint"},
    {"name: c\ntype: EDS",
     "t:1:1: eds_cluster_config: cannot create an EDS cluster without an EDS config"},
    {"name: c\neds_cluster_config: {eds_config: {path: /x}}",
     "t:2:21: eds_cluster_config: eds_cluster_config set in a non-EDS cluster"},
    {"name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
     "{socket_address: {address: 1.2.3.4, port_value: 1}}, additional_addresses: [{address: {pipe: "
     "{path: /x}}}]}}]}]}",
     "t:2:171: load_assignment.endpoints[0].lb_endpoints[0].endpoint.additional_addresses[0]."
     "address: additional_addresses must be IP addresses."},
    {"name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
     "{pipe: {path: /x}}, additional_addresses: [{address: {socket_address: {address: 1.2.3.4, "
     "port_value: 1}}}]}}]}]}",
     "t:2:85: load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: additional_addresses "
     "must be IP addresses."},
    {"name: c\ncluster_type: {name: envoy.clusters.redis}",
     "t:2:22: cluster_type.name: 'envoy.clusters.redis' is known to Envoy, not implemented by "
     "nuncio"},
    {"name: c\nlb_policy: CLUSTER_PROVIDED\ncluster_type: {name: envoy.clusters.aggregate}",
     "t:3:15: cluster_type.typed_config: expected an object with the \"@type\" "
     "envoy.extensions.clusters.aggregate.v3.ClusterConfig"},
    {"name: c\ncluster_type: {name: foo}",
     "t:2:22: cluster_type.name: there is no cluster type 'foo'"},
    {"name: c\ncluster_type: {name: x, typed_config: {" DNS_CLUSTER
     ", all_addresses_in_single_endpoint: true}}",
     "t:1:1: load_assignment: LOGICAL_DNS clusters must have a single locality_lb_endpoint and a "
     "single lb_endpoint"},
    {"name: c\ntype: STRICT_DNS\ndns_failure_refresh_rate: {base_interval: 2s, max_interval: 1s}",
     "t:3:27: dns_failure_refresh_rate: max_interval must be greater than or equal to "
     "base_interval"},
    {"name: c\ntype: STRICT_DNS\ndns_resolvers: [{socket_address: {address: x.test, port_value: "
     "53}}]",
     "t:3:44: dns_resolvers[0].socket_address.address: malformed IP address: x.test. A DNS "
     "resolver must be an IP address"},
    {"name: c\ntype: STRICT_DNS\ndns_resolvers: [{pipe: {path: /x}}]",
     "t:3:17: dns_resolvers[0]: a DNS resolver must be an IP address"},
    {"name: c\ntype: STRICT_DNS\ntyped_dns_resolver_config: {name: x, typed_config: {" CARES
     ", query_timeout_seconds: 100000, query_tries: 1000}}",
     "t:3:176: typed_dns_resolver_config.typed_config.query_timeout_seconds: more than a day is "
     "not implemented by nuncio\n"
     "t:3:197: typed_dns_resolver_config.typed_config.query_tries: more than 100 is not "
     "implemented by nuncio"},
};

TEST(systems_resolver_is_taken)
{
    struct cluster_config f;
    cluster_config_build(
        &f, "name: c\ntype: STRICT_DNS\ntyped_dns_resolver_config: {name: x, typed_config: "
            "{\"@type\": type.googleapis.com/envoy.extensions.network.dns_resolver.getaddrinfo.v3."
            "GetAddrInfoDnsResolverConfig}}");
    assert_config_errors(&f.config, "");
    assert_non_null(f.cluster);
    cluster_config_finish(&f);
}

TEST(what_cannot_be_done_is_refused_by_name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(refused); i++) {
        struct cluster_config f;
        cluster_config_build(&f, refused[i].yaml);
        assert_config_errors(&f.config, refused[i].error);
        assert_null(f.cluster);
        cluster_config_finish(&f);
    }
}

#define HTTP_OPTIONS(text) \
    "typed_extension_protocol_options: " \
    "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": " \
    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, " text "}}\n"

TEST(assignment_says_what_holds_for_all_hosts)
{
    struct cluster_config f;
    cluster_config_build(
        &f, "name: c\nload_assignment: {cluster_name: c, endpoints: [{priority: 1, locality: "
            "{zone: a}, load_balancing_weight: 3}, {locality: {zone: b}, load_balancing_weight: "
            "4}, {load_balancing_weight: 5}], policy: {overprovisioning_factor: 110, "
            "weighted_priority_health: true, endpoint_stale_after: 2s, drop_overloads: [{category: "
            "x, drop_percentage: {numerator: 7}}]}}");
    assert_config_errors(&f.config, "");
    const struct nu_assignment *assignment = f.cluster->hosts->assignment;
    assert_int_equal(assignment->overprovisioning_percent, 110);
    assert_true(assignment->weighted_priority_health);
    assert_int_equal(assignment->stale_after_ms, 2000);
    assert_int_equal(assignment->drop.numerator, 7);
    assert_str(assignment->drop_category, "x");
    const struct nu_locality a = {.zone = NU_STR_INIT("a")}, b = {.zone = NU_STR_INIT("b")};
    const struct nu_locality nowhere = {.zone = NU_STR_INIT("")};
    assert_int_equal(nu_assignment_locality_weight(assignment, 1, &a), 3);
    assert_int_equal(nu_assignment_locality_weight(assignment, 0, &a), 0);
    assert_int_equal(nu_assignment_locality_weight(assignment, 0, &b), 4);
    assert_int_equal(nu_assignment_locality_weight(assignment, 0, &nowhere), 0);
    cluster_config_finish(&f);
}

TEST(hosts_have_a_priority_and_a_health)
{
    struct cluster_config f;
    cluster_config_build(
        &f, "name: c\nload_assignment: {cluster_name: c, endpoints: [{priority: 3, lb_endpoints: "
            "[{health_status: DRAINING, endpoint: {address: {socket_address: {address: 1.2.3.4, "
            "port_value: 1}}}}]}, {lb_endpoints: [{endpoint: {address: {socket_address: {address: "
            "1.2.3.5, port_value: 1}}}}]}]}");
    assert_config_errors(&f.config, "");
    assert_null(f.cluster->hosts->assignment);
    assert_int_equal(f.cluster->hosts->priority_count, 4);
    assert_int_equal(nu_host_health(f.cluster->hosts->hosts[0]), NU_HOST_HEALTHY);
    assert_int_equal(f.cluster->hosts->hosts[1]->priority, 3);
    assert_int_equal(nu_host_health_status(f.cluster->hosts->hosts[1]), NU_EDS_DRAINING);
    cluster_config_finish(&f);
}

static const struct {
    const char *yaml;
    enum nu_cluster_http http;
    uint32_t max_streams;
} spoken[] = {
    {"", NU_CLUSTER_HTTP1, 1024},
    {"http2_protocol_options: {max_concurrent_streams: 7}\n", NU_CLUSTER_HTTP2, 7},
    {"http2_protocol_options: {}\nprotocol_selection: USE_DOWNSTREAM_PROTOCOL\n",
     NU_CLUSTER_AS_DOWNSTREAM, 1024},
    {HTTP_OPTIONS("explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 8}}"),
     NU_CLUSTER_HTTP2, 8},
    {HTTP_OPTIONS("use_downstream_protocol_config: {http2_protocol_options: "
                  "{max_concurrent_streams: 9}}"),
     NU_CLUSTER_AS_DOWNSTREAM, 9},
    /* The extension takes the place of the older fields. */
    {"http2_protocol_options: {max_concurrent_streams: 7}\n" HTTP_OPTIONS(
         "explicit_http_config: {http_protocol_options: {}}"),
     NU_CLUSTER_HTTP1, 1024},
};

TEST(options_say_what_is_spoken_to_hosts)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(spoken); i++) {
        char yaml[1024];
        struct cluster_config f;
        snprintf(yaml, sizeof(yaml), "name: c\n%s" CLUSTER_ENDPOINT("127.0.0.1"), spoken[i].yaml);
        cluster_config_build(&f, yaml);
        assert_config_errors(&f.config, "");
        assert_int_equal(f.cluster->options.http, spoken[i].http);
        assert_int_equal(f.cluster->options.h2.max_concurrent_streams, spoken[i].max_streams);
        assert_int_equal(f.cluster->sets.http2 != NULL, spoken[i].http != NU_CLUSTER_HTTP1);
        cluster_config_finish(&f);
    }
}

TEST(limits_of_heads_are_for_both_protocols)
{
    struct cluster_config f;
    cluster_config_build(
        &f, "name: c\n" HTTP_OPTIONS(
                "common_http_protocol_options: {max_response_headers_kb: 3, max_headers_count: "
                "5}, explicit_http_config: {http2_protocol_options: {}}")
                CLUSTER_ENDPOINT("127.0.0.1"));
    assert_config_errors(&f.config, "");
    assert_int_equal(f.cluster->options.h1.max_head_bytes, 3072);
    assert_int_equal(f.cluster->options.h2.max_head_bytes, 3072);
    assert_int_equal(f.cluster->options.h2.max_headers, 5);
    cluster_config_finish(&f);
}

TEST(an_agreement_needs_a_transport_that_makes_it)
{
    struct cluster_config f;
    cluster_config_build(&f, "name: c\n" HTTP_OPTIONS("auto_config: {}"));
    assert_config_errors(&f.config,
                         "t:1:1: transport_socket: ALPN configured for cluster c which has "
                         "a non-ALPN transport socket");
    cluster_config_finish(&f);
}

TEST_MAIN()
