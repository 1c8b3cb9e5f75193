/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of a forward proxy's cluster: whom a request is for, and looking that up. */
#include "base/arena.h"
#include "http/filter_state.h"
#include "http/headers.h"
#include "http/stream_info.h"
#include "upstream/cluster.h"
#include "upstream/lb/lb_by_name.h"

#define HOST_KEY "envoy.upstream.dynamic_host"
#define PORT_KEY "envoy.upstream.dynamic_port"

/* The text of an object in filter state; empty if there is none. In the stream's arena. */
static struct nu_str text_of_state(const struct nu_stream_info *info, struct nu_str name)
{
    struct nu_strbuf text = {0};
    struct nu_str out = {0};
    const struct nu_filter_state_object *object = nu_stream_info_find_state(info, name);
    if (object && object->object_class->to_text &&
        object->object_class->to_text(object->object, &text))
        out = nu_arena_dup(info->arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return out;
}

bool nu_forward_proxy_find_state(const struct nu_stream_info *info, struct nu_dns_cache_name *name)
{
    uint64_t port;
    struct nu_str host = text_of_state(info, NU_STR(HOST_KEY));
    struct nu_str digits = text_of_state(info, NU_STR(PORT_KEY));
    if (digits.len && nu_str_to_u64(digits, &port) == NU_OK && port > 0 && port <= UINT16_MAX)
        name->port = (uint16_t)port;
    if (host.len)
        name->host = host;
    return host.len != 0;
}

struct nu_str nu_forward_proxy_name(struct nu_cluster_local *local,
                                    const struct nu_stream_info *info,
                                    const struct nu_headers *headers)
{
    char text[NU_DNS_CACHE_KEY_MAX];
    struct nu_dns_cache_name name = {.port = local->cluster->forward_proxy->default_port};
    if (headers)
        name.host = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    else if (info->connection)
        name.host = info->connection->requested_server_name;
    nu_forward_proxy_find_state(info, &name);
    if (!name.host.len)
        return nu_str_make(NULL, 0);
    return nu_arena_dup(info->arena, nu_dns_cache_key(&name, text));
}

bool nu_forward_proxy_load(struct nu_cluster_local *local, const struct nu_lb_context *context,
                           struct nu_dns_cache_wait *wait, struct nu_arena *arena,
                           struct nu_str *details)
{
    const struct nu_forward_proxy *proxy = local->cluster->forward_proxy;
    const struct nu_dns_cache_name name = {context->host_name, proxy->default_port};
    const struct nu_dns_result *result;
    *details = NU_STR("empty_host_header");
    if (!name.host.len)
        return false;
    *details = nu_str_make(NULL, 0);
    if (nu_lb_by_name_has(local->lb, name.host))
        return false;
    *details = NU_STR("dns_cache_pending_requests_overflow");
    if (!nu_dns_cache_allows(local->loop->clusters, proxy->cache))
        return false;
    switch (nu_dns_cache_find(local->loop->clusters, proxy->cache, &name, wait, &result)) {
    case NU_DNS_CACHE_LOADING:
        return true;
    case NU_DNS_CACHE_OVERFLOW:
        *details = NU_STR("dns_cache_overflow");
        return false;
    case NU_DNS_CACHE_KNOWN:
        *details = nu_arena_dup(arena, result->details);
        return false;
    }
    return false;
}
