/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of address ranges. */
#include "match/cidr_list.h"

#include "config/config.h"
#include "envoy/config/core/v3/address.pb-c.h"

static bool from_proto(const struct nu_match_factory *factory,
                       const Envoy__Config__Core__V3__CidrRange *proto, struct nu_cidr *out)
{
    struct nu_address base;
    uint32_t prefix_len = proto->prefix_len ? proto->prefix_len->value : 0;
    if (nu_address_parse_ip(nu_str_from(proto->address_prefix), 0, &base) == NU_OK &&
        nu_cidr_make(&base, prefix_len, out) == NU_OK)
        return true;
    nu_config_error(factory->ctx, proto, "address_prefix",
                    "invalid ip/mask combo '%s/%u' (format is <ip>/<# mask bits>)",
                    proto->address_prefix, prefix_len);
    return false;
}

bool nu_cidr_list_from_protos(const struct nu_match_factory *factory,
                              Envoy__Config__Core__V3__CidrRange *const *protos, size_t count,
                              struct nu_cidr_list *out)
{
    bool ok = true;
    out->count = count;
    out->ranges = nu_arena_calloc(factory->arena, count * sizeof(*out->ranges));
    for (size_t i = 0; i < count; i++)
        ok &= from_proto(factory, protos[i], &out->ranges[i]);
    return ok;
}

bool nu_cidr_list_contains(const struct nu_cidr_list *list, const struct nu_address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (nu_cidr_contains(&list->ranges[i], address))
            return true;
    }
    return false;
}
