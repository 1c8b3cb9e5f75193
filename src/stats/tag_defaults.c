/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags that Envoy 1.36 takes out of names by default. What a rule must match are facts that
 * dashboards rely on; tests/unit/stats compares with recorded answers of a real Envoy.
 */
#include "stats/tag_defaults_internal.h"

#include "base/compiler.h"

#define VALUE "[^\\.]+"
#define ADDRESS "(?:(?:\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}|\\[[a-fA-F_\\d]+\\])_\\d+)"
#define CIPHER "[\\w-]+"
#define OWNER "(?:listener|cluster)\\..*?" /* a listener or a cluster, with its name */

#define REGEX(name, regex, needle) \
    { \
        name, regex, NULL, needle, NULL \
    }
#define REGEX_BUT(name, regex, excluded) \
    { \
        name, regex, NULL, NULL, excluded \
    }
#define TOKENS(name, tokens) \
    { \
        name, NULL, tokens, NULL, NULL \
    }

const struct nu_stat_default_tag nu_stat_default_tags[] = {
    REGEX("envoy.response_code", "_rq(_(\\d{3}))$", "_rq_"),
    REGEX("envoy.response_code_class", "_rq_((\\d))xx$", "_rq_"),
    REGEX("envoy.dynamo_partition_id",
          "^http\\." VALUE "\\.dynamodb\\.table\\." VALUE "\\.capacity\\." VALUE
          "(\\.__partition_id=(\\w{7}))$",
          ".dynamodb.table."),
    REGEX("envoy.dynamo_operation",
          "^http\\." VALUE "\\.dynamodb.(?:operation|table\\." VALUE "\\.capacity)(\\.(" VALUE
          "))(?:\\.|$)",
          ".dynamodb."),
    REGEX("envoy.dynamo_table", "^http\\." VALUE "\\.dynamodb.(?:table|error)\\.((" VALUE ")\\.)",
          ".dynamodb."),
    REGEX("envoy.ssl_cipher", "^listener\\..*?\\.ssl\\.ciphers(\\.(" CIPHER "))$", ".ssl.ciphers."),
    REGEX("envoy.ssl_curve", "^" OWNER "\\.ssl\\.curves(\\.(" CIPHER "))$", ".ssl.curves."),
    REGEX("envoy.ssl_sigalg", "^" OWNER "\\.ssl\\.sigalgs(\\.(" CIPHER "))$", ".ssl.sigalgs."),
    REGEX("envoy.ssl_version", "^" OWNER "\\.ssl\\.versions(\\.(TLSv\\d\\.\\d))$",
          ".ssl.versions."),
    REGEX("cipher_suite", "^cluster\\." VALUE "\\.ssl\\.ciphers(\\.(" CIPHER "))$",
          ".ssl.ciphers."),
    REGEX("envoy.http_conn_manager_prefix", "^listener\\..*?\\.http\\.((" VALUE ")\\.)", ".http."),
    REGEX("envoy.worker_id",
          "^(?:listener\\.(?:" ADDRESS "|" VALUE
          ")|server|listener_manager|thread_local_cluster_manager)\\.worker_((\\d+)\\.)",
          ".worker_"),
    REGEX_BUT("envoy.listener_address", "^listener\\.((" ADDRESS "|" VALUE ")\\.)", "admin"),
    REGEX("envoy.rds_route_config", "^http\\." VALUE "\\.rds\\.(([\\w./-]+)\\.)\\w+?$", ".rds."),
    REGEX("envoy.scoped_rds_config", "^http\\." VALUE "\\.scoped_rds\\.(([\\w.-]+)\\.)\\w+?$",
          ".scoped_rds."),
    REGEX("envoy.rbac_policy_name",
          "^http\\." VALUE "\\.rbac\\.(?:" VALUE "\\.)?policy\\.((" VALUE
          ")\\.)(allowed|shadow_allowed|denied|shadow_denied)$",
          ".rbac."),
    REGEX_BUT("envoy.rbac_http_prefix", "^http\\." VALUE "\\.rbac\\.((" VALUE ")\\.).*?", "policy"),
    REGEX_BUT("envoy.proxy_protocol_prefix", "^proxy_proto\\.((" VALUE ")\\.).+$", "versions"),
    REGEX("envoy.proxy_protocol_version",
          "^proxy_proto\\.((?:" VALUE "\\.)?versions\\.v(\\d)\\.)\\w+$", "versions."),
    REGEX("envoy.tls_certificate", "^" OWNER "\\.ssl\\.certificate\\.((" VALUE ")\\.).*$",
          ".ssl.certificate"),

    TOKENS("envoy.mongo_callsite", "mongo.*.collection.*.callsite.$.query.**"),
    TOKENS("envoy.mongo_collection", "mongo.*.collection.$.**.query.*"),
    TOKENS("envoy.mongo_cmd", "mongo.*.cmd.$.**"),
    TOKENS("envoy.grpc_bridge_method", "cluster.*.grpc.*.$.**"),
    TOKENS("envoy.http_user_agent", "http.*.user_agent.$.**"),
    TOKENS("envoy.virtual_cluster", "vhost.*.vcluster.$.**"),
    TOKENS("envoy.fault_downstream_cluster", "http.*.fault.$.**"),
    TOKENS("envoy.grpc_bridge_service", "cluster.*.grpc.$.**"),
    TOKENS("envoy.tcp_prefix", "tcp.$.**"),
    TOKENS("envoy.udp_prefix", "udp.$.**"),
    TOKENS("envoy.clientssl_prefix", "auth.clientssl.$.**"),
    TOKENS("envoy.ratelimit_prefix", "ratelimit.$.**"),
    TOKENS("envoy.cluster_name", "cluster.$.**"),
    TOKENS("envoy.ext_authz_prefix", "cluster.*.ext_authz.$.**"),
    TOKENS("envoy.ext_authz_prefix", "http.*.ext_authz.$.**"),
    TOKENS("envoy.http_conn_manager_prefix", "http.$.**"),
    TOKENS("envoy.virtual_host", "vhost.$.**"),
    TOKENS("envoy.mongo_prefix", "mongo.$.**"),
    TOKENS("envoy.route", "vhost.*.route.$.**"),
    TOKENS("envoy.thrift_prefix", "thrift.$.**"),
    TOKENS("envoy.redis_prefix", "redis.$.**"),
    TOKENS("envoy.local_http_ratelimit_prefix", "$.http_local_rate_limit.**"),
    TOKENS("envoy.local_network_ratelimit_prefix", "local_rate_limit.$.**"),
    TOKENS("envoy.local_listener_ratelimit_prefix", "listener_local_ratelimit.$.**"),
    TOKENS("envoy.dns_filter_prefix", "dns_filter.$.**"),
    TOKENS("envoy.connection_limit_prefix", "connection_limit.$.**"),
    TOKENS("envoy.rbac_prefix", "$.rbac.**"),
    TOKENS("envoy.google_grpc_client_prefix", "grpc.$.**"),
};

const size_t nu_stat_default_tag_count = NU_ARRAY_LEN(nu_stat_default_tags);
