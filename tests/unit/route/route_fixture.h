/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of route tables share: a table from YAML, and requests to it. */
#ifndef NU_TESTS_UNIT_ROUTE_FIXTURE_H
#define NU_TESTS_UNIT_ROUTE_FIXTURE_H

#include "harness/test.h"

#include "config/config.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "http/headers.h"
#include "http/stream_info.h"
#include "route/route_from_proto.h"

static struct nu_arena config_arena;
static struct nu_config_ctx ctx;
static struct nu_route_table *table;

/* Of the current request. */
static struct nu_arena arena;
static struct nu_headers headers;
static struct nu_headers response;
static struct nu_connection_info connection;
static struct nu_stream_info info;
static struct nu_route_match match;
static uint64_t random_number;

/* "nope" is the only cluster that does not exist. */
__attribute__((unused)) static bool has_cluster(void *context, struct nu_str name)
{
    (void)context;
    return !nu_str_eq(name, NU_STR("nope"));
}

__attribute__((unused)) static void load_with(const char *yaml, struct nu_route_factory factory)
{
    nu_arena_init(&config_arena);
    nu_config_ctx_init(&ctx, &config_arena);
    factory.ctx = &ctx;
    const void *proto = nu_config_read(&ctx, "r.yaml", nu_str_from(yaml), NU_CONFIG_YAML,
                                       &envoy__config__route__v3__route_configuration__descriptor);
    assert_non_null(proto);
    assert_true(nu_config_is_ok(&ctx));
    table = nu_route_table_from_proto(proto, &factory);
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 8);
    nu_headers_init(&response, &arena, 8);
    random_number = 0;
}

__attribute__((unused)) static void load(const char *yaml)
{
    load_with(yaml,
              (struct nu_route_factory){.validate_clusters = true, .has_cluster = has_cluster});
    if (!table && ctx.errors.count)
        print_error("%s: %s\n", ctx.errors.items[0].path, ctx.errors.items[0].message);
    assert_non_null(table);
}

__attribute__((unused)) static void unload(void)
{
    nu_arena_finish(&arena);
    nu_route_table_destroy(&table);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&config_arena);
}

/* Empty headers for another request. */
__attribute__((unused)) static void request(const char *host, const char *path)
{
    nu_headers_clear(&headers);
    nu_headers_clear(&response);
    nu_headers_add(&headers, NU_STR(":method"), NU_STR("GET"));
    nu_headers_add(&headers, NU_STR(":scheme"), NU_STR("http"));
    nu_headers_add(&headers, NU_STR(":authority"), nu_str_from(host));
    nu_headers_add(&headers, NU_STR(":path"), nu_str_from(path));
    nu_headers_add(&headers, NU_STR("x-forwarded-proto"), NU_STR("http"));
    connection = (struct nu_connection_info){.local_known = true};
    info = (struct nu_stream_info){
        .arena = &arena, .connection = &connection, .protocol = NU_PROTOCOL_HTTP11};
}

__attribute__((unused)) static void add(const char *name, const char *value)
{
    nu_headers_add(&headers, nu_str_from(name), nu_str_from(value));
}

__attribute__((unused)) static bool find(void)
{
    struct nu_route_input input = {.headers = &headers, .info = &info, .random = random_number};
    return nu_route_table_match(table, &input, &match);
}

/* The name of the route that a request takes; "-" for none. */
__attribute__((unused)) static struct nu_str route_of(const char *host, const char *path)
{
    request(host, path);
    return find() && match.route ? match.route->name : NU_STR("-");
}

/* The entries of a map but for the pseudo headers and x-forwarded-proto, as "name=value;". */
__attribute__((unused)) static struct nu_str dump(const struct nu_headers *map)
{
    static struct nu_strbuf out;
    nu_strbuf_finish(&out);
    nu_headers_for_each(header, map)
    {
        if (header->name.ptr[0] != ':' && header->id != NU_HEADER_X_FORWARDED_PROTO)
            nu_strbuf_addf(&out, "%.*s=%.*s;", NU_STR_ARG(header->name), NU_STR_ARG(header->value));
    }
    return nu_strbuf_str(&out);
}

#endif
