/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol names. */
#include "http/stream_info.h"

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
