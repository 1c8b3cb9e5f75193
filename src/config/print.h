/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as JSON, for config_dump: protobuf's JSON mapping with the names of the .proto files,
 * defaults left out, Anys opened. Any thread.
 */
#ifndef NU_CONFIG_PRINT_H
#define NU_CONFIG_PRINT_H

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

/* Whether the value of a field is a secret; it is then printed as "[redacted]". */
typedef bool nu_config_redact_fn(const ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field);

/* Writes the message as one JSON value. `redact` may be NULL. */
void nu_config_print(struct nu_json *json, const ProtobufCMessage *message,
                     nu_config_redact_fn *redact);

#endif
