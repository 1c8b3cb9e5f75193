/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a PROXY header says: whom a connection is from and to, and values beside that, each with a
 * type. Read from a client's connection, written to an upstream's.
 */
#ifndef NU_HTTP_PROXY_DATA_H
#define NU_HTTP_PROXY_DATA_H

#include "base/address.h"

struct nu_connection_info;

struct nu_proxy_tlv {
    uint8_t type;
    struct nu_str value;
};

struct nu_proxy_data {
    struct nu_address source;
    struct nu_address destination;
    const struct nu_proxy_tlv *tlvs; /* in the order of the header */
    size_t tlv_count;
};

/* Whom a client's connection is from and to, with the values of its own header: views into it. */
struct nu_proxy_data nu_proxy_data_of(struct nu_connection_info *connection);

/* Which types of a header's TLVs are kept. */
struct nu_proxy_tlv_choice {
    bool all;
    uint8_t types[256 / 8]; /* bits */
};

static inline bool nu_proxy_tlv_is_chosen(const struct nu_proxy_tlv_choice *choice, uint8_t type)
{
    return choice->all || (choice->types[type / 8] >> (type % 8) & 1);
}

static inline void nu_proxy_tlv_choose(struct nu_proxy_tlv_choice *choice, uint8_t type)
{
    choice->types[type / 8] |= (uint8_t)(1 << (type % 8));
}

#endif
