/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of address ranges. */
#ifndef NU_MATCH_CIDR_LIST_H
#define NU_MATCH_CIDR_LIST_H

#include "base/address.h"
#include "match/factory.h"

struct Envoy__Config__Core__V3__CidrRange;

struct nu_cidr_list {
    struct nu_cidr *ranges;
    size_t count;
};

/* False after adding an error. A length over the family's width is taken for the width. */
NU_MUST_USE bool nu_cidr_list_from_protos(const struct nu_match_factory *factory,
                                          struct Envoy__Config__Core__V3__CidrRange *const *protos,
                                          size_t count, struct nu_cidr_list *out);

/* Whether an address lies in one of the ranges; an empty list contains nothing. */
bool nu_cidr_list_contains(const struct nu_cidr_list *list, const struct nu_address *address);

#endif
