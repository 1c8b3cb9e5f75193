/* SPDX-License-Identifier: Apache-2.0 */
/* Request identifiers; the digits of a word are made at once. */
#include "http/request_id.h"

#include "base/hex.h"
#include "base/random.h"

#ifdef __SSE2__
#include <emmintrin.h>

/* Sixteen digits from one to a byte: 10 to 15 get the distance from '9' + 1 to 'a'. */
static inline __m128i digits_of(__m128i values)
{
    __m128i letters = _mm_cmpgt_epi8(values, _mm_set1_epi8(9));
    __m128i above = _mm_and_si128(letters, _mm_set1_epi8('a' - '9' - 1));
    return _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), above);
}

/* The hexadecimal digits of sixteen bytes. */
static inline void write_digits(const unsigned char bytes[16], char out[32])
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    __m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(0x0f));
    __m128i low = _mm_and_si128(v, _mm_set1_epi8(0x0f));
    _mm_storeu_si128((__m128i *)(void *)out, digits_of(_mm_unpacklo_epi8(high, low)));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), digits_of(_mm_unpackhi_epi8(high, low)));
}
#else
static inline void write_digits(const unsigned char bytes[16], char out[32])
{
    nu_hex_write(bytes, 16, out);
}
#endif

void nu_request_id_create(char out[NU_REQUEST_ID_LEN])
{
    unsigned char bytes[16];
    char hex[32];
    nu_random_fill_16(bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    write_digits(bytes, hex);
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

bool nu_request_id_clear_reason(char *id, size_t len)
{
    enum { REASON_AT = 14 };
    if (len != NU_REQUEST_ID_LEN)
        return false;
    id[REASON_AT] = '4';
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
