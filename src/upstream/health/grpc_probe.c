/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC check: one call of grpc.health.v1.Health/Check. A response that breaks gRPC's rules is a
 * failed check as soon as that shows, and its stream is reset; the connection goes on.
 */
#include "upstream/health/grpc_probe.h"

#include "http/grpc.h"
#include "upstream/health/grpc_wire.h"
#include "upstream/health/link.h"
#include "upstream/health/request.h"

/* A HealthCheckResponse takes a few bytes. */
enum { MESSAGE_MAX = 64 * 1024 };

struct grpc_probe {
    struct nu_health_probe base;
    struct nu_health_link *link;
    struct nu_strbuf body;
    struct nu_health_grpc_reader reader; /* of the body */
    bool is_last;                        /* the peer takes no further request on this connection */
};

static struct grpc_probe *probe_of(struct nu_health_probe *base)
{
    return nu_container_of(base, struct grpc_probe, base);
}

static void close_link(struct grpc_probe *probe)
{
    if (probe->link)
        nu_health_link_close(probe->link);
    probe->link = NULL;
}

static void forget_body(struct grpc_probe *probe)
{
    nu_strbuf_clear(&probe->body);
    probe->reader = (struct nu_health_grpc_reader){0};
}

static enum nu_health_grpc_result read_body(struct grpc_probe *probe)
{
    return nu_health_grpc_read_on(&probe->reader, nu_strbuf_str(&probe->body));
}

/* --- The response ----------------------------------------------------------------------------- */

/* The call is over. `ended`: so is its stream. */
static void end_call(struct grpc_probe *probe, bool serving, bool ended)
{
    if (serving)
        nu_health_session_pass(probe->base.session, false);
    else
        nu_health_session_fail(probe->base.session, NU_HEALTH_ACTIVE, false);
    forget_body(probe);
    if (!ended && probe->link)
        nu_health_link_abandon(probe->link);
    if (probe->is_last || !probe->base.reuses_connection)
        close_link(probe);
}

static bool is_ok(const struct nu_headers *headers)
{
    uint64_t status;
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_GRPC_STATUS);
    return nu_str_to_u64(text, &status) == NU_OK && status == NU_GRPC_OK;
}

static bool is_grpc(const struct nu_headers *headers)
{
    return nu_str_eq(nu_headers_get_id(headers, NU_HEADER_STATUS), NU_STR("200")) &&
           nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE));
}

/* A response that is its head alone has no message, whatever its status is. */
static void on_headers(void *owner, struct nu_health_exchange *exchange, bool end)
{
    if (end || !is_grpc(&exchange->response))
        end_call(owner, false, end);
}

static void on_data(void *owner, struct nu_health_exchange *exchange, struct nu_buf *data, bool end)
{
    struct grpc_probe *probe = owner;
    (void)exchange;
    if (end) { /* without trailers */
        end_call(probe, false, true);
        return;
    }
    for (const struct nu_slice *slice = data->first; slice; slice = slice->next)
        nu_strbuf_add(&probe->body, nu_str_make(slice->ptr, slice->len));
    bool is_broken = probe->body.len > MESSAGE_MAX || read_body(probe) == NU_HEALTH_GRPC_BROKEN;
    if (is_broken)
        end_call(probe, false, false);
}

static void on_trailers(void *owner, struct nu_health_exchange *exchange,
                        struct nu_headers *trailers)
{
    struct grpc_probe *probe = owner;
    (void)exchange;
    bool serving = is_ok(trailers) && read_body(probe) == NU_HEALTH_GRPC_SERVING;
    end_call(probe, serving, true);
}

static void on_reset(void *owner)
{
    struct grpc_probe *probe = owner;
    forget_body(probe);
    if (probe->is_last || !probe->base.reuses_connection)
        close_link(probe);
    nu_health_session_fail(probe->base.session, NU_HEALTH_NETWORK, false);
}

static void on_goaway(void *owner, bool graceful)
{
    struct grpc_probe *probe = owner;
    bool in_flight = probe->link->exchange != NULL;
    if (in_flight && graceful) {
        probe->is_last = true;
        return;
    }
    close_link(probe);
    forget_body(probe);
    if (in_flight)
        nu_health_session_fail(probe->base.session, NU_HEALTH_NETWORK, false);
}

static void on_closed(void *owner)
{
    struct grpc_probe *probe = owner;
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

static void fill_request(struct grpc_probe *probe, struct nu_health_exchange *exchange)
{
    const struct nu_health_grpc *settings = probe->base.settings;
    struct nu_headers *request = &exchange->request;
    char timeout[NU_GRPC_TIMEOUT_LEN_MAX];
    size_t len = nu_grpc_timeout_format(probe->base.timeout_ms, timeout);
    nu_headers_add_id(request, NU_HEADER_METHOD, NU_STR("POST"));
    nu_headers_add_id(request, NU_HEADER_PATH, NU_STR("/grpc.health.v1.Health/Check"));
    nu_headers_add_id(request, NU_HEADER_AUTHORITY,
                      nu_health_probe_authority(&probe->base, settings->authority));
    nu_headers_add_id(request, NU_HEADER_SCHEME, nu_health_request_scheme(probe->link));
    nu_headers_add_id(request, NU_HEADER_TE, NU_STR("trailers"));
    nu_headers_add_id(request, NU_HEADER_CONTENT_TYPE, NU_STR("application/grpc"));
    nu_headers_add_id(request, NU_HEADER_USER_AGENT, NU_STR(NU_HEALTH_USER_AGENT));
    nu_health_request_edit(exchange, &probe->base, settings->edits, NU_PROTOCOL_HTTP2);
    nu_headers_set_id(request, NU_HEADER_GRPC_TIMEOUT,
                      nu_arena_dup(&exchange->arena, nu_str_make(timeout, len)));
    nu_buf_add_static(&exchange->body, settings->message);
}

static void start(struct nu_health_probe *base)
{
    struct grpc_probe *probe = probe_of(base);
    if (!probe->link) {
        probe->link = nu_health_link_open(base, true, &link_ops, probe);
        probe->is_last = false;
    }
    fill_request(probe, nu_health_link_prepare(probe->link));
    nu_health_link_send(probe->link);
}

static void give_up(struct nu_health_probe *base)
{
    struct grpc_probe *probe = probe_of(base);
    forget_body(probe);
    if (probe->is_last || !probe->base.reuses_connection)
        close_link(probe);
    else if (probe->link)
        nu_health_link_abandon(probe->link);
}

static void finish(struct nu_health_probe *base)
{
    struct grpc_probe *probe = probe_of(base);
    if (probe->link)
        nu_health_link_abort(probe->link);
    nu_strbuf_finish(&probe->body);
}

const struct nu_health_probe_class nu_health_grpc_probe = {
    .type = "GRPC",
    .size = sizeof(struct grpc_probe),
    .start = start,
    .give_up = give_up,
    .finish = finish,
};
