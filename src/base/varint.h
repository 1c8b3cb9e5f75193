/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of one to ten bytes, seven bits in each, the lowest first, as in protobuf and wasm. */
#ifndef NU_BASE_VARINT_H
#define NU_BASE_VARINT_H

#include "base/str.h"

enum { NU_VARINT_MAX = 10 };

/* Writes it in as few bytes as can be; returns how many that are. */
size_t nu_varint_write(uint64_t value, char out[NU_VARINT_MAX]);
/* Appends it in the same way. */
void nu_varint_add(struct nu_strbuf *out, uint64_t value);
/* Takes one off the front, of up to ten bytes, also of more than it needs; bits above the 64th are
 * dropped. False if it does not end: how many bytes were taken then is not said. */
NU_MUST_USE bool nu_varint_take(struct nu_str *bytes, uint64_t *value);

#endif
