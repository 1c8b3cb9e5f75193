/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header mutations of a configuration (headers_to_add, headers_to_remove), compiled. One set of
 * edits is one level of the configuration. Within it Envoy's order holds: first the removals; then
 * all values are formatted, so that none sees another; then the overwriting ones are set, then the
 * others added.
 *
 * Edits are immutable and live in the arena that they were made with.
 */
#ifndef NU_ROUTE_HEADER_EDITS_H
#define NU_ROUTE_HEADER_EDITS_H

#include "match/factory.h"

struct Envoy__Config__Core__V3__HeaderValueOption;
struct nu_format_context;
struct nu_header_edits;
struct nu_header_set;
struct nu_headers;

/* The fields of one level, as its message has them. */
struct nu_header_edits_source {
    const void *owner; /* the message, for errors */
    const char *add_field;
    const char *remove_field;
    struct Envoy__Config__Core__V3__HeaderValueOption *const *adds;
    size_t add_count;
    const char *const *removes;
    size_t remove_count;
};

/* NULL when there is nothing to do, and after adding errors. */
const struct nu_header_edits *
nu_header_edits_from_source(const struct nu_match_factory *factory,
                            const struct nu_header_edits_source *source);

/*
 * Applies the edits. `joined` is the set of the direction (http/joined.h). A formatted value that
 * is empty adds nothing unless keep_empty_value says so; one that no header may have is left out.
 */
void nu_header_edits_apply(const struct nu_header_edits *edits, struct nu_headers *headers,
                           const struct nu_header_set *joined,
                           const struct nu_format_context *context);

#endif
