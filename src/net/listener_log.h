/* SPDX-License-Identifier: Apache-2.0 */
/* How a listener's access logs are made and written. Logs stand above this module, so that whoever
 * builds listeners brings them along. */
#ifndef NU_NET_LISTENER_LOG_H
#define NU_NET_LISTENER_LOG_H

#include "config/factory.h"

struct Envoy__Config__Accesslog__V3__AccessLog;
struct nu_stream_info;

struct nu_listener_log_class {
    /* The logs, in factory->arena; NULL after adding errors. Main thread. */
    const void *(*create)(struct nu_factory *factory,
                          struct Envoy__Config__Accesslog__V3__AccessLog *const *protos,
                          size_t count);
    /* A connection is over, or was refused. Its worker. */
    void (*write)(const void *logs, const struct nu_stream_info *info,
                  const struct nu_runtime *runtime);
};

#endif
