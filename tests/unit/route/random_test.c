/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of many random routes against the plain meaning of the order: each route alone in a table
 * of its own is asked, and the first one that says yes must be the one that the large table finds.
 */
#include "route_fixture.h"

#include "base/random.h"

enum { ROUTES = 60, REQUESTS = 120, ROUNDS = 8 };

static const char *const segments[] = {"a", "b", "A", "ab", "c;x", ""};

static const char *pick(const char *const *items, size_t count)
{
    return items[nu_random_below(count)];
}

static void add_path(struct nu_strbuf *out, size_t least)
{
    for (uint64_t n = least + nu_random_below(3); n > 0; n--)
        nu_strbuf_addf(out, "/%s", pick(segments, NU_ARRAY_LEN(segments)));
    if (out->len == 0)
        nu_strbuf_add_char(out, '/');
}

static void add_condition(struct nu_strbuf *out)
{
    static const char *const regexes[] = {"/a.*", ".*b", "/(a|b)/.*", "/[ab]*"};
    static const char *const kinds[] = {"prefix", "path", "prefix", "path_separated_prefix"};
    static const char *const more[] = {
        "",
        "",
        "",
        ", case_sensitive: false",
        ", headers: [{name: x-h, string_match: {prefix: a}}]",
        ", headers: [{name: x-h, present_match: true, invert_match: true}]",
        ", query_parameters: [{name: q}]",
        ", runtime_fraction: {default_value: {numerator: 50}}",
    };
    struct nu_strbuf path = {0};
    add_path(&path, 1);
    if (nu_random_below(8) == 0)
        nu_strbuf_addf(out, "safe_regex: {regex: '%s'}", pick(regexes, NU_ARRAY_LEN(regexes)));
    else
        nu_strbuf_addf(out, "%s: '%s'", pick(kinds, NU_ARRAY_LEN(kinds)), path.data);
    nu_strbuf_add_cstr(out, pick(more, NU_ARRAY_LEN(more)));
    nu_strbuf_finish(&path);
}

/* A separated prefix may be neither "/" nor end with a slash. */
static bool is_allowed(const char *condition)
{
    const char *separated = strstr(condition, "path_separated_prefix: '");
    if (!separated)
        return true;
    const char *text = strchr(separated, '\'') + 1;
    const char *end = strchr(text, '\'');
    return end - text >= 2 && end[-1] != '/';
}

static void add_route(struct nu_strbuf *out, const char *condition, int number)
{
    nu_strbuf_addf(out, "  - {name: '%d', match: {%s}, route: {cluster: c}}\n", number, condition);
}

#define HEAD "virtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n"

static struct nu_route_table *compile(const char *yaml)
{
    struct nu_route_factory factory = {.ctx = &ctx};
    const void *proto = nu_config_read(&ctx, "r.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                                       &envoy__config__route__v3__route_configuration__descriptor);
    struct nu_route_table *made = nu_route_table_from_proto(proto, &factory);
    if (!made)
        fail_msg("%s\n%s", yaml, ctx.errors.items[0].message);
    return made;
}

static struct nu_route_table *alone[ROUTES];

static void make_tables(void)
{
    struct nu_strbuf all = {0};
    nu_strbuf_add_cstr(&all, HEAD);
    for (int i = 0; i < ROUTES; i++) {
        struct nu_strbuf condition = {0};
        struct nu_strbuf one = {0};
        do {
            nu_strbuf_clear(&condition);
            add_condition(&condition);
        } while (!is_allowed(condition.data));
        nu_strbuf_add_cstr(&one, HEAD);
        add_route(&one, condition.data, i);
        add_route(&all, condition.data, i);
        alone[i] = compile(one.data);
        nu_strbuf_finish(&condition);
        nu_strbuf_finish(&one);
    }
    table = compile(all.data);
    nu_strbuf_finish(&all);
}

static void make_request(void)
{
    static const char *const values[] = {"a", "abc", "b", ""};
    struct nu_strbuf path = {0};
    add_path(&path, 0);
    if (nu_random_below(3) == 0)
        nu_strbuf_add_cstr(&path, "?q=1&/a");
    request("h", path.data);
    nu_strbuf_finish(&path);
    if (nu_random_below(2))
        add("x-h", pick(values, NU_ARRAY_LEN(values)));
    random_number = nu_random_below(100);
}

static void check_request(void)
{
    struct nu_route_input input = {.headers = &headers, .info = &info, .random = random_number};
    struct nu_route_match want = {0};
    for (int i = 0; i < ROUTES && !want.route; i++)
        nu_route_table_match(alone[i], &input, &want);
    find();
    assert_int_equal(match.route != NULL, want.route != NULL);
    if (want.route && !nu_str_eq(match.route->name, want.route->name))
        fail_msg("%.*s: route %.*s, not %.*s",
                 NU_STR_ARG(nu_headers_get_id(&headers, NU_HEADER_PATH)),
                 NU_STR_ARG(match.route->name), NU_STR_ARG(want.route->name));
}

TEST(a_table_finds_what_its_routes_alone_would_find_in_order)
{
    nu_random_seed(11);
    nu_arena_init(&config_arena);
    nu_config_ctx_init(&ctx, &config_arena);
    for (int round = 0; round < ROUNDS; round++) {
        make_tables();
        nu_arena_init(&arena);
        nu_headers_init(&headers, &arena, 8);
        nu_headers_init(&response, &arena, 8);
        for (int i = 0; i < REQUESTS; i++) {
            make_request();
            check_request();
        }
        nu_arena_finish(&arena);
        nu_route_table_destroy(&table);
        for (int i = 0; i < ROUTES; i++)
            nu_route_table_destroy(&alone[i]);
    }
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&config_arena);
}

TEST_MAIN()
