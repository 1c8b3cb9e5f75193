/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of log filters. */
#include "access_log/filter.h"

#include "base/random.h"
#include "http/grpc.h"
#include "http/headers.h"
#include "http/request_id.h"
#include "http/stream_info.h"

static bool compare(const struct nu_log_filter *filter, uint64_t actual,
                    const struct nu_runtime *runtime)
{
    uint64_t value = nu_runtime_count_get(&filter->compare.value, runtime);
    switch (filter->compare.op) {
    case NU_LOG_EQ:
        return actual == value;
    case NU_LOG_GE:
        return actual >= value;
    case NU_LOG_LE:
        return actual <= value;
    case NU_LOG_NE:
        return actual != value;
    }
    return false;
}

/* A request id decides the same way everywhere along its path. */
static bool is_sampled(const struct nu_log_filter *filter, const struct nu_stream_info *info,
                       const struct nu_runtime *runtime)
{
    uint64_t random;
    if (filter->sample.is_independent || !nu_request_id_number(info->request_id, &random))
        random = nu_random_u64();
    uint64_t share =
        nu_runtime_integer(runtime, filter->sample.key, filter->sample.fallback.numerator);
    return random % filter->sample.fallback.denominator < share;
}

static bool all_accept(const struct nu_log_filter *filter, const struct nu_format_context *context,
                       const struct nu_runtime *runtime)
{
    for (size_t i = 0; i < filter->list.count; i++) {
        if (!nu_log_filter_accepts(&filter->list.items[i], context, runtime))
            return false;
    }
    return true;
}

static bool any_accepts(const struct nu_log_filter *filter, const struct nu_format_context *context,
                        const struct nu_runtime *runtime)
{
    for (size_t i = 0; i < filter->list.count; i++) {
        if (nu_log_filter_accepts(&filter->list.items[i], context, runtime))
            return true;
    }
    return false;
}

static bool header_matches(const struct nu_log_filter *filter, const struct nu_headers *headers)
{
    static const struct nu_headers none;
    return nu_header_matches(&filter->header, headers ? headers : &none);
}

static bool has_number(const struct nu_log_filter *filter, int64_t number)
{
    bool found = number >= 0 && number < 32 && (filter->set.numbers >> number & 1);
    return found != filter->set.exclude;
}

/* Of any response: one that is not gRPC's has the status that its HTTP status stands for. */
static bool grpc_status_matches(const struct nu_log_filter *filter,
                                const struct nu_format_context *context)
{
    int64_t status;
    if (!nu_grpc_response_status(context->response_trailers, context->response_headers,
                                 context->info->response_code, &status))
        status = NU_GRPC_UNKNOWN;
    return has_number(filter, status);
}

static bool flags_match(nu_response_flags wanted, nu_response_flags actual)
{
    return wanted ? (wanted & actual) != 0 : actual != 0;
}

bool nu_log_filter_accepts(const struct nu_log_filter *filter,
                           const struct nu_format_context *context,
                           const struct nu_runtime *runtime)
{
    const struct nu_stream_info *info = context->info;
    switch (filter->kind) {
    case NU_LOG_FILTER_STATUS:
        return compare(filter, info->response_code, runtime);
    case NU_LOG_FILTER_DURATION:
        return compare(filter, nu_stream_info_duration_us(info) / 1000, runtime);
    case NU_LOG_FILTER_NOT_HEALTH_CHECK:
        return !info->is_health_check;
    case NU_LOG_FILTER_RUNTIME:
        return is_sampled(filter, info, runtime);
    case NU_LOG_FILTER_AND:
        return all_accept(filter, context, runtime);
    case NU_LOG_FILTER_OR:
        return any_accepts(filter, context, runtime);
    case NU_LOG_FILTER_HEADER:
        return header_matches(filter, context->request_headers);
    case NU_LOG_FILTER_FLAGS:
        return flags_match(filter->flags, info->flags);
    case NU_LOG_FILTER_GRPC_STATUS:
        return grpc_status_matches(filter, context);
    case NU_LOG_FILTER_TYPE:
        return has_number(filter, (int64_t)context->log_type);
    }
    return false;
}
