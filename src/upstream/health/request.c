/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of HTTP and gRPC checks. */
#include "upstream/health/request.h"

#include "base/assert.h"
#include "format/format.h"
#include "http/joined.h"
#include "route/header_edits.h"

/* Envoy's stand-in for both ends of the client's connection, which there is none of. */
static struct nu_address loopback(void)
{
    struct nu_address address = {0};
    enum nu_result result = nu_address_parse_ip(NU_STR("127.0.0.1"), 0, &address);
    nu_assert(result == NU_OK);
    (void)result;
    return address;
}

void nu_health_request_edit(struct nu_health_exchange *exchange,
                            const struct nu_health_probe *probe,
                            const struct nu_header_edits *edits, enum nu_protocol protocol)
{
    if (!edits)
        return;
    struct nu_connection_info connection = {.local_known = true};
    connection.local = loopback();
    connection.remote = connection.direct_remote = connection.local;
    struct nu_stream_info info = {
        .arena = &exchange->arena,
        .connection = &connection,
        .protocol = protocol,
        .remote = connection.local,
        .start_us = nu_loop_now_us(probe->place.loop),
        .start_realtime_us = nu_loop_realtime_us(probe->place.loop),
        .upstream = {.host = *nu_host_address(probe->host),
                     .host_name = probe->host->hostname,
                     .host_metadata = &probe->host->metadata},
    };
    const struct nu_format_context context = {
        .info = &info,
    };
    nu_header_edits_apply(edits, &exchange->request, &nu_joined_request_headers, &context);
}

struct nu_str nu_health_request_scheme(const struct nu_health_link *link)
{
    return nu_health_link_is_secure(link) ? NU_STR("https") : NU_STR("http");
}
