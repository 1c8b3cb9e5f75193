/* SPDX-License-Identifier: Apache-2.0 */
/* Asking rules: the first policy that matches decides. */
#include "http/headers.h"
#include "http/metadata.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"
#include "match/rbac_internal.h"

static bool matches_rule(const struct nu_rbac_rule *rule, const struct nu_rbac_input *input);

static bool matches_any(const struct nu_rbac_rule *rule, const struct nu_rbac_input *input)
{
    for (size_t i = 0; i < rule->of.parts.count; i++) {
        if (matches_rule(&rule->of.parts.items[i], input))
            return true;
    }
    return false;
}

static bool matches_all(const struct nu_rbac_rule *rule, const struct nu_rbac_input *input)
{
    for (size_t i = 0; i < rule->of.parts.count; i++) {
        if (!matches_rule(&rule->of.parts.items[i], input))
            return false;
    }
    return true;
}

static bool matches_path(const struct nu_rbac_rule *rule, const struct nu_headers *headers)
{
    return headers && nu_headers_has_id(headers, NU_HEADER_PATH) &&
           nu_path_matches(&rule->of.string, nu_headers_get_id(headers, NU_HEADER_PATH));
}

static bool matches_port(const struct nu_rbac_rule *rule, const struct nu_address *address)
{
    return nu_address_is_ip(address) && address->port >= rule->of.ports.start &&
           address->port < rule->of.ports.end;
}

static bool has_name(const struct nu_rbac_rule *rule, struct nu_ssl_info *ssl,
                     enum nu_ssl_list which)
{
    struct nu_ssl_list_value names = nu_ssl_info_list(ssl, which);
    for (size_t i = 0; i < names.count; i++) {
        if (nu_string_matches(&rule->of.string, names.items[i]))
            return true;
    }
    return false;
}

static bool matches_peer(const struct nu_rbac_rule *rule, struct nu_ssl_info *ssl)
{
    if (!ssl)
        return false;
    if (rule->kind == NU_RBAC_PEER_SHOWN)
        return nu_ssl_info_is_peer_presented(ssl);
    return has_name(rule, ssl, NU_SSL_PEER_URI) || has_name(rule, ssl, NU_SSL_PEER_DNS) ||
           nu_string_matches(&rule->of.string, nu_ssl_info_text(ssl, NU_SSL_PEER_SUBJECT));
}

static bool matches_rule(const struct nu_rbac_rule *rule, const struct nu_rbac_input *input)
{
    const struct nu_stream_info *info = input->info;
    struct nu_connection_info *connection = info->connection;
    switch (rule->kind) {
    case NU_RBAC_AND:
        return matches_all(rule, input);
    case NU_RBAC_OR:
        return matches_any(rule, input);
    case NU_RBAC_NOT:
        return !matches_rule(&rule->of.parts.items[0], input);
    case NU_RBAC_ANY:
        return true;
    case NU_RBAC_HEADER:
        return input->headers && nu_header_matches(&rule->of.header, input->headers);
    case NU_RBAC_PATH:
        return matches_path(rule, input->headers);
    case NU_RBAC_DESTINATION_IP:
        return nu_cidr_contains(&rule->of.range, nu_connection_info_local(connection));
    case NU_RBAC_DESTINATION_PORT:
        return matches_port(rule, nu_connection_info_local(connection));
    case NU_RBAC_CONNECTION_IP:
        return nu_cidr_contains(&rule->of.range, &connection->remote);
    case NU_RBAC_DIRECT_IP:
        return nu_cidr_contains(&rule->of.range, &connection->direct_remote);
    case NU_RBAC_REMOTE_IP:
        return nu_cidr_contains(&rule->of.range, &info->remote);
    case NU_RBAC_SERVER_NAME:
        return nu_string_matches(&rule->of.string, connection->requested_server_name);
    case NU_RBAC_PEER_SHOWN:
    case NU_RBAC_PEER_NAME:
        return matches_peer(rule, connection->ssl);
    case NU_RBAC_METADATA:
        return nu_metadata_matches(&rule->of.metadata, info->dynamic_metadata);
    case NU_RBAC_ROUTE_METADATA:
        return nu_metadata_matches(&rule->of.metadata, info->route_metadata);
    }
    return false;
}

struct nu_rbac_verdict nu_rbac_judge(const struct nu_rbac *rbac, const struct nu_rbac_input *input)
{
    struct nu_rbac_verdict verdict = {.is_log = rbac->action == NU_RBAC_LOG};
    const struct nu_rbac_policy *match = NULL;
    for (size_t i = 0; i < rbac->policy_count && !match; i++) {
        const struct nu_rbac_policy *policy = &rbac->policies[i];
        if (matches_rule(&policy->permissions, input) && matches_rule(&policy->principals, input))
            match = policy;
    }
    if (match)
        verdict.policy = match->name;
    verdict.is_allowed = rbac->action == NU_RBAC_LOG || (rbac->action == NU_RBAC_ALLOW) == !!match;
    return verdict;
}

void nu_rbac_note_log(struct nu_stream_info *info, const struct nu_rbac_verdict *verdict)
{
    if (verdict->is_log)
        nu_metadata_set(nu_stream_info_metadata(info), NU_STR("envoy.common"),
                        NU_STR("access_log_hint"), nu_value_bool(verdict->policy.len != 0));
}
