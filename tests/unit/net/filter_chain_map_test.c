/* SPDX-License-Identifier: Apache-2.0 */
/* Which chain wins: tables of chains by name, and connections with the name that is expected. */
#include "net/filter_chain_map.h"

#include "harness/test.h"

/* Conditions and connections are written in short: a text for each kind of condition. */
struct chain {
    const char *name;
    uint16_t port;
    const char *destination; /* "10.0.0.0/8" */
    const char *server;
    const char *transport;
    const char *protocol;
    const char *direct;
    enum nu_source_type type;
    const char *source;
    uint32_t source_port;
};

struct connection {
    const char *expected;    /* NULL: none */
    const char *destination; /* "10.1.1.1:443"; NULL: 127.0.0.9:443 */
    const char *server;
    const char *transport;
    const char *protocols[2];
    const char *source; /* NULL: 192.0.2.1:5000 */
    const char *direct; /* NULL: the source */
};

static struct nu_arena arena;

static const struct nu_cidr *range(const char *text, size_t *count)
{
    if (!text)
        return NULL;
    struct nu_cidr *cidr = nu_arena_calloc(&arena, sizeof(*cidr));
    struct nu_str rest = nu_str_from(text);
    struct nu_str ip = nu_str_split(&rest, '/');
    struct nu_address base;
    uint64_t len;
    assert_int_equal(nu_address_parse_ip(ip, 0, &base), NU_OK);
    assert_int_equal(nu_str_to_u64(rest, &len), NU_OK);
    assert_int_equal(nu_cidr_make(&base, (unsigned)len, cidr), NU_OK);
    *count = 1;
    return cidr;
}

static const struct nu_str *text(const char *value, size_t *count)
{
    if (!value)
        return NULL;
    struct nu_str *copy = nu_arena_alloc(&arena, sizeof(*copy));
    *copy = nu_str_from(value);
    *count = 1;
    return copy;
}

static const char *add(struct nu_filter_chain_map *map, const struct chain *chain)
{
    struct nu_filter_chain_match match = {
        .destination_port = chain->port,
        .transport_protocol = nu_str_from(chain->transport),
        .source_type = chain->type,
        .source_ports = &chain->source_port,
        .source_port_count = chain->source_port ? 1 : 0,
    };
    match.destinations = range(chain->destination, &match.destination_count);
    match.server_names = text(chain->server, &match.server_name_count);
    match.application_protocols = text(chain->protocol, &match.application_protocol_count);
    match.direct_sources = range(chain->direct, &match.direct_source_count);
    match.sources = range(chain->source, &match.source_count);
    return nu_filter_chain_map_add(map, &match, chain->name);
}

static struct nu_address address(const char *text_or_null, const char *standby)
{
    struct nu_address parsed;
    assert_int_equal(
        nu_address_parse_ip_port(nu_str_from(text_or_null ? text_or_null : standby), &parsed),
        NU_OK);
    return parsed;
}

static const char *find(const struct nu_filter_chain_map *map, const struct connection *connection)
{
    struct nu_address destination = address(connection->destination, "127.0.0.9:443");
    struct nu_address source = address(connection->source, "192.0.2.1:5000");
    struct nu_address direct = connection->direct ? address(connection->direct, NULL) : source;
    struct nu_str protocols[2] = {nu_str_from(connection->protocols[0]),
                                  nu_str_from(connection->protocols[1])};
    struct nu_filter_chain_query query = {
        .destination = &destination,
        .source = &source,
        .direct_source = &direct,
        .server_name = nu_str_from(connection->server),
        .transport_protocol = nu_str_from(connection->transport),
        .application_protocols = protocols,
        .application_protocol_count = 2,
    };
    return nu_filter_chain_map_find(map, &query);
}

static void check(const struct chain *chains, size_t chain_count,
                  const struct connection *connections, size_t connection_count)
{
    nu_arena_init(&arena);
    struct nu_filter_chain_map *map = nu_filter_chain_map_create(&arena);
    for (size_t i = 0; i < chain_count; i++)
        assert_null(add(map, &chains[i]));
    for (size_t i = 0; i < connection_count; i++) {
        const char *found = find(map, &connections[i]);
        const char *expected = connections[i].expected;
        if (!expected)
            assert_null(found);
        else
            assert_str(nu_str_from(found), expected);
    }
    nu_arena_finish(&arena);
}

#define CHECK(chains, connections) \
    check(chains, NU_ARRAY_LEN(chains), connections, NU_ARRAY_LEN(connections))

TEST(server_names_exact_before_the_nearest_wildcard_before_any)
{
    static const struct chain chains[] = {
        {.name = "exact", .server = "a.b.test"},
        {.name = "near", .server = "*.b.test"},
        {.name = "far", .server = "*.test"},
        {.name = "any"},
    };
    static const struct connection connections[] = {
        {"exact", .server = "a.b.test"},  {"near", .server = "x.b.test"},
        {"near", .server = "y.x.b.test"}, {"far", .server = "b.test"},
        {"far", .server = "q.r.test"},    {"any", .server = "test"},
        {"any", .destination = NULL},
    };
    CHECK(chains, connections);
}

TEST(the_longest_prefix_of_the_destination_wins)
{
    static const struct chain chains[] = {
        {.name = "host", .destination = "10.1.1.1/32"},
        {.name = "net", .destination = "10.1.0.0/16"},
        {.name = "v6", .destination = "2001:db8::/33"},
    };
    static const struct connection connections[] = {
        {"host", .destination = "10.1.1.1:80"},
        {"net", .destination = "10.1.2.1:80"},
        {NULL, .destination = "10.2.0.1:80"},
        {"v6", .destination = "[2001:db8:7fff::1]:80"},
        {NULL, .destination = "[2001:db8:8000::1]:80"},
    };
    CHECK(chains, connections);
}

TEST(there_is_no_way_back_from_a_more_specific_entry)
{
    static const struct chain chains[] = {
        {.name = "port with a name", .port = 443, .server = "a.test"},
        {.name = "any"},
    };
    static const struct connection connections[] = {
        {"port with a name", .server = "a.test"},
        {NULL, .server = "b.test"},
        {"any", .destination = "127.0.0.9:80", .server = "a.test"},
    };
    CHECK(chains, connections);
}

TEST(protocols_by_the_clients_preference)
{
    static const struct chain chains[] = {
        {.name = "tls h1", .transport = "tls", .protocol = "http/1.1"},
        {.name = "tls h2", .transport = "tls", .protocol = "h2"},
        {.name = "tls", .transport = "tls"},
        {.name = "plain", .transport = "raw_buffer"},
    };
    static const struct connection connections[] = {
        {"tls h2", .transport = "tls", .protocols = {"h2", "http/1.1"}},
        {"tls h1", .transport = "tls", .protocols = {"http/1.1", "h2"}},
        {"tls", .transport = "tls", .protocols = {"other", NULL}},
        {"plain", .transport = "raw_buffer", .protocols = {"h2", NULL}},
        {.transport = ""},
    };
    CHECK(chains, connections);
}

TEST(sources_by_address_type_and_port)
{
    static const struct chain chains[] = {
        {.name = "local", .type = NU_SOURCE_LOCAL},
        {.name = "external net", .type = NU_SOURCE_EXTERNAL, .source = "192.0.2.0/24"},
        {.name = "external port",
         .type = NU_SOURCE_EXTERNAL,
         .source = "192.0.2.0/24",
         .source_port = 7},
    };
    static const struct connection connections[] = {
        {"local", .source = "127.0.0.1:1"},        {"local", .source = "127.0.0.9:1"},
        {"external net", .source = "192.0.2.9:8"}, {"external port", .source = "192.0.2.9:7"},
        {NULL, .source = "192.0.3.9:7"},
    };
    CHECK(chains, connections);
}

TEST(the_direct_source_is_the_sockets_peer)
{
    static const struct chain chains[] = {
        {.name = "balancer", .direct = "10.0.0.0/8"},
        {.name = "any"},
    };
    static const struct connection connections[] = {
        {"balancer", .source = "192.0.2.9:8", .direct = "10.1.2.3:4"},
        {"any", .source = "10.1.2.3:4", .direct = "192.0.2.9:8"},
    };
    CHECK(chains, connections);
}

TEST(the_same_conditions_twice_are_found)
{
    static const struct chain first = {.name = "first", .server = "a.test", .port = 1};
    static const struct chain again = {.name = "again", .server = "a.test", .port = 1};
    static const struct chain other = {.name = "other", .server = "a.test", .port = 2};
    nu_arena_init(&arena);
    struct nu_filter_chain_map *map = nu_filter_chain_map_create(&arena);
    assert_null(add(map, &first));
    assert_ptr_equal(add(map, &again), first.name);
    assert_null(add(map, &other));
    nu_arena_finish(&arena);
}

TEST_MAIN()
