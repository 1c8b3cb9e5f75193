/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for host values: what stands in `:authority` and in a Host field, "host", "host:port" or
 * "[v6]:port". Pure functions; every result is a view of the input unless an arena is named.
 */
#ifndef NU_HTTP_AUTHORITY_H
#define NU_HTTP_AUTHORITY_H

#include "base/arena.h"

/* Whether only characters occur that an authority may hold; nothing is said about its structure.
 * Empty is valid. HTTP/1 takes an '@', HTTP/2 does not. */
bool nu_authority_is_valid(struct nu_str authority, bool allow_at);

/* Index of the colon before the port, or NU_NPOS: the last colon that is not inside brackets. */
size_t nu_authority_port_colon(struct nu_str authority);

struct nu_authority {
    struct nu_str host; /* without brackets */
    struct nu_str port; /* text behind the colon; ptr is NULL without a colon */
    bool is_bracketed;  /* "[...]": an IPv6 address */
};

/* Takes an authority apart; any text gives a result. */
struct nu_authority nu_authority_split(struct nu_str authority);

/*
 * The authority without ":port". `port` 0 strips any number (strip_any_host_port), else only that
 * one (strip_matching_host_port). Without a port, or with one that is no number below 2^32, the
 * authority comes back as it is. CONNECT requests keep their port: the caller checks the method.
 */
struct nu_str nu_authority_strip_port(struct nu_str authority, uint32_t port);

/* The authority without a dot at the end of the host (strip_trailing_host_dot): "a." and
 * "a.:80". */
struct nu_str nu_authority_strip_trailing_dot(struct nu_arena *arena, struct nu_str authority);

/* ASCII letters lowered; a copy only if there is one to lower. */
struct nu_str nu_authority_lower(struct nu_arena *arena, struct nu_str authority);

#endif
