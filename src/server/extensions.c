/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every extension that nuncio has. A new one is a folder with its code and a line here; to leave
 * one out of a build, take its line away.
 */
#include "server/extensions.h"

#include "access_log/access_log.h"
#include "access_log/wasm/wasm_logger.h"
#include "filters/http/dynamic_forward_proxy/dynamic_forward_proxy.h"
#include "filters/http/health_check/health_check.h"
#include "filters/http/plugin/plugin.h"
#include "filters/http/prime_authz/prime_authz.h"
#include "filters/http/router/router_from_proto.h"
#include "filters/http/set_filter_state/set_filter_state.h"
#include "filters/http/wasm/wasm.h"
#include "filters/listener/http_inspector/http_inspector.h"
#include "filters/listener/original_dst/original_dst.h"
#include "filters/listener/proxy_protocol/proxy_protocol.h"
#include "filters/listener/tls_inspector/tls_inspector.h"
#include "filters/network/connection_limit/connection_limit.h"
#include "filters/network/direct_response/direct_response.h"
#include "filters/network/echo/echo.h"
#include "filters/network/local_ratelimit/local_ratelimit.h"
#include "filters/network/rbac/rbac.h"
#include "filters/network/set_filter_state/set_filter_state.h"
#include "filters/network/sni_cluster/sni_cluster.h"
#include "filters/network/sni_dynamic_forward_proxy/sni_dynamic_forward_proxy.h"
#include "filters/network/tcp_proxy/tcp_proxy.h"
#include "filters/network/wasm/wasm.h"
#include "net/upstream_proxy.h"
#include "server/listener_log.h"
#include "stream/hcm_from_proto.h"
#include "tls/tls_from_proto.h"
#include "wasm/limits_from_proto.h"
#include "wasm/service.h"

static const struct nu_filter_factory *const http_filters[] = {
    &nu_dynamic_forward_proxy_factory,
    &nu_health_check_factory,
    &nu_plugin_factory,
    &nu_prime_authz_factory,
    &nu_router_factory,
    &nu_http_set_filter_state_factory,
    &nu_http_wasm_factory,
    NULL,
};

static const struct nu_network_filter_factory *const network_filters[] = {
    &nu_connection_limit_factory,
    &nu_direct_response_factory,
    &nu_echo_factory,
    &nu_hcm_factory,
    &nu_local_ratelimit_factory,
    &nu_network_rbac_factory,
    &nu_network_set_filter_state_factory,
    &nu_sni_cluster_factory,
    &nu_sni_dynamic_forward_proxy_factory,
    &nu_tcp_proxy_factory,
    &nu_network_wasm_factory,
    NULL,
};

static const struct nu_access_logger_class *const access_loggers[] = {
    &nu_file_access_logger,
    &nu_stdout_access_logger,
    &nu_stderr_access_logger,
    &nu_wasm_access_logger,
    NULL,
};

static const struct nu_listener_filter_factory *const listener_filters[] = {
    &nu_http_inspector_factory,
    &nu_original_dst_factory,
    &nu_proxy_protocol_factory,
    &nu_tls_inspector_factory,
    NULL,
};

static const struct nu_transport_socket_class *const transport_sockets[] = {
    &nu_raw_buffer_socket,
    &nu_tls_socket,
    &nu_upstream_proxy_socket,
    NULL,
};

static const struct nu_bootstrap_extension *const bootstrap_extensions[] = {
    &nu_wasm_limits_extension,
    &nu_wasm_service_extension,
    NULL,
};

const struct nu_extensions nu_built_in_extensions = {
    .http_filters = http_filters,
    .network_filters = network_filters,
    .access_loggers = access_loggers,
    .listener_filters = listener_filters,
    .transport_sockets = transport_sockets,
    .bootstrap_extensions = bootstrap_extensions,
    .listener_log = &nu_listener_log,
};
