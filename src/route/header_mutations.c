/* SPDX-License-Identifier: Apache-2.0 */
/* Header mutations: edits of one header each, and removals by a condition on the name. */
#include "route/header_mutations.h"

#include "config/config.h"
#include "envoy/config/common/mutation_rules/v3/mutation_rules.pb-c.h"
#include "http/headers.h"
#include "match/string_matcher.h"
#include "route/header_edits.h"

#define ACTION(name) ENVOY__CONFIG__COMMON__MUTATION_RULES__V3__HEADER_MUTATION__ACTION_##name

typedef Envoy__Config__Common__MutationRules__V3__HeaderMutation mutation_proto;

struct mutation {
    const struct nu_header_edits *edits; /* NULL: removes what `name` matches */
    struct nu_string_matcher name;
};

struct nu_header_mutations {
    struct mutation *items;
    size_t count;
};

static void compile_edits(const struct nu_match_factory *factory,
                          struct nu_header_mutations *mutations,
                          const struct nu_header_edits_source *source)
{
    struct mutation *mutation = &mutations->items[mutations->count];
    mutation->edits = nu_header_edits_from_source(factory, source);
    if (mutation->edits)
        mutations->count++;
}

static void compile(const struct nu_match_factory *factory, struct nu_header_mutations *mutations,
                    const mutation_proto *proto)
{
    struct nu_header_edits_source source = {
        .owner = proto, .add_field = "append", .remove_field = "remove"};
    const char *name = proto->remove;
    switch (proto->action_case) {
    case ACTION(APPEND):
        source.adds = &proto->append;
        source.add_count = 1;
        compile_edits(factory, mutations, &source);
        return;
    case ACTION(REMOVE):
        source.removes = &name;
        source.remove_count = 1;
        compile_edits(factory, mutations, &source);
        return;
    case ACTION(REMOVE_ON_MATCH):
        if (nu_string_matcher_from_proto(factory, proto->remove_on_match->key_matcher,
                                         &mutations->items[mutations->count].name))
            mutations->count++;
        return;
    default:
        return;
    }
}

const struct nu_header_mutations *nu_header_mutations_from_protos(
    const struct nu_match_factory *factory,
    struct Envoy__Config__Common__MutationRules__V3__HeaderMutation *const *protos, size_t count)
{
    if (count == 0)
        return NULL;
    size_t errors = factory->ctx->errors.count;
    struct nu_header_mutations *mutations = nu_arena_calloc(factory->arena, sizeof(*mutations));
    mutations->items = nu_arena_calloc(factory->arena, count * sizeof(*mutations->items));
    for (size_t i = 0; i < count; i++)
        compile(factory, mutations, protos[i]);
    return factory->ctx->errors.count == errors ? mutations : NULL;
}

static void remove_matching(struct nu_headers *headers, const struct nu_string_matcher *name)
{
    nu_headers_for_each(header, headers)
    {
        if (header->name.ptr[0] != ':' && nu_string_matches(name, header->name))
            nu_headers_remove_entry(headers, header);
    }
}

void nu_header_mutations_apply(const struct nu_header_mutations *mutations,
                               struct nu_headers *headers, const struct nu_header_set *joined,
                               const struct nu_format_context *context)
{
    for (size_t i = 0; i < mutations->count; i++) {
        const struct mutation *mutation = &mutations->items[i];
        if (mutation->edits)
            nu_header_edits_apply(mutation->edits, headers, joined, context);
        else
            remove_matching(headers, &mutation->name);
    }
}
