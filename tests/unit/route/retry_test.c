/* SPDX-License-Identifier: Apache-2.0 */
/* Retry policies: words, levels, defaults, mistakes. */
#include "route/retry_policy.h"
#include "route_fixture.h"

/* --- Words ------------------------------------------------------------------------------------ */

TEST(conditions_are_words_by_commas)
{
    bool unknown;
    assert_int_equal(nu_retry_on_parse(NU_STR("5xx, gateway-error ,reset"), &unknown),
                     NU_RETRY_ON_5XX | NU_RETRY_ON_GATEWAY_ERROR | NU_RETRY_ON_RESET);
    assert_false(unknown);
    assert_int_equal(nu_retry_on_parse(NU_STR("connect-failure,,retriable-4xx,"), &unknown),
                     NU_RETRY_ON_CONNECT_FAILURE | NU_RETRY_ON_RETRIABLE_4XX);
    assert_false(unknown);
    assert_int_equal(nu_retry_on_parse(NU_STR("reset-before,5XX"), &unknown), 0);
    assert_true(unknown);
    assert_int_equal(nu_retry_on_parse(NU_STR("5xx reset"), &unknown), 0);
    assert_true(unknown);
    assert_int_equal(nu_retry_on_parse(NU_STR(""), &unknown), 0);
    assert_false(unknown);
    assert_int_equal(nu_retry_grpc_on_parse(NU_STR("cancelled,internal"), &unknown),
                     NU_RETRY_ON_CANCELLED | NU_RETRY_ON_INTERNAL);
    assert_int_equal(nu_retry_grpc_on_parse(NU_STR("5xx"), &unknown), 0);
    assert_true(unknown);
}

/* --- Levels ----------------------------------------------------------------------------------- */

#define HOST "virtual_hosts: [{name: v, domains: ['*'], "

static const struct nu_route *found(const char *path)
{
    request("h", path);
    assert_true(find());
    return match.route;
}

TEST(a_policy_has_envoys_defaults)
{
    load("{" HOST "routes: [{match: {prefix: /}, route: {cluster: c, retry_policy: {retry_on: "
         "'unavailable,5xx,nonsense'}}}]}]}");
    const struct nu_route *route = found("/");
    const struct nu_retry_policy *policy = route->retry;
    assert_non_null(policy);
    assert_int_equal(policy->conditions, NU_RETRY_ON_5XX | NU_RETRY_ON_UNAVAILABLE);
    assert_int_equal(policy->max_retries, 1);
    assert_int_equal(policy->host_attempts, 1);
    assert_int_equal(policy->base_interval_ms, 0);
    assert_int_equal(policy->per_try_timeout_ms, 0);
    assert_false(route->hedges);
    assert_true(route->body_limit == NU_ROUTE_NO_LIMIT);
    unload();
}

TEST(the_routes_policy_replaces_the_virtual_hosts)
{
    load("{" HOST "retry_policy: {retry_on: 5xx, num_retries: 7}, "
         "hedge_policy: {hedge_on_per_try_timeout: true}, routes: ["
         "{match: {prefix: /own}, route: {cluster: c, retry_policy: {retry_on: reset}, "
         "hedge_policy: {}}}, {match: {prefix: /}, route: {cluster: c}}]}]}");
    const struct nu_route *own = found("/own");
    assert_int_equal(own->retry->conditions, NU_RETRY_ON_RESET);
    assert_int_equal(own->retry->max_retries, 1);
    assert_false(own->hedges);
    const struct nu_route *other = found("/");
    assert_int_equal(other->retry->max_retries, 7);
    assert_true(other->hedges);
    unload();
}

TEST(everything_of_a_policy_is_read)
{
    load("{" HOST "routes: [{match: {prefix: /}, route: {cluster: c, retry_policy: {\n"
         "retry_on: retriable-headers, num_retries: 4, per_try_timeout: 1.5s,\n"
         "per_try_idle_timeout: 0.5s, retriable_status_codes: [1, 2],\n"
         "retry_back_off: {base_interval: 0.0001s, max_interval: 3s},\n"
         "rate_limited_retry_back_off: {reset_headers: [{name: Retry-After},\n"
         "  {name: x, format: UNIX_TIMESTAMP}]},\n"
         "retriable_headers: [{name: a}, {name: b}], retriable_request_headers: [{name: c}],\n"
         "host_selection_retry_max_attempts: 5,\n"
         "retry_host_predicate: [{name: p, typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}},\n"
         "  {name: c, typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate}},\n"
         "  {name: m, typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig, "
         "metadata_match: {filter_metadata: {envoy.lb: {k: v}}}}}],\n"
         "retry_priority: {name: q, typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig, "
         "update_frequency: 2}}}}}]}]}");
    const struct nu_retry_policy *policy = found("/")->retry;
    assert_int_equal(policy->max_retries, 4);
    assert_int_equal(policy->per_try_timeout_ms, 1500);
    assert_int_equal(policy->per_try_idle_timeout_ms, 500);
    assert_int_equal(policy->base_interval_ms, 1);
    assert_int_equal(policy->max_interval_ms, 3000);
    assert_int_equal(policy->status_code_count, 2);
    assert_int_equal(policy->status_codes[1], 2);
    assert_int_equal(policy->header_count, 2);
    assert_int_equal(policy->request_header_count, 1);
    assert_int_equal(policy->reset_header_count, 2);
    assert_str(policy->reset_headers[0].name, "retry-after");
    assert_false(policy->reset_headers[0].is_unix_timestamp);
    assert_true(policy->reset_headers[1].is_unix_timestamp);
    assert_int_equal(policy->max_reset_interval_ms, 300000);
    assert_int_equal(policy->host_attempts, 5);
    assert_true(policy->avoids_previous_hosts);
    assert_true(policy->avoids_canaries);
    assert_int_equal(policy->avoided_count, 1);
    assert_int_equal(policy->priority_update_frequency, 2);
    unload();
}

struct limit_case {
    const char *host;
    const char *route;
    uint64_t limit;
};

/* Newer before older; of the newer ones the route's first, of the older ones the virtual host's. */
static const struct limit_case limit_cases[] = {
    {"", "", NU_ROUTE_NO_LIMIT},
    {"", "per_request_buffer_limit_bytes: 1, ", 1},
    {"per_request_buffer_limit_bytes: 2, ", "per_request_buffer_limit_bytes: 1, ", 2},
    {"request_body_buffer_limit: 3, ", "per_request_buffer_limit_bytes: 1, ", 3},
    {"request_body_buffer_limit: 3, per_request_buffer_limit_bytes: 2, ",
     "request_body_buffer_limit: 4, ", 4},
    {"per_request_buffer_limit_bytes: 2, ", "request_body_buffer_limit: 4, ", 4},
    {"", "request_body_buffer_limit: 0, ", 0},
};

TEST(limits_of_the_body_have_an_order)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(limit_cases); i++) {
        char text[400];
        snprintf(text, sizeof(text),
                 "{" HOST "%s routes: [{match: {prefix: /}, %s route: {cluster: c}}]}]}",
                 limit_cases[i].host, limit_cases[i].route);
        load(text);
        assert_true(found("/")->body_limit == limit_cases[i].limit);
        unload();
    }
}

/* --- Mistakes --------------------------------------------------------------------------------- */

struct mistake {
    const char *policy;
    const char *says;
};

static const struct mistake mistakes[] = {
    {"retry_back_off: {base_interval: 1s, max_interval: 0.5s}",
     "retry_policy.max_interval must greater than or equal to the base_interval"},
    {"retry_host_predicate: [{name: nope}]",
     "Didn't find a registered implementation for 'nope' with type URL: ''"},
    {"retry_priority: {name: nope}",
     "Didn't find a registered implementation for 'nope' with type URL: ''"},
    {"retry_priority: {name: p, typed_config: {'@type': type.googleapis.com/"
     "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig}}",
     "value must be greater than 0"},
    {"host_selection_retry_max_attempts: -1", "value must be from 0 to"},
    {"retry_options_predicates: [{name: o, typed_config: {'@type': type.googleapis.com/"
     "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]",
     "Didn't find a registered implementation for 'o' with type URL: "
     "'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'"},
};

TEST(mistakes_are_named)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(mistakes); i++) {
        char text[600];
        struct nu_strbuf errors = {0};
        snprintf(text, sizeof(text),
                 "{" HOST "routes: [{match: {prefix: /}, route: {cluster: c, "
                 "retry_policy: {%s}}}]}]}",
                 mistakes[i].policy);
        load_with(text, (struct nu_route_factory){.has_cluster = has_cluster});
        nu_error_list_format(&ctx.errors, &errors);
        if (nu_str_find(nu_strbuf_str(&errors), nu_str_from(mistakes[i].says)) == NU_NPOS)
            fail_msg("%s: %.*s", mistakes[i].policy, NU_STR_ARG(nu_strbuf_str(&errors)));
        unload();
        nu_strbuf_finish(&errors);
    }
}

TEST_MAIN()
