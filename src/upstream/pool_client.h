/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a pool is for, where hosts are told of the client (upstream PROXY protocol): connections
 * are then shared by those who come from one address to one other. The cluster's worker.
 */
#ifndef NU_UPSTREAM_POOL_CLIENT_H
#define NU_UPSTREAM_POOL_CLIENT_H

#include "http/proxy_data.h"
#include "upstream/pool.h"

struct nu_pool_client {
    struct nu_proxy_data data; /* owned, with its values */
    struct nu_str key;         /* owned; in cluster->client_pools */
};

enum { NU_POOL_KEY_MAX = 32 + 2 * (NU_ADDRESS_TEXT_MAX + 1) };

/* What such a pool is found by; returns the length. */
size_t nu_pool_client_key(const struct nu_host *host, enum nu_priority priority,
                          enum nu_pool_kind kind, const struct nu_proxy_data *client,
                          char key[NU_POOL_KEY_MAX]);
/* A copy of all of it. */
struct nu_pool_client *nu_pool_client_create(const struct nu_proxy_data *client, struct nu_str key);
void nu_pool_client_destroy(struct nu_pool_client **client);

#endif
