/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver over c-ares: /etc/hosts and DNS servers over UDP and TCP. See net/dns.h. */
#ifndef NU_NET_DNS_CARES_H
#define NU_NET_DNS_CARES_H

#include "net/dns.h"

struct nu_loop;
struct nu_stats;

/* Settings with Envoy's defaults when zeroed. */
struct nu_dns_options {
    struct nu_str servers;     /* "1.2.3.4:53,[::1]:53"; borrowed; empty: those of resolv.conf */
    bool servers_are_fallback; /* used only when resolv.conf names none */
    bool use_tcp;
    bool no_search;              /* names are complete: no search domains */
    bool rotate;                 /* servers take turns */
    uint32_t query_timeout_ms;   /* of the first try of a server; 0: 5 s */
    uint32_t query_tries;        /* 0: 4 */
    uint32_t edns_payload_bytes; /* 0: the library's */
    uint32_t udp_max_queries;    /* from one port; 0: no limit; needs nu_dns_can_limit_udp */
    const char *resolv_conf;     /* NULL: the system's */
};

/* Whether the c-ares that this was built with knows udp_max_queries. */
bool nu_dns_can_limit_udp(void);

/*
 * A resolver on `loop`, whose thread alone may use it. `options` must outlive it. Sockets, the
 * library's state and the statistics dns.cares come with the first question. All are borrowed.
 */
struct nu_dns_resolver *nu_dns_cares_create(struct nu_loop *loop, struct nu_stats *stats,
                                            const struct nu_dns_options *options);

#endif
