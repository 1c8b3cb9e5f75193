/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the client is: reading and writing `x-forwarded-for`, and the addresses that count as
 * internal. Several x-forwarded-for fields are one list: join them by "," before asking here.
 */
#ifndef NU_HTTP_FORWARDED_H
#define NU_HTTP_FORWARDED_H

#include "base/address.h"
#include "base/arena.h"

/*
 * The last address of an x-forwarded-for value after the last `skip` entries were left out; its
 * port is 0. False if there is no such entry or it is no plain IP address. `*single` says whether
 * the value has no other entry, which is what an internal request must show.
 */
NU_MUST_USE bool nu_forwarded_last(struct nu_str xff, unsigned skip, struct nu_address *out,
                                   bool *single);

/* "xff,ip", or just the address when `xff` is empty: no space, as Envoy writes it. An address that
 * is no IP leaves `xff` as it is. */
struct nu_str nu_forwarded_append(struct nu_arena *arena, struct nu_str xff,
                                  const struct nu_address *address);

/* Which client addresses are internal (internal_address_config); all zero: none. */
struct nu_internal_ranges {
    const struct nu_cidr *ranges; /* borrowed: configuration */
    size_t count;
    bool unix_sockets; /* peers on unix sockets are internal */
};

/* What Envoy takes when internal_address_config names no ranges: 10/8, 172.16/12, 192.168/16,
 * 127.0.0.1, ::1 and fd00::/8. */
extern const struct nu_internal_ranges nu_internal_ranges_private;

bool nu_internal_ranges_contain(const struct nu_internal_ranges *ranges,
                                const struct nu_address *address);

#endif
