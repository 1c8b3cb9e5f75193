/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROXY headers: a header is taken at its last byte and not before, whatever follows does not
 * change it, and what was read of it says the same again when it is written anew.
 */
#include <stdio.h>

#include "base/assert.h"
#include "filters/listener/proxy_protocol/header.h"
#include "fuzz/target.h"

static void check_again(const struct nu_proxy_header *header)
{
    char source[NU_ADDRESS_TEXT_MAX] = {0};
    char destination[NU_ADDRESS_TEXT_MAX] = {0};
    char line[400];
    struct nu_proxy_header again;
    source[nu_address_format_ip(&header->source, source)] = '\0';
    destination[nu_address_format_ip(&header->destination, destination)] = '\0';
    int len = snprintf(line, sizeof(line), "PROXY TCP%d %s %s %u %u\r\n",
                       header->source.family == NU_ADDRESS_IPV4 ? 4 : 6, source, destination,
                       header->source.port, header->destination.port);
    nu_assert(nu_proxy_header_read(nu_str_make(line, (size_t)len), &again) ==
              NU_PROXY_HEADER_COMPLETE);
    nu_assert(nu_address_eq(&again.source, &header->source) &&
              nu_address_eq(&again.destination, &header->destination));
}

/* Values lie inside of the header, one behind the other. */
static void check_values(struct nu_str rest)
{
    struct nu_proxy_tlv tlv;
    if (rest.len == 0)
        return;
    const char *end = rest.ptr + rest.len;
    const char *at = rest.ptr;
    while (nu_proxy_tlv_next(&rest, &tlv)) {
        nu_assert(tlv.value.ptr == at + 3 && tlv.value.ptr + tlv.value.len <= end);
        at = tlv.value.ptr + tlv.value.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_str bytes = nu_str_make((const char *)data, size);
    struct nu_proxy_header header;
    struct nu_proxy_header part;
    enum nu_proxy_header_result result = nu_proxy_header_read(bytes, &header);
    if (result != NU_PROXY_HEADER_COMPLETE)
        return 0;
    check_values(header.tlvs);
    nu_assert(header.size <= size && header.size <= NU_PROXY_HEADER_MAX);
    for (size_t len = 0; len < header.size && len < 300; len++)
        nu_assert(nu_proxy_header_read(nu_str_first(bytes, len), &part) == NU_PROXY_HEADER_PARTIAL);
    nu_assert(nu_proxy_header_read(nu_str_first(bytes, header.size), &part) == result);
    if (header.has_addresses && header.source.scope == 0 && header.destination.scope == 0)
        check_again(&header);
    return 0;
}
