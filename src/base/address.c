/* SPDX-License-Identifier: Apache-2.0 */
/* Address values: parsing, printing, ranges. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* Cuts "%number", the scope, off an IPv6 address. */
static bool take_scope(struct nu_str *text, uint32_t *scope)
{
    size_t percent = nu_str_find_char(*text, '%');
    if (percent == NU_NPOS)
        return true;
    uint64_t number;
    if (nu_str_to_u64(nu_str_skip(*text, percent + 1), &number) != NU_OK || number > UINT32_MAX)
        return false;
    *scope = (uint32_t)number;
    *text = nu_str_first(*text, percent);
    return true;
}

/* inet_pton on a view, which may hold a NUL or be far too long. */
static bool parse_ip(int family, struct nu_str text, uint8_t *ip)
{
    char z[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(z) || nu_str_find_char(text, '\0') != NU_NPOS)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    return inet_pton(family, z, ip) == 1;
}

enum nu_result nu_address_parse_ip(struct nu_str text, uint16_t port, struct nu_address *out)
{
    struct nu_address address = {.port = port};
    if (parse_ip(AF_INET, text, address.ip))
        address.family = NU_ADDRESS_IPV4;
    else if (take_scope(&text, &address.scope) && parse_ip(AF_INET6, text, address.ip))
        address.family = NU_ADDRESS_IPV6;
    else
        return NU_INVALID;
    *out = address;
    return NU_OK;
}

enum nu_result nu_address_parse_ip_port(struct nu_str text, struct nu_address *out)
{
    size_t colon = nu_str_rfind_char(text, ':');
    uint64_t port;
    if (colon == NU_NPOS || nu_str_to_u64(nu_str_skip(text, colon + 1), &port) != NU_OK ||
        port > UINT16_MAX)
        return NU_INVALID;
    struct nu_str ip = nu_str_first(text, colon);
    bool bracketed = ip.len >= 2 && ip.ptr[0] == '[' && ip.ptr[ip.len - 1] == ']';
    if (bracketed)
        ip = nu_str_make(ip.ptr + 1, ip.len - 2);
    struct nu_address address;
    if (nu_address_parse_ip(ip, (uint16_t)port, &address) != NU_OK ||
        (address.family == NU_ADDRESS_IPV6) != bracketed)
        return NU_INVALID;
    *out = address;
    return NU_OK;
}

struct nu_address nu_address_unix(const char *path)
{
    return (struct nu_address){.family = NU_ADDRESS_UNIX, .path = path};
}

struct nu_address nu_address_from_sockaddr(const struct sockaddr *sa, socklen_t len)
{
    struct nu_address address = {0};
    if (len < sizeof(sa->sa_family))
        return address;
    if (len >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        address.family = NU_ADDRESS_IPV4;
        address.port = ntohs(in.sin_port);
        memcpy(address.ip, &in.sin_addr, 4);
    } else if (len >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        address.family = NU_ADDRESS_IPV6;
        address.port = ntohs(in6.sin6_port);
        address.scope = in6.sin6_scope_id;
        memcpy(address.ip, &in6.sin6_addr, 16);
    } else if (sa->sa_family == AF_UNIX) {
        address.family = NU_ADDRESS_UNIX;
        address.path = NULL;
    }
    return address;
}

static enum nu_result unix_to_sockaddr(const char *path, struct sockaddr_storage *out,
                                       socklen_t *len)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n >= sizeof(un.sun_path))
        return NU_TOO_LARGE;
    if (n)
        memcpy(un.sun_path, path, n);
    bool is_abstract = n && path[0] == '@';
    if (is_abstract)
        un.sun_path[0] = '\0';
    memcpy(out, &un, sizeof(un));
    bool is_terminated = n && !is_abstract;
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (is_terminated ? 1 : 0));
    return NU_OK;
}

enum nu_result nu_address_to_sockaddr(const struct nu_address *address,
                                      struct sockaddr_storage *out, socklen_t *len)
{
    memset(out, 0, sizeof(*out));
    if (address->family == NU_ADDRESS_UNIX)
        return unix_to_sockaddr(address->path, out, len);
    if (address->family == NU_ADDRESS_IPV4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->ip, 4);
        memcpy(out, &in, sizeof(in));
        *len = sizeof(in);
        return NU_OK;
    }
    if (address->family != NU_ADDRESS_IPV6)
        return NU_INVALID;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(address->port),
                               .sin6_scope_id = address->scope};
    memcpy(&in6.sin6_addr, address->ip, 16);
    memcpy(out, &in6, sizeof(in6));
    *len = sizeof(in6);
    return NU_OK;
}

static size_t format_ipv4(const uint8_t *ip, char *out)
{
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        if (i)
            out[len++] = '.';
        len += nu_u64_to_chars(ip[i], out + len);
    }
    return len;
}

static size_t format_ipv6(const struct nu_address *address, char *out)
{
    char text[INET6_ADDRSTRLEN];
    if (!inet_ntop(AF_INET6, address->ip, text, sizeof(text)))
        return 0;
    size_t len = strlen(text);
    memcpy(out, text, len);
    if (address->scope == 0)
        return len;
    out[len++] = '%';
    return len + nu_u64_to_chars(address->scope, out + len);
}

size_t nu_address_format_ip(const struct nu_address *address, char *out)
{
    switch ((enum nu_address_family)address->family) {
    case NU_ADDRESS_IPV4:
        return format_ipv4(address->ip, out);
    case NU_ADDRESS_IPV6:
        return format_ipv6(address, out);
    case NU_ADDRESS_UNIX: {
        size_t len = address->path ? strnlen(address->path, NU_ADDRESS_TEXT_MAX) : 0;
        if (len)
            memcpy(out, address->path, len);
        return len;
    }
    case NU_ADDRESS_NONE:
        break;
    }
    return 0;
}

size_t nu_address_format(const struct nu_address *address, char *out)
{
    if (!nu_address_is_ip(address))
        return nu_address_format_ip(address, out);
    size_t len = 0;
    bool bracket = address->family == NU_ADDRESS_IPV6;
    if (bracket)
        out[len++] = '[';
    len += nu_address_format_ip(address, out + len);
    if (bracket)
        out[len++] = ']';
    out[len++] = ':';
    return len + nu_u64_to_chars(address->port, out + len);
}

static size_t ip_bytes(const struct nu_address *address)
{
    return address->family == NU_ADDRESS_IPV4 ? 4 : 16;
}

bool nu_address_eq(const struct nu_address *a, const struct nu_address *b)
{
    if (a->family != b->family || a->port != b->port)
        return false;
    if (nu_address_is_ip(a))
        return memcmp(a->ip, b->ip, ip_bytes(a)) == 0 && a->scope == b->scope;
    if (a->family == NU_ADDRESS_UNIX)
        return a->path == b->path || (a->path && b->path && strcmp(a->path, b->path) == 0);
    return true;
}

bool nu_address_is_ip(const struct nu_address *address)
{
    return address->family == NU_ADDRESS_IPV4 || address->family == NU_ADDRESS_IPV6;
}

bool nu_address_is_any(const struct nu_address *address)
{
    static const uint8_t zero[16];
    return nu_address_is_ip(address) && memcmp(address->ip, zero, ip_bytes(address)) == 0;
}

bool nu_address_is_loopback(const struct nu_address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    if (address->family == NU_ADDRESS_IPV4)
        return address->ip[0] == 127;
    return address->family == NU_ADDRESS_IPV6 && memcmp(address->ip, one, 16) == 0;
}

enum nu_result nu_cidr_make(const struct nu_address *base, unsigned prefix_len, struct nu_cidr *out)
{
    if (!nu_address_is_ip(base))
        return NU_INVALID;
    unsigned width = (unsigned)ip_bytes(base) * 8;
    prefix_len = prefix_len < width ? prefix_len : width;
    out->base = *base;
    out->base.port = 0;
    out->base.scope = 0;
    out->prefix_len = (uint8_t)prefix_len;
    for (unsigned bit = prefix_len; bit < width; bit++)
        out->base.ip[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return NU_OK;
}

bool nu_cidr_contains(const struct nu_cidr *cidr, const struct nu_address *address)
{
    if (address->family != cidr->base.family || !nu_address_is_ip(address))
        return false;
    unsigned whole = cidr->prefix_len / 8;
    unsigned rest = cidr->prefix_len % 8;
    if (memcmp(address->ip, cidr->base.ip, whole) != 0)
        return false;
    return rest == 0 || ((address->ip[whole] ^ cidr->base.ip[whole]) >> (8 - rest)) == 0;
}
