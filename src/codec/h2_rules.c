/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a head acceptable beyond what nghttp2 checks (RFC 9113 8.3): nothing may pass that an
 * HTTP/1 server could read in another way than we do.
 */
#include "codec/h2_internal.h"
#include "http/authority.h"
#include "http/status.h"

static bool fail(struct nu_h2_stream *stream, struct nu_str details)
{
    stream->details = details;
    return false;
}

static bool is_visible(struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '!' || s.ptr[i] > '~')
            return false;
    }
    return true;
}

/* Host says the same as :authority where that is there, and stands for it where it is not. */
static bool take_host(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    struct nu_str host = nu_headers_get_id(headers, NU_HEADER_HOST);
    if (nu_unlikely(host.ptr)) {
        if (!nu_headers_has_id(headers, NU_HEADER_AUTHORITY))
            nu_headers_fill_first(headers, NU_PLACE_AUTHORITY, NU_HEADER_AUTHORITY, host);
        nu_headers_remove_id(headers, NU_HEADER_HOST);
    }
    struct nu_str authority = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    return nu_authority_is_valid(authority, false) ||
           fail(stream, NU_STR("http2.invalid.header.field"));
}

bool nu_h2_check_request(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    struct nu_str method = nu_headers_get_id(headers, NU_HEADER_METHOD);
    struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
    if (!nu_header_name_is_valid(method) || !is_visible(path))
        return fail(stream, NU_STR("http2.invalid.header.field"));
    if (!take_host(stream, headers))
        return false;
    if (nu_unlikely(nu_headers_has_id(headers, NU_HEADER_PROTOCOL)))
        nu_h2_tunnel_take_request(stream, headers);
    return true;
}

bool nu_h2_check_response(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    uint32_t status = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    if (status < 100 || status > 599 || status == 101)
        return fail(stream, NU_STR("http2.violation.of.messaging.rule"));
    if (nu_unlikely(stream->flags & NU_H2_IS_UPGRADE))
        nu_h2_tunnel_take_response(stream, headers);
    return true;
}
