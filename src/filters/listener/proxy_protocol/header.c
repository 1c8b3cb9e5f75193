/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader. A header is taken only when all of it is there; nothing is guessed from a part, since
 * what follows it is somebody else's bytes.
 */
#include "filters/listener/proxy_protocol/header.h"

enum {
    V1_MAX = 107, /* the longest line, with its CRLF */
    V2_HEAD = 16,
    V2_IPV4 = 12,
    V2_IPV6 = 36,
};

static const struct nu_str v1_signature = NU_STR_INIT("PROXY ");
static const struct nu_str v2_signature =
    NU_STR_INIT("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a");

/* Nobody is at an address that means any, all or many. */
static bool is_of_one(const struct nu_address *address)
{
    static const uint8_t all[4] = {255, 255, 255, 255};
    if (nu_address_is_any(address))
        return false;
    if (address->family == NU_ADDRESS_IPV6)
        return address->ip[0] != 0xff;
    return address->ip[0] >> 4 != 0xe && memcmp(address->ip, all, sizeof(all)) != 0;
}

static bool can_begin(struct nu_str bytes, struct nu_str signature)
{
    size_t n = nu_min_size(bytes.len, signature.len);
    return nu_str_eq(nu_str_first(bytes, n), nu_str_first(signature, n));
}

bool nu_proxy_header_can_be(struct nu_str bytes, uint8_t version)
{
    return can_begin(bytes, version == 1 ? v1_signature : v2_signature);
}

/* --- Version 1 -------------------------------------------------------------------------------- */

static bool read_port(struct nu_str text, uint16_t *port)
{
    uint64_t value;
    if (nu_str_to_u64(text, &value) != NU_OK || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

/* "TCP4 1.2.3.4 5.6.7.8 1000 80", the line without its beginning and end. */
static bool read_v1_addresses(struct nu_str line, struct nu_proxy_header *out)
{
    struct nu_str parts[5];
    size_t count = 0;
    while (line.ptr) {
        if (count == NU_ARRAY_LEN(parts))
            return false;
        parts[count++] = nu_str_split(&line, ' ');
    }
    if (count != NU_ARRAY_LEN(parts))
        return false;
    uint8_t family = nu_str_eq(parts[0], NU_STR("TCP4"))   ? NU_ADDRESS_IPV4
                     : nu_str_eq(parts[0], NU_STR("TCP6")) ? NU_ADDRESS_IPV6
                                                           : NU_ADDRESS_NONE;
    uint16_t ports[2];
    if (family == NU_ADDRESS_NONE || !read_port(parts[3], &ports[0]) ||
        !read_port(parts[4], &ports[1]))
        return false;
    out->has_addresses = true;
    return nu_address_parse_ip(parts[1], ports[0], &out->source) == NU_OK &&
           nu_address_parse_ip(parts[2], ports[1], &out->destination) == NU_OK &&
           out->source.family == family && out->destination.family == family &&
           is_of_one(&out->source) && is_of_one(&out->destination);
}

static bool is_unknown(struct nu_str line)
{
    return nu_str_eq(line, NU_STR("UNKNOWN")) || nu_str_starts_with(line, NU_STR("UNKNOWN "));
}

static enum nu_proxy_header_result read_v1(struct nu_str bytes, struct nu_proxy_header *out)
{
    struct nu_str window = nu_str_first(bytes, V1_MAX);
    size_t end = nu_str_find(window, NU_STR("\r\n"));
    if (end == NU_NPOS)
        return window.len < V1_MAX ? NU_PROXY_HEADER_PARTIAL : NU_PROXY_HEADER_NONE;
    out->version = 1;
    out->size = end + 2;
    struct nu_str line = nu_str_skip(nu_str_first(window, end), v1_signature.len);
    if (is_unknown(line))
        return NU_PROXY_HEADER_COMPLETE;
    return read_v1_addresses(line, out) ? NU_PROXY_HEADER_COMPLETE : NU_PROXY_HEADER_MALFORMED;
}

/* --- Version 2 -------------------------------------------------------------------------------- */

static uint16_t read_u16(const char *p)
{
    return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

static struct nu_address make_address(uint8_t family, const char *ip, const char *port)
{
    struct nu_address address = {.family = family, .port = read_u16(port)};
    memcpy(address.ip, ip, family == NU_ADDRESS_IPV4 ? 4 : 16);
    return address;
}

/* How many bytes the addresses of a family take; 0 for one that is not supported. Datagrams are
 * taken as streams are, as Envoy does. */
static size_t v2_addresses_size(uint8_t family_and_transport)
{
    enum { TCP4 = 0x11, UDP4 = 0x12, TCP6 = 0x21, UDP6 = 0x22 };
    switch (family_and_transport) {
    case TCP4:
    case UDP4:
        return V2_IPV4;
    case TCP6:
    case UDP6:
        return V2_IPV6;
    default:
        return 0;
    }
}

static bool read_v2_addresses(struct nu_str payload, size_t size, struct nu_proxy_header *out)
{
    const char *p = payload.ptr;
    if (size == V2_IPV4) {
        out->source = make_address(NU_ADDRESS_IPV4, p, p + 8);
        out->destination = make_address(NU_ADDRESS_IPV4, p + 4, p + 10);
    } else {
        out->source = make_address(NU_ADDRESS_IPV6, p, p + 32);
        out->destination = make_address(NU_ADDRESS_IPV6, p + 16, p + 34);
    }
    out->has_addresses = true;
    out->tlvs = nu_str_skip(payload, size);
    return is_of_one(&out->source) && is_of_one(&out->destination);
}

static enum nu_proxy_header_result read_v2(struct nu_str bytes, struct nu_proxy_header *out)
{
    enum { LOCAL = 0x20, PROXY = 0x21 };
    out->version = 2;
    if (bytes.len < V2_HEAD)
        return NU_PROXY_HEADER_PARTIAL;
    uint8_t command = (uint8_t)bytes.ptr[12];
    size_t needed = v2_addresses_size((uint8_t)bytes.ptr[13]);
    out->size = V2_HEAD + (size_t)read_u16(bytes.ptr + 14);
    if (command != LOCAL && command != PROXY)
        return NU_PROXY_HEADER_MALFORMED;
    if (command == PROXY && (needed == 0 || out->size < V2_HEAD + needed))
        return NU_PROXY_HEADER_MALFORMED;
    if (bytes.len < out->size)
        return NU_PROXY_HEADER_PARTIAL;
    struct nu_str payload = nu_str_skip(nu_str_first(bytes, out->size), V2_HEAD);
    if (command == LOCAL || read_v2_addresses(payload, needed, out))
        return NU_PROXY_HEADER_COMPLETE;
    return NU_PROXY_HEADER_MALFORMED;
}

enum nu_proxy_header_result nu_proxy_header_read(struct nu_str bytes, struct nu_proxy_header *out)
{
    memset(out, 0, sizeof(*out));
    if (can_begin(bytes, v2_signature)) {
        if (bytes.len < v2_signature.len)
            return NU_PROXY_HEADER_PARTIAL;
        return read_v2(bytes, out);
    }
    if (!can_begin(bytes, v1_signature))
        return NU_PROXY_HEADER_NONE;
    return bytes.len < v1_signature.len ? NU_PROXY_HEADER_PARTIAL : read_v1(bytes, out);
}

bool nu_proxy_tlv_next(struct nu_str *rest, struct nu_proxy_tlv *tlv)
{
    enum { TLV_HEAD = 3 };
    if (rest->len < TLV_HEAD)
        return false;
    size_t len = read_u16(rest->ptr + 1);
    if (rest->len - TLV_HEAD < len)
        return false;
    tlv->type = (uint8_t)rest->ptr[0];
    tlv->value = nu_str_make(rest->ptr + TLV_HEAD, len);
    *rest = nu_str_skip(*rest, TLV_HEAD + len);
    return true;
}
