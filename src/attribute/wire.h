/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's wire format of messages that are held as something else: google.protobuf.Struct and
 * envoy.config.core.v3.Metadata.
 */
#ifndef NU_ATTRIBUTE_WIRE_H
#define NU_ATTRIBUTE_WIRE_H

#include "base/value.h"

/* Appends the fields of a Struct, of which `record` is one. */
void nu_wire_add_struct(const struct nu_value *record, struct nu_strbuf *out);
/* Appends the fields of Metadata with these namespaces, a struct of structs. */
void nu_wire_add_metadata(const struct nu_value *namespaces, struct nu_strbuf *out);

#endif
