/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sets the connections of a pool apart from others to the same host: the client, where hosts
 * are told of it (upstream PROXY protocol; they are then shared by those who come from one address
 * to one other), the client's connection, where it has pools of its own, and the server name, where
 * it is the request's (auto_sni). The cluster's worker.
 */
#ifndef NU_UPSTREAM_POOL_OWN_H
#define NU_UPSTREAM_POOL_OWN_H

#include "http/proxy_data.h"
#include "upstream/pool/pool.h"

struct nu_pool_own {
    bool has_client;
    bool asks_for_name;
    bool checks_name;
    struct nu_proxy_data client; /* owned, with its values */
    struct nu_str key;           /* owned; in cluster->own_pools */
    struct nu_str server_name;   /* in the key; may be empty */
};

/* Appends what such a pool is found by; the server name comes last. */
void nu_pool_own_key(const struct nu_host *host, enum nu_priority priority, enum nu_pool_kind kind,
                     const struct nu_pool_purpose *purpose, struct nu_strbuf *key);
/* A copy of all of it. */
struct nu_pool_own *nu_pool_own_create(const struct nu_pool_purpose *purpose, struct nu_str key);
void nu_pool_own_destroy(struct nu_pool_own **own);

#endif
