/* SPDX-License-Identifier: Apache-2.0 */
/* Request identifiers; a table gives the two digits of a byte at once. */
#include "http/request_id.h"

#include "base/random.h"

#define HEX_ROW(h) \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"

static const char hex_pairs[] = HEX_ROW("0") HEX_ROW("1") HEX_ROW("2") HEX_ROW("3") HEX_ROW("4")
    HEX_ROW("5") HEX_ROW("6") HEX_ROW("7") HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b")
        HEX_ROW("c") HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");

static inline void put_byte(char *out, uint8_t byte)
{
    memcpy(out, hex_pairs + (size_t)byte * 2, 2);
}

void nu_request_id_create(char out[NU_REQUEST_ID_LEN])
{
    static const uint8_t offsets[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
    uint8_t bytes[16];
    nu_random_fill(bytes, sizeof(bytes));
    bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));
    for (int i = 0; i < 16; i++)
        put_byte(out + offsets[i], bytes[i]);
    out[8] = out[13] = out[18] = out[23] = '-';
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
