/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in its standard alphabet, padded. */
#ifndef NU_BASE_BASE64_H
#define NU_BASE_BASE64_H

#include "base/str.h"

/* Appends the bytes as text. */
void nu_base64_add(struct nu_strbuf *out, struct nu_str bytes);

#endif
