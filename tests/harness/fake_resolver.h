/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver that answers when the test says so. */
#ifndef NU_TESTS_HARNESS_FAKE_RESOLVER_H
#define NU_TESTS_HARNESS_FAKE_RESOLVER_H

#include "harness/test.h"

#include "net/dns.h"

enum { MAX_QUERIES = 8 };

struct fake_resolver {
    struct nu_dns_resolver base;
    struct {
        struct nu_dns_query *query; /* NULL: free */
        char name[32];
        enum nu_dns_family family;
    } asked[MAX_QUERIES];
    unsigned count; /* questions so far */
    unsigned cancelled;
    bool destroyed;
};

static inline struct fake_resolver *fake_of_(struct nu_dns_resolver *base)
{
    return nu_container_of(base, struct fake_resolver, base);
}

static inline void fake_resolve_(struct nu_dns_resolver *base, struct nu_dns_query *query,
                                 struct nu_str name, enum nu_dns_family family)
{
    struct fake_resolver *fake = fake_of_(base);
    fake->count++;
    for (size_t i = 0; i < MAX_QUERIES; i++) {
        if (fake->asked[i].query)
            continue;
        fake->asked[i].query = query;
        fake->asked[i].family = family;
        snprintf(fake->asked[i].name, sizeof(fake->asked[i].name), "%.*s", NU_STR_ARG(name));
        query->pending = fake;
        return;
    }
    fail_msg("too many questions");
}

static inline void fake_cancel_(struct nu_dns_resolver *base, struct nu_dns_query *query)
{
    struct fake_resolver *fake = fake_of_(base);
    for (size_t i = 0; i < MAX_QUERIES; i++) {
        if (fake->asked[i].query == query)
            fake->asked[i].query = NULL;
    }
    query->pending = NULL;
    fake->cancelled++;
}

static inline void fake_destroy_(struct nu_dns_resolver *base)
{
    fake_of_(base)->destroyed = true;
}

static const struct nu_dns_resolver_class fake_class = {
    .resolve = fake_resolve_,
    .cancel = fake_cancel_,
    .destroy = fake_destroy_,
};

static inline struct nu_dns_query *take_question_(struct fake_resolver *fake, const char *name)
{
    for (size_t i = 0; i < MAX_QUERIES; i++) {
        struct nu_dns_query *query = fake->asked[i].query;
        if (!query || strcmp(fake->asked[i].name, name) != 0)
            continue;
        fake->asked[i].query = NULL;
        query->pending = NULL;
        return query;
    }
    fail_msg("nobody asked for %s", name);
    return NULL;
}

/* Answers the question for `name` with addresses, separated by blanks, of one TTL. */
static inline void answer_with_ttl(struct fake_resolver *fake, const char *name,
                                   const char *addresses, uint32_t ttl_s)
{
    struct nu_dns_address list[8];
    struct nu_dns_answer answer = {.ok = true, .addresses = list};
    struct nu_str rest = nu_str_from(addresses);
    while (rest.len) {
        struct nu_str item = nu_str_split(&rest, ' ');
        assert_int_equal(nu_address_parse_ip(item, 0, &list[answer.count].address), NU_OK);
        list[answer.count++].ttl_s = ttl_s;
    }
    struct nu_dns_query *query = take_question_(fake, name);
    query->on_answer(query, &answer);
}

static inline void answer(struct fake_resolver *fake, const char *name, const char *addresses)
{
    answer_with_ttl(fake, name, addresses, 60);
}

static inline void fail_question(struct fake_resolver *fake, const char *name)
{
    struct nu_dns_query *query = take_question_(fake, name);
    query->on_answer(query, &(struct nu_dns_answer){.error = "no"});
}

#endif
