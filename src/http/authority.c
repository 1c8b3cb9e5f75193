/* SPDX-License-Identifier: Apache-2.0 */
/* Host values: characters, ports, trailing dots. */
#include "http/authority.h"

#include "http/header_name.h"
#include "http/header_scan.h"

/* Which bytes an authority may hold: the letters, the digits and -._~!$&'()*+,;=:@[]% */
__extension__ static const bool is_authority_char[256] = {
    ['!'] = true, ['$' ... '.'] = true, ['0' ... ';'] = true, ['='] = true, ['@' ... '['] = true,
    [']'] = true, ['_'] = true,         ['a' ... 'z'] = true, ['~'] = true,
};

bool nu_authority_is_valid(struct nu_str authority, bool allow_at)
{
#if NU_HEADER_SCAN
    if (authority.len >= 8 && authority.len <= 16 && nu_scan_is_host(authority.ptr, authority.len))
        return true;
#endif
    for (size_t i = 0; i < authority.len; i++) {
        char c = authority.ptr[i];
        if (!is_authority_char[(unsigned char)c] || (c == '@' && !allow_at))
            return false;
    }
    return true;
}

size_t nu_authority_port_colon(struct nu_str authority)
{
    for (size_t i = authority.len; i > 0; i--) {
        char c = authority.ptr[i - 1];
        if (c == ']')
            return NU_NPOS;
        if (c == ':')
            return i - 1;
    }
    return NU_NPOS;
}

struct nu_authority nu_authority_split(struct nu_str authority)
{
    struct nu_authority parts = {.host = authority};
    size_t colon = nu_authority_port_colon(authority);
    if (colon != NU_NPOS) {
        parts.host = nu_str_first(authority, colon);
        parts.port = nu_str_skip(authority, colon + 1);
    }
    struct nu_str host = parts.host;
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        parts.is_bracketed = true;
        parts.host = nu_str_make(host.ptr + 1, host.len - 2);
    }
    return parts;
}

static bool parse_port(struct nu_str text, uint64_t *port)
{
    if (text.len && text.ptr[0] == '+')
        text = nu_str_skip(text, 1);
    return nu_str_to_u64(text, port) == NU_OK && *port <= UINT32_MAX;
}

struct nu_str nu_authority_strip_port(struct nu_str authority, uint32_t port)
{
    uint64_t found;
    size_t colon = nu_authority_port_colon(authority);
    if (colon == NU_NPOS || !parse_port(nu_str_skip(authority, colon + 1), &found) ||
        (port && found != port))
        return authority;
    return nu_str_first(authority, colon);
}

struct nu_str nu_authority_strip_trailing_dot(struct nu_arena *arena, struct nu_str authority)
{
    size_t dot = nu_str_rfind_char(authority, '.');
    if (dot == NU_NPOS)
        return authority;
    if (dot + 1 == authority.len)
        return nu_str_first(authority, dot);
    if (authority.ptr[dot + 1] != ':')
        return authority;
    return nu_arena_concat(arena, nu_str_first(authority, dot), nu_str_skip(authority, dot + 1));
}

struct nu_str nu_authority_lower(struct nu_arena *arena, struct nu_str authority)
{
    if (nu_likely(!nu_header_name_has_upper(authority)))
        return authority;
    struct nu_str copy = nu_arena_dup(arena, authority);
    nu_header_name_lower(nu_unconst(copy.ptr), copy.len);
    return copy;
}
