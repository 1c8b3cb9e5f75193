/* SPDX-License-Identifier: Apache-2.0 */
/* The router's configuration. */
#include "filters/http/router/router_from_proto.h"

#include "config/values.h"
#include "filters/http/router/router.h"
#include "stats/http_stats.h"

#include "envoy/extensions/filters/http/router/v3/router.pb-c.h"

typedef Envoy__Extensions__Filters__Http__Router__V3__Router router_proto;

struct strict_name {
    const char *name;
    enum nu_strict_header bit;
};

static const struct strict_name strict_names[] = {
    {"x-envoy-upstream-rq-timeout-ms", NU_STRICT_RQ_TIMEOUT_MS},
    {"x-envoy-upstream-rq-per-try-timeout-ms", NU_STRICT_RQ_PER_TRY_TIMEOUT_MS},
    {"x-envoy-max-retries", NU_STRICT_MAX_RETRIES},
    {"x-envoy-retry-on", NU_STRICT_RETRY_ON},
    {"x-envoy-retry-grpc-on", NU_STRICT_RETRY_GRPC_ON},
};

/* The names were checked against the API's list. */
static unsigned read_strict_headers(const router_proto *proto)
{
    unsigned set = 0;
    for (size_t i = 0; i < proto->n_strict_check_headers; i++) {
        for (size_t j = 0; j < NU_ARRAY_LEN(strict_names); j++) {
            if (strcmp(proto->strict_check_headers[i], strict_names[j].name) == 0)
                set |= strict_names[j].bit;
        }
    }
    return set;
}

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const router_proto *proto = (const void *)message;
    struct nu_router_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->suppress_envoy_headers = proto->suppress_envoy_headers;
    config->respect_expected_rq_timeout = proto->respect_expected_rq_timeout;
    config->charges_answers = nu_bool_or(proto->dynamic_stats, true);
    config->hides_grpc_codes = proto->suppress_grpc_request_failure_code_stats;
    config->strict_headers = read_strict_headers(proto);
    config->stats =
        nu_stat_set_create(factory->stats, &nu_router_stats_table, factory->http_stat_prefix);
    *cls = &nu_router_filter;
    *out = config;
    return true;
}

const struct nu_filter_factory nu_router_factory = {
    .name = "envoy.filters.http.router",
    .type = "envoy.extensions.filters.http.router.v3.Router",
    .create = create,
};
