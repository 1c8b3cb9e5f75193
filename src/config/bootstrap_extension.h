/* SPDX-License-Identifier: Apache-2.0 */
/* What a bootstrap may have besides its resources (`bootstrap_extensions`): settings and services of
 * the process. */
#ifndef NU_CONFIG_BOOTSTRAP_EXTENSION_H
#define NU_CONFIG_BOOTSTRAP_EXTENSION_H

#include "config/factory.h"

struct nu_bootstrap_extension {
    const char *name; /* canonical, such as "envoy.bootstrap.wasm" */
    const char *type; /* full name of the configuration's message */
    bool is_setting;  /* it is made before those that it may be about, wherever it stands */
    /*
     * Makes it, before clusters and listeners are built. False after adding an error. `owner` is
     * the message that errors without a field of `config` are about. Main thread.
     */
    bool (*create)(struct nu_factory *factory, const void *owner, const ProtobufCMessage *config);
};

#endif
