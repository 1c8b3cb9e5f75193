/* SPDX-License-Identifier: Apache-2.0 */
/* Who this process is: node, cluster and zone, from the bootstrap or the command line, and the
 * machine's address. */
#ifndef NU_SERVER_LOCAL_INFO_H
#define NU_SERVER_LOCAL_INFO_H

#include "config/factory.h"
#include "server/options.h"

struct Envoy__Config__Core__V3__Node;

/* The bootstrap's node (NULL for none) goes before the options. The texts are theirs. */
struct nu_local_info nu_local_info_make(const struct Envoy__Config__Core__V3__Node *node,
                                        const struct nu_options *options);

#endif
