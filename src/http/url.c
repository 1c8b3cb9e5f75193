/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict reading of URLs, and the looser check of request lines that comes before it. The two
 * differ in what they let stand in a host; Envoy reports their refusals by different words.
 */
#include "http/url.h"

#include "base/address.h"

/* Each set has one bit per ASCII character. */
static const uint64_t scheme_chars[2] = {0x03ff680000000000u, 0x07fffffe07fffffeu};
/* Letters, digits and -_.!~*'()%;:&=+$, */
static const uint64_t userinfo_chars[2] = {0x2fff7ff200000000u, 0x47fffffe87fffffeu};
/* Letters, digits, '-' and '.' */
static const uint64_t name_chars[2] = {0x03ff600000000000u, 0x07fffffe07fffffeu};
/* What the request line may hold between "://" and the path: userinfo_chars and @[] */
static const uint64_t loose_host_chars[2] = {0x2fff7ff200000000u, 0x47fffffeafffffffu};
/* What a relative reference may hold: letters, digits and -._~!$&'()*+,;=:@%/? */
static const uint64_t reference_chars[2] = {0xaffffff200000000u, 0x47fffffe87ffffffu};

static bool is_in(const uint64_t set[2], char c)
{
    unsigned char u = (unsigned char)c;
    return u < 128 && (set[u / 64] >> (u % 64) & 1);
}

/* Whether all characters are in the set; so for an empty text. */
static bool all_in(const uint64_t set[2], struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_in(set, s.ptr[i]))
            return false;
    }
    return true;
}

static bool all_visible(struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '!' || s.ptr[i] > '~')
            return false;
    }
    return true;
}

/* Cuts "scheme://" off the front. */
static bool take_scheme(struct nu_str *text, struct nu_str *scheme)
{
    size_t end = nu_str_find(*text, NU_STR("://"));
    if (end == NU_NPOS || end == 0 || !nu_ascii_is_alpha(text->ptr[0]))
        return false;
    *scheme = nu_str_first(*text, end);
    *text = nu_str_skip(*text, end + 3);
    return all_in(scheme_chars, *scheme);
}

/* Where the path or the query begins, or the length. */
static size_t authority_end(struct nu_str s)
{
    size_t i = 0;
    while (i < s.len && s.ptr[i] != '/' && s.ptr[i] != '?')
        i++;
    return i;
}

static bool parse_port(struct nu_str digits, struct nu_url *url)
{
    uint64_t port;
    if (digits.len == 0 || nu_str_to_u64(digits, &port) != NU_OK || port > UINT16_MAX)
        return false;
    url->port = (uint32_t)port;
    url->has_port = true;
    return true;
}

/* An address in brackets, with a numeric zone at most. */
static bool is_bracketed_ip(struct nu_str host)
{
    struct nu_address address;
    size_t zone = nu_str_find_char(host, '%');
    uint64_t number;
    if (zone != NU_NPOS && nu_str_to_u64(nu_str_skip(host, zone + 1), &number) != NU_OK)
        return false;
    return nu_address_parse_ip(nu_str_first(host, zone), 0, &address) == NU_OK;
}

static bool parse_bracketed(struct nu_url *url)
{
    size_t close = nu_str_find_char(url->authority, ']');
    if (close == NU_NPOS)
        return false;
    url->host = nu_str_make(url->authority.ptr + 1, close - 1);
    struct nu_str rest = nu_str_skip(url->authority, close + 1);
    if (rest.len && (rest.ptr[0] != ':' || !parse_port(nu_str_skip(rest, 1), url)))
        return false;
    return is_bracketed_ip(url->host);
}

/* Reads the host and the port of url->authority. */
static bool parse_host(struct nu_url *url)
{
    if (url->authority.len && url->authority.ptr[0] == '[')
        return parse_bracketed(url);
    size_t colon = nu_str_find_char(url->authority, ':');
    url->host = nu_str_first(url->authority, colon);
    if (colon != NU_NPOS && !parse_port(nu_str_skip(url->authority, colon + 1), url))
        return false;
    return url->host.len && all_in(name_chars, url->host);
}

/* A fragment counts once it has a character. */
static bool has_fragment(struct nu_str path)
{
    size_t at = nu_str_find_char(path, '#');
    while (at < path.len && path.ptr[at] == '#')
        at++;
    return at < path.len;
}

bool nu_url_parse(struct nu_str text, struct nu_url *out)
{
    struct nu_url url = {.path = NU_STR("/")};
    if (!take_scheme(&text, &url.scheme))
        return false;
    size_t end = authority_end(text);
    url.authority = nu_str_first(text, end);
    size_t at = nu_str_find_char(url.authority, '@');
    if (at != NU_NPOS) {
        url.userinfo = nu_str_first(url.authority, at);
        url.authority = nu_str_skip(url.authority, at + 1);
    }
    if (!all_in(userinfo_chars, url.userinfo) || !parse_host(&url))
        return false;
    if (end < text.len) {
        url.path = nu_str_skip(text, end);
        if (!all_visible(url.path))
            return false;
        url.has_fragment = has_fragment(url.path);
    }
    *out = url;
    return true;
}

bool nu_url_parse_connect(struct nu_str text, struct nu_url *out)
{
    struct nu_url url = {.authority = text};
    if (!parse_host(&url) || !url.has_port)
        return false;
    *out = url;
    return true;
}

/* The first of the two checks: a path, or "scheme://host" with a path behind it. */
static bool is_well_formed(struct nu_str target, bool is_connect)
{
    if (target.len == 0)
        return false;
    if (target.ptr[0] == '/' || target.ptr[0] == '*')
        return all_visible(target);
    struct nu_str scheme;
    if (!is_connect && !take_scheme(&target, &scheme))
        return false;
    size_t end = authority_end(target);
    struct nu_str host = nu_str_first(target, end);
    return all_in(loose_host_chars, host) && nu_str_find(host, NU_STR("@@")) == NU_NPOS &&
           all_visible(nu_str_skip(target, end));
}

/* Whether there is a control character, those left out that end or divide a request line. */
static bool has_control(struct nu_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        char c = target.ptr[i];
        if ((c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return true;
    }
    return false;
}

bool nu_scheme_is_valid(struct nu_str scheme)
{
    return nu_str_eq_nocase(scheme, NU_STR("http")) || nu_str_eq_nocase(scheme, NU_STR("https"));
}

enum nu_target_result nu_request_target_parse(struct nu_str method, struct nu_str target,
                                              bool allow_absolute, struct nu_url *out)
{
    bool is_connect = nu_str_eq(method, NU_STR("CONNECT"));
    if (has_control(target))
        return NU_TARGET_INVALID_CHARACTERS;
    if (!is_well_formed(target, is_connect))
        return NU_TARGET_MALFORMED;
    if (is_connect)
        return nu_url_parse_connect(target, out) ? NU_TARGET_CONNECT : NU_TARGET_INVALID_URL;
    if (target.ptr[0] == '/' || !allow_absolute ||
        (target.ptr[0] == '*' && nu_str_eq(method, NU_STR("OPTIONS")))) {
        *out = (struct nu_url){.path = target};
        return NU_TARGET_ORIGIN;
    }
    if (!nu_url_parse(target, out))
        return NU_TARGET_INVALID_URL;
    return nu_scheme_is_valid(out->scheme) ? NU_TARGET_ABSOLUTE : NU_TARGET_INVALID_SCHEME;
}

bool nu_referer_is_valid(struct nu_str value)
{
    struct nu_url url;
    if (nu_url_parse(value, &url))
        return !url.has_fragment && url.userinfo.len == 0;
    /* A relative reference: a colon in its first segment would make that a scheme. */
    size_t colon = nu_str_find_char(value, ':');
    return all_in(reference_chars, value) &&
           (colon == NU_NPOS || nu_str_find_char(value, '/') < colon);
}
