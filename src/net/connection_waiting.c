/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gauges of bytes that wait: read and left by the owner, or not taken by the socket. Most
 * connections never have such bytes at the end of a turn; one that has keeps, with what else few
 * connections need, the gauges and what it has added to them.
 */
#include "net/connection_internal.h"

static void set_waiting(struct nu_connection_waiting *waiting, struct nu_gauge *gauge,
                        uint64_t *was, uint64_t now)
{
    if (*was == now || !waiting->gauges.in)
        return;
    nu_gauge_add(gauge, (int64_t)(now - *was));
    *was = now;
}

static void set_both(struct nu_connection_waiting *waiting, uint64_t in, uint64_t out)
{
    set_waiting(waiting, waiting->gauges.in, &waiting->in, in);
    set_waiting(waiting, waiting->gauges.out, &waiting->out, out);
}

void nu_connection_recount_waiting(struct nu_connection *conn)
{
    bool is_up = conn->state == NU_CONNECTION_OPEN || conn->state == NU_CONNECTION_CLOSING;
    if (!is_up || !conn->ops->gauges)
        return;
    struct nu_connection_waiting *waiting = &nu_connection_ending_of(conn)->waiting;
    if (!waiting->gauges.in) /* the owner may have had none before */
        waiting->gauges = conn->ops->gauges(conn);
    set_both(waiting, conn->in.len, conn->out.len + (uint64_t)conn->transport_out);
}

void nu_connection_end_waiting(struct nu_connection *conn)
{
    if (conn->ending)
        set_both(&conn->ending->waiting, 0, 0);
}
