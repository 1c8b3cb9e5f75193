/* SPDX-License-Identifier: Apache-2.0 */
/* Log filters from AccessLogFilter. Kinds that are not here are refused when the message is
 * read. */
#include "access_log/filter.h"
#include "config/config.h"
#include "envoy/config/accesslog/v3/accesslog.pb-c.h"
#include "match/factory.h"

typedef struct Envoy__Config__Accesslog__V3__AccessLogFilter filter_proto;
typedef struct Envoy__Config__Accesslog__V3__ComparisonFilter comparison_proto;

static bool fill(const struct nu_access_log_factory *factory, const filter_proto *proto,
                 struct nu_log_filter *out);

static bool fill_comparison(const struct nu_access_log_factory *factory,
                            const comparison_proto *proto, enum nu_log_filter_kind kind,
                            struct nu_log_filter *out)
{
    static const enum nu_log_comparison ops[] = {
        [ENVOY__CONFIG__ACCESSLOG__V3__COMPARISON_FILTER__OP__EQ] = NU_LOG_EQ,
        [ENVOY__CONFIG__ACCESSLOG__V3__COMPARISON_FILTER__OP__GE] = NU_LOG_GE,
        [ENVOY__CONFIG__ACCESSLOG__V3__COMPARISON_FILTER__OP__LE] = NU_LOG_LE,
        [ENVOY__CONFIG__ACCESSLOG__V3__COMPARISON_FILTER__OP__NE] = NU_LOG_NE,
    };
    out->kind = kind;
    out->compare.op = ops[proto->op];
    out->compare.value = nu_runtime_count_from_proto(proto->value, factory->arena);
    return true;
}

static bool fill_sample(const struct nu_access_log_factory *factory,
                        const struct Envoy__Config__Accesslog__V3__RuntimeFilter *proto,
                        struct nu_log_filter *out)
{
    out->kind = NU_LOG_FILTER_RUNTIME;
    out->sample.key = nu_arena_dup(factory->arena, nu_str_from(proto->runtime_key));
    out->sample.fallback = nu_fraction_from_proto(proto->percent_sampled);
    out->sample.is_independent = proto->use_independent_randomness;
    return true;
}

static bool fill_list(const struct nu_access_log_factory *factory, filter_proto *const *protos,
                      size_t count, enum nu_log_filter_kind kind, struct nu_log_filter *out)
{
    struct nu_log_filter *items = nu_arena_calloc(factory->arena, count * sizeof(*items));
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok &= fill(factory, protos[i], &items[i]);
    out->kind = kind;
    out->list.items = items;
    out->list.count = count;
    return ok;
}

static bool fill_header(const struct nu_access_log_factory *factory,
                        const struct Envoy__Config__Accesslog__V3__HeaderFilter *proto,
                        struct nu_log_filter *out)
{
    const struct nu_match_factory match = {factory->ctx, factory->arena, factory->runtime};
    out->kind = NU_LOG_FILTER_HEADER;
    return nu_header_matcher_from_proto(&match, proto->header, &out->header);
}

static bool fill_flags(const struct nu_access_log_factory *factory,
                       const struct Envoy__Config__Accesslog__V3__ResponseFlagFilter *proto,
                       struct nu_log_filter *out)
{
    out->kind = NU_LOG_FILTER_FLAGS;
    out->flags = 0;
    for (size_t i = 0; i < proto->n_flags; i++) {
        enum nu_response_flag flag;
        if (!nu_response_flag_parse(nu_str_from(proto->flags[i]), &flag)) {
            nu_config_error_at(factory->ctx, proto, "flags", i, "no such response flag: %s",
                               proto->flags[i]);
            return false;
        }
        out->flags |= (nu_response_flags)1 << flag;
    }
    return true;
}

static bool fill_grpc(const struct Envoy__Config__Accesslog__V3__GrpcStatusFilter *proto,
                      struct nu_log_filter *out)
{
    out->kind = NU_LOG_FILTER_GRPC_STATUS;
    out->set.numbers = 0;
    for (size_t i = 0; i < proto->n_statuses; i++)
        out->set.numbers |= 1u << proto->statuses[i];
    out->set.exclude = proto->exclude;
    return true;
}

static bool fill_types(const struct Envoy__Config__Accesslog__V3__LogTypeFilter *proto,
                       struct nu_log_filter *out)
{
    out->kind = NU_LOG_FILTER_TYPE;
    out->set.numbers = 0;
    for (size_t i = 0; i < proto->n_types; i++)
        out->set.numbers |= 1u << proto->types[i];
    out->set.exclude = proto->exclude;
    return true;
}

#define CASE(name) ENVOY__CONFIG__ACCESSLOG__V3__ACCESS_LOG_FILTER__FILTER_SPECIFIER_##name

static bool fill(const struct nu_access_log_factory *factory, const filter_proto *proto,
                 struct nu_log_filter *out)
{
    switch ((int)proto->filter_specifier_case) {
    case CASE(STATUS_CODE_FILTER):
        return fill_comparison(factory, proto->status_code_filter->comparison, NU_LOG_FILTER_STATUS,
                               out);
    case CASE(DURATION_FILTER):
        return fill_comparison(factory, proto->duration_filter->comparison, NU_LOG_FILTER_DURATION,
                               out);
    case CASE(NOT_HEALTH_CHECK_FILTER):
        out->kind = NU_LOG_FILTER_NOT_HEALTH_CHECK;
        return true;
    case CASE(RUNTIME_FILTER):
        return fill_sample(factory, proto->runtime_filter, out);
    case CASE(AND_FILTER):
        return fill_list(factory, proto->and_filter->filters, proto->and_filter->n_filters,
                         NU_LOG_FILTER_AND, out);
    case CASE(OR_FILTER):
        return fill_list(factory, proto->or_filter->filters, proto->or_filter->n_filters,
                         NU_LOG_FILTER_OR, out);
    case CASE(HEADER_FILTER):
        return fill_header(factory, proto->header_filter, out);
    case CASE(RESPONSE_FLAG_FILTER):
        return fill_flags(factory, proto->response_flag_filter, out);
    case CASE(GRPC_STATUS_FILTER):
        return fill_grpc(proto->grpc_status_filter, out);
    case CASE(LOG_TYPE_FILTER):
        return fill_types(proto->log_type_filter, out);
    default:
        nu_config_error(factory->ctx, proto, NULL, "filter_specifier: is required");
        return false;
    }
}

const struct nu_log_filter *nu_log_filter_from_proto(const struct nu_access_log_factory *factory,
                                                     const filter_proto *proto)
{
    struct nu_log_filter *filter = nu_arena_calloc(factory->arena, sizeof(*filter));
    return fill(factory, proto, filter) ? filter : NULL;
}
