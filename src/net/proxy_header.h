/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the PROXY protocol's header, which tells the server behind a proxy who its client is:
 * version 1, a line of text, or version 2, binary, as its specification of 2020 has them. Reading
 * it is a listener filter's work.
 */
#ifndef NU_NET_PROXY_HEADER_H
#define NU_NET_PROXY_HEADER_H

#include "base/address.h"
#include "base/buf.h"

enum nu_proxy_version {
    NU_PROXY_NONE,
    NU_PROXY_V1,
    NU_PROXY_V2,
};

/* Appends the header. Addresses that are no IPs of one family are not told. */
void nu_proxy_header_write(struct nu_buf *out, enum nu_proxy_version version,
                           const struct nu_address *source, const struct nu_address *destination);

#endif
