/* SPDX-License-Identifier: Apache-2.0 */
/* Routes that are answered here: the location of redirects, the body of direct responses. */
#include "format/format.h"
#include "http/authority.h"
#include "http/path.h"
#include "http/status.h"
#include "route/route_internal.h"

enum { STATUS_CREATED = 201, STATUS_MOVED = 301 };

/* --- Location --------------------------------------------------------------------------------- */

/* Where the port of a host begins, its colon included, or the length. */
static size_t port_at(struct nu_str host)
{
    bool is_bracketed = host.len && host.ptr[0] == '[';
    size_t colon = is_bracketed ? nu_authority_port_colon(host) : nu_str_rfind_char(host, ':');
    return colon == NU_NPOS ? host.len : colon;
}

/*
 * The request's host for a location. Its port goes when there is a new one; also when the scheme
 * changes and the port is the default of the one that the client used.
 */
static struct nu_str own_host(const struct nu_redirect_action *redirect, struct nu_str scheme,
                              const struct nu_headers *headers)
{
    struct nu_str host = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    struct nu_str used = nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_PROTO);
    struct nu_str port = nu_str_skip(host, port_at(host));
    bool drop = redirect->port.len > 0;
    if (!nu_str_eq(scheme, used)) {
        drop |= nu_str_eq(used, NU_STR("https")) && nu_str_eq(port, NU_STR(":443"));
        drop |= nu_str_eq(used, NU_STR("http")) && nu_str_eq(port, NU_STR(":80"));
    }
    return drop ? nu_str_first(host, host.len - port.len) : host;
}

static struct nu_str without_query(struct nu_str path, bool strip)
{
    return strip ? nu_path_without_query(path) : path;
}

/* The path of a location; not always with a slash at its beginning. */
static struct nu_str new_path(const struct nu_redirect_action *redirect, struct nu_str path,
                              struct nu_arena *arena)
{
    if (redirect->path.len && redirect->path_has_query)
        return redirect->path;
    path = without_query(path, redirect->strip_query);
    if (redirect->path.len)
        return nu_arena_concat(arena, redirect->path, nu_path_query(path));
    return path;
}

static struct nu_str join_url(struct nu_str scheme, struct nu_str host, struct nu_str port,
                              struct nu_str path, struct nu_arena *arena)
{
    struct nu_str url = nu_arena_concat(arena, scheme, NU_STR("://"));
    url = nu_arena_concat(arena, url, host);
    if (port.len)
        url = nu_arena_concat(arena, url, port);
    if (path.len == 0 || path.ptr[0] != '/')
        url = nu_arena_concat(arena, url, NU_STR("/"));
    return nu_arena_concat(arena, url, path);
}

static struct nu_str redirect_location(const struct nu_route_entry *entry,
                                       struct nu_headers *headers, bool suppress_envoy_headers)
{
    const struct nu_redirect_action *redirect = entry->redirect;
    struct nu_str scheme = nu_headers_get_id(headers, NU_HEADER_SCHEME);
    if (redirect->scheme.len)
        scheme = redirect->scheme;
    struct nu_str host = redirect->host.len ? redirect->host : own_host(redirect, scheme, headers);
    nu_route_rewrite_path(entry->rule, &redirect->path_rewrite, headers, suppress_envoy_headers);
    struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
    return join_url(scheme, host, redirect->port, new_path(redirect, path, headers->arena),
                    headers->arena);
}

struct nu_str nu_route_redirect_location(const struct nu_route_match *match,
                                         struct nu_headers *headers, bool suppress_envoy_headers)
{
    static const struct nu_redirect_action nowhere_else = {0};
    const struct nu_str none = nu_str_make(NULL, 0);
    struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
    struct nu_str scheme = nu_headers_get_id(headers, NU_HEADER_SCHEME);
    if (match->needs_tls)
        return join_url(NU_STR("https"), nu_headers_get_id(headers, NU_HEADER_AUTHORITY), none,
                        path, headers->arena);
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    if (entry && entry->route.action == NU_ROUTE_REDIRECT)
        return redirect_location(entry, headers, suppress_envoy_headers);
    if (entry && entry->route.action == NU_ROUTE_DIRECT_RESPONSE &&
        (entry->route.status == STATUS_CREATED || nu_status_class(entry->route.status) == 3))
        return join_url(scheme, own_host(&nowhere_else, scheme, headers), none, path,
                        headers->arena);
    return none;
}

uint32_t nu_route_redirect_status(const struct nu_route_match *match)
{
    return match->needs_tls || !match->route ? STATUS_MOVED : match->route->status;
}

/* --- Body ------------------------------------------------------------------------------------- */

struct nu_str nu_route_direct_body(const struct nu_route_match *match,
                                   const struct nu_format_context *context, struct nu_arena *arena,
                                   struct nu_str *content_type)
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    *content_type = nu_str_make(NULL, 0);
    if (!entry || entry->route.action != NU_ROUTE_DIRECT_RESPONSE)
        return nu_str_make(NULL, 0);
    const struct nu_direct_action *direct = entry->direct;
    if (!direct->format)
        return direct->body;
    struct nu_format_context with_body = *context;
    with_body.local_reply_body = direct->body;
    struct nu_strbuf out = {0};
    nu_formatter_format(direct->format, &with_body, &out);
    struct nu_str body = nu_arena_dup(arena, nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
    *content_type = direct->content_type;
    return body;
}
