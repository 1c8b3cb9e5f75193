/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a context's settings come from: a message of the configuration, the files that it names and
 * the secrets that it refers to. The source reads them once, and again when one of them changes; the
 * context keeps its settings when the new ones cannot be used. Main thread.
 */
#ifndef NU_TLS_SOURCE_H
#define NU_TLS_SOURCE_H

#include "config/factory.h"
#include "tls/context.h"

struct nu_tls_source;

/*
 * Makes a context from a DownstreamTlsContext or an UpstreamTlsContext, which stays the factory's
 * context's. NULL after adding an error. While a secret is missing the context is not ready.
 */
struct nu_tls_source *nu_tls_source_create(struct nu_factory *factory,
                                           const ProtobufCMessage *message, struct nu_str scope);
/* With its context; after the last connection is gone. */
void nu_tls_source_destroy(struct nu_tls_source **source);

struct nu_tls_context *nu_tls_source_context(struct nu_tls_source *source);

#endif
