/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol names, and the duration of a stream. */
#include "http/stream_info.h"

#include "base/clock.h"

struct nu_str nu_protocol_text(enum nu_protocol protocol)
{
    switch (protocol) {
    case NU_PROTOCOL_NONE:
        break;
    case NU_PROTOCOL_HTTP10:
        return NU_STR("HTTP/1.0");
    case NU_PROTOCOL_HTTP11:
        return NU_STR("HTTP/1.1");
    case NU_PROTOCOL_HTTP2:
        return NU_STR("HTTP/2");
    case NU_PROTOCOL_HTTP3:
        return NU_STR("HTTP/3");
    }
    return nu_str_make(NULL, 0);
}

uint64_t nu_stream_info_duration_us(const struct nu_stream_info *info)
{
    uint64_t end = info->end_us ? info->end_us : nu_clock_monotonic_us();
    return end - info->start_us;
}
