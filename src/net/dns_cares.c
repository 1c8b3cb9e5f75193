/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The c-ares resolver. c-ares sends, retries and parses; we watch its sockets and its clock from
 * the loop. It cannot take back a single question, so each one is a small object of its own that
 * may be left by its asker and goes when c-ares calls back.
 *
 * After an answer that says that a server does not work for us (refused, failed), the library is
 * set up anew before the next question, so that a changed resolv.conf is seen, as Envoy does it.
 */
#include "net/dns_cares.h"

#include <ares.h>
#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "event/io.h"
#include "event/timer.h"
#include "stats/server_stats.h"
#include "stats/stats.h"

enum {
    DEFAULT_TIMEOUT_MS = 5000,
    DEFAULT_TRIES = 4,
};

struct resolver {
    struct nu_dns_resolver base;
    struct nu_loop *loop;                 /* borrowed */
    struct nu_stats *stats;               /* borrowed */
    const struct nu_dns_options *options; /* borrowed */
    ares_channel channel;                 /* NULL before the first question */
    struct nu_list sockets;               /* of struct watched_socket */
    struct nu_timer timer;                /* the library's next deadline */
    struct nu_stat_set *stat_set;
    struct nu_dns_stats *counters;
    uint32_t pending; /* questions that c-ares works at */
    uint32_t inside;  /* calls into c-ares on the stack */
    bool is_stale;    /* set up anew before the next question */
};

/* A socket of c-ares, which opens and closes it. */
struct watched_socket {
    struct nu_list link;
    struct resolver *resolver;
    struct nu_io io;
    int fd;
};

/* One question on its way. */
struct lookup {
    struct resolver *resolver;
    struct nu_dns_query *query; /* NULL once nobody wants the answer */
    char *name;                 /* owned */
    bool has_second;            /* another family is asked for if this one gives nothing */
    int second_family;
};

static struct resolver *resolver_of(struct nu_dns_resolver *base)
{
    return nu_container_of(base, struct resolver, base);
}

/* --- The library's sockets and clock ---------------------------------------------------------- */

static void update_timer(struct resolver *resolver)
{
    struct timeval left;
    if (!resolver->channel || !ares_timeout(resolver->channel, NULL, &left)) {
        nu_timer_cancel(&resolver->timer);
        return;
    }
    uint64_t ms = (uint64_t)left.tv_sec * 1000 + ((uint64_t)left.tv_usec + 999) / 1000;
    nu_timer_arm(resolver->loop, &resolver->timer, ms);
}

static void process(struct resolver *resolver, int read_fd, int write_fd)
{
    resolver->inside++;
    ares_process_fd(resolver->channel, read_fd, write_fd);
    resolver->inside--;
    update_timer(resolver);
}

static void on_timer(struct nu_timer *timer)
{
    struct resolver *resolver = nu_container_of(timer, struct resolver, timer);
    process(resolver, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket(int fd, short what, void *arg)
{
    struct watched_socket *watched = arg;
    process(watched->resolver, what & NU_IO_READ ? fd : ARES_SOCKET_BAD,
            what & NU_IO_WRITE ? fd : ARES_SOCKET_BAD);
}

static struct watched_socket *find_socket(const struct resolver *resolver, int fd)
{
    struct watched_socket *watched;
    nu_list_for_each(watched, &resolver->sockets, struct watched_socket, link)
    {
        if (watched->fd == fd)
            return watched;
    }
    return NULL;
}

static void forget_socket(struct watched_socket *watched)
{
    nu_io_finish(&watched->io);
    nu_list_remove(&watched->link);
    /* Its own event may be on the stack. */
    nu_loop_defer_free(watched->resolver->loop, nu_free, watched);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct watched_socket *watched = find_socket(resolver, fd);
    if (!readable && !writable) {
        if (watched)
            forget_socket(watched);
        return;
    }
    if (!watched) {
        watched = nu_calloc(1, sizeof(*watched));
        watched->resolver = resolver;
        watched->fd = fd;
        nu_io_init(&watched->io, resolver->loop, fd, on_socket, watched);
        nu_list_add_last(&resolver->sockets, &watched->link);
    }
    if (readable)
        nu_io_enable_read(&watched->io);
    else
        nu_io_disable_read(&watched->io);
    if (writable)
        nu_io_enable_write(&watched->io, on_socket, watched);
    else
        nu_io_disable_write(&watched->io);
}

/* --- The channel ------------------------------------------------------------------------------ */

bool nu_dns_can_limit_udp(void)
{
#ifdef ARES_OPT_UDP_MAX_QUERIES
    return true;
#else
    return false;
#endif
}

static int fill_flags(const struct nu_dns_options *options, struct ares_options *out)
{
    out->flags = (options->use_tcp ? ARES_FLAG_USEVC : 0) |
                 (options->no_search ? ARES_FLAG_NOSEARCH : 0) |
                 (options->edns_payload_bytes ? ARES_FLAG_EDNS : 0);
    return out->flags ? ARES_OPT_FLAGS : 0;
}

static int fill_options(struct resolver *resolver, struct ares_options *out)
{
    const struct nu_dns_options *options = resolver->options;
    int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
    out->sock_state_cb = on_socket_state;
    out->sock_state_cb_data = resolver;
    out->timeout = options->query_timeout_ms ? (int)options->query_timeout_ms : DEFAULT_TIMEOUT_MS;
    out->tries = options->query_tries ? (int)options->query_tries : DEFAULT_TRIES;
    mask |= fill_flags(options, out);
    mask |= options->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;
    if (options->edns_payload_bytes) {
        out->ednspsz = (int)options->edns_payload_bytes;
        mask |= ARES_OPT_EDNSPSZ;
    }
    if (options->resolv_conf) {
        out->resolvconf_path = nu_unconst(options->resolv_conf);
        mask |= ARES_OPT_RESOLVCONF;
    }
#ifdef ARES_OPT_UDP_MAX_QUERIES
    if (options->udp_max_queries) {
        out->udp_max_queries = (int)options->udp_max_queries;
        mask |= ARES_OPT_UDP_MAX_QUERIES;
    }
#endif
#ifdef ARES_OPT_QUERY_CACHE
    /* Whoever asks again wants to know again. */
    out->qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    return mask;
}

/* Whether resolv.conf named no server: the library then asks one at 127.0.0.1. */
static bool has_no_configured_server(ares_channel channel)
{
    struct ares_addr_port_node *servers = NULL;
    if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS)
        return false;
    bool none = !servers || (!servers->next && servers->family == AF_INET &&
                             servers->addr.addr4.s_addr == htonl(INADDR_LOOPBACK));
    ares_free_data(servers);
    return none;
}

static int set_servers(struct resolver *resolver)
{
    const struct nu_dns_options *options = resolver->options;
    if (!options->servers.len ||
        (options->servers_are_fallback && !has_no_configured_server(resolver->channel)))
        return ARES_SUCCESS;
    char *list = nu_strndup(options->servers.ptr, options->servers.len);
    int status = ares_set_servers_ports_csv(resolver->channel, list);
    nu_free(list);
    return status;
}

static void close_channel(struct resolver *resolver)
{
    if (!resolver->channel)
        return;
    ares_destroy(resolver->channel);
    resolver->channel = NULL;
    nu_timer_cancel(&resolver->timer);
}

/* Makes the channel if there is none; returns c-ares's status. */
static int open_channel(struct resolver *resolver)
{
    if (resolver->is_stale && !resolver->pending && !resolver->inside)
        close_channel(resolver);
    if (resolver->channel)
        return ARES_SUCCESS;
    struct ares_options options = {0};
    int mask = fill_options(resolver, &options);
    int status = ares_init_options(&resolver->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        resolver->channel = NULL;
        return status;
    }
    resolver->is_stale = false;
    status = set_servers(resolver);
    if (status != ARES_SUCCESS)
        close_channel(resolver);
    return status;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void free_lookup(struct lookup *lookup)
{
    nu_free(lookup->name);
    nu_free(lookup);
}

/* Hands the answer over; the lookup is gone afterwards. */
static void finish(struct lookup *lookup, const struct nu_dns_answer *answer)
{
    struct nu_dns_query *query = lookup->query;
    free_lookup(lookup);
    if (!query)
        return;
    query->pending = NULL;
    query->on_answer(query, answer);
}

static bool is_empty_answer(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static void count_answer(struct resolver *resolver, int status, int timeouts)
{
    struct nu_dns_stats *counters = resolver->counters;
    nu_gauge_dec(&counters->pending_resolutions);
    nu_counter_inc(&counters->resolve_total);
    if (timeouts > 0)
        nu_counter_add(&counters->timeouts, (uint64_t)timeouts);
    if (is_empty_answer(status))
        nu_counter_inc(&counters->not_found);
    else if (status != ARES_SUCCESS && status != ARES_ETIMEOUT)
        nu_counter_inc(&counters->get_addr_failure);
}

static size_t count_nodes(const struct ares_addrinfo *info)
{
    size_t count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        count++;
    return count;
}

static int least_alias_ttl(const struct ares_addrinfo *info)
{
    int least = INT_MAX;
    for (const struct ares_addrinfo_cname *alias = info->cnames; alias; alias = alias->next) {
        if (alias->ttl < least)
            least = alias->ttl;
    }
    return least;
}

/* An owned array of what c-ares found. */
static struct nu_dns_address *copy_addresses(const struct ares_addrinfo *info, size_t *count)
{
    struct nu_dns_address *list = nu_alloc(count_nodes(info) * sizeof(*list));
    int alias_ttl = least_alias_ttl(info);
    *count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
        int ttl = node->ai_ttl < alias_ttl ? node->ai_ttl : alias_ttl;
        struct nu_dns_address *out = &list[*count];
        out->address = nu_address_from_sockaddr(node->ai_addr, (socklen_t)node->ai_addrlen);
        out->address.port = 0;
        out->ttl_s = ttl > 0 ? (uint32_t)ttl : 0;
        if (nu_address_is_ip(&out->address))
            (*count)++;
    }
    return list;
}

static bool shows_a_broken_server(int status)
{
    return status == ARES_ECONNREFUSED || status == ARES_EREFUSED || status == ARES_ESERVFAIL ||
           status == ARES_ENOTIMP;
}

static void note_broken_server(struct resolver *resolver, int status)
{
    if (!shows_a_broken_server(status))
        return;
    resolver->is_stale = true;
    nu_counter_inc(&resolver->counters->reinits);
}

static void ask(struct lookup *lookup, int family);

/* No address of the first family: the other one decides. False if there is none to ask for. */
static bool ask_second(struct lookup *lookup)
{
    if (!lookup->has_second || !lookup->query)
        return false;
    lookup->has_second = false;
    ask(lookup, lookup->second_family);
    return true;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = arg;
    struct resolver *resolver = lookup->resolver;
    struct nu_dns_address *addresses = NULL;
    struct nu_dns_answer answer = {.ok = status == ARES_SUCCESS || is_empty_answer(status)};
    resolver->pending--;
    count_answer(resolver, status, timeouts);
    if (info) {
        addresses = copy_addresses(info, &answer.count);
        ares_freeaddrinfo(info);
    }
    nu_log(NU_LOG_DNS, NU_LOG_DEBUG, "%s: %s, %zu addresses", lookup->name, ares_strerror(status),
           answer.count);
    bool goes_on = answer.count == 0 && status != ARES_EDESTRUCTION && ask_second(lookup);
    if (!goes_on) {
        if (answer.count == 0)
            note_broken_server(resolver, status);
        answer.addresses = addresses;
        answer.error = status == ARES_SUCCESS ? NULL : ares_strerror(status);
        finish(lookup, &answer);
    }
    nu_free(addresses);
}

/* --- Questions -------------------------------------------------------------------------------- */

static void ask(struct lookup *lookup, int family)
{
    struct resolver *resolver = lookup->resolver;
    /* Sorting would open sockets to find out which addresses can be reached. */
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = family};
    resolver->pending++;
    nu_gauge_inc(&resolver->counters->pending_resolutions);
    resolver->inside++;
    ares_getaddrinfo(resolver->channel, lookup->name, NULL, &hints, on_answer, lookup);
    resolver->inside--;
}

static int first_family(enum nu_dns_family family, struct lookup *lookup)
{
    switch (family) {
    case NU_DNS_AUTO:
        lookup->has_second = true;
        lookup->second_family = AF_INET;
        return AF_INET6;
    case NU_DNS_V4_PREFERRED:
        lookup->has_second = true;
        lookup->second_family = AF_INET6;
        return AF_INET;
    case NU_DNS_V4_ONLY:
        return AF_INET;
    case NU_DNS_V6_ONLY:
        return AF_INET6;
    case NU_DNS_ALL:
        break;
    }
    return AF_UNSPEC;
}

/*
 * An address instead of a name needs nobody to ask. Left to c-ares, its older versions would send
 * the text of one that is not of the wanted family to the servers. As in Envoy an IPv4 address is
 * taken whatever is wanted.
 */
static bool answer_literal(struct resolver *resolver, struct lookup *lookup,
                           enum nu_dns_family family)
{
    struct nu_dns_address literal = {.ttl_s = 0};
    if (nu_address_parse_ip(nu_str_from(lookup->name), 0, &literal.address) != NU_OK)
        return false;
    struct nu_dns_answer answer = {.ok = true, .addresses = &literal, .count = 1};
    bool is_v6 = literal.address.family == NU_ADDRESS_IPV6;
    nu_counter_inc(&resolver->counters->resolve_total);
    if (is_v6 && family == NU_DNS_V4_PREFERRED) { /* it is no name for the first family */
        nu_counter_inc(&resolver->counters->resolve_total);
        nu_counter_inc(&resolver->counters->get_addr_failure);
    }
    if (is_v6 && family == NU_DNS_V4_ONLY) {
        nu_counter_inc(&resolver->counters->get_addr_failure);
        answer = (struct nu_dns_answer){.error = ares_strerror(ARES_EBADNAME)};
    }
    finish(lookup, &answer);
    return true;
}

/* What newer versions of c-ares take in a name; older ones ask the servers for anything. */
static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!is_letter && !nu_ascii_is_digit(*p) && !strchr("-._/*", *p))
            return false;
    }
    return true;
}

/* In Envoy both families fail, one after the other. */
static bool answer_no_name(struct resolver *resolver, struct lookup *lookup,
                           enum nu_dns_family family)
{
    if (is_name(lookup->name))
        return false;
    uint64_t tries = family == NU_DNS_AUTO || family == NU_DNS_V4_PREFERRED ? 2 : 1;
    struct nu_dns_answer answer = {.error = ares_strerror(ARES_EBADNAME)};
    nu_counter_add(&resolver->counters->resolve_total, tries);
    nu_counter_add(&resolver->counters->get_addr_failure, tries);
    finish(lookup, &answer);
    return true;
}

static void prepare_counters(struct resolver *resolver)
{
    if (resolver->counters)
        return;
    resolver->stat_set =
        nu_stat_set_create(resolver->stats, &nu_dns_stats_table, NU_STR("dns.cares"));
    resolver->counters = nu_stat_set_block(resolver->stat_set);
}

static void resolve(struct nu_dns_resolver *base, struct nu_dns_query *query, struct nu_str name,
                    enum nu_dns_family family)
{
    struct resolver *resolver = resolver_of(base);
    struct lookup *lookup = nu_calloc(1, sizeof(*lookup));
    lookup->resolver = resolver;
    lookup->query = query;
    lookup->name = nu_strndup(name.ptr, name.len);
    query->pending = lookup;
    prepare_counters(resolver);
    if (answer_literal(resolver, lookup, family) || answer_no_name(resolver, lookup, family))
        return;
    int status = open_channel(resolver);
    if (status != ARES_SUCCESS) {
        struct nu_dns_answer answer = {.error = ares_strerror(status)};
        nu_counter_inc(&resolver->counters->get_addr_failure);
        finish(lookup, &answer);
        return;
    }
    int first = first_family(family, lookup);
    ask(lookup, first);
    update_timer(resolver);
}

static void cancel(struct nu_dns_resolver *base, struct nu_dns_query *query)
{
    (void)base;
    struct lookup *lookup = query->pending;
    lookup->query = NULL;
    query->pending = NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void destroy(struct nu_dns_resolver *base)
{
    struct resolver *resolver = resolver_of(base);
    /* Calls back for every question that is left. */
    close_channel(resolver);
    nu_stat_set_destroy(&resolver->stat_set);
    nu_free(resolver);
}

static const struct nu_dns_resolver_class cares_class = {
    .resolve = resolve,
    .cancel = cancel,
    .destroy = destroy,
};

struct nu_dns_resolver *nu_dns_cares_create(struct nu_loop *loop, struct nu_stats *stats,
                                            const struct nu_dns_options *options)
{
    struct resolver *resolver = nu_calloc(1, sizeof(*resolver));
    resolver->base.cls = &cares_class;
    resolver->loop = loop;
    resolver->stats = stats;
    resolver->options = options;
    nu_list_init(&resolver->sockets);
    nu_timer_init(&resolver->timer, on_timer);
    return &resolver->base;
}
