/* SPDX-License-Identifier: Apache-2.0 */
/* Between print.c and print_value.c. */
#ifndef NU_CONFIG_PRINT_INTERNAL_H
#define NU_CONFIG_PRINT_INTERNAL_H

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

/* Whether messages of a type are printed as one value: durations, wrappers, structs and the
 * like. */
bool nu_print_is_known(const ProtobufCMessageDescriptor *descriptor);
/* Writes a field's value: a scalar, or a message of such a type. */
void nu_print_value(struct nu_json *json, const ProtobufCFieldDescriptor *field, const void *value);
void nu_print_base64(struct nu_json *json, struct nu_str bytes);

#endif
