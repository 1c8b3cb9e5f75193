/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS cache of a forward proxy: the names that requests bring, each with its port, and where
 * they are. Envoy's rules: a name is asked for again and again while somebody uses it, keeps its last
 * good addresses, and goes when nobody has used it for a while.
 *
 *     main thread: nu_dns_cache          asks, keeps the names, tells the clusters (observers)
 *     each worker: nu_dns_cache_local    knows results by name; requests wait here
 *
 * A worker that does not know a name sends it to the main thread. Each result comes back as a
 * message to all workers, behind those by which the clusters' hosts for it come, so that whoever has
 * waited finds its host. How many names there may be and how many requests may wait is bounded;
 * what is longer than any name is never kept.
 */
#ifndef NU_UPSTREAM_DNS_CACHE_H
#define NU_UPSTREAM_DNS_CACHE_H

#include "base/hash.h"
#include "base/list.h"
#include "event/loop.h"
#include "net/dns.h"
#include "stats/server_stats.h"
#include "stats/stats.h"

struct nu_arena;
struct nu_cluster_table;
struct nu_dns_cache;
struct nu_dns_cache_local;
struct nu_dns_caches;

enum {
    NU_DNS_CACHE_KEY_MAX = 300, /* of "host:port": a name has 253 bytes at most */
};

/* "host:port"; the text is whatever the request brought. */
struct nu_dns_cache_name {
    struct nu_str host;
    uint16_t port; /* where `host` has none */
};

/* Settings, with defaults resolved. */
struct nu_dns_cache_params {
    struct nu_dns_resolver *resolver; /* owned by the cache if owns_resolver */
    bool owns_resolver;
    enum nu_dns_family family;
    uint64_t refresh_ms;      /* after an answer without addresses */
    uint64_t min_refresh_ms;  /* after others: their age, but no less */
    uint64_t failure_base_ms; /* as in net/dns_pace.h; 0: refresh_ms */
    uint64_t failure_max_ms;
    uint64_t query_timeout_ms; /* 0: the resolver's own */
    uint64_t host_ttl_ms;
    uint32_t max_hosts;
    uint32_t max_pending;
    bool forgets_failures; /* a name that failed is asked for when it is wanted again */
    const struct nu_dns_cache_name *first_names; /* asked for at the start; borrowed */
    size_t first_name_count;
};

/* What is known of a name. Immutable and counted; workers hold them. */
struct nu_dns_result {
    _Atomic uint32_t refs;
    bool has_address;
    bool failed; /* no server gave an answer; with forgets_failures it is asked for again */
    struct nu_address address; /* the first one */
    struct nu_str details;     /* without an address: why */
    struct nu_str key;         /* "host:port" */
    char texts[];
};

/* --- All caches ------------------------------------------------------------------------------- */

/* The caches of a process by name, owned by the cluster manager. */
struct nu_dns_caches *nu_dns_caches_create(struct nu_stats *stats, struct nu_loop *loop);
/* After clusters and tables are gone, while resolvers are there. */
void nu_dns_caches_destroy(struct nu_dns_caches **caches);
/* The cache of this name, or NULL. */
struct nu_dns_cache *nu_dns_caches_find(const struct nu_dns_caches *caches, struct nu_str name);
/* A new cache, whose name is not in use. */
struct nu_dns_cache *nu_dns_caches_add(struct nu_dns_caches *caches, struct nu_str name,
                                       const struct nu_dns_cache_params *params);
/* The configuration as text: whoever names the cache again must say the same. */
const char *nu_dns_cache_config(const struct nu_dns_cache *cache);
void nu_dns_cache_set_config(struct nu_dns_cache *cache, const char *config);
/* Memory that lives as long as the caches and their resolvers. */
struct nu_arena *nu_dns_caches_arena(struct nu_dns_caches *caches);

/* Before a table gets its clusters: what waits to be told of them is told. */
void nu_dns_caches_flush(struct nu_dns_caches *caches);
/* Gives a table its part of every cache, with what is known. Main thread, before its loop runs. */
void nu_dns_caches_attach(struct nu_dns_caches *caches, struct nu_cluster_table *table);
/* Frees a table's parts; nobody waits any more. The table's thread, or after it ended. */
void nu_dns_caches_detach(struct nu_cluster_table *table);

/* --- The main thread's side ------------------------------------------------------------------- */

/* A host of the cache as clusters see it; valid during the call. */
struct nu_dns_cache_host {
    struct nu_str key;                  /* "host:port" */
    const struct nu_address *addresses; /* with the port; at least one */
    uint32_t count;
};

/* Who makes hosts of names; embedded in its owner. */
struct nu_dns_cache_observer {
    struct nu_list link;
    /* A name has addresses, for the first time or other ones. */
    void (*on_host)(struct nu_dns_cache_observer *observer, const struct nu_dns_cache_host *host);
    /* It is not known any more. */
    void (*on_gone)(struct nu_dns_cache_observer *observer, struct nu_str key);
    /* When its host was chosen last, in monotonic microseconds; 0: never. */
    uint64_t (*used_us)(struct nu_dns_cache_observer *observer, struct nu_str key);
    /* Tells of what waits to be told. */
    void (*flush)(struct nu_dns_cache_observer *observer);
};

/* Tells the observer of the names that have addresses, now and later. With the first observer the
 * cache starts. */
void nu_dns_cache_add_observer(struct nu_dns_cache *cache, struct nu_dns_cache_observer *observer);

/* --- The worker's side ------------------------------------------------------------------------ */

enum nu_dns_cache_status {
    NU_DNS_CACHE_KNOWN,
    NU_DNS_CACHE_LOADING,  /* the wait will be told */
    NU_DNS_CACHE_OVERFLOW, /* no more names fit in */
};

/* A request that waits for a name; embedded, zeroed at first. */
struct nu_dns_cache_wait {
    /* The result, or NULL: no more names fit in. The wait is over; the result is valid during the
     * call. */
    void (*on_result)(struct nu_dns_cache_wait *wait, const struct nu_dns_result *result);
    struct nu_list link;              /* private */
    struct nu_dns_cache_local *local; /* private: NULL while nothing is awaited */
};

/* Whether one more request may wait; counts one that may not. Asked before a name is looked up,
 * whether it is known or not, as in Envoy. */
bool nu_dns_cache_allows(const struct nu_cluster_table *table, struct nu_dns_cache *cache);
/* Looks a name up; `*result` is valid until the next message. */
enum nu_dns_cache_status nu_dns_cache_find(struct nu_cluster_table *table,
                                           struct nu_dns_cache *cache,
                                           const struct nu_dns_cache_name *name,
                                           struct nu_dns_cache_wait *wait,
                                           const struct nu_dns_result **result);
/* Waits no more. Harmless when nothing is awaited. */
void nu_dns_cache_wait_cancel(struct nu_dns_cache_wait *wait);

/* --- Names ------------------------------------------------------------------------------------ */

/* Writes the key "host:port", where `out` has room for NU_DNS_CACHE_KEY_MAX bytes; empty if the
 * name is too long to be one. */
struct nu_str nu_dns_cache_key(const struct nu_dns_cache_name *name, char *out);
/* What of a key is asked for, and the port. What is no port belongs to the name, which then fails. */
struct nu_dns_cache_name nu_dns_cache_split_key(struct nu_str key, uint16_t default_port);

#endif
