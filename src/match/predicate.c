/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of conditions on an answer. The configuration bounds their depth. */
#include "match/predicate.h"

#include "config/config.h"
#include "envoy/config/common/matcher/v3/matcher.pb-c.h"

typedef Envoy__Config__Common__Matcher__V3__MatchPredicate predicate_proto;
typedef Envoy__Config__Common__Matcher__V3__HttpGenericBodyMatch__GenericTextMatch pattern_proto;

#define PATTERN(name) \
    ENVOY__CONFIG__COMMON__MATCHER__V3__HTTP_GENERIC_BODY_MATCH__GENERIC_TEXT_MATCH__RULE_##name
#define RULE(name) ENVOY__CONFIG__COMMON__MATCHER__V3__MATCH_PREDICATE__RULE_##name

enum kind { ALL_HOLD, ONE_HOLDS, NONE_HOLDS, HEADERS_MATCH };

struct nu_match_predicate {
    enum kind kind;
    struct nu_header_matcher_list headers;   /* HEADERS_MATCH */
    const struct nu_match_predicate **parts; /* of the others; there may be none */
    size_t count;
};

static struct nu_match_predicate *create(const struct nu_match_factory *factory, enum kind kind)
{
    struct nu_match_predicate *predicate = nu_arena_calloc(factory->arena, sizeof(*predicate));
    predicate->kind = kind;
    return predicate;
}

static const struct nu_match_predicate *combine(const struct nu_match_factory *factory,
                                                enum kind kind, predicate_proto *const *protos,
                                                size_t count)
{
    struct nu_match_predicate *predicate = create(factory, kind);
    predicate->count = count;
    predicate->parts = nu_arena_alloc(factory->arena, count * sizeof(*predicate->parts));
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        predicate->parts[i] = nu_match_predicate_from_proto(factory, protos[i]);
        ok &= predicate->parts[i] != NULL;
    }
    return ok ? predicate : NULL;
}

static void warn_of_never(const struct nu_match_factory *factory, const void *proto)
{
    nu_config_warn(factory->ctx, proto, NULL,
                   "never holds: the head of the answer alone is looked at, as in Envoy");
}

/* Compiled for the sake of their mistakes, even where they are never asked. */
static const struct nu_match_predicate *
read_headers(const struct nu_match_factory *factory, enum kind kind,
             const Envoy__Config__Common__Matcher__V3__HttpHeadersMatch *proto)
{
    struct nu_match_predicate *predicate = create(factory, kind);
    if (kind != HEADERS_MATCH)
        warn_of_never(factory, proto);
    return nu_header_matcher_list_from_protos(factory, proto->headers, proto->n_headers,
                                              &predicate->headers)
               ? predicate
               : NULL;
}

/* Never holds; Envoy checks the patterns all the same. */
static const struct nu_match_predicate *
read_body(const struct nu_match_factory *factory,
          const Envoy__Config__Common__Matcher__V3__HttpGenericBodyMatch *proto)
{
    bool ok = true;
    warn_of_never(factory, proto);
    for (size_t i = 0; i < proto->n_patterns; i++) {
        const pattern_proto *pattern = proto->patterns[i];
        if (pattern->rule_case != PATTERN(BINARY_MATCH) || pattern->binary_match.len)
            continue;
        nu_config_error(factory->ctx, pattern, "binary_match",
                        "value length must be at least 1 bytes");
        ok = false;
    }
    return ok ? create(factory, ONE_HOLDS) : NULL;
}

const struct nu_match_predicate *
nu_match_predicate_from_proto(const struct nu_match_factory *factory, const predicate_proto *proto)
{
    switch (proto->rule_case) {
    case RULE(OR_MATCH):
        return combine(factory, ONE_HOLDS, proto->or_match->rules, proto->or_match->n_rules);
    case RULE(AND_MATCH):
        return combine(factory, ALL_HOLD, proto->and_match->rules, proto->and_match->n_rules);
    case RULE(NOT_MATCH):
        return combine(factory, NONE_HOLDS, (predicate_proto *const *)&proto->not_match, 1);
    case RULE(ANY_MATCH):
        return create(factory, ALL_HOLD);
    case RULE(HTTP_RESPONSE_HEADERS_MATCH):
        return read_headers(factory, HEADERS_MATCH, proto->http_response_headers_match);
    case RULE(HTTP_REQUEST_HEADERS_MATCH):
        return read_headers(factory, ONE_HOLDS, proto->http_request_headers_match);
    case RULE(HTTP_REQUEST_TRAILERS_MATCH):
        return read_headers(factory, ONE_HOLDS, proto->http_request_trailers_match);
    case RULE(HTTP_RESPONSE_TRAILERS_MATCH):
        return read_headers(factory, ONE_HOLDS, proto->http_response_trailers_match);
    case RULE(HTTP_REQUEST_GENERIC_BODY_MATCH):
        return read_body(factory, proto->http_request_generic_body_match);
    case RULE(HTTP_RESPONSE_GENERIC_BODY_MATCH):
        return read_body(factory, proto->http_response_generic_body_match);
    default:
        nu_config_error(factory->ctx, proto, NULL, "a rule is required");
        return NULL;
    }
}

static bool has_one(const struct nu_match_predicate *predicate, const struct nu_headers *response,
                    bool wanted)
{
    for (size_t i = 0; i < predicate->count; i++) {
        if (nu_match_predicate_holds(predicate->parts[i], response) == wanted)
            return true;
    }
    return false;
}

bool nu_match_predicate_holds(const struct nu_match_predicate *predicate,
                              const struct nu_headers *response)
{
    switch (predicate->kind) {
    case ALL_HOLD:
        return !has_one(predicate, response, false);
    case ONE_HOLDS:
        return has_one(predicate, response, true);
    case NONE_HOLDS:
        return !has_one(predicate, response, true);
    case HEADERS_MATCH:
        return nu_header_matches_all(&predicate->headers, response);
    }
    return false;
}
