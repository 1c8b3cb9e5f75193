/* SPDX-License-Identifier: Apache-2.0 */
/* Varints, to and from bytes. */
#include "base/varint.h"

size_t nu_varint_write(uint64_t value, char out[NU_VARINT_MAX])
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (char)(value | 0x80);
    out[n++] = (char)value;
    return n;
}

void nu_varint_add(struct nu_strbuf *out, uint64_t value)
{
    char bytes[NU_VARINT_MAX];
    nu_strbuf_add(out, nu_str_make(bytes, nu_varint_write(value, bytes)));
}

bool nu_varint_take(struct nu_str *bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < NU_VARINT_MAX && bytes->len; i++) {
        uint8_t byte = (uint8_t)bytes->ptr[0];
        *bytes = nu_str_skip(*bytes, 1);
        *value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80)
            return true;
    }
    return false;
}
