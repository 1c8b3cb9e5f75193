/* SPDX-License-Identifier: Apache-2.0 */
/* What a PROXY header to an upstream says of a client. */
#include "http/proxy_data.h"

#include "http/stream_info.h"

struct nu_proxy_data nu_proxy_data_of(struct nu_connection_info *connection)
{
    struct nu_proxy_data data = {
        .source = connection->remote,
        .destination = *nu_connection_info_local(connection),
    };
    if (connection->proxy) {
        data.tlvs = connection->proxy->tlvs;
        data.tlv_count = connection->proxy->tlv_count;
    }
    return data;
}
