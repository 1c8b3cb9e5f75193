/* SPDX-License-Identifier: Apache-2.0 */
/* Making a connection's record: addresses, names, times. */
#include "net/conn_record.h"

#include "event/loop.h"

static void learn_local(struct nu_connection_info *info)
{
    struct nu_conn_record *record = nu_container_of(info, struct nu_conn_record, connection);
    info->local = *nu_server_conn_local(record->conn);
    info->local_known = true;
}

static void take_findings(struct nu_connection_info *info, const struct nu_accepted *accepted)
{
    info->requested_server_name = accepted->server_name;
    info->proxy = accepted->proxy;
}

static void describe_connection(struct nu_conn_record *record, struct nu_server_conn *conn)
{
    const struct nu_listener_config *listener = conn->wl->listener->config;
    struct nu_connection_info *info = &record->connection;
    info->id = conn->id;
    info->remote = conn->remote;
    const struct nu_accepted *accepted = nu_server_conn_accepted(conn);
    info->direct_remote = accepted ? accepted->direct_remote : conn->remote;
    if (accepted && accepted->local_restored)
        info->restored_local = accepted->local;
    info->learn_local = learn_local;
    info->is_tls = conn->conn.transport->is_secure;
    info->ssl = nu_connection_hold_ssl_info(&conn->conn, record->info.arena);
    if (accepted)
        take_findings(info, accepted);
    info->filter_chain_name = conn->chain->name;
    info->listener_name = listener->name;
    info->listener_metadata = listener->metadata;
    info->direction = (uint8_t)listener->direction;
}

static void describe_stream(struct nu_conn_record *record, struct nu_server_conn *conn)
{
    struct nu_stream_info *info = &record->info;
    struct nu_loop *loop = conn->conn.loop;
    info->connection = &record->connection;
    info->start_us = conn->accepted_us;
    info->start_realtime_us =
        nu_loop_realtime_us(loop) - (nu_loop_now_us(loop) - conn->accepted_us);
    info->remote = conn->remote;
    if (nu_server_conn_accepted(conn))
        info->dynamic_metadata = nu_server_conn_accepted(conn)->metadata;
    nu_request_id_create(record->stream_id);
    info->request_id = nu_str_make(record->stream_id, sizeof(record->stream_id));
}

struct nu_conn_record *nu_server_conn_record(struct nu_server_conn *conn)
{
    struct nu_server_conn_extras *extras = nu_server_conn_extras(conn);
    if (extras->record)
        return extras->record;
    struct nu_arena *arena = nu_arena_create();
    struct nu_conn_record *record = nu_arena_calloc(arena, sizeof(*record));
    record->conn = conn;
    record->info.arena = arena;
    describe_connection(record, conn);
    describe_stream(record, conn);
    extras->record = record;
    return record;
}

struct nu_stream_info *nu_server_conn_info(struct nu_server_conn *conn)
{
    struct nu_conn_record *record = nu_server_conn_record(conn);
    struct nu_connection_info *info = &record->connection;
    const char *failure = nu_connection_transport_failure(&conn->conn);
    if (info->transport_failure_reason.len == 0 && failure)
        info->transport_failure_reason = nu_arena_dup(record->info.arena, nu_str_from(failure));
    record->info.bytes_received = conn->conn.rx_bytes;
    record->info.bytes_sent = conn->conn.tx_bytes;
    return &record->info;
}

void nu_server_conn_note_protocol(struct nu_server_conn *conn, enum nu_protocol protocol)
{
    if (nu_unlikely(conn->extras != NULL && conn->extras->record != NULL))
        conn->extras->record->info.protocol = protocol;
}

void nu_conn_record_free(struct nu_conn_record *record)
{
    if (!record)
        return;
    struct nu_arena *arena = record->info.arena;
    nu_arena_destroy(&arena);
}

void nu_server_conn_close(struct nu_server_conn *conn, enum nu_close_mode mode,
                          struct nu_str details)
{
    struct nu_conn_record *record = nu_server_conn_record(conn);
    if (record->connection.termination_details.len == 0)
        record->connection.termination_details = details;
    nu_connection_close(&conn->conn, mode);
}
