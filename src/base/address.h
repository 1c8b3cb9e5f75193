/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network addresses as plain values: an IP with a port, or a unix socket's path. 24 bytes, copied
 * freely. Nothing here opens a socket or resolves a name.
 */
#ifndef NU_BASE_ADDRESS_H
#define NU_BASE_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

enum nu_address_family {
    NU_ADDRESS_NONE,
    NU_ADDRESS_IPV4,
    NU_ADDRESS_IPV6,
    NU_ADDRESS_UNIX,
};

struct nu_address {
    uint8_t family; /* enum nu_address_family */
    uint16_t port;  /* host byte order; 0 for unix sockets */
    uint32_t scope; /* IPv6 scope id, else 0 */
    union {
        uint8_t ip[16];   /* network byte order; IPv4 in the first four */
        const char *path; /* borrowed, NUL-terminated; '@' first for an abstract socket; may be NULL
                             for an unnamed peer */
    };
};

struct nu_cidr {
    struct nu_address base; /* host bits cleared, port 0 */
    uint8_t prefix_len;
};

/*
 * "1.2.3.4", "::1" or "fe80::1%2" with a numeric scope (no brackets, no port), otherwise
 * NU_INVALID, which leaves `*out` alone.
 */
NU_MUST_USE enum nu_result nu_address_parse_ip(struct nu_str text, uint16_t port,
                                               struct nu_address *out);
/* "1.2.3.4:80" or "[::1]:80", otherwise NU_INVALID, which leaves `*out` alone. */
NU_MUST_USE enum nu_result nu_address_parse_ip_port(struct nu_str text, struct nu_address *out);
/* A unix socket address; `path` is borrowed. */
struct nu_address nu_address_unix(const char *path);

/*
 * From the kernel's form. A unix path is not kept: the address becomes an unnamed unix one. Other
 * families and lengths that are too short give NU_ADDRESS_NONE.
 */
struct nu_address nu_address_from_sockaddr(const struct sockaddr *sa, socklen_t len);
/* Into the kernel's form; NU_TOO_LARGE when a unix path does not fit. */
NU_MUST_USE enum nu_result nu_address_to_sockaddr(const struct nu_address *address,
                                                  struct sockaddr_storage *out, socklen_t *len);

enum { NU_ADDRESS_TEXT_MAX = 128 };
/*
 * Writes the text form to `out` (NU_ADDRESS_TEXT_MAX bytes, longer unix paths are cut), no NUL:
 * "1.2.3.4:80", "[::1]:80", "[fe80::1%2]:80", or the path. Returns the length.
 */
size_t nu_address_format(const struct nu_address *address, char *out);
/* The same without the port and without brackets. */
size_t nu_address_format_ip(const struct nu_address *address, char *out);

bool nu_address_eq(const struct nu_address *a, const struct nu_address *b);
bool nu_address_is_ip(const struct nu_address *address);
bool nu_address_is_any(const struct nu_address *address);
bool nu_address_is_loopback(const struct nu_address *address);

/*
 * Builds a range; NU_INVALID if `base` is no IP. A `prefix_len` over the family's width is taken
 * for the width, as Envoy does.
 */
NU_MUST_USE enum nu_result nu_cidr_make(const struct nu_address *base, unsigned prefix_len,
                                        struct nu_cidr *out);
/* Whether an IP lies in the range. IPv4-mapped IPv6 addresses do not match IPv4 ranges. */
bool nu_cidr_contains(const struct nu_cidr *cidr, const struct nu_address *address);

#endif
