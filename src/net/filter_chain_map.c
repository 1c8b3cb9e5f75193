/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree. A node has a table from keys to the nodes below it; what a key is made of depends on
 * the level, and the empty key stands for "any". Address ranges are keyed by length and masked
 * bytes: a search tries the lengths that occur, longest first.
 */
#include "net/filter_chain_map.h"

#include "base/assert.h"
#include "base/hash.h"

enum level {
    DESTINATION_PORT,
    DESTINATION,
    SERVER_NAME,
    TRANSPORT_PROTOCOL,
    APPLICATION_PROTOCOL,
    DIRECT_SOURCE,
    SOURCE_TYPE,
    SOURCE,
    SOURCE_PORT,
    LEVEL_COUNT,
};

/* The lengths of the ranges in a node, longest first. */
struct lengths {
    uint8_t values[129];
    uint8_t count;
};

struct node {
    struct nu_map below;        /* of struct node; of chains on the last level */
    struct lengths *lengths[2]; /* levels of ranges: IPv4, IPv6; NULL while there are none */
};

struct nu_filter_chain_map {
    struct nu_arena *arena; /* borrowed */
    struct node root;
};

/* "any": a key of its own, since an empty view has no bytes to point at. */
static const struct nu_str any = NU_STR_INIT("");

enum { RANGE_KEY_SIZE = 18 };

static void finish_node(void *obj)
{
    struct node *node = obj;
    nu_map_finish(&node->below);
}

struct nu_filter_chain_map *nu_filter_chain_map_create(struct nu_arena *arena)
{
    struct nu_filter_chain_map *map = nu_arena_calloc(arena, sizeof(*map));
    map->arena = arena;
    nu_arena_on_free(arena, finish_node, &map->root);
    return map;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static struct nu_str port_key(uint32_t port, char *room)
{
    room[0] = (char)(port >> 8);
    room[1] = (char)port;
    return nu_str_make(room, 2);
}

static struct nu_str range_key(const struct nu_address *address, uint8_t len, char *room)
{
    size_t width = address->family == NU_ADDRESS_IPV4 ? 4 : 16;
    memset(room, 0, RANGE_KEY_SIZE);
    room[0] = (char)address->family;
    room[1] = (char)len;
    memcpy(room + 2, address->ip, len / 8);
    if (len % 8)
        room[2 + len / 8] = (char)(address->ip[len / 8] & (0xff00 >> len % 8));
    return nu_str_make(room, 2 + width);
}

static struct lengths **lengths_of(struct node *node, const struct nu_address *address)
{
    return &node->lengths[address->family == NU_ADDRESS_IPV6];
}

static void note_length(struct node *node, struct nu_arena *arena, const struct nu_cidr *cidr)
{
    struct lengths **slot = lengths_of(node, &cidr->base);
    if (!*slot)
        *slot = nu_arena_calloc(arena, sizeof(**slot));
    struct lengths *lengths = *slot;
    uint8_t at = 0;
    while (at < lengths->count && lengths->values[at] > cidr->prefix_len)
        at++;
    if (at < lengths->count && lengths->values[at] == cidr->prefix_len)
        return;
    memmove(lengths->values + at + 1, lengths->values + at, lengths->count - at);
    lengths->values[at] = cidr->prefix_len;
    lengths->count++;
}

/* "*.example.com" is kept as ".example.com". */
static struct nu_str name_key(struct nu_str name)
{
    return nu_str_starts_with(name, NU_STR("*.")) ? nu_str_skip(name, 1) : name;
}

/* --- Building --------------------------------------------------------------------------------- */

struct adding {
    struct nu_filter_chain_map *map;
    const struct nu_filter_chain_match *match;
    const void *chain;
    const void *taken; /* a chain that stood in the same place */
};

static void add_below(struct adding *adding, struct node *node, enum level level);

static void add_key(struct adding *adding, struct node *node, enum level level, struct nu_str key)
{
    struct nu_arena *arena = adding->map->arena;
    void *below = nu_map_get(&node->below, key);
    if (level == SOURCE_PORT) {
        if (below)
            adding->taken = below;
        else
            nu_map_put(&node->below, nu_arena_dup(arena, key), nu_unconst(adding->chain));
        return;
    }
    if (!below) {
        below = nu_arena_calloc(arena, sizeof(struct node));
        nu_arena_on_free(arena, finish_node, below);
        nu_map_put(&node->below, nu_arena_dup(arena, key), below);
    }
    add_below(adding, below, level + 1);
}

static void add_texts(struct adding *adding, struct node *node, enum level level,
                      const struct nu_str *texts, size_t count)
{
    if (count == 0)
        add_key(adding, node, level, any);
    for (size_t i = 0; i < count; i++)
        add_key(adding, node, level, name_key(texts[i]));
}

static void add_ranges(struct adding *adding, struct node *node, enum level level,
                       const struct nu_cidr *ranges, size_t count)
{
    if (count == 0)
        add_key(adding, node, level, any);
    for (size_t i = 0; i < count; i++) {
        char room[RANGE_KEY_SIZE];
        note_length(node, adding->map->arena, &ranges[i]);
        add_key(adding, node, level, range_key(&ranges[i].base, ranges[i].prefix_len, room));
    }
}

static void add_port(struct adding *adding, struct node *node, enum level level, uint32_t port)
{
    char room[2];
    add_key(adding, node, level, port ? port_key(port, room) : any);
}

static void add_below(struct adding *adding, struct node *node, enum level level)
{
    const struct nu_filter_chain_match *match = adding->match;
    char type = (char)match->source_type;
    switch (level) {
    case DESTINATION_PORT:
        add_port(adding, node, level, match->destination_port);
        return;
    case DESTINATION:
        add_ranges(adding, node, level, match->destinations, match->destination_count);
        return;
    case SERVER_NAME:
        add_texts(adding, node, level, match->server_names, match->server_name_count);
        return;
    case TRANSPORT_PROTOCOL:
        add_key(adding, node, level,
                match->transport_protocol.len ? match->transport_protocol : any);
        return;
    case APPLICATION_PROTOCOL:
        add_texts(adding, node, level, match->application_protocols,
                  match->application_protocol_count);
        return;
    case DIRECT_SOURCE:
        add_ranges(adding, node, level, match->direct_sources, match->direct_source_count);
        return;
    case SOURCE_TYPE:
        add_key(adding, node, level,
                match->source_type == NU_SOURCE_ANY ? any : nu_str_make(&type, 1));
        return;
    case SOURCE:
        add_ranges(adding, node, level, match->sources, match->source_count);
        return;
    case SOURCE_PORT:
        if (match->source_port_count == 0)
            add_key(adding, node, level, any);
        for (size_t i = 0; i < match->source_port_count; i++)
            add_port(adding, node, level, match->source_ports[i]);
        return;
    case LEVEL_COUNT:
        break;
    }
}

const void *nu_filter_chain_map_add(struct nu_filter_chain_map *map,
                                    const struct nu_filter_chain_match *match, const void *chain)
{
    struct adding adding = {.map = map, .match = match, .chain = chain};
    add_below(&adding, &map->root, DESTINATION_PORT);
    return adding.taken;
}

/* --- Searching -------------------------------------------------------------------------------- */

static void *find_key_or_any(const struct node *node, struct nu_str key)
{
    void *found = key.len ? nu_map_get(&node->below, key) : NULL;
    return found ? found : nu_map_get(&node->below, any);
}

static void *find_port(const struct node *node, const struct nu_address *address)
{
    char room[2];
    return find_key_or_any(node, port_key(address->port, room));
}

static void *find_range(const struct node *node, const struct nu_address *address)
{
    const struct lengths *lengths = *lengths_of(nu_unconst(node), address);
    for (uint8_t i = 0; lengths && nu_address_is_ip(address) && i < lengths->count; i++) {
        char room[RANGE_KEY_SIZE];
        void *found = nu_map_get(&node->below, range_key(address, lengths->values[i], room));
        if (found)
            return found;
    }
    return nu_map_get(&node->below, any);
}

/* The name itself, then ".rest" for each way to cut labels off its front. */
static void *find_name(const struct node *node, struct nu_str name)
{
    void *found = name.len ? nu_map_get(&node->below, name) : NULL;
    for (size_t dot = nu_str_find_char(name, '.'); !found && dot != NU_NPOS;) {
        name = nu_str_skip(name, dot);
        found = nu_map_get(&node->below, name);
        size_t next = nu_str_find_char(nu_str_skip(name, 1), '.');
        dot = next == NU_NPOS ? NU_NPOS : next + 1;
    }
    return found ? found : nu_map_get(&node->below, any);
}

static void *find_protocol(const struct node *node, const struct nu_filter_chain_query *query)
{
    for (size_t i = 0; i < query->application_protocol_count; i++) {
        struct nu_str name = query->application_protocols[i];
        void *found = name.len ? nu_map_get(&node->below, name) : NULL;
        if (found)
            return found;
    }
    return nu_map_get(&node->below, any);
}

static bool is_local(const struct nu_filter_chain_query *query)
{
    struct nu_address source = *query->source;
    source.port = query->destination->port;
    return nu_address_is_loopback(query->source) || nu_address_eq(&source, query->destination);
}

static void *find_source_type(const struct node *node, const struct nu_filter_chain_query *query)
{
    char type = (char)(is_local(query) ? NU_SOURCE_LOCAL : NU_SOURCE_EXTERNAL);
    return find_key_or_any(node, nu_str_make(&type, 1));
}

static void *find_below(const struct node *node, enum level level,
                        const struct nu_filter_chain_query *query)
{
    switch (level) {
    case DESTINATION_PORT:
        return find_port(node, query->destination);
    case DESTINATION:
        return find_range(node, query->destination);
    case SERVER_NAME:
        return find_name(node, query->server_name);
    case TRANSPORT_PROTOCOL:
        return find_key_or_any(node, query->transport_protocol);
    case APPLICATION_PROTOCOL:
        return find_protocol(node, query);
    case DIRECT_SOURCE:
        return find_range(node, query->direct_source);
    case SOURCE_TYPE:
        return find_source_type(node, query);
    case SOURCE:
        return find_range(node, query->source);
    case SOURCE_PORT:
        return find_port(node, query->source);
    case LEVEL_COUNT:
        break;
    }
    return NULL;
}

const void *nu_filter_chain_map_find(const struct nu_filter_chain_map *map,
                                     const struct nu_filter_chain_query *query)
{
    const void *at = &map->root;
    for (enum level level = DESTINATION_PORT; at && level < LEVEL_COUNT; level++)
        at = find_below(at, level, query);
    return at;
}
