/* SPDX-License-Identifier: Apache-2.0 */
/* An attempt whose request's body is the bytes of a plain connection. */
#include "client/exchange_internal.h"
#include "http/proxy_data.h"

/* The connection with its attempt; it lies apart, for few have one. */
struct raw {
    struct nu_raw_upstream base;
    struct nu_attempt *attempt;
};

static struct nu_attempt *attempt_of(struct nu_raw_upstream *raw)
{
    return nu_container_of(raw, struct raw, base)->attempt;
}

static void note_connection(struct nu_attempt *attempt, const struct nu_tcp_client *client)
{
    struct nu_upstream_info *info = &attempt->decoder.info->upstream;
    uint64_t now = nu_loop_now_us(client->conn.loop);
    info->local = client->local;
    info->remote = client->remote;
    info->connection_id = client->id;
    info->ssl = nu_connection_hold_ssl_info(&client->conn, attempt->exchange->arena);
    info->protocol = NU_PROTOCOL_NONE;
    info->connect_start_us = client->connect_start_us;
    info->connect_end_us = client->connect_end_us;
    info->pool_ready_us = now;
    info->first_tx_us = now;
}

static void on_ready(struct nu_raw_upstream *raw)
{
    struct nu_attempt *attempt = attempt_of(raw);
    note_connection(attempt, raw->client);
    nu_attempt_set_ready(attempt, &raw->encoder);
}

static void on_failure(struct nu_raw_upstream *raw, enum nu_reset_reason reason, struct nu_str text)
{
    nu_exchange_on_no_connection(attempt_of(raw), reason, text, false);
}

static const struct nu_raw_upstream_ops ops = {
    .on_ready = on_ready,
    .on_failure = on_failure,
};

bool nu_attempt_open_raw(struct nu_attempt *attempt, bool *overflow)
{
    struct nu_exchange *exchange = attempt->exchange;
    const struct nu_exchange_params *params = &exchange->params;
    struct raw *raw = nu_arena_calloc(exchange->arena, sizeof(*raw));
    raw->attempt = attempt;
    raw->base.ops = &ops;
    raw->base.config = params->raw;
    raw->base.decoder = &attempt->decoder;
    struct nu_proxy_data whom = nu_proxy_data_of(exchange->info->connection);
    if (!nu_raw_upstream_open(&raw->base, params->cluster, &params->lb, &whom, overflow))
        return false;
    attempt->raw = &raw->base;
    attempt->cluster = raw->base.client->cluster;
    attempt->host = raw->base.client->host;
    attempt->host_stats = raw->base.client->host_stats;
    return true;
}
