/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header mutations of a configuration (config.common.mutation_rules), compiled: changes that are
 * made one after the other, each seeing what those before it did. Immutable; they live in the arena
 * that they were made with.
 */
#ifndef NU_ROUTE_HEADER_MUTATIONS_H
#define NU_ROUTE_HEADER_MUTATIONS_H

#include "match/factory.h"

struct Envoy__Config__Common__MutationRules__V3__HeaderMutation;
struct nu_format_context;
struct nu_header_mutations;
struct nu_header_set;
struct nu_headers;

/* NULL when there is nothing to do, and after adding errors. */
const struct nu_header_mutations *nu_header_mutations_from_protos(
    const struct nu_match_factory *factory,
    struct Envoy__Config__Common__MutationRules__V3__HeaderMutation *const *protos, size_t count);

/* `joined` is the set of the direction (http/joined.h). Pseudo headers are never removed. */
void nu_header_mutations_apply(const struct nu_header_mutations *mutations,
                               struct nu_headers *headers, const struct nu_header_set *joined,
                               const struct nu_format_context *context);

#endif
