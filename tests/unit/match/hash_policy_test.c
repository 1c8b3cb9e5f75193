/* SPDX-License-Identifier: Apache-2.0 */
/* Hash policies: what is hashed, and how hashes are put together. */
#include "harness/test.h"

#include "base/xxhash.h"
#include "config/config.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "http/filter_state.h"
#include "http/headers.h"
#include "http/stream_info.h"
#include "match/hash_policy.h"

static struct nu_arena config_arena;
static struct nu_config_ctx ctx;
static const struct nu_hash_policy *policy;

static struct nu_arena arena;
static struct nu_headers headers;
static struct nu_connection_info connection;
static struct nu_stream_info info;
static struct nu_made_cookie *cookies;

/* A request to `path` under policies in YAML. */
static void begin(const char *policies, const char *path)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "{cluster: c, hash_policy: %s}", policies);
    nu_arena_init(&config_arena);
    nu_config_ctx_init(&ctx, &config_arena);
    const Envoy__Config__Route__V3__RouteAction *proto =
        (const void *)nu_config_read(&ctx, "a.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                                     &envoy__config__route__v3__route_action__descriptor);
    assert_non_null(proto);
    const struct nu_match_factory factory = {.ctx = &ctx, .arena = &config_arena};
    policy = nu_hash_policy_from_protos(&factory, proto->hash_policy, proto->n_hash_policy);
    assert_true(nu_config_is_ok(&ctx));
    assert_non_null(policy);
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 8);
    nu_headers_add(&headers, NU_STR(":path"), nu_str_from(path));
    connection = (struct nu_connection_info){.local_known = true};
    info = (struct nu_stream_info){.arena = &arena, .connection = &connection};
    cookies = NULL;
}

static void end(void)
{
    nu_arena_finish(&arena);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&config_arena);
}

static void add(const char *name, const char *value)
{
    nu_headers_add(&headers, nu_str_from(name), nu_str_from(value));
}

static uint64_t hash_of(const char *text)
{
    return nu_xxhash64(nu_str_from(text));
}

static uint64_t rotated(uint64_t hash)
{
    return hash << 1 | hash >> 63;
}

static bool eval(uint64_t *hash)
{
    return nu_hash_policy_eval(policy, &headers, &info, &cookies, hash);
}

static void assert_hash(uint64_t expected)
{
    uint64_t hash;
    assert_true(eval(&hash));
    assert_int_equal(hash, expected);
}

static void assert_no_hash(void)
{
    uint64_t hash;
    assert_false(eval(&hash));
    assert_null(cookies);
}

TEST(header_hashes_its_value)
{
    begin("[{header: {header_name: X-Key}}]", "/");
    assert_no_hash();
    add("x-key", "one");
    assert_hash(hash_of("one"));
    end();
}

TEST(header_with_a_number_is_found_by_it)
{
    begin("[{header: {header_name: host}}]", "/");
    add(":authority", "a.test");
    assert_hash(hash_of("a.test"));
    end();
}

TEST(headers_are_hashed_one_after_the_other_in_any_order)
{
    const uint64_t expected = nu_xxhash64_seeded(NU_STR("b"), hash_of("a"));
    begin("[{header: {header_name: x-key}}]", "/");
    add("x-key", "b");
    add("x-key", "a");
    assert_hash(expected);
    end();
    begin("[{header: {header_name: x-key}}]", "/");
    add("x-key", "a");
    add("x-key", "b");
    assert_hash(expected);
    end();
}

TEST(header_is_hashed_as_rewritten)
{
    begin("[{header: {header_name: ':path', regex_rewrite: {pattern: {regex: '^/([a-z]+)/.*$'}, "
          "substitution: '\\1'}}}]",
          "/abc/1");
    assert_hash(hash_of("abc"));
    end();
}

TEST(cookie_hashes_its_value_and_an_empty_one_is_none)
{
    begin("[{cookie: {name: who}}]", "/");
    assert_no_hash();
    add("cookie", "who=");
    assert_no_hash();
    nu_headers_clear(&headers);
    add("cookie", "a=b; who=\"one\"");
    assert_hash(hash_of("one"));
    assert_null(cookies);
    end();
}

/* What a real Envoy 1.36.4 made of these addresses. */
TEST(cookie_is_made_of_the_addresses_of_the_connection)
{
    begin("[{cookie: {name: who, ttl: 60.9s}}]", "/");
    assert_int_equal(nu_address_parse_ip_port(NU_STR("127.0.0.1:39616"), &connection.remote),
                     NU_OK);
    assert_int_equal(nu_address_parse_ip_port(NU_STR("127.0.0.1:29871"), &connection.local), NU_OK);
    assert_int_equal(nu_address_parse_ip(NU_STR("10.0.0.7"), 0, &info.remote), NU_OK);
    assert_hash(hash_of("28f871383229245a"));
    assert_str(cookies->header, "who=\"28f871383229245a\"; Max-Age=60; HttpOnly");
    assert_null(cookies->next);
    end();
}

TEST(each_policy_makes_its_cookie)
{
    begin("[{cookie: {name: a, ttl: 0s}}, {cookie: {name: b, ttl: 5s, path: /p}}]", "/");
    uint64_t hash;
    assert_true(eval(&hash));
    assert_true(nu_str_starts_with(cookies->header, NU_STR("a=\"")));
    assert_true(nu_str_ends_with(cookies->header, NU_STR("\"; HttpOnly")));
    assert_true(nu_str_starts_with(cookies->next->header, NU_STR("b=\"")));
    assert_true(
        nu_str_ends_with(cookies->next->header, NU_STR("\"; Max-Age=5; Path=/p; HttpOnly")));
    assert_null(cookies->next->next);
    end();
}

TEST(source_ip_is_the_clients_without_its_port)
{
    begin("[{connection_properties: {source_ip: true}}]", "/");
    assert_int_equal(nu_address_parse_ip_port(NU_STR("[::1]:99"), &info.remote), NU_OK);
    assert_hash(hash_of("::1"));
    info.remote = nu_address_unix("/x");
    assert_no_hash();
    end();
}

TEST(source_ip_that_is_false_asks_for_nothing)
{
    begin("[{connection_properties: {source_ip: false}, terminal: true}]", "/");
    assert_int_equal(nu_address_parse_ip_port(NU_STR("1.2.3.4:99"), &info.remote), NU_OK);
    assert_no_hash();
    end();
}

TEST(query_parameter_is_taken_as_it_stands)
{
    begin("[{query_parameter: {name: who}}]", "/?a=b&who=%6fne&who=two");
    assert_hash(hash_of("%6fne"));
    end();
    begin("[{query_parameter: {name: who}}]", "/?who");
    assert_hash(hash_of(""));
    end();
    begin("[{query_parameter: {name: who}}]", "/?x=1?who=one");
    assert_no_hash();
    end();
}

TEST(filter_state_is_asked_for_its_hash)
{
    static const struct nu_str text = NU_STR_INIT("one");
    begin("[{filter_state: {key: who}}]", "/");
    assert_no_hash();
    info.arena = &arena;
    const struct nu_filter_state_object plain = {
        .name = NU_STR("who"), .object_class = &nu_filter_state_string, .object = &text};
    assert_int_equal(nu_stream_info_set_state(&info, &plain), NU_OK);
    assert_no_hash();
    const struct nu_filter_state_object hashable = {
        .name = NU_STR("who"), .object_class = &nu_filter_state_hashable_string, .object = &text};
    assert_int_equal(nu_stream_info_set_state(&info, &hashable), NU_OK);
    assert_hash(hash_of("one"));
    end();
}

TEST(hashes_are_rotated_and_joined)
{
    begin("[{header: {header_name: x-key}}, {query_parameter: {name: who}}, "
          "{header: {header_name: x-key}}]",
          "/?who=w");
    assert_hash(hash_of("w"));
    add("x-key", "k");
    assert_hash(rotated(rotated(hash_of("k")) ^ hash_of("w")) ^ hash_of("k"));
    end();
}

TEST(terminal_policy_ends_the_list_once_there_is_a_hash)
{
    begin("[{header: {header_name: x-key}, terminal: true}, "
          "{query_parameter: {name: who}, terminal: true}, {cookie: {name: c, ttl: 1s}}]",
          "/?who=w");
    assert_hash(hash_of("w"));
    assert_null(cookies);
    add("x-key", "k");
    assert_hash(hash_of("k"));
    end();
}

TEST_MAIN()
