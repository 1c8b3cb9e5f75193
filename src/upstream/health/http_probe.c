/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP check: a request, and what its response says of the host. Which response means what, and
 * when a connection is not used again, is Envoy's.
 */
#include "upstream/health/http_probe.h"

#include "base/random.h"
#include "runtime/runtime.h"
#include "upstream/health/link.h"
#include "upstream/health/request.h"

struct http_probe {
    struct nu_health_probe base;
    struct nu_health_link *link; /* NULL while there is no connection */
    struct nu_strbuf body;       /* of the response, as far as it is looked at */
    bool is_last;                /* the peer takes no further request on this connection */
};

static struct http_probe *probe_of(struct nu_health_probe *base)
{
    return nu_container_of(base, struct http_probe, base);
}

static const struct nu_health_http *settings_of(const struct http_probe *probe)
{
    return probe->base.settings;
}

static void close_link(struct http_probe *probe)
{
    if (probe->link)
        nu_health_link_close(probe->link);
    probe->link = NULL;
}

/* --- The verdict ------------------------------------------------------------------------------ */

static bool is_among(const struct nu_health_statuses *ranges, size_t count, uint64_t status)
{
    for (size_t i = 0; i < count; i++) {
        if (status >= ranges[i].start && status < ranges[i].end)
            return true;
    }
    return false;
}

static uint64_t status_of(const struct nu_headers *headers)
{
    uint64_t status = 0;
    if (nu_str_to_u64(nu_headers_get_id(headers, NU_HEADER_STATUS), &status) != NU_OK)
        return 0;
    return status;
}

static void fail(struct http_probe *probe, const struct nu_headers *headers, bool retriable)
{
    if (nu_headers_has_id(headers, NU_HEADER_X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL))
        nu_health_session_exclude(probe->base.session);
    nu_health_session_fail(probe->base.session, NU_HEALTH_ACTIVE, retriable);
}

static bool is_right_service(struct http_probe *probe, const struct nu_headers *headers)
{
    const struct nu_health_http *settings = settings_of(probe);
    const struct nu_runtime *runtime = probe->base.place.loop->runtime;
    if (!settings->verifies_service ||
        !nu_runtime_feature_enabled(runtime, NU_STR("health_check.verify_cluster"), 100,
                                    nu_random_u64()))
        return true;
    nu_health_session_count_verify(probe->base.session);
    struct nu_str service =
        nu_headers_get_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER);
    return nu_string_matches(&settings->service, service);
}

static void judge(struct http_probe *probe, const struct nu_headers *headers)
{
    const struct nu_health_http *settings = settings_of(probe);
    uint64_t status = status_of(headers);
    if (!nu_health_payload_matches(&settings->receive, nu_strbuf_str(&probe->body)))
        fail(probe, headers, false);
    else if (!is_among(settings->expected, settings->expected_count, status))
        fail(probe, headers, is_among(settings->retriable, settings->retriable_count, status));
    else if (!is_right_service(probe, headers))
        nu_health_session_fail(probe->base.session, NU_HEALTH_ACTIVE, false);
    else
        nu_health_session_pass(probe->base.session,
                               nu_headers_has_id(headers, NU_HEADER_X_ENVOY_DEGRADED));
}

static void end_check(struct http_probe *probe, const struct nu_headers *headers)
{
    judge(probe, headers);
    nu_strbuf_clear(&probe->body);
    if (probe->is_last || !probe->base.reuses_connection)
        close_link(probe);
}

/* --- The response ----------------------------------------------------------------------------- */

static void on_headers(void *owner, struct nu_health_exchange *exchange, bool end)
{
    if (end)
        end_check(owner, &exchange->response);
}

static void on_data(void *owner, struct nu_health_exchange *exchange, struct nu_buf *data, bool end)
{
    struct http_probe *probe = owner;
    if (settings_of(probe)->receive.count)
        nu_health_payload_collect(&probe->body, data, settings_of(probe)->response_buffer_bytes);
    if (end)
        end_check(probe, &exchange->response);
}

static void on_trailers(void *owner, struct nu_health_exchange *exchange,
                        struct nu_headers *trailers)
{
    (void)trailers;
    end_check(owner, &exchange->response);
}

static void on_reset(void *owner)
{
    struct http_probe *probe = owner;
    nu_strbuf_clear(&probe->body);
    if (probe->is_last || !probe->base.reuses_connection)
        close_link(probe);
    nu_health_session_fail(probe->base.session, NU_HEALTH_NETWORK, false);
}

static void on_goaway(void *owner, bool graceful)
{
    struct http_probe *probe = owner;
    bool in_flight = probe->link->exchange != NULL;
    if (in_flight && graceful) {
        probe->is_last = true;
        return;
    }
    close_link(probe);
    nu_strbuf_clear(&probe->body);
    if (in_flight)
        nu_health_session_fail(probe->base.session, NU_HEALTH_NETWORK, false);
}

static void on_closed(void *owner)
{
    struct http_probe *probe = owner;
    probe->link = NULL;
}

static const struct nu_health_link_ops link_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_reset = on_reset,
    .on_goaway = on_goaway,
    .on_closed = on_closed,
};

/* --- The request ------------------------------------------------------------------------------ */

static void add_length(struct nu_health_exchange *exchange, size_t length)
{
    nu_headers_remove_id(&exchange->request, NU_HEADER_CONTENT_LENGTH);
    nu_headers_add_id(&exchange->request, NU_HEADER_CONTENT_LENGTH,
                      nu_str_from(nu_arena_printf(&exchange->arena, "%zu", length)));
}

static void start(struct nu_health_probe *base)
{
    struct http_probe *probe = probe_of(base);
    const struct nu_health_http *settings = settings_of(probe);
    if (!probe->link) {
        probe->link = nu_health_link_open(base, settings->is_h2, &link_ops, probe);
        probe->is_last = false;
    }
    struct nu_health_exchange *exchange = nu_health_link_prepare(probe->link);
    struct nu_headers *request = &exchange->request;
    nu_headers_add_id(request, NU_HEADER_METHOD, settings->method);
    nu_headers_add_id(request, NU_HEADER_AUTHORITY,
                      nu_health_probe_authority(base, settings->host));
    nu_headers_add_id(request, NU_HEADER_PATH, settings->path);
    nu_headers_add_id(request, NU_HEADER_USER_AGENT, NU_STR(NU_HEALTH_USER_AGENT));
    nu_headers_add_id(request, NU_HEADER_SCHEME, nu_health_request_scheme(probe->link));
    nu_health_request_edit(exchange, base, settings->edits,
                           settings->is_h2 ? NU_PROTOCOL_HTTP2 : NU_PROTOCOL_HTTP11);
    if (settings->send.len) {
        add_length(exchange, settings->send.len);
        nu_buf_add_static(&exchange->body, settings->send);
    }
    nu_health_link_send(probe->link);
}

static void give_up(struct nu_health_probe *base)
{
    struct http_probe *probe = probe_of(base);
    close_link(probe);
    nu_strbuf_clear(&probe->body);
}

static void finish(struct nu_health_probe *base)
{
    struct http_probe *probe = probe_of(base);
    if (probe->link)
        nu_health_link_abort(probe->link);
    nu_strbuf_finish(&probe->body);
}

const struct nu_health_probe_class nu_health_http_probe = {
    .type = "HTTP",
    .size = sizeof(struct http_probe),
    .start = start,
    .give_up = give_up,
    .finish = finish,
};
