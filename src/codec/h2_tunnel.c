/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upgrades over HTTP/2 (RFC 8441): an extended CONNECT that names a protocol is what an Upgrade
 * header is in HTTP/1, and its 200 is the 101. Whoever uses a stream sees the form of HTTP/1 on
 * either side, whatever the wire has:
 *
 *     :method CONNECT, :protocol websocket   <->   GET, upgrade: websocket, connection: upgrade
 *     :status 200                            <->   101, upgrade: websocket, connection: upgrade
 */
#include "codec/h2_internal.h"

/* --- Coming ----------------------------------------------------------------------------------- */

static void add_upgrade(struct nu_headers *headers, struct nu_str protocol)
{
    nu_headers_add_id(headers, NU_HEADER_UPGRADE, protocol);
    nu_headers_add_id(headers, NU_HEADER_CONNECTION, NU_STR("upgrade"));
}

void nu_h2_tunnel_take_request(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    struct nu_str protocol = nu_headers_get_id(headers, NU_HEADER_PROTOCOL);
    stream->flags |= NU_H2_IS_UPGRADE;
    nu_headers_set_id(headers, NU_HEADER_METHOD, NU_STR("GET"));
    nu_headers_remove_id(headers, NU_HEADER_PROTOCOL);
    add_upgrade(headers, protocol);
}

void nu_h2_tunnel_take_response(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    if (!nu_str_eq(nu_headers_get_id(headers, NU_HEADER_STATUS), NU_STR("200")))
        return;
    nu_headers_set_id(headers, NU_HEADER_STATUS, NU_STR("101"));
    add_upgrade(headers, stream->protocol);
}

/* --- Going ------------------------------------------------------------------------------------ */

static bool is_named(const nghttp2_nv *nv, struct nu_str name)
{
    return nu_str_eq(nu_str_make((const char *)nv->name, nv->namelen), name);
}

static void set_value(nghttp2_nv *nv, struct nu_str value)
{
    nv->value = nu_unconst(value.ptr);
    nv->valuelen = value.len;
}

static void drop(struct nu_h2_fields *fields, struct nu_str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (!is_named(&fields->fields[i], name))
            fields->fields[kept++] = fields->fields[i];
    }
    fields->count = kept;
}

/* Behind the pseudo headers; the fields have room where Connection and Upgrade were left out. */
static void insert_protocol(struct nu_h2_fields *fields, struct nu_str protocol)
{
    static const struct nu_str name = NU_STR_INIT(":protocol");
    size_t at = 0;
    while (at < fields->count && fields->fields[at].name[0] == ':')
        at++;
    memmove(&fields->fields[at + 1], &fields->fields[at],
            (fields->count - at) * sizeof(*fields->fields));
    fields->fields[at] = (nghttp2_nv){.name = nu_unconst(name.ptr), .namelen = name.len};
    set_value(&fields->fields[at], protocol);
    fields->count++;
}

void nu_h2_tunnel_fix_request(struct nu_h2_stream *stream, const struct nu_headers *headers,
                              struct nu_h2_fields *fields)
{
    if (!nu_headers_has_id(headers, NU_HEADER_UPGRADE)) { /* a plain CONNECT: RFC 9113 8.5 */
        drop(fields, NU_STR(":scheme"));
        drop(fields, NU_STR(":path"));
        return;
    }
    stream->flags |= NU_H2_IS_UPGRADE;
    stream->protocol = nu_headers_get_id(headers, NU_HEADER_UPGRADE);
    for (size_t i = 0; i < fields->count; i++) {
        if (is_named(&fields->fields[i], NU_STR(":method")))
            set_value(&fields->fields[i], NU_STR("CONNECT"));
    }
    /* It would bound the tunnel, and not a body before it. */
    drop(fields, NU_STR("content-length"));
    insert_protocol(fields, stream->protocol);
}

void nu_h2_tunnel_fix_response(struct nu_h2_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        nghttp2_nv *nv = &fields->fields[i];
        if (is_named(nv, NU_STR(":status")) && nv->valuelen == 3 && !memcmp(nv->value, "101", 3))
            set_value(nv, NU_STR("200"));
    }
}
