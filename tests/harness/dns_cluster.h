/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster whose hosts come from DNS, with a resolver that answers when the test says so, on the fake
 * clock.
 */
#ifndef NU_TESTS_HARNESS_DNS_CLUSTER_H
#define NU_TESTS_HARNESS_DNS_CLUSTER_H

#include "base/random.h"
#include "harness/cluster.h"
#include "harness/fake_resolver.h"
#include "upstream/discovery/discovery.h"
#include "upstream/discovery/strict_dns.h"

struct fixture {
    struct cluster_fixture base;
    struct fake_resolver resolver;
    struct nu_strict_dns_params params;
    struct nu_dns_endpoint endpoints[2];
    struct nu_init_manager init;
    bool is_warm;
};

static inline void on_warm_(struct nu_init_manager *manager)
{
    nu_container_of(manager, struct fixture, init)->is_warm = true;
}

/* Two names at most: a.test:80 and b.test:81. */
static inline void dns_fixture_init(struct fixture *f, size_t endpoints)
{
    nu_clock_fake_install(1000000, 1700000000000000);
    nu_random_seed(1);
    memset(f, 0, sizeof(*f));
    cluster_fixture_init(&f->base);
    f->resolver.base.cls = &fake_class;
    f->endpoints[0] = (struct nu_dns_endpoint){
        NU_STR("a.test"), 80, {.hostname = NU_STR_INIT("a.test"), .weight = 5}};
    f->endpoints[1] = (struct nu_dns_endpoint){
        NU_STR("b.test"), 81, {.hostname = NU_STR_INIT("other"), .weight = 3}};
    f->params = (struct nu_strict_dns_params){
        .resolver = &f->resolver.base,
        .family = NU_DNS_V4_PREFERRED,
        .pace = {.refresh_ms = 5000},
        .wait_for_warm = true,
        .endpoints = f->endpoints,
        .endpoint_count = endpoints,
    };
}

/* Hands the cluster, with its discovery that was made by f->params, to the manager. */
static inline void dns_fixture_start(struct fixture *f, struct nu_discovery *discovery)
{
    struct cluster_fixture *base = &f->base;
    base->cluster->discovery = discovery;
    cluster_fixture_start(base, nu_host_set_create(NULL, 0));
    nu_init_manager_init(&f->init, "test");
    nu_cluster_start_discovery(base->cluster, &f->init);
    nu_init_manager_start(&f->init, on_warm_);
}

static inline void fixture_finish(struct fixture *f)
{
    nu_init_manager_finish(&f->init);
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

#endif
