/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP check. What is expected may come in any number of pieces; wrong bytes are told from
 * missing ones by the deadline only. As in Envoy the connection that stays open between checks is
 * watched: its end is a failure then, too.
 */
#include "upstream/health/tcp_probe.h"

#include "base/alloc.h"
#include "net/proxy_write.h"

/* A connection of its own, since it may outlive the probe for the rest of a turn. */
struct tcp_link {
    struct nu_connection conn;
    struct nu_loop *loop;
    struct tcp_probe *probe; /* NULL once it wants to hear nothing more */
    struct nu_turn_task close_task;
    bool is_up;
    bool has_check; /* one waits for the connection */
    size_t found;   /* pieces of what is expected that came so far */
};

struct tcp_probe {
    struct nu_health_probe base;
    struct tcp_link *link; /* NULL while there is none */
};

static struct tcp_probe *probe_of(struct nu_health_probe *base)
{
    return nu_container_of(base, struct tcp_probe, base);
}

static struct tcp_link *link_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct tcp_link, conn);
}

static const struct nu_health_tcp *settings_of(const struct tcp_probe *probe)
{
    return probe->base.settings;
}

/* At the end of the turn. */
static void close_link(struct tcp_probe *probe)
{
    struct tcp_link *link = probe->link;
    if (!link)
        return;
    probe->link = NULL;
    link->probe = NULL;
    nu_loop_at_turn_end(link->loop, &link->close_task);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void add_proxy_header(const struct tcp_link *link, enum nu_proxy_version version,
                             struct nu_buf *out)
{
    if (version == NU_PROXY_V2) {
        nu_proxy_write_v2(NULL, out); /* LOCAL: from the proxy itself */
        return;
    }
    const struct nu_proxy_data data = {
        .source = nu_connection_local_address(&link->conn),
        .destination = nu_host_check_address(link->probe->base.host),
    };
    nu_proxy_write_v1(&data, out);
}

static void send_check(struct tcp_link *link)
{
    const struct nu_health_tcp *settings = settings_of(link->probe);
    struct nu_buf *out = &link->conn.out;
    link->has_check = false;
    if (settings->proxy_version != NU_PROXY_NONE)
        add_proxy_header(link, settings->proxy_version, out);
    if (settings->send.len)
        nu_buf_add_static(out, settings->send);
    if (out->len)
        nu_connection_write(&link->conn);
}

/* --- The connection --------------------------------------------------------------------------- */

static void on_connected(struct nu_connection *conn)
{
    struct tcp_link *link = link_of(conn);
    struct tcp_probe *probe = link->probe;
    link->is_up = true;
    if (!probe)
        return;
    if (settings_of(probe)->receive.count) {
        if (link->has_check)
            send_check(link);
        return;
    }
    close_link(probe);
    nu_health_session_pass(probe->base.session, false);
}

static struct nu_str flatten(struct nu_buf *in, struct nu_strbuf *copy)
{
    if (in->first && in->first == in->last)
        return nu_str_make(in->first->ptr, in->first->len);
    for (const struct nu_slice *slice = in->first; slice; slice = slice->next)
        nu_strbuf_add(copy, nu_str_make(slice->ptr, slice->len));
    return nu_strbuf_str(copy);
}

/* Whether all is there that is expected. Of what came only the end is kept, in which more of it may
 * have begun. */
static bool has_all(struct tcp_link *link)
{
    const struct nu_health_payload *payload = &settings_of(link->probe)->receive;
    struct nu_buf *in = &link->conn.in;
    struct nu_strbuf copy = {0};
    size_t done = nu_health_payload_look(payload, &link->found, flatten(in, &copy));
    nu_strbuf_finish(&copy);
    nu_buf_drain_all_or(in, done);
    return link->found == payload->count;
}

static void on_data(struct nu_connection *conn)
{
    struct tcp_link *link = link_of(conn);
    struct tcp_probe *probe = link->probe;
    if (!probe) {
        nu_buf_clear(&conn->in);
        return;
    }
    if (settings_of(probe)->receive.count && has_all(link)) {
        nu_buf_clear(&conn->in);
        link->found = 0;
        if (!probe->base.reuses_connection)
            close_link(probe);
        nu_health_session_pass(probe->base.session, false);
    }
    if (conn->read_eof)
        nu_loop_at_turn_end(link->loop, &link->close_task);
}

static void ignore(struct nu_connection *conn)
{
    (void)conn;
}

static void free_link(void *obj)
{
    nu_free(obj);
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    struct tcp_link *link = link_of(conn);
    struct tcp_probe *probe = link->probe;
    (void)reason;
    nu_list_remove(&link->close_task.link);
    nu_loop_defer_free(link->loop, free_link, link);
    if (!probe)
        return;
    probe->link = NULL;
    nu_health_session_fail(probe->base.session, NU_HEALTH_NETWORK, false);
}

static const struct nu_connection_ops connection_ops = {
    .on_connected = on_connected,
    .on_data = on_data,
    .on_above_high = ignore,
    .on_below_low = ignore,
    .on_closed = on_closed,
};

static void on_close_task(struct nu_turn_task *task)
{
    struct tcp_link *link = nu_container_of(task, struct tcp_link, close_task);
    nu_connection_close(&link->conn, NU_CLOSE_NOW);
}

/* --- Checks ----------------------------------------------------------------------------------- */

static struct tcp_link *open_link(struct tcp_probe *probe)
{
    struct tcp_link *link = nu_calloc(1, sizeof(*link));
    link->loop = probe->base.place.loop;
    link->probe = probe;
    nu_turn_task_init(&link->close_task, on_close_task);
    nu_health_probe_dial(&probe->base, &link->conn, &connection_ops);
    return link;
}

static void start(struct nu_health_probe *base)
{
    struct tcp_probe *probe = probe_of(base);
    if (!probe->link)
        probe->link = open_link(probe);
    probe->link->has_check = true;
    if (probe->link->is_up)
        send_check(probe->link);
}

static void give_up(struct nu_health_probe *base)
{
    close_link(probe_of(base));
}

static void finish(struct nu_health_probe *base)
{
    struct tcp_link *link = probe_of(base)->link;
    if (!link)
        return;
    link->probe = NULL;
    nu_connection_close(&link->conn, NU_CLOSE_NOW);
}

const struct nu_health_probe_class nu_health_tcp_probe = {
    .type = "TCP",
    .size = sizeof(struct tcp_probe),
    .start = start,
    .give_up = give_up,
    .finish = finish,
};
