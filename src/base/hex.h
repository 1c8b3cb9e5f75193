/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hexadecimal digits; single digits are read by nu_hex_value (base/str.h). */
#ifndef NU_BASE_HEX_H
#define NU_BASE_HEX_H

#include "base/str.h"

/* Writes two digits for each byte, in lower case; `out` has room for that. */
static inline void nu_hex_write(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
}

#endif
