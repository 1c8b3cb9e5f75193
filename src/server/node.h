/* SPDX-License-Identifier: Apache-2.0 */
/* The node: what the process says it is, to the admin interface and to plug-ins. */
#ifndef NU_SERVER_NODE_H
#define NU_SERVER_NODE_H

#include "config/factory.h"

/* Made in the factory's arena from the bootstrap's node, which it points into; NULL for none. */
const struct Envoy__Config__Core__V3__Node *
nu_node_make(const struct Envoy__Config__Core__V3__Node *configured,
             const struct nu_factory *factory);

#endif
