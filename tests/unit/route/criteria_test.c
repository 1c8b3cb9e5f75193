/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_match: what a route asks of the hosts' metadata. */
#include "route_fixture.h"

#include "base/value.h"

static void assert_criteria(const char *path, uint64_t random, const char *json)
{
    request("a.test", path);
    random_number = random;
    assert_true(find());
    const struct nu_value *criteria = nu_route_criteria(&match);
    if (!json) {
        assert_null(criteria);
        return;
    }
    struct nu_strbuf out = {0};
    assert_non_null(criteria);
    nu_value_to_json(criteria, &out);
    assert_str(nu_strbuf_str(&out), json);
    nu_strbuf_finish(&out);
}

TEST(route_and_weighted_cluster_ask_together)
{
    load("virtual_hosts:\n"
         "- name: v\n"
         "  domains: ['*']\n"
         "  routes:\n"
         "  - match: {prefix: /plain}\n"
         "    route: {cluster: c}\n"
         "  - match: {prefix: /other}\n"
         "    route: {cluster: c, metadata_match: {filter_metadata: {other: {a: b}}}}\n"
         "  - match: {prefix: /one}\n"
         "    route: {cluster: c, metadata_match: {filter_metadata: {envoy.lb: {b: 2, a: x}}}}\n"
         "  - match: {prefix: /direct}\n"
         "    direct_response: {status: 200}\n"
         "  - match: {prefix: /}\n"
         "    route:\n"
         "      metadata_match: {filter_metadata: {envoy.lb: {b: 2, a: x}}}\n"
         "      weighted_clusters:\n"
         "        clusters:\n"
         "        - {name: c, weight: 1}\n"
         "        - {name: d, weight: 1, metadata_match: {filter_metadata: {envoy.lb: {a: z}}}}\n");
    assert_criteria("/plain", 0, NULL);
    assert_criteria("/other", 0, NULL);
    assert_criteria("/direct", 0, NULL);
    assert_criteria("/one", 0, "{\"a\":\"x\",\"b\":2}");
    assert_criteria("/", 0, "{\"a\":\"x\",\"b\":2}");
    assert_criteria("/", 1, "{\"a\":\"z\",\"b\":2}");
    unload();
}

TEST_MAIN()
