/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which order several addresses of a host are tried: some of one family, then one of the other,
 * and so on (RFC 8305, section 4).
 */
#ifndef NU_UPSTREAM_HAPPY_EYEBALLS_H
#define NU_UPSTREAM_HAPPY_EYEBALLS_H

#include "base/address.h"

struct nu_happy_eyeballs {
    uint8_t first_family; /* enum nu_address_family; NONE: that of the first address */
    uint32_t first_count; /* so many of it before one of the other; 0: one */
};

/* Sorts `in` into `out`, which has room for as many. */
void nu_happy_eyeballs_sort(const struct nu_happy_eyeballs *config, const struct nu_address *in,
                            uint32_t count, struct nu_address *out);

#endif
