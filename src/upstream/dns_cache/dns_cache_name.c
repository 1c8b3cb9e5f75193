/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the cache. A name with a port of its own is taken as it is, others get the default port;
 * what is asked for is found by another rule, as in Envoy: so a port that is no number below 65536
 * stays with the name, which no server knows then.
 */
#include "upstream/dns_cache/dns_cache.h"

#include <string.h>

#include "http/authority.h"

/* A sign before it is a part of a number, as Envoy reads them. */
static bool parse_port(struct nu_str text, uint64_t most, uint64_t *port)
{
    if (text.len && text.ptr[0] == '+')
        text = nu_str_skip(text, 1);
    return nu_str_to_u64(text, port) == NU_OK && *port <= most;
}

/* A number that fits 32 bits. */
static bool has_port(struct nu_str host)
{
    size_t colon = nu_authority_port_colon(host);
    uint64_t port;
    return colon != NU_NPOS && parse_port(nu_str_skip(host, colon + 1), UINT32_MAX, &port);
}

struct nu_str nu_dns_cache_key(const struct nu_dns_cache_name *name, char *out)
{
    enum { PORT_MAX = 6 }; /* ":65535" */
    struct nu_str host = name->host;
    if (host.len > NU_DNS_CACHE_KEY_MAX - PORT_MAX)
        return nu_str_make(NULL, 0);
    memcpy(out, host.ptr ? host.ptr : "", host.len);
    if (has_port(host))
        return nu_str_make(out, host.len);
    out[host.len] = ':';
    size_t len = nu_u64_to_chars(name->port, out + host.len + 1);
    return nu_str_make(out, host.len + 1 + len);
}

/* Those of an address; others belong to the name. */
static struct nu_str strip_brackets(struct nu_str host)
{
    struct nu_address address;
    if (host.len < 2 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']')
        return host;
    struct nu_str inside = nu_str_make(host.ptr + 1, host.len - 2);
    return nu_address_parse_ip(inside, 0, &address) == NU_OK ? inside : host;
}

struct nu_dns_cache_name nu_dns_cache_split_key(struct nu_str key, uint16_t default_port)
{
    struct nu_dns_cache_name name = {.host = key, .port = default_port};
    size_t colon = key.len;
    uint64_t port;
    while (colon > 0 && key.ptr[colon - 1] != ':')
        colon--;
    if (colon > 0 && key.ptr[key.len - 1] != ']' &&
        parse_port(nu_str_skip(key, colon), UINT16_MAX, &port)) {
        name.host.len = colon - 1;
        name.port = (uint16_t)port;
    }
    name.host = strip_brackets(name.host);
    return name;
}
