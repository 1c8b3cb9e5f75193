/* SPDX-License-Identifier: Apache-2.0 */
/* Request identifiers; the digits of a word are made at once. */
#include "http/request_id.h"

#include <endian.h>

#include "base/random.h"

/* Eight hexadecimal digits, most significant first, as bytes in memory order. */
static inline uint64_t eight_digits(uint32_t value)
{
    const uint64_t ones = 0x0101010101010101u;
    /* Spreads the digits, one to a byte, the first one lowest. */
    uint64_t w = value;
    w = (w << 32 | w >> 16) & 0x0000ffff0000ffffu;
    w = (w << 16 | w >> 8) & 0x00ff00ff00ff00ffu;
    w = (w << 8 | w >> 4) & 0x0f0f0f0f0f0f0f0fu;
    /* 10 to 15 get bit 4, and so the distance from '9' + 1 to 'a'. */
    uint64_t is_letter = (w + 6 * ones) >> 4 & ones;
    return htole64(w + '0' * ones + is_letter * ('a' - '9' - 1));
}

void nu_request_id_create(char out[NU_REQUEST_ID_LEN])
{
    uint32_t words[4];
    uint64_t digits[4];
    nu_random_fill(words, sizeof(words));
    words[1] = (words[1] & 0xffff0fffu) | 0x4000;
    words[2] = (words[2] & 0x3fffffffu) | 0x80000000u;
    for (int i = 0; i < 4; i++)
        digits[i] = eight_digits(words[i]);
    const char *hex = (const char *)digits;
    memcpy(out, hex, 8);
    out[8] = '-';
    memcpy(out + 9, hex + 8, 4);
    out[13] = '-';
    memcpy(out + 14, hex + 12, 4);
    out[18] = '-';
    memcpy(out + 19, hex + 16, 4);
    out[23] = '-';
    memcpy(out + 24, hex + 20, 12);
}

enum nu_trace_reason nu_request_id_reason(struct nu_str id)
{
    if (id.len != NU_REQUEST_ID_LEN)
        return NU_TRACE_NONE;
    switch (id.ptr[NU_REQUEST_ID_REASON_AT]) {
    case '9':
        return NU_TRACE_SAMPLED;
    case 'a':
        return NU_TRACE_FORCED;
    case 'b':
        return NU_TRACE_CLIENT;
    default:
        return NU_TRACE_NONE;
    }
}

bool nu_request_id_set_reason(char *id, size_t len, enum nu_trace_reason reason)
{
    if (len != NU_REQUEST_ID_LEN)
        return false;
    id[NU_REQUEST_ID_REASON_AT] = "49ab"[reason];
    return true;
}

bool nu_request_id_number(struct nu_str id, uint64_t *out)
{
    uint64_t number = 0;
    if (id.len < 8)
        return false;
    for (size_t i = 0; i < 8; i++) {
        int digit = nu_hex_value(id.ptr[i]);
        if (digit < 0)
            return false;
        number = number << 4 | (unsigned)digit;
    }
    *out = number;
    return true;
}

bool nu_request_id_is_uuid(struct nu_str id)
{
    if (id.len != NU_REQUEST_ID_LEN)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id.ptr[i] != '-' : nu_hex_value(id.ptr[i]) < 0)
            return false;
    }
    return true;
}
