/* SPDX-License-Identifier: Apache-2.0 */
/* x-forwarded-for lists are read from the right: the entry next to us is the one we may trust. */
#include "http/forwarded.h"

/* Cuts the last entry off `*rest` and returns it trimmed; without a comma `*rest` becomes NULL. */
static struct nu_str take_last(struct nu_str *rest)
{
    size_t comma = nu_str_rfind_char(*rest, ',');
    struct nu_str entry = *rest;
    if (comma == NU_NPOS) {
        *rest = nu_str_make(NULL, 0);
    } else {
        entry = nu_str_skip(*rest, comma + 1);
        *rest = nu_str_first(*rest, comma);
    }
    return nu_str_trim(entry);
}

bool nu_forwarded_last(struct nu_str xff, unsigned skip, struct nu_address *out, bool *single)
{
    struct nu_str rest = xff;
    for (unsigned i = 0; i < skip && rest.ptr; i++)
        take_last(&rest);
    if (!rest.ptr)
        return false;
    struct nu_str entry = take_last(&rest);
    if (nu_address_parse_ip(entry, 0, out) != NU_OK)
        return false;
    *single = skip == 0 && !rest.ptr;
    return true;
}

struct nu_str nu_forwarded_append(struct nu_arena *arena, struct nu_str xff,
                                  const struct nu_address *address)
{
    if (!nu_address_is_ip(address))
        return xff;
    char *out = nu_arena_alloc(arena, xff.len + 1 + NU_ADDRESS_TEXT_MAX);
    size_t len = xff.len;
    if (len) {
        memcpy(out, xff.ptr, len);
        out[len++] = ',';
    }
    len += nu_address_format_ip(address, out + len);
    return nu_str_make(out, len);
}

static const struct nu_cidr private_ranges[] = {
    {.base = {.family = NU_ADDRESS_IPV4, .ip = {10}}, .prefix_len = 8},
    {.base = {.family = NU_ADDRESS_IPV4, .ip = {172, 16}}, .prefix_len = 12},
    {.base = {.family = NU_ADDRESS_IPV4, .ip = {192, 168}}, .prefix_len = 16},
    {.base = {.family = NU_ADDRESS_IPV4, .ip = {127, 0, 0, 1}}, .prefix_len = 32},
    {.base = {.family = NU_ADDRESS_IPV6, .ip = {[15] = 1}}, .prefix_len = 128},
    {.base = {.family = NU_ADDRESS_IPV6, .ip = {0xfd}}, .prefix_len = 8},
};

const struct nu_internal_ranges nu_internal_ranges_private = {
    .ranges = private_ranges,
    .count = NU_ARRAY_LEN(private_ranges),
};

bool nu_internal_ranges_contain(const struct nu_internal_ranges *ranges,
                                const struct nu_address *address)
{
    if (address->family == NU_ADDRESS_UNIX)
        return ranges->unix_sockets;
    for (size_t i = 0; i < ranges->count; i++) {
        if (nu_cidr_contains(&ranges->ranges[i], address))
            return true;
    }
    return false;
}
