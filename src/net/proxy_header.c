/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol's header, as it is written. */
#include "net/proxy_header.h"

#include <stdio.h>
#include <string.h>

static bool may_tell(const struct nu_address *source, const struct nu_address *destination)
{
    return nu_address_is_ip(source) && source->family == destination->family;
}

static void write_text(struct nu_buf *out, const struct nu_address *source,
                       const struct nu_address *destination)
{
    enum { LINE_MAX_V1 = 108 };
    char line[LINE_MAX_V1];
    char from[NU_ADDRESS_TEXT_MAX];
    char to[NU_ADDRESS_TEXT_MAX];
    if (!may_tell(source, destination)) {
        nu_buf_append(out, NU_STR("PROXY UNKNOWN\r\n"));
        return;
    }
    /* A scope means something to this machine alone. */
    struct nu_address plain_source = *source;
    struct nu_address plain_destination = *destination;
    plain_source.scope = 0;
    plain_destination.scope = 0;
    size_t from_len = nu_address_format_ip(&plain_source, from);
    size_t to_len = nu_address_format_ip(&plain_destination, to);
    int len = snprintf(line, sizeof(line), "PROXY TCP%c %.*s %.*s %u %u\r\n",
                       source->family == NU_ADDRESS_IPV4 ? '4' : '6', (int)from_len, from,
                       (int)to_len, to, (unsigned)source->port, (unsigned)destination->port);
    nu_buf_append(out, nu_str_make(line, (size_t)len));
}

static char *put_port(char *p, uint16_t port)
{
    *p++ = (char)(port >> 8);
    *p++ = (char)(port & 0xff);
    return p;
}

static void write_binary(struct nu_buf *out, const struct nu_address *source,
                         const struct nu_address *destination)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    enum { SIGNATURE = sizeof(signature) - 1, LOCAL = 0x20, PROXY = 0x21, HEAD = 16, MOST = 52 };
    enum { TCP4 = 0x11, TCP6 = 0x21 };
    bool tells = may_tell(source, destination);
    bool v4 = source->family == NU_ADDRESS_IPV4;
    size_t ip_len = v4 ? 4 : 16;
    size_t rest = tells ? 2 * ip_len + 4 : 0;
    char header[MOST];
    char *p = header;
    memcpy(p, signature, SIGNATURE);
    p += SIGNATURE;
    *p++ = tells ? PROXY : LOCAL;
    *p++ = tells ? (v4 ? TCP4 : TCP6) : 0;
    p = put_port(p, (uint16_t)rest);
    if (tells) {
        memcpy(p, source->ip, ip_len);
        memcpy(p + ip_len, destination->ip, ip_len);
        p = put_port(p + 2 * ip_len, source->port);
        put_port(p, destination->port);
    }
    nu_buf_append(out, nu_str_make(header, HEAD + rest));
}

void nu_proxy_header_write(struct nu_buf *out, enum nu_proxy_version version,
                           const struct nu_address *source, const struct nu_address *destination)
{
    switch (version) {
    case NU_PROXY_NONE:
        return;
    case NU_PROXY_V1:
        write_text(out, source, destination);
        return;
    case NU_PROXY_V2:
        write_binary(out, source, destination);
        return;
    }
}
