/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the lists that stand in this module, and what makes documentation of any table. */
#include "stats/cluster_stats.h"
#include "stats/http_stats.h"
#include "stats/listener_filter_stats.h"
#include "stats/listener_stats.h"
#include "stats/sds_stats.h"
#include "stats/network_filter_stats.h"
#include "stats/server_stats.h"
#include "stats/tls_stats.h"
#include "stats/wasm_stats.h"

NU_STAT_TABLE(nu_server_stats, NU_SERVER_STATS, "server", "The process.");
NU_STAT_TABLE(nu_compilation_stats, NU_COMPILATION_STATS, "server.compilation_settings",
              "How the program was built.");
NU_STAT_TABLE(nu_watchdog_stats, NU_WATCHDOG_STATS,
              "main_thread, workers, server.main_thread, server.worker_<n>",
              "Threads that get stuck.");
NU_STAT_TABLE(nu_listener_manager_stats, NU_LISTENER_MANAGER_STATS, "listener_manager",
              "All listeners.");
NU_STAT_TABLE(nu_cluster_manager_stats, NU_CLUSTER_MANAGER_STATS, "cluster_manager",
              "All clusters.");
NU_STAT_TABLE(nu_cluster_table_stats, NU_CLUSTER_TABLE_STATS,
              "thread_local_cluster_manager.<thread>", "The clusters of a thread.");
NU_STAT_TABLE(nu_runtime_stats, NU_RUNTIME_STATS, "runtime", "Runtime layers.");
NU_STAT_TABLE(nu_filesystem_stats, NU_FILESYSTEM_STATS, "filesystem", "Log files.");
NU_STAT_TABLE(nu_dns_stats, NU_DNS_STATS, "dns.cares", "The resolver.");
NU_STAT_TABLE(nu_dns_cache_stats, NU_DNS_CACHE_STATS, "dns_cache.<name>",
              "Names of a forward proxy.");
NU_STAT_TABLE(nu_dns_cache_breaker_stats, NU_DNS_CACHE_BREAKER_STATS,
              "dns_cache.<name>.circuit_breakers", "Requests that wait for them.");

NU_STAT_TABLE(nu_listener_stats, NU_LISTENER_STATS, "listener.<address>", "A listener.");
NU_STAT_TABLE(nu_listener_config_stats, NU_LISTENER_CONFIG_STATS, "listener.<address>",
              "A listener whose filters are configured over ECDS.");
NU_STAT_TABLE(nu_listener_worker_stats, NU_LISTENER_WORKER_STATS, "listener.<address>.worker_<n>",
              "A listener on one thread.");
NU_STAT_TABLE(nu_listener_http_stats, NU_LISTENER_HTTP_STATS,
              "listener.<address>.http.<stat_prefix>",
              "An HTTP connection manager on one listener.");

NU_STAT_TABLE(nu_http_stats, NU_HTTP_STATS, "http.<stat_prefix>", "An HTTP connection manager.");
NU_STAT_TABLE(nu_router_stats, NU_ROUTER_STATS, "http.<stat_prefix>", "Its router.");
NU_STAT_TABLE(nu_route_stats, NU_ROUTE_STATS,
              "vhost.<name>.vcluster.<name>, vhost.<name>.route.<stat_prefix>",
              "A virtual cluster, a route.");
NU_STAT_TABLE(nu_tracing_stats, NU_TRACING_STATS, "http.<stat_prefix>.tracing", "Its tracing.");
NU_STAT_TABLE(nu_http1_stats, NU_HTTP1_STATS, "http1", "HTTP/1 downstream.");
NU_STAT_TABLE_WHEN_USED(nu_cluster_http1_stats, NU_HTTP1_STATS, "cluster.<name>.http1",
                        "HTTP/1 upstream.");
NU_STAT_TABLE_WHEN_USED(nu_http2_stats, NU_HTTP2_STATS, "http2, cluster.<name>.http2",
                        "HTTP/2 downstream and upstream.");
NU_STAT_TABLE(nu_http_health_check_stats, NU_HTTP_HEALTH_CHECK_STATS,
              "http.<stat_prefix>.health_check", "The health check filter.");
NU_STAT_TABLE(nu_prime_authz_stats, NU_PRIME_AUTHZ_STATS, "http.<stat_prefix>.prime_authz",
              "The filter that lets prime numbers pass.");

NU_STAT_TABLE(nu_cluster_traffic_stats, NU_CLUSTER_TRAFFIC_STATS, "cluster.<name>",
              "The traffic of a cluster.");
NU_STAT_TABLE(nu_response_stats, NU_RESPONSE_STATS,
              "cluster.<name>.{external,internal,canary,retry,zone.<from>.<to>}",
              "Answers by where the request came from or went to.");
NU_STAT_TABLE(nu_cluster_lb_stats, NU_CLUSTER_LB_STATS, "cluster.<name>",
              "The load balancer of a cluster.");
NU_STAT_TABLE(nu_timeout_budget_stats, NU_TIMEOUT_BUDGET_STATS, "cluster.<name>",
              "What timeouts leave, with `timeout_budgets` of `track_cluster_stats` only.");
NU_STAT_TABLE(nu_message_size_stats, NU_MESSAGE_SIZE_STATS, "cluster.<name>",
              "Sizes of messages, with `request_response_sizes` of `track_cluster_stats` only.");
NU_STAT_TABLE(nu_health_check_stats, NU_HEALTH_CHECK_STATS, "cluster.<name>.health_check",
              "Active health checks of a cluster.");
NU_STAT_TABLE(nu_cluster_membership_stats, NU_CLUSTER_MEMBERSHIP_STATS, "cluster.<name>",
              "The hosts of a cluster.");
NU_STAT_TABLE(nu_cluster_update_stats, NU_CLUSTER_UPDATE_STATS, "cluster.<name>",
              "How a cluster learns of its hosts.");
NU_STAT_TABLE(nu_eds_stats, NU_EDS_STATS, "cluster.<name>", "A cluster whose hosts come by EDS.");
NU_STAT_TABLE(nu_circuit_breaker_stats, NU_CIRCUIT_BREAKER_STATS,
              "cluster.<name>.circuit_breakers.<priority>", "The limits of a cluster.");
NU_STAT_TABLE(nu_circuit_breaker_remaining_stats, NU_CIRCUIT_BREAKER_REMAINING_STATS,
              "cluster.<name>.circuit_breakers.<priority>",
              "What is left until these limits, with track_remaining.");
NU_STAT_TABLE(nu_subset_stats, NU_SUBSET_STATS, "cluster.<name>", "Subsets of a single host.");
NU_STAT_TABLE(nu_ring_hash_stats, NU_RING_HASH_STATS, "cluster.<name>.ring_hash_lb",
              "Where hosts stand on a ring.");
NU_STAT_TABLE(nu_maglev_stats, NU_MAGLEV_STATS, "cluster.<name>.maglev_lb",
              "Who has the slots of a Maglev table.");
NU_STAT_TABLE(nu_outlier_stats, NU_OUTLIER_STATS, "cluster.<name>.outlier_detection",
              "Hosts that were put aside for their answers, with `outlier_detection` only.");
NU_STAT_TABLE(nu_transport_socket_match_stats, NU_TRANSPORT_SOCKET_MATCH_STATS,
              "cluster.<name>.<match>", "Transport sockets chosen by a match.");
NU_STAT_TABLE(nu_upstream_proxy_stats, NU_UPSTREAM_PROXY_STATS,
              "cluster.<name>.upstream.proxyprotocol", "PROXY headers to its hosts.");
NU_STAT_TABLE(nu_host_stats, NU_HOST_STATS, "(in /clusters)", "A host.");

NU_STAT_TABLE(nu_tls_stats, NU_TLS_STATS, "listener.<address>.ssl, cluster.<name>.ssl",
              "TLS connections.");
NU_STAT_TABLE(nu_sds_stats, NU_SDS_STATS, "sds.<secret>", "Secrets that come from files.");
NU_STAT_TABLE(nu_tls_certificate_stats, NU_TLS_CERTIFICATE_STATS,
              "listener.<address>.ssl.certificate.<name>, cluster.<name>.ssl.certificate.<name>",
              "A certificate, by the name of its secret.");
NU_STAT_TABLE(nu_tls_factory_stats, NU_TLS_FACTORY_STATS,
              "listener.<address>.server_ssl_socket_factory, "
              "cluster.<name>.client_ssl_socket_factory",
              "The settings of TLS, as secrets and files come and change.");

NU_STAT_TABLE(nu_tls_inspector_stats, NU_TLS_INSPECTOR_STATS, "tls_inspector",
              "The listener filter tls_inspector.");
NU_STAT_TABLE(nu_http_inspector_stats, NU_HTTP_INSPECTOR_STATS, "http_inspector",
              "The listener filter http_inspector.");
NU_STAT_TABLE(nu_proxy_protocol_stats, NU_PROXY_PROTOCOL_STATS, "proxy_proto.[<stat_prefix>]",
              "The listener filter proxy_protocol.");
NU_STAT_TABLE(nu_proxy_protocol_legacy_stats, NU_PROXY_PROTOCOL_LEGACY_STATS, "(no prefix)",
              "All listener filters proxy_protocol.");
NU_STAT_TABLE(nu_proxy_protocol_version_stats, NU_PROXY_PROTOCOL_VERSION_STATS,
              "proxy_proto.[<stat_prefix>.]versions.v<n>", "Its headers by version.");

NU_STAT_TABLE(nu_tcp_proxy_stats, NU_TCP_PROXY_STATS, "tcp.<stat_prefix>",
              "The network filter tcp_proxy.");

NU_STAT_TABLE(nu_connection_limit_stats, NU_CONNECTION_LIMIT_STATS,
              "connection_limit.<stat_prefix>", "The network filter connection_limit.");
NU_STAT_TABLE(nu_local_rate_limit_stats, NU_LOCAL_RATE_LIMIT_STATS,
              "local_rate_limit.<stat_prefix>", "The network filter local_ratelimit.");
NU_STAT_TABLE(nu_rbac_stats, NU_RBAC_STATS, "<stat_prefix>.rbac", "The network filter rbac.");
NU_STAT_TABLE(nu_rbac_shadow_stats, NU_RBAC_SHADOW_STATS,
              "<stat_prefix>.rbac.[<shadow_rules_stat_prefix>]", "Its shadow rules.");

NU_STAT_TABLE(nu_wasm_runtime_stats, NU_WASM_RUNTIME_STATS, "wasm.<runtime>",
              "VMs, by the runtime that the configuration names.");
NU_STAT_TABLE(nu_wasm_remote_stats, NU_WASM_REMOTE_STATS, "wasm", "Code that is fetched.");
NU_STAT_TABLE(nu_wasm_plugin_stats, NU_WASM_PLUGIN_STATS, "wasm.<plug-in>",
              "A plug-in whose VM failed.");

const struct nu_stat_table *const nu_stat_tables[] = {
    &nu_server_stats_table,
    &nu_compilation_stats_table,
    &nu_watchdog_stats_table,
    &nu_listener_manager_stats_table,
    &nu_cluster_manager_stats_table,
    &nu_cluster_table_stats_table,
    &nu_runtime_stats_table,
    &nu_filesystem_stats_table,
    &nu_dns_stats_table,
    &nu_dns_cache_stats_table,
    &nu_dns_cache_breaker_stats_table,
    &nu_listener_stats_table,
    &nu_listener_config_stats_table,
    &nu_listener_worker_stats_table,
    &nu_listener_http_stats_table,
    &nu_http_stats_table,
    &nu_router_stats_table,
    &nu_route_stats_table,
    &nu_tracing_stats_table,
    &nu_http1_stats_table,
    &nu_cluster_http1_stats_table,
    &nu_http2_stats_table,
    &nu_http_health_check_stats_table,
    &nu_prime_authz_stats_table,
    &nu_cluster_traffic_stats_table,
    &nu_response_stats_table,
    &nu_timeout_budget_stats_table,
    &nu_message_size_stats_table,
    &nu_cluster_lb_stats_table,
    &nu_cluster_membership_stats_table,
    &nu_health_check_stats_table,
    &nu_cluster_update_stats_table,
    &nu_eds_stats_table,
    &nu_circuit_breaker_stats_table,
    &nu_circuit_breaker_remaining_stats_table,
    &nu_subset_stats_table,
    &nu_ring_hash_stats_table,
    &nu_maglev_stats_table,
    &nu_outlier_stats_table,
    &nu_transport_socket_match_stats_table,
    &nu_upstream_proxy_stats_table,
    &nu_host_stats_table,
    &nu_tls_stats_table,
    &nu_tls_factory_stats_table,
    &nu_tls_certificate_stats_table,
    &nu_sds_stats_table,
    &nu_tls_negotiated_stats_table,
    &nu_tls_inspector_stats_table,
    &nu_http_inspector_stats_table,
    &nu_proxy_protocol_stats_table,
    &nu_proxy_protocol_legacy_stats_table,
    &nu_proxy_protocol_version_stats_table,
    &nu_tcp_proxy_stats_table,
    &nu_connection_limit_stats_table,
    &nu_local_rate_limit_stats_table,
    &nu_rbac_stats_table,
    &nu_rbac_shadow_stats_table,
    &nu_wasm_runtime_stats_table,
    &nu_wasm_remote_stats_table,
    &nu_wasm_plugin_stats_table,
};
const size_t nu_stat_table_count = NU_ARRAY_LEN(nu_stat_tables);

const char *nu_stat_kind_name(enum nu_stat_kind kind)
{
    switch (kind) {
    case NU_STAT_COUNTER:
    case NU_STAT_LAZY_COUNTER:
    case NU_STAT_CODES:
        return "counter";
    case NU_STAT_GAUGE:
    case NU_STAT_GAUGE64:
        return "gauge";
    case NU_STAT_HISTOGRAM:
    case NU_STAT_LAZY_HISTOGRAM:
        return "histogram";
    case NU_STAT_TEXT:
        return "text";
    case NU_STAT_KIND_COUNT:
        break;
    }
    return "";
}

void nu_stat_table_document(const struct nu_stat_table *table, struct nu_strbuf *out)
{
    nu_strbuf_addf(out, "## `%s`\n\n%s\n\n| name | kind | meaning |\n| --- | --- | --- |\n",
                   table->scope, table->about);
    for (uint16_t i = 0; i < table->count; i++) {
        const struct nu_stat_desc *desc = &table->descs[i];
        const char *members = desc->kind == NU_STAT_CODES ? "_<code>, _<n>xx, _unknown" : "";
        nu_strbuf_addf(out, "| `%s%s` | %s | %s |\n", desc->name, members,
                       nu_stat_kind_name((enum nu_stat_kind)desc->kind), desc->meaning);
    }
    nu_strbuf_add_char(out, '\n');
}
