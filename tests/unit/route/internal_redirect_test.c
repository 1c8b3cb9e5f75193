/* SPDX-License-Identifier: Apache-2.0 */
/* Internal redirects of routes: defaults, codes, rules, and what the older fields mean. */
#include "route/internal_redirect.h"
#include "route_fixture.h"

static const struct nu_internal_redirect *load_policy(const char *action)
{
    char yaml[2048];
    snprintf(yaml, sizeof(yaml),
             "{virtual_hosts: [{name: v, domains: ['*'], routes: [{name: first, match: {prefix: "
             "/}, route: {cluster: c, %s}}]}]}",
             action);
    load(yaml);
    request("h", "/");
    assert_true(find());
    return match.route->internal_redirect;
}

static unsigned codes_of(const struct nu_internal_redirect *policy)
{
    unsigned found = 0;
    for (uint32_t status = 200; status < 600; status++)
        found += nu_internal_redirect_has(policy, status);
    return found;
}

TEST(a_policy_has_envoys_defaults)
{
    const struct nu_internal_redirect *policy = load_policy("internal_redirect_policy: {}");
    assert_int_equal(policy->max, 1);
    assert_int_equal(codes_of(policy), 1);
    assert_true(nu_internal_redirect_has(policy, 302));
    assert_false(policy->allows_other_scheme);
    unload();
}

TEST(codes_that_are_no_redirects_are_passed_over)
{
    const struct nu_internal_redirect *policy = load_policy(
        "internal_redirect_policy: {redirect_response_codes: [200, 301, 304, 308, 333]}");
    assert_int_equal(codes_of(policy), 2);
    assert_true(nu_internal_redirect_has(policy, 301));
    assert_true(nu_internal_redirect_has(policy, 308));
    unload();
}

TEST(without_a_policy_redirects_go_to_the_client)
{
    assert_null(load_policy("timeout: 1s"));
    unload();
    assert_null(load_policy("internal_redirect_action: PASS_THROUGH_INTERNAL_REDIRECT"));
    unload();
}

TEST(the_older_action_is_a_policy)
{
    const struct nu_internal_redirect *policy = load_policy(
        "internal_redirect_action: HANDLE_INTERNAL_REDIRECT, max_internal_redirects: 3");
    assert_int_equal(policy->max, 3);
    assert_true(nu_internal_redirect_has(policy, 302));
    unload();
    policy = load_policy("internal_redirect_action: HANDLE_INTERNAL_REDIRECT, "
                         "internal_redirect_policy: {redirect_response_codes: [307]}");
    assert_false(nu_internal_redirect_has(policy, 302));
    unload();
}

#define TYPE "'@type': type.googleapis.com/envoy.extensions.internal_redirect."
#define RULE(config) \
    "internal_redirect_policy: {predicates: [{name: p, typed_config: {" TYPE config "}}]}"

static bool allows(const struct nu_internal_redirect *policy, const char *from, const char *to,
                   bool from_https, bool to_https)
{
    struct nu_redirect_target target = {nu_str_from(from), nu_str_from(to), from_https, to_https};
    return nu_internal_redirect_allows(policy, &target, &info);
}

TEST(no_way_is_gone_twice)
{
    const struct nu_internal_redirect *policy =
        load_policy(RULE("previous_routes.v3.PreviousRoutesConfig"));
    assert_true(allows(policy, "a", "b", false, false));
    assert_true(allows(policy, "b", "a", false, false));
    assert_true(allows(policy, "a", "c", false, false));
    assert_false(allows(policy, "a", "b", false, false));
    assert_false(allows(policy, "a", "c", false, false));
    unload();
}

TEST(a_list_names_the_routes)
{
    const struct nu_internal_redirect *policy = load_policy(
        RULE("allow_listed_routes.v3.AllowListedRoutesConfig, allowed_route_names: [b, c]"));
    assert_true(allows(policy, "a", "b", false, false));
    assert_true(allows(policy, "a", "c", false, false));
    assert_false(allows(policy, "a", "a", false, false));
    assert_false(allows(policy, "a", "", false, false));
    unload();
}

TEST(plain_requests_stay_plain)
{
    const struct nu_internal_redirect *policy =
        load_policy(RULE("safe_cross_scheme.v3.SafeCrossSchemeConfig"));
    assert_true(allows(policy, "a", "b", false, false));
    assert_true(allows(policy, "a", "b", true, false));
    assert_true(allows(policy, "a", "b", true, true));
    assert_false(allows(policy, "a", "b", false, true));
    unload();
}

TEST_MAIN()
