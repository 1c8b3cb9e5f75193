/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of an accepted connection as a whole, in the form that logs and filters read: one
 * struct nu_stream_info, of which the "stream" is the connection. TCP sessions are logged from it,
 * and network filters note in it what they find (dynamic metadata, flags, why they ended the
 * connection). It is made when somebody asks first, so that an HTTP connection without such filters
 * has none, and lives as long as the connection's memory. The connection's worker.
 */
#ifndef NU_NET_CONN_RECORD_H
#define NU_NET_CONN_RECORD_H

#include "http/request_id.h"
#include "http/stream_info.h"
#include "net/listener.h"

struct nu_conn_record {
    struct nu_connection_info connection;
    struct nu_stream_info info;  /* its arena is owned, and holds this struct as well */
    struct nu_server_conn *conn; /* borrowed: owns this */
    char stream_id[NU_REQUEST_ID_LEN];
};

/* The connection's record. */
struct nu_conn_record *nu_server_conn_record(struct nu_server_conn *conn);
/* The same, with the bytes that were read and written so far. */
struct nu_stream_info *nu_server_conn_info(struct nu_server_conn *conn);
/* Notes what is spoken on the connection, where somebody keeps a record of it. */
void nu_server_conn_note_protocol(struct nu_server_conn *conn, enum nu_protocol protocol);
/* Frees the record, NULL or not. */
void nu_conn_record_free(struct nu_conn_record *record);

/* Ends the connection and notes why, as %CONNECTION_TERMINATION_DETAILS% gives it. The text is
 * constant or lives in the record's arena. */
void nu_server_conn_close(struct nu_server_conn *conn, enum nu_close_mode mode,
                          struct nu_str details);

#endif
