/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on which a stream is logged: a tree, compiled once, immutable. */
#ifndef NU_ACCESS_LOG_FILTER_H
#define NU_ACCESS_LOG_FILTER_H

#include "access_log/access_log.h"
#include "http/response_flags.h"
#include "match/header_matcher.h"
#include "runtime/settings.h"

struct Envoy__Config__Accesslog__V3__AccessLogFilter;

enum nu_log_filter_kind {
    NU_LOG_FILTER_STATUS,
    NU_LOG_FILTER_DURATION, /* in milliseconds */
    NU_LOG_FILTER_NOT_HEALTH_CHECK,
    NU_LOG_FILTER_RUNTIME,
    NU_LOG_FILTER_AND,
    NU_LOG_FILTER_OR,
    NU_LOG_FILTER_HEADER,
    NU_LOG_FILTER_FLAGS,
    NU_LOG_FILTER_GRPC_STATUS,
    NU_LOG_FILTER_TYPE,
};

enum nu_log_comparison { NU_LOG_EQ, NU_LOG_GE, NU_LOG_LE, NU_LOG_NE };

struct nu_log_filter {
    enum nu_log_filter_kind kind;
    union {
        struct {
            enum nu_log_comparison op;
            struct nu_runtime_count value;
        } compare; /* STATUS, DURATION */
        struct {
            struct nu_str key;
            struct nu_fraction fallback;
            bool is_independent; /* of the request id */
        } sample;                /* RUNTIME */
        struct {
            const struct nu_log_filter *items;
            size_t count;
        } list; /* AND, OR */
        struct nu_header_matcher header;
        nu_response_flags flags; /* any of them; none: any flag at all */
        struct {
            uint32_t numbers; /* a bit each */
            bool exclude;
        } set; /* GRPC_STATUS, TYPE */
    };
};

/* NULL after adding an error. */
const struct nu_log_filter *
nu_log_filter_from_proto(const struct nu_access_log_factory *factory,
                         const struct Envoy__Config__Accesslog__V3__AccessLogFilter *proto);

/* Whether the stream is to be logged. */
bool nu_log_filter_accepts(const struct nu_log_filter *filter,
                           const struct nu_format_context *context,
                           const struct nu_runtime *runtime);

#endif
