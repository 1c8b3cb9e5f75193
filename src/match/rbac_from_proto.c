/* SPDX-License-Identifier: Apache-2.0 */
/* Reading RBAC: permissions and principals become rules of one kind. */
#include <stdlib.h>

#include "config/config.h"
#include "match/rbac_internal.h"

#include "envoy/config/rbac/v3/rbac.pb-c.h"

#define PERMISSION(name) ENVOY__CONFIG__RBAC__V3__PERMISSION__RULE_##name
#define PRINCIPAL(name) ENVOY__CONFIG__RBAC__V3__PRINCIPAL__IDENTIFIER_##name

typedef Envoy__Config__Rbac__V3__Permission permission_proto;
typedef Envoy__Config__Rbac__V3__Principal principal_proto;
typedef Envoy__Config__Rbac__V3__RBAC rbac_proto;

/* What reading takes. */
struct reader {
    const struct nu_match_factory *factory;
    bool is_network;
};

static struct nu_rbac_rule *make_parts(const struct reader *reader, struct nu_rbac_rule *rule,
                                       enum nu_rbac_rule_kind kind, size_t count)
{
    rule->kind = kind;
    rule->of.parts.count = count;
    rule->of.parts.items =
        nu_arena_calloc(reader->factory->arena, (count + 1) * sizeof(*rule->of.parts.items));
    return rule->of.parts.items;
}

static bool read_range(const struct reader *reader, enum nu_rbac_rule_kind kind,
                       const Envoy__Config__Core__V3__CidrRange *proto, struct nu_rbac_rule *rule)
{
    struct nu_address base;
    uint32_t prefix_len = proto->prefix_len ? proto->prefix_len->value : 0;
    rule->kind = kind;
    if (nu_address_parse_ip(nu_str_from(proto->address_prefix), 0, &base) == NU_OK &&
        nu_cidr_make(&base, prefix_len, &rule->of.range) == NU_OK)
        return true;
    nu_config_error(reader->factory->ctx, proto, "address_prefix", "malformed IP address: %s",
                    proto->address_prefix);
    return false;
}

static bool read_header(const struct reader *reader,
                        const Envoy__Config__Route__V3__HeaderMatcher *proto,
                        struct nu_rbac_rule *rule)
{
    rule->kind = NU_RBAC_HEADER;
    if (!reader->is_network)
        return nu_header_matcher_from_proto(reader->factory, proto, &rule->of.header);
    nu_config_error(reader->factory->ctx, proto, NULL,
                    "Found header(name: \"%s\") rule,not supported by RBAC network filter",
                    proto->name);
    return false;
}

static bool read_path(const struct reader *reader,
                      const Envoy__Type__Matcher__V3__PathMatcher *proto, struct nu_rbac_rule *rule)
{
    rule->kind = NU_RBAC_PATH;
    return nu_path_matcher_from_proto(reader->factory, proto, &rule->of.string);
}

static bool read_metadata(const struct reader *reader,
                          const Envoy__Type__Matcher__V3__MetadataMatcher *proto,
                          struct nu_rbac_rule *rule)
{
    rule->kind = NU_RBAC_METADATA;
    return nu_metadata_matcher_from_proto(reader->factory, proto, &rule->of.metadata);
}

static bool read_sourced(const struct reader *reader,
                         const Envoy__Config__Rbac__V3__SourcedMetadata *proto,
                         struct nu_rbac_rule *rule)
{
    bool ok = read_metadata(reader, proto->metadata_matcher, rule);
    if (proto->metadata_source == ENVOY__CONFIG__RBAC__V3__METADATA_SOURCE__ROUTE)
        rule->kind = NU_RBAC_ROUTE_METADATA;
    return ok;
}

static bool read_ports(const struct reader *reader, const Envoy__Type__V3__Int32Range *proto,
                       struct nu_rbac_rule *rule)
{
    enum { PORT_END = 65536 };
    struct nu_config_ctx *ctx = reader->factory->ctx;
    rule->kind = NU_RBAC_DESTINATION_PORT;
    if (proto->start < 0 || proto->start > PORT_END)
        nu_config_error(ctx, proto, "start", "range start %d is out of bounds", proto->start);
    else if (proto->end < 0 || proto->end > PORT_END)
        nu_config_error(ctx, proto, "end", "range end %d is out of bounds", proto->end);
    else if (proto->start >= proto->end)
        nu_config_error(ctx, proto, "start",
                        "range start %d cannot be greater or equal than range end %d", proto->start,
                        proto->end);
    else {
        rule->of.ports.start = (uint32_t)proto->start;
        rule->of.ports.end = (uint32_t)proto->end;
        return true;
    }
    return false;
}

/* --- Permissions ------------------------------------------------------------------------------ */

static bool read_permission(const struct reader *reader, const permission_proto *proto,
                            struct nu_rbac_rule *rule);

static bool read_permissions(const struct reader *reader, enum nu_rbac_rule_kind kind,
                             permission_proto *const *protos, size_t count,
                             struct nu_rbac_rule *rule)
{
    bool ok = true;
    struct nu_rbac_rule *parts = make_parts(reader, rule, kind, count);
    for (size_t i = 0; i < count; i++)
        ok &= read_permission(reader, protos[i], &parts[i]);
    return ok;
}

static bool read_permission(const struct reader *reader, const permission_proto *proto,
                            struct nu_rbac_rule *rule)
{
    switch (proto->rule_case) {
    case PERMISSION(AND_RULES):
        return read_permissions(reader, NU_RBAC_AND, proto->and_rules->rules,
                                proto->and_rules->n_rules, rule);
    case PERMISSION(OR_RULES):
        return read_permissions(reader, NU_RBAC_OR, proto->or_rules->rules,
                                proto->or_rules->n_rules, rule);
    case PERMISSION(NOT_RULE):
        return read_permissions(reader, NU_RBAC_NOT, &proto->not_rule, 1, rule);
    case PERMISSION(HEADER):
        return read_header(reader, proto->header, rule);
    case PERMISSION(URL_PATH):
        return read_path(reader, proto->url_path, rule);
    case PERMISSION(DESTINATION_IP):
        return read_range(reader, NU_RBAC_DESTINATION_IP, proto->destination_ip, rule);
    case PERMISSION(DESTINATION_PORT):
        rule->kind = NU_RBAC_DESTINATION_PORT;
        rule->of.ports.start = proto->destination_port;
        rule->of.ports.end = proto->destination_port + 1;
        return true;
    case PERMISSION(DESTINATION_PORT_RANGE):
        return read_ports(reader, proto->destination_port_range, rule);
    case PERMISSION(METADATA):
        return read_metadata(reader, proto->metadata, rule);
    case PERMISSION(SOURCED_METADATA):
        return read_sourced(reader, proto->sourced_metadata, rule);
    case PERMISSION(REQUESTED_SERVER_NAME):
        rule->kind = NU_RBAC_SERVER_NAME;
        return nu_string_matcher_from_proto(reader->factory, proto->requested_server_name,
                                            &rule->of.string);
    default:
        rule->kind = NU_RBAC_ANY;
        return true;
    }
}

/* --- Principals ------------------------------------------------------------------------------- */

static bool read_principal(const struct reader *reader, const principal_proto *proto,
                           struct nu_rbac_rule *rule);

static bool read_principals(const struct reader *reader, enum nu_rbac_rule_kind kind,
                            principal_proto *const *protos, size_t count, struct nu_rbac_rule *rule)
{
    bool ok = true;
    struct nu_rbac_rule *parts = make_parts(reader, rule, kind, count);
    for (size_t i = 0; i < count; i++)
        ok &= read_principal(reader, protos[i], &parts[i]);
    return ok;
}

static bool read_authenticated(const struct reader *reader,
                               const Envoy__Config__Rbac__V3__Principal__Authenticated *proto,
                               struct nu_rbac_rule *rule)
{
    rule->kind = proto->principal_name ? NU_RBAC_PEER_NAME : NU_RBAC_PEER_SHOWN;
    return !proto->principal_name ||
           nu_string_matcher_from_proto(reader->factory, proto->principal_name, &rule->of.string);
}

static bool read_principal(const struct reader *reader, const principal_proto *proto,
                           struct nu_rbac_rule *rule)
{
    switch (proto->identifier_case) {
    case PRINCIPAL(AND_IDS):
        return read_principals(reader, NU_RBAC_AND, proto->and_ids->ids, proto->and_ids->n_ids,
                               rule);
    case PRINCIPAL(OR_IDS):
        return read_principals(reader, NU_RBAC_OR, proto->or_ids->ids, proto->or_ids->n_ids, rule);
    case PRINCIPAL(NOT_ID):
        return read_principals(reader, NU_RBAC_NOT, &proto->not_id, 1, rule);
    case PRINCIPAL(AUTHENTICATED):
        return read_authenticated(reader, proto->authenticated, rule);
    case PRINCIPAL(SOURCE_IP):
        return read_range(reader, NU_RBAC_CONNECTION_IP, proto->source_ip, rule);
    case PRINCIPAL(DIRECT_REMOTE_IP):
        return read_range(reader, NU_RBAC_DIRECT_IP, proto->direct_remote_ip, rule);
    case PRINCIPAL(REMOTE_IP):
        return read_range(reader, NU_RBAC_REMOTE_IP, proto->remote_ip, rule);
    case PRINCIPAL(HEADER):
        return read_header(reader, proto->header, rule);
    case PRINCIPAL(URL_PATH):
        return read_path(reader, proto->url_path, rule);
    case PRINCIPAL(METADATA):
        return read_metadata(reader, proto->metadata, rule);
    case PRINCIPAL(SOURCED_METADATA):
        return read_sourced(reader, proto->sourced_metadata, rule);
    default:
        rule->kind = NU_RBAC_ANY;
        return true;
    }
}

/* --- Policies --------------------------------------------------------------------------------- */

static int by_name(const void *a_ptr, const void *b_ptr)
{
    const struct nu_rbac_policy *a = a_ptr;
    const struct nu_rbac_policy *b = b_ptr;
    return nu_str_cmp(a->name, b->name);
}

static enum nu_rbac_action read_action(const rbac_proto *proto)
{
    switch (proto->action) {
    case ENVOY__CONFIG__RBAC__V3__RBAC__ACTION__DENY:
        return NU_RBAC_DENY;
    case ENVOY__CONFIG__RBAC__V3__RBAC__ACTION__LOG:
        return NU_RBAC_LOG;
    default:
        return NU_RBAC_ALLOW;
    }
}

const struct nu_rbac *nu_rbac_from_proto(const struct nu_match_factory *factory,
                                         const rbac_proto *proto, bool is_network)
{
    const struct reader reader = {factory, is_network};
    struct nu_rbac *rbac = nu_arena_calloc(factory->arena, sizeof(*rbac));
    bool ok = true;
    rbac->action = read_action(proto);
    rbac->policy_count = proto->n_policies;
    rbac->policies =
        nu_arena_calloc(factory->arena, (proto->n_policies + 1) * sizeof(*rbac->policies));
    for (size_t i = 0; i < proto->n_policies; i++) {
        const Envoy__Config__Rbac__V3__Policy *policy = proto->policies[i]->value;
        struct nu_rbac_policy *out = &rbac->policies[i];
        out->name = nu_arena_dup(factory->arena, nu_str_from(proto->policies[i]->key));
        ok &= read_permissions(&reader, NU_RBAC_OR, policy->permissions, policy->n_permissions,
                               &out->permissions);
        ok &= read_principals(&reader, NU_RBAC_OR, policy->principals, policy->n_principals,
                              &out->principals);
    }
    qsort(rbac->policies, rbac->policy_count, sizeof(*rbac->policies), by_name);
    return ok ? rbac : NULL;
}
