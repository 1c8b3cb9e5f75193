/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's names of objects, and numbers among those. */
#include "http/filter_state_kind.h"

const struct nu_filter_state_kind nu_filter_state_kinds[NU_FILTER_STATE_KINDS] = {
    {NU_STR_INIT("envoy.string"), NU_FILTER_STATE_TEXT},
    {NU_STR_INIT("envoy.tcp_proxy.cluster"), NU_FILTER_STATE_TEXT},
    {NU_STR_INIT("envoy.upstream.dynamic_host"), NU_FILTER_STATE_TEXT},
    {NU_STR_INIT("envoy.upstream.dynamic_port"), NU_FILTER_STATE_NUMBER},
    {NU_STR_INIT("envoy.tcp_proxy.disable_tunneling"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.tcp_proxy.per_connection_idle_timeout_ms"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.network.upstream_server_name"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.network.upstream_subject_alt_names"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.network.application_protocols"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.network.ip"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.network.transport_socket.original_dst_address"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.ratelimit.hits_addend"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.router.debug_config"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.filters.listener.original_dst.local_ip"), NU_FILTER_STATE_ABSENT},
    {NU_STR_INIT("envoy.filters.listener.original_dst.remote_ip"), NU_FILTER_STATE_ABSENT},
};

const struct nu_filter_state_kind *nu_filter_state_kind_find(struct nu_str name)
{
    for (size_t i = 0; i < NU_FILTER_STATE_KINDS; i++) {
        if (nu_str_eq(nu_filter_state_kinds[i].name, name))
            return &nu_filter_state_kinds[i];
    }
    return NULL;
}

bool nu_filter_state_kind_read(const struct nu_filter_state_kind *kind, struct nu_str *text,
                               char digits[20])
{
    uint64_t number;
    if (kind->content == NU_FILTER_STATE_TEXT)
        return true;
    if (nu_str_to_u64(*text, &number) != NU_OK || number > UINT32_MAX)
        return false;
    *text = nu_str_make(digits, nu_u64_to_chars(number, digits));
    return true;
}
