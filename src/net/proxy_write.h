/* SPDX-License-Identifier: Apache-2.0 */
/* Writing PROXY headers. Any thread. */
#ifndef NU_NET_PROXY_WRITE_H
#define NU_NET_PROXY_WRITE_H

#include "base/buf.h"
#include "http/proxy_data.h"

/* Appends a line of version 1; "UNKNOWN" for addresses that are not two of one IP family. */
void nu_proxy_write_v1(const struct nu_proxy_data *data, struct nu_buf *out);
/*
 * Appends a header of version 2 with the addresses and the values of `data`, without those for
 * which the header has no room: false then. LOCAL, without anything, for NULL and for addresses
 * that are not two of one IP family.
 */
bool nu_proxy_write_v2(const struct nu_proxy_data *data, struct nu_buf *out);

#endif
