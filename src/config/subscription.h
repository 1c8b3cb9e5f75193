/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that come from outside the bootstrap and change while the process runs: endpoints of a
 * cluster, for one. Who wants some embeds a nu_subscriber; who brings them (module xds) is behind
 * nu_subscription_source, so that nobody below depends on it. Main thread.
 */
#ifndef NU_CONFIG_SUBSCRIPTION_H
#define NU_CONFIG_SUBSCRIPTION_H

#include "config/config.h"

struct Envoy__Config__Core__V3__ConfigSource;
struct nu_counter;
struct nu_factory;
struct nu_gauge;
struct nu_histogram;
struct nu_subscriber;
struct nu_subscription;
struct nu_text;

/* One state of the world of a subscription. */
struct nu_resources {
    const ProtobufCMessage *const
        *items; /* of the subscription's type, each checked by the rules */
    size_t count;
    struct nu_str version;
};

struct nu_subscriber_ops {
    /* New resources, which are to be taken over now: they are gone afterwards. What is wrong with
     * them goes into `ctx` as errors; they count as refused then, and must have had no effect. */
    void (*on_resources)(struct nu_subscriber *subscriber, struct nu_config_ctx *ctx,
                         const struct nu_resources *resources);
    /* There was an update, and it could not be read or was refused. */
    void (*on_failure)(struct nu_subscriber *subscriber);
};

/* Embedded in who wants resources. */
struct nu_subscriber {
    const struct nu_subscriber_ops *ops;
};

/* Where a subscription counts; in the subscriber's tables. */
struct nu_subscription_stats {
    struct nu_counter *update_attempt;
    struct nu_counter *update_success;
    struct nu_counter *update_failure;
    struct nu_counter *update_rejected;
    struct nu_gauge *update_time; /* milliseconds since 1970 */
    struct nu_gauge *version;     /* a hash of the version's name */
    struct nu_text *version_text;
    struct nu_histogram *update_duration;
};

struct nu_subscription_params {
    const struct Envoy__Config__Core__V3__ConfigSource *source;
    const ProtobufCMessageDescriptor *type; /* of the resources */
    struct nu_str name;                     /* for the log; borrowed, lives longer */
    struct nu_subscriber *subscriber;
    struct nu_subscription_stats stats;
};

/* What brings resources. */
struct nu_subscription_class {
    /* Begins; the subscriber's ops follow, perhaps from inside. */
    void (*start)(struct nu_subscription *subscription);
    void (*destroy)(struct nu_subscription *subscription);
};

/* The base of every subscription. */
struct nu_subscription {
    const struct nu_subscription_class *cls;
};

/* Makes subscriptions: NULL after adding an error to the factory's context. They do not keep the
 * factory. */
typedef struct nu_subscription *(*nu_subscribe_fn)(struct nu_factory *factory,
                                                   const struct nu_subscription_params *params);

static inline void nu_subscription_start(struct nu_subscription *subscription)
{
    subscription->cls->start(subscription);
}

/* Nothing is called afterwards. NULL inside is allowed. */
static inline void nu_subscription_destroy(struct nu_subscription **subscription)
{
    if (*subscription)
        (*subscription)->cls->destroy(*subscription);
    *subscription = NULL;
}

#endif
