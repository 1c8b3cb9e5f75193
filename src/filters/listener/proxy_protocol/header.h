/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the PROXY protocol's header, versions 1 (a line of text) and 2 (binary), as its
 * specification of 2020 has them. Any thread.
 */
#ifndef NU_FILTERS_LISTENER_PROXY_PROTOCOL_HEADER_H
#define NU_FILTERS_LISTENER_PROXY_PROTOCOL_HEADER_H

#include "http/proxy_data.h"

enum nu_proxy_header_result {
    NU_PROXY_HEADER_COMPLETE,
    NU_PROXY_HEADER_PARTIAL,   /* what is there fits, more must follow */
    NU_PROXY_HEADER_NONE,      /* the bytes begin no header */
    NU_PROXY_HEADER_MALFORMED, /* a header, but a broken one, or of a kind that is not supported */
};

struct nu_proxy_header {
    uint8_t version;    /* 1 or 2; set once it is known, with MALFORMED too */
    bool has_addresses; /* false: LOCAL or UNKNOWN, the socket's own addresses hold */
    struct nu_address source;
    struct nu_address destination;
    struct nu_str tlvs; /* version 2: what is behind the addresses; a view into the bytes */
    size_t size;        /* bytes of the header */
};

enum { NU_PROXY_HEADER_MAX = 16 + 65535 };

enum nu_proxy_header_result nu_proxy_header_read(struct nu_str bytes, struct nu_proxy_header *out);

/* Whether the bytes are, or begin, the signature of version 1 or 2. */
bool nu_proxy_header_can_be(struct nu_str bytes, uint8_t version);

/* Cuts the next value off; false at the end, and where `*rest` is not empty but no whole value is
 * left of it. */
bool nu_proxy_tlv_next(struct nu_str *rest, struct nu_proxy_tlv *tlv);

#endif
