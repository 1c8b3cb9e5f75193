/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions by what a ConfigSource says: a file, so far. Main thread. */
#ifndef NU_XDS_SUBSCRIBE_H
#define NU_XDS_SUBSCRIBE_H

#include "config/subscription.h"

/* A nu_subscribe_fn. */
struct nu_subscription *nu_xds_subscribe(struct nu_factory *factory,
                                         const struct nu_subscription_params *params);

#endif
