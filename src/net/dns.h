/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolving names without blocking: the interface of resolvers, of which net/dns_cares.h makes the
 * one there is; tests put their own in its place. A resolver belongs to a loop (the main thread's),
 * queries are embedded in whoever asks.
 */
#ifndef NU_NET_DNS_H
#define NU_NET_DNS_H

#include "base/address.h"

struct nu_dns_query;

/* Which addresses are wanted; Envoy's dns_lookup_family. */
enum nu_dns_family {
    NU_DNS_AUTO, /* IPv6, and when there are none, IPv4 */
    NU_DNS_V4_ONLY,
    NU_DNS_V6_ONLY,
    NU_DNS_V4_PREFERRED, /* IPv4, and when there are none, IPv6 */
    NU_DNS_ALL,          /* both */
};

struct nu_dns_address {
    struct nu_address address; /* port 0 */
    uint32_t ttl_s;            /* the least along the chain of names; 0 for what needed no server */
};

/* Valid during the call that brings it. */
struct nu_dns_answer {
    bool ok; /* an answer came; without addresses the name does not exist or has none */
    const struct nu_dns_address *addresses; /* in the order of the answer */
    size_t count;
    const char *error; /* why not, when not ok, or when there are no addresses */
};

/* A question, embedded in its asker, who sets on_answer. */
struct nu_dns_query {
    /* The answer; the query may be used again, or be freed, from inside. */
    void (*on_answer)(struct nu_dns_query *query, const struct nu_dns_answer *answer);
    void *pending; /* the resolver's; NULL while nothing is asked */
};

struct nu_dns_resolver;

struct nu_dns_resolver_class {
    void (*resolve)(struct nu_dns_resolver *resolver, struct nu_dns_query *query,
                    struct nu_str name, enum nu_dns_family family);
    void (*cancel)(struct nu_dns_resolver *resolver, struct nu_dns_query *query);
    void (*destroy)(struct nu_dns_resolver *resolver);
};

/* The base of every resolver. */
struct nu_dns_resolver {
    const struct nu_dns_resolver_class *cls;
};

/* Asks for the addresses of `name`. query->on_answer is called exactly once, unless the query is
 * cancelled; perhaps from inside, when no server had to be asked. */
static inline void nu_dns_resolve(struct nu_dns_resolver *resolver, struct nu_dns_query *query,
                                  struct nu_str name, enum nu_dns_family family)
{
    resolver->cls->resolve(resolver, query, name, family);
}

/* Wants no answer any more. Harmless when nothing is asked. */
static inline void nu_dns_cancel(struct nu_dns_resolver *resolver, struct nu_dns_query *query)
{
    if (query->pending)
        resolver->cls->cancel(resolver, query);
}

/* Frees a resolver; its queries must be cancelled or answered. Not from inside an answer. NULL
 * inside is allowed. */
static inline void nu_dns_resolver_destroy(struct nu_dns_resolver **resolver)
{
    if (*resolver)
        (*resolver)->cls->destroy(*resolver);
    *resolver = NULL;
}

#endif
