/* SPDX-License-Identifier: Apache-2.0 */
/* A struct value as protobuf's text format writes a google.protobuf.Struct, which is how Envoy
 * shows a runtime value that is an object. */
#ifndef NU_RUNTIME_TEXT_FORMAT_H
#define NU_RUNTIME_TEXT_FORMAT_H

#include "base/value.h"

/* Appends the fields of a struct value. */
void nu_text_format_struct(const struct nu_value *record, struct nu_strbuf *out);

#endif
