/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers, as the specification of 2020 has them. */
#include "net/proxy_write.h"

#include <stdio.h>

enum {
    TLV_HEAD = 3,
    PAYLOAD_MAX = UINT16_MAX,
};

static const struct nu_str signature =
    NU_STR_INIT("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a");

/* 0 unless both are IP addresses of one family. */
static uint8_t family_of(const struct nu_proxy_data *data)
{
    bool same = nu_address_is_ip(&data->source) && data->source.family == data->destination.family;
    return same ? data->source.family : NU_ADDRESS_NONE;
}

void nu_proxy_write_v1(const struct nu_proxy_data *data, struct nu_buf *out)
{
    char line[2 * NU_ADDRESS_TEXT_MAX + 40];
    char source[NU_ADDRESS_TEXT_MAX];
    char destination[NU_ADDRESS_TEXT_MAX];
    uint8_t family = family_of(data);
    if (family == NU_ADDRESS_NONE) {
        nu_buf_append(out, NU_STR("PROXY UNKNOWN\r\n"));
        return;
    }
    struct nu_str from = nu_str_make(source, nu_address_format_ip(&data->source, source));
    struct nu_str to =
        nu_str_make(destination, nu_address_format_ip(&data->destination, destination));
    int len = snprintf(line, sizeof(line), "PROXY TCP%c %.*s %.*s %u %u\r\n",
                       family == NU_ADDRESS_IPV4 ? '4' : '6', NU_STR_ARG(from), NU_STR_ARG(to),
                       data->source.port, data->destination.port);
    nu_buf_append(out, nu_str_make(line, (size_t)len));
}

static void append_u8(struct nu_buf *out, unsigned value)
{
    char byte = (char)value;
    nu_buf_append(out, nu_str_make(&byte, 1));
}

static void append_u16(struct nu_buf *out, size_t value)
{
    append_u8(out, (unsigned)(value >> 8));
    append_u8(out, (unsigned)(value & 0xff));
}

static void append_head(struct nu_buf *out, unsigned command, unsigned family, size_t payload)
{
    nu_buf_append(out, signature);
    append_u8(out, command);
    append_u8(out, family);
    append_u16(out, payload);
}

static bool fits(const struct nu_proxy_tlv *tlv, size_t size)
{
    return size + TLV_HEAD + tlv->value.len <= PAYLOAD_MAX;
}

static void append_addresses(struct nu_buf *out, const struct nu_proxy_data *data, size_t ip_len)
{
    nu_buf_append(out, nu_str_make((const char *)data->source.ip, ip_len));
    nu_buf_append(out, nu_str_make((const char *)data->destination.ip, ip_len));
    append_u16(out, data->source.port);
    append_u16(out, data->destination.port);
}

bool nu_proxy_write_v2(const struct nu_proxy_data *data, struct nu_buf *out)
{
    enum { LOCAL = 0x20, PROXY = 0x21, TCP4 = 0x11, TCP6 = 0x21 };
    uint8_t family = data ? family_of(data) : NU_ADDRESS_NONE;
    if (family == NU_ADDRESS_NONE) {
        append_head(out, LOCAL, 0, 0);
        return true;
    }
    size_t ip_len = family == NU_ADDRESS_IPV4 ? 4 : 16;
    size_t addresses = 2 * ip_len + 4;
    size_t size = addresses;
    for (size_t i = 0; i < data->tlv_count; i++) {
        if (fits(&data->tlvs[i], size))
            size += TLV_HEAD + data->tlvs[i].value.len;
    }
    append_head(out, PROXY, family == NU_ADDRESS_IPV4 ? TCP4 : TCP6, size);
    append_addresses(out, data, ip_len);
    bool complete = true;
    size = addresses;
    for (size_t i = 0; i < data->tlv_count; i++) {
        const struct nu_proxy_tlv *tlv = &data->tlvs[i];
        if (!fits(tlv, size)) {
            complete = false;
            continue;
        }
        append_u8(out, tlv->type);
        append_u16(out, tlv->value.len);
        nu_buf_append(out, tlv->value);
        size += TLV_HEAD + tlv->value.len;
    }
    return complete;
}
