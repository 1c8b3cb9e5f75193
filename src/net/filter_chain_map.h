/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which filter chain a connection gets. The chains' conditions are compiled into a tree of tables,
 * one level for each kind of condition in Envoy's order, so that the cost of a connection does not
 * grow with the number of chains:
 *
 *     destination port, destination address, server name, transport protocol, application protocol,
 *     direct source address, source type, source address, source port
 *
 * On each level the most specific entry wins, and there is no way back from it: where the levels
 * below have nothing for the connection, no chain matches. Immutable once built; any thread.
 */
#ifndef NU_NET_FILTER_CHAIN_MAP_H
#define NU_NET_FILTER_CHAIN_MAP_H

#include "base/address.h"
#include "base/arena.h"

struct nu_filter_chain_map;

enum nu_source_type {
    NU_SOURCE_ANY,
    NU_SOURCE_LOCAL, /* the same address as the destination, or a loopback one */
    NU_SOURCE_EXTERNAL,
};

/* The conditions of one chain; an empty list, or 0, takes all. Texts are lower-case. */
struct nu_filter_chain_match {
    uint16_t destination_port;
    const struct nu_cidr *destinations;
    size_t destination_count;
    const struct nu_str *server_names; /* exact, or "*.example.com" for all names under it */
    size_t server_name_count;
    struct nu_str transport_protocol; /* "tls", "raw_buffer" */
    const struct nu_str *application_protocols;
    size_t application_protocol_count;
    const struct nu_cidr *direct_sources;
    size_t direct_source_count;
    enum nu_source_type source_type;
    const struct nu_cidr *sources;
    size_t source_count;
    const uint32_t *source_ports;
    size_t source_port_count;
};

/* What is known of a connection. */
struct nu_filter_chain_query {
    const struct nu_address *destination;
    const struct nu_address *source;
    const struct nu_address *direct_source; /* the peer of the socket itself */
    struct nu_str server_name;              /* lower-case; empty if unknown */
    struct nu_str transport_protocol;
    const struct nu_str *application_protocols; /* by the client's preference */
    size_t application_protocol_count;
};

/* An empty map in `arena`. */
struct nu_filter_chain_map *nu_filter_chain_map_create(struct nu_arena *arena);
/* Adds a chain (not NULL). Returns the chain that has one of the same conditions already, else
 * NULL. */
const void *nu_filter_chain_map_add(struct nu_filter_chain_map *map,
                                    const struct nu_filter_chain_match *match, const void *chain);
/* The chain for a connection, or NULL. */
const void *nu_filter_chain_map_find(const struct nu_filter_chain_map *map,
                                     const struct nu_filter_chain_query *query);

#endif
