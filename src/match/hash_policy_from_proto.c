/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling hash policies. */
#include "config/values.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "match/hash_policy_internal.h"

#define POLICY(name) ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_##name

typedef Envoy__Config__Route__V3__RouteAction__HashPolicy policy_proto;

static struct nu_str dup_text(const struct nu_match_factory *factory, const char *text)
{
    return nu_arena_dup(factory->arena, nu_str_from(text));
}

static void read_header(const struct nu_match_factory *factory, struct nu_hash_method *method,
                        const Envoy__Config__Route__V3__RouteAction__HashPolicy__Header *proto)
{
    struct nu_str name = dup_text(factory, proto->header_name);
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    method->kind = NU_HASH_METHOD_HEADER;
    method->name = nu_str_eq(name, NU_STR("host")) ? NU_STR(":authority") : name;
    method->header = nu_header_id_of(method->name);
    if (proto->regex_rewrite)
        nu_regex_rewrite_from_proto(factory, proto->regex_rewrite, &method->regex);
}

static void read_cookie(const struct nu_match_factory *factory, struct nu_hash_method *method,
                        const Envoy__Config__Route__V3__RouteAction__HashPolicy__Cookie *proto)
{
    struct nu_cookie_attribute *attributes =
        nu_arena_alloc(factory->arena, proto->n_attributes * sizeof(*attributes));
    for (size_t i = 0; i < proto->n_attributes; i++)
        attributes[i] = (struct nu_cookie_attribute){
            .name = dup_text(factory, proto->attributes[i]->name),
            .value = dup_text(factory, proto->attributes[i]->value),
        };
    method->kind = NU_HASH_METHOD_COOKIE;
    method->name = dup_text(factory, proto->name);
    method->makes_cookie = proto->ttl != NULL;
    nu_config_duration_ms(factory->ctx, proto, "ttl", proto->ttl, 0); /* complains if it is none */
    method->cookie = (struct nu_set_cookie){
        .name = method->name,
        .path = dup_text(factory, proto->path),
        .max_age_seconds = proto->ttl ? (uint64_t)proto->ttl->seconds : 0,
        .attributes = attributes,
        .attribute_count = proto->n_attributes,
    };
}

/* False for one that asks for nothing. */
static bool read_policy(const struct nu_match_factory *factory, struct nu_hash_method *method,
                        const policy_proto *proto)
{
    *method = (struct nu_hash_method){.is_terminal = proto->terminal};
    switch (proto->policy_specifier_case) {
    case POLICY(HEADER):
        read_header(factory, method, proto->header);
        return true;
    case POLICY(COOKIE):
        read_cookie(factory, method, proto->cookie);
        return true;
    case POLICY(CONNECTION_PROPERTIES):
        method->kind = NU_HASH_METHOD_SOURCE_IP;
        return proto->connection_properties->source_ip;
    case POLICY(QUERY_PARAMETER):
        method->kind = NU_HASH_METHOD_QUERY_PARAMETER;
        method->name = dup_text(factory, proto->query_parameter->name);
        return true;
    case POLICY(FILTER_STATE):
        method->kind = NU_HASH_METHOD_FILTER_STATE;
        method->name = dup_text(factory, proto->filter_state->key);
        return true;
    default: /* one is required */
        return false;
    }
}

const struct nu_hash_policy *nu_hash_policy_from_protos(const struct nu_match_factory *factory,
                                                        policy_proto *const *protos, size_t count)
{
    if (count == 0)
        return NULL;
    struct nu_hash_policy *policy =
        nu_arena_alloc(factory->arena, sizeof(*policy) + count * sizeof(policy->methods[0]));
    policy->count = 0;
    for (size_t i = 0; i < count; i++)
        policy->count += read_policy(factory, &policy->methods[policy->count], protos[i]);
    return policy;
}
