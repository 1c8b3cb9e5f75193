/* SPDX-License-Identifier: Apache-2.0 */
/* Reading socket options. */
#include "net/socket_from_proto.h"

#include "envoy/config/core/v3/socket_option.pb-c.h"

static enum nu_socket_option_when phase_of(const Envoy__Config__Core__V3__SocketOption *proto)
{
    switch (proto->state) {
    case ENVOY__CONFIG__CORE__V3__SOCKET_OPTION__SOCKET_STATE__STATE_BOUND:
        return NU_SOCKET_BOUND;
    case ENVOY__CONFIG__CORE__V3__SOCKET_OPTION__SOCKET_STATE__STATE_LISTENING:
        return NU_SOCKET_LISTENING;
    default:
        return NU_SOCKET_PREBIND;
    }
}

struct nu_socket_option nu_socket_option_int(struct nu_arena *arena, int level, int name, int value)
{
    int *copy = nu_arena_alloc(arena, sizeof(*copy));
    *copy = value;
    return (struct nu_socket_option){
        .level = level, .name = name, .value = {(const char *)copy, sizeof(*copy)}};
}

struct nu_socket_option
nu_socket_option_from_proto(struct nu_arena *arena,
                            const Envoy__Config__Core__V3__SocketOption *proto)
{
    struct nu_socket_option option =
        nu_socket_option_int(arena, (int)proto->level, (int)proto->name, (int)proto->int_value);
    if (proto->value_case == ENVOY__CONFIG__CORE__V3__SOCKET_OPTION__VALUE_BUF_VALUE)
        option.value = nu_arena_dup(
            arena, nu_str_make((const char *)proto->buf_value.data, proto->buf_value.len));
    option.when = phase_of(proto);
    option.description = nu_arena_strdup(arena, proto->description);
    return option;
}
