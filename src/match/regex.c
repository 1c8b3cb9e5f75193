/* SPDX-License-Identifier: Apache-2.0 */
/* Regexes of a configuration. */
#include "match/regex.h"

#include "config/config.h"
#include "envoy/type/matcher/v3/regex.pb-c.h"
#include "runtime/runtime.h"

/* Fields that Envoy calls deprecated and still obeys. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { DEFAULT_ERROR_LEVEL = 100 };

static void destroy_regex(void *obj)
{
    struct nu_regex *regex = obj;
    nu_regex_destroy(&regex);
}

/* The limit that the regex itself names, or NULL. */
static const Google__Protobuf__UInt32Value *
own_limit(const Envoy__Type__Matcher__V3__RegexMatcher *proto)
{
    if (proto->engine_type_case != ENVOY__TYPE__MATCHER__V3__REGEX_MATCHER__ENGINE_TYPE_GOOGLE_RE2)
        return NULL;
    return proto->google_re2->max_program_size;
}

static void check_size(const struct nu_match_factory *factory,
                       const Envoy__Type__Matcher__V3__RegexMatcher *proto, uint64_t size)
{
    const Google__Protobuf__UInt32Value *own = own_limit(proto);
    if (own) {
        if (size > own->value)
            nu_config_error(factory->ctx, proto, "regex",
                            "regex '%s' RE2 program size of %ju > max program size of %u. "
                            "Increase configured max program size if necessary.",
                            proto->regex, (uintmax_t)size, own->value);
        return;
    }
    uint64_t limit = nu_runtime_integer(
        factory->runtime, NU_STR("re2.max_program_size.error_level"), DEFAULT_ERROR_LEVEL);
    if (size > limit)
        nu_config_error(factory->ctx, proto, "regex",
                        "regex '%s' RE2 program size of %ju > max program size of %ju set for the "
                        "error level threshold. Increase configured max program size if necessary.",
                        proto->regex, (uintmax_t)size, (uintmax_t)limit);
}

const struct nu_regex *nu_regex_from_proto(const struct nu_match_factory *factory,
                                           const Envoy__Type__Matcher__V3__RegexMatcher *proto)
{
    struct nu_strbuf reason = {0};
    struct nu_regex *regex = nu_regex_create(nu_str_from(proto->regex), &reason);
    if (!regex) {
        nu_config_error(factory->ctx, proto, "regex", "%s", reason.data);
        nu_strbuf_finish(&reason);
        return NULL;
    }
    nu_strbuf_finish(&reason);
    nu_arena_on_free(factory->arena, destroy_regex, regex);
    check_size(factory, proto, (uint64_t)nu_regex_program_size(regex));
    return regex;
}

bool nu_regex_rewrite_from_proto(const struct nu_match_factory *factory,
                                 const Envoy__Type__Matcher__V3__RegexMatchAndSubstitute *proto,
                                 struct nu_regex_rewrite *out)
{
    if (!proto->pattern)
        return false;
    out->regex = nu_regex_from_proto(factory, proto->pattern);
    out->substitution = nu_arena_dup(factory->arena, nu_str_from(proto->substitution));
    return out->regex != NULL;
}
