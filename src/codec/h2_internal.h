/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session and its streams, as the files of h2_ share them.
 *
 * nghttp2 calls back from inside dispatch and flush. In there a stream may be given bytes, and its
 * head may be told to its decoder, whose answers go into nghttp2's queues; whatever could end the
 * session under nghttp2's feet is left until it has returned. So a closed session is freed at the
 * end of the turn, and so is a stream.
 */
#ifndef NU_CODEC_H2_INTERNAL_H
#define NU_CODEC_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "codec/h2.h"
#include "http/frame_metadata.h"
#include "net/connection.h"

/* Envoy's details for what ends a connection and has no word of its own. */
#define NU_H2_CODEC_ERROR_DETAILS NU_STR("codec_error:The_user_callback_function_failed")

/* For nu_h2_session_fail: nothing can, or need, be said to the peer. */
#define NU_H2_NO_GOAWAY UINT32_MAX

enum { NU_H2_METADATA = 0x4d }; /* the type of a frame */

enum nu_h2_stream_flag {
    NU_H2_IS_OPEN = 1 << 0,       /* nghttp2 has it */
    NU_H2_HEAD_IN = 1 << 1,       /* a final head came */
    NU_H2_HEAD_END = 1 << 2,      /* and was the peer's end */
    NU_H2_HEAD_TOLD = 1 << 3,     /* and the decoder knows */
    NU_H2_END_IN = 1 << 4,        /* the peer's end came */
    NU_H2_END_TOLD = 1 << 5,      /* and the decoder knows */
    NU_H2_HEAD_OUT = 1 << 6,      /* our head was submitted */
    NU_H2_END_OUT = 1 << 7,       /* our end was encoded */
    NU_H2_END_SENT = 1 << 8,      /* and all of it given to the connection */
    NU_H2_DEFERRED = 1 << 9,      /* nghttp2 asked for body bytes when there were none */
    NU_H2_RESET_LATER = 1 << 10,  /* a reset that waits for our end to be sent */
    NU_H2_RESET_SENT = 1 << 11,   /* we reset it */
    NU_H2_WAS_RESET = 1 << 12,    /* the decoder is to be told so */
    NU_H2_HAS_REPEATED = 1 << 13, /* fields of the section are to be joined */
    NU_H2_IS_INTERIM = 1 << 14,   /* the head being read has a status below 200 */
    NU_H2_TOLD_HIGH = 1 << 15,    /* the decoder knows that too much waits */
    NU_H2_IS_GONE = 1 << 16,      /* about to be freed */
    NU_H2_NO_HOLDS = 1 << 18,     /* its decoder is told all that is left, held or not */
    NU_H2_IS_UPGRADE = 1 << 17,   /* an extended CONNECT: 200 on the wire is 101 */
};

struct nu_h2_stream {
    struct nu_stream_encoder encoder;
    struct nu_h2_session *session;     /* borrowed */
    struct nu_stream_decoder *decoder; /* NULL once its user is done, or was told of the reset */
    struct nu_list link;               /* in session->streams */
    struct nu_list due_link;           /* in session->due while something is to be told */
    int32_t id;                        /* 0 before a request was submitted */
    uint32_t flags;                    /* enum nu_h2_stream_flag */
    struct nu_buf in;                  /* body bytes that the decoder has not got */
    struct nu_buf out;                 /* body bytes to be sent */
    uint32_t unconsumed;               /* body bytes whose window was not given back */
    uint32_t holds;                    /* of the decoder's bytes */
    uint32_t interims;                 /* responses so far */
    uint32_t header_count;             /* of the section being read */
    uint32_t header_bytes;
    uint32_t crumb_bytes;              /* what the pieces of a cookie count besides */
    uint32_t reset_code;               /* with RESET_LATER */
    enum nu_reset_reason reason;       /* with WAS_RESET */
    struct nu_str details;             /* why it is reset; a constant */
    struct nu_headers *trailers_in;    /* in the decoder's arena; NULL until there are some */
    struct nu_h2_fields *trailers_out; /* owned; sent behind `out` */
    struct nu_h2_metadata *metadata;   /* owned; NULL until there was any */
    struct nu_str protocol;            /* a client's extended CONNECT: in the request's headers */
    struct nu_timer flush_timer;
    uint64_t flush_timeout_ms; /* 0: none */
};

/* Fields as nghttp2 takes them. */
struct nu_h2_fields {
    nghttp2_nv *fields;
    size_t count;
};

enum { NU_H2_RESETS_KEPT = 32 };

enum nu_h2_news {
    NU_H2_NEWS_SETTINGS = 1 << 0,
    NU_H2_NEWS_GOAWAY = 1 << 1,
    NU_H2_NEWS_STREAM_END = 1 << 2,
};

/* Where in the peer's frames the scan is, and what it refused. */
struct nu_h2_scan {
    uint8_t head[9];
    uint32_t head_len; /* bytes of it that were read */
    uint32_t skip;     /* bytes of a payload, or of the preface, still to come */
    int32_t last_id;   /* the largest stream that was begun */
    bool has_refused;
    enum nu_h2_failure_kind kind;
    uint32_t error_code;
    struct nu_str details;
};

/* Frames that end at a place in what the connection sends; several turns of them where there are
 * many. */
struct nu_h2_mark {
    uint64_t end; /* of all bytes sent */
    uint32_t frames;
    uint32_t control;
};

enum { NU_H2_MARKS = 16 };

/* What the gauges have of the session. */
struct nu_h2_gauges {
    int64_t streams;
    int64_t pending_bytes;
    int64_t frames;
    int64_t control_frames;
};

struct nu_h2_session {
    struct nu_codec codec;
    nghttp2_session *ng; /* owned */
    struct nu_connection *conn;
    struct nu_loop *loop;
    const struct nu_h2_options *options;
    struct nu_http2_stats *stats;
    const struct nu_h2_callbacks *callbacks;
    void *user;
    struct nu_list streams;                  /* all that are not freed */
    struct nu_h2_stream *found;              /* the last that nghttp2 named and has; or NULL */
    struct nu_list due;                      /* those whose decoder is to be told something */
    struct nu_list later;                    /* those whose head is to be told in another turn */
    struct nu_frame_metadata_queue metadata; /* that nghttp2 is to send */
    uint64_t metadata_coming; /* bytes of blocks that are not complete, over all streams */
    struct nu_turn_task task;
    struct nu_turn_task later_task;
    uint32_t max_heads; /* to be told in a turn */
    uint32_t heads_left;
    struct nu_block *in_block;   /* what is being shown to nghttp2 */
    struct nu_block *head_block; /* frame heads of DATA are written here; owned */
    uint32_t stream_count;       /* that nghttp2 has open */
    uint32_t stream_high;        /* bytes in a stream's `out` above which its decoder is told */
    uint32_t block_bytes;        /* of the header block being read, on the wire */
    uint32_t news;               /* enum nu_h2_news, for the owner */
    uint32_t goaway_code;
    char bad_name[16]; /* the start of the name of a field that was refused, with a NUL */
    bool is_server;
    bool in_nghttp2;   /* it is on the stack */
    bool is_closed;    /* the connection is gone */
    bool is_conn_high; /* the connection's output is above its mark */
    bool goaway_received;
    bool has_failed; /* nothing more is read */
    bool is_mute;    /* nor sent */
    bool failure_told;
    enum nu_h2_failure_kind failure_kind;
    struct nu_str failure;

    /* Streams that we reset and whose frames may still be on their way: the last ones, and a number
     * up to which others were forgotten. */
    int32_t resets[NU_H2_RESETS_KEPT];
    uint32_t reset_count;
    int32_t forgotten;

    struct nu_h2_scan scan;

    /* Floods, counted as Envoy counts. */
    uint32_t empty_frames; /* in a row */
    uint64_t priority_frames;
    uint64_t window_updates;
    uint64_t opened_streams;
    uint64_t data_frames_sent;
    uint32_t out_frames;                  /* in the connection's output, but for DATA */
    uint32_t out_control;                 /* of them, those that a peer can make us send */
    struct nu_h2_mark marks[NU_H2_MARKS]; /* where they are, a ring */
    uint32_t mark_first;
    uint32_t mark_count;
    struct nu_h2_mark unmarked; /* those that were counted since the last mark */
    uint64_t pending_bytes;     /* in all streams' `out` */
    struct nu_h2_gauges shown;

    /* Keep-alive. */
    struct nu_timer ping_timer; /* to the next ping */
    struct nu_timer pong_timer; /* armed while one is out */
    uint64_t active_us;         /* when a stream was opened last */
};

/* --- h2_session.c --- */

/* Sends what there is to send at the end of the turn. */
static inline void nu_h2_session_wake(struct nu_h2_session *session)
{
    nu_loop_at_turn_end(session->loop, &session->task);
}

/* The connection is to end: with a GOAWAY unless the code is NU_H2_NO_GOAWAY. Only noted; the owner
 * is told when nghttp2 has returned. */
void nu_h2_session_fail(struct nu_h2_session *session, enum nu_h2_failure_kind kind,
                        uint32_t error_code, struct nu_str details);
/* Whether one more head may be told in this turn; else the stream waits for another one. */
bool nu_h2_session_may_tell_head(struct nu_h2_session *session, struct nu_h2_stream *stream);
/* Moves what nghttp2 has into the connection's output now, unless it is on the stack. */
void nu_h2_session_flush(struct nu_h2_session *session);

/* --- h2_callbacks.c --- */

nghttp2_session_callbacks *nu_h2_callbacks_create(void);
/* --- h2_stream.c --- */

struct nu_h2_stream *nu_h2_stream_create(struct nu_h2_session *session, int32_t id);
/* Frees it; only for a stream that nobody knows any more. */
void nu_h2_stream_destroy(struct nu_h2_stream *stream);
/* Something is to be told to the decoder when nghttp2 has returned. */
void nu_h2_stream_make_due(struct nu_h2_stream *stream);
/* Tells it: the head, bytes, the end, a reset, pressure. */
void nu_h2_stream_tell(struct nu_h2_stream *stream);
/* The connection is gone: a message that is complete is told whole, whoever held it back. */
void nu_h2_stream_tell_rest(struct nu_h2_stream *stream);
/* Compares what the decoder knows of pressure with what is. */
void nu_h2_stream_check_pressure(struct nu_h2_stream *stream);
/* Body bytes arrived; a view into the session's in_block. */
void nu_h2_stream_take_data(struct nu_h2_stream *stream, struct nu_str data);
/* nghttp2 closed it. */
void nu_h2_stream_on_close(struct nu_h2_stream *stream, uint32_t error_code);
/* The decoder is to be told of a reset; only the first reason counts. */
void nu_h2_stream_note_reset(struct nu_h2_stream *stream, enum nu_reset_reason reason,
                             struct nu_str details);
/* Tells the decoder of a reset now, and forgets it. */
void nu_h2_stream_abort(struct nu_h2_stream *stream, enum nu_reset_reason reason,
                        struct nu_str details);
/* A message that broke the rules: its stream ends, or the connection, as configured. */
void nu_h2_stream_message_error(struct nu_h2_stream *stream, struct nu_str details);
/* Submits RST_STREAM, once. */
void nu_h2_stream_send_reset(struct nu_h2_stream *stream, uint32_t error_code);
/* Forgets its user; it is freed at the end of the turn if nghttp2 is done with it as well. */
void nu_h2_stream_release(struct nu_h2_stream *stream);

/* --- h2_encode.c --- */

extern const struct nu_stream_encoder_ops nu_h2_encoder_ops;
/* Our end was given to the connection. */
void nu_h2_stream_on_end_sent(struct nu_h2_stream *stream);
/* Moves `length` bytes behind their frame head into the connection's output. */
void nu_h2_stream_write_data(struct nu_h2_stream *stream, const uint8_t *frame_head, size_t length);
/* Drops what waits to be sent. */
void nu_h2_stream_drop_output(struct nu_h2_stream *stream);

/* --- h2_headers.c --- */

/* Prepares for a header block. */
void nu_h2_headers_begin(struct nu_h2_stream *stream);
/* Adds a field of the block; false when the stream is to be reset. */
bool nu_h2_headers_add(struct nu_h2_stream *stream, struct nu_str name, struct nu_str value);
/* The block is complete: judges it and tells a head. False when it broke the rules; details are set
 * then. */
bool nu_h2_headers_end(struct nu_h2_stream *stream, bool end);
enum nu_h2_section {
    NU_H2_REQUEST_HEAD,
    NU_H2_RESPONSE_HEAD,
    NU_H2_TRAILERS,
};

/* The fields of a section as nghttp2 takes them. The texts are borrowed, the array is the caller's:
 * nu_h2_fields_finish. */
struct nu_h2_fields nu_h2_fields_of(const struct nu_headers *headers, enum nu_h2_section section);
void nu_h2_fields_finish(struct nu_h2_fields *fields);
/* Trailers with texts of their own. */
struct nu_h2_fields *nu_h2_fields_copy(const struct nu_headers *trailers);
void nu_h2_fields_destroy(struct nu_h2_fields *fields);

/* --- h2_rules.c --- */

/* Whether a complete head may pass; what nghttp2 has checked is not checked again. */
bool nu_h2_check_request(struct nu_h2_stream *stream, struct nu_headers *headers);
bool nu_h2_check_response(struct nu_h2_stream *stream, struct nu_headers *headers);

/* --- h2_flood.c --- */

/* Each frame that begins to come; false when there are too many of its kind, and it was
 * refused. */
bool nu_h2_flood_count_in(struct nu_h2_session *session, const nghttp2_frame_hd *hd);
/* A frame is about to be sent. */
void nu_h2_flood_count_out(struct nu_h2_session *session, const nghttp2_frame *frame);
/* Those that were counted are in the connection's output. */
void nu_h2_flood_mark(struct nu_h2_session *session);
/* After a dispatch or a flush: judges what waits, and brings the gauges up to it. */
void nu_h2_flood_check(struct nu_h2_session *session);
void nu_h2_flood_finish(struct nu_h2_session *session);

/* --- h2_scan.c --- */

void nu_h2_scan_init(struct nu_h2_session *session);
/* Looks at frame heads in the bytes, and says how many of them nghttp2 may be shown before streams
 * are served and the next call, at least one; or session->scan.has_refused is set, and the session
 * is to fail behind those. Frames that nghttp2 is to pass over are given another type. */
size_t nu_h2_scan(struct nu_h2_session *session, uint8_t *bytes, size_t len);
void nu_h2_scan_refuse(struct nu_h2_session *session, enum nu_h2_failure_kind kind,
                       uint32_t error_code, struct nu_str details);
/* We reset the stream: what still comes for it is no fault. */
void nu_h2_scan_note_reset(struct nu_h2_session *session, int32_t id);

/* --- h2_ping.c --- */

void nu_h2_ping_start(struct nu_h2_session *session);
void nu_h2_ping_stop(struct nu_h2_session *session);
void nu_h2_ping_on_ack(struct nu_h2_session *session);
/* Client: before a stream is opened. */
void nu_h2_ping_before_stream(struct nu_h2_session *session);

/* --- h2_metadata.c --- */

/* A part of a METADATA frame's payload; false when its stream has had too many of them. */
bool nu_h2_metadata_take(struct nu_h2_stream *stream, struct nu_str part);
/* The frame is complete; false when the block that ends with it is none, or too much. */
bool nu_h2_metadata_end(struct nu_h2_stream *stream, uint8_t flags);
/* Tells the decoder what came. */
void nu_h2_metadata_tell(struct nu_h2_stream *stream);
/* The encoder's; takes it. */
void nu_h2_metadata_send(struct nu_h2_stream *stream, struct nu_frame_metadata *metadata);
/* The stream's head was sent: what waited for it follows. */
void nu_h2_metadata_submit(struct nu_h2_stream *stream);
/* nghttp2 is about to send a frame, and is done with it. */
ssize_t nu_h2_metadata_pack(const struct nu_frame_metadata *part, uint8_t *to, size_t room);
void nu_h2_metadata_sent(struct nu_h2_session *session, struct nu_frame_metadata *part);
/* Forgets what came, and what was to be sent as well. */
void nu_h2_metadata_forget(struct nu_h2_stream *stream);
void nu_h2_metadata_finish(struct nu_h2_stream *stream);

/* --- h2_tunnel.c --- */

/* Takes an extended CONNECT for the upgrade that it is in HTTP/1. */
void nu_h2_tunnel_take_request(struct nu_h2_stream *stream, struct nu_headers *headers);
/* Takes what grants ours for a 101. */
void nu_h2_tunnel_take_response(struct nu_h2_stream *stream, struct nu_headers *headers);
/* Makes an upgrade an extended CONNECT; a plain CONNECT loses what it may not have. */
void nu_h2_tunnel_fix_request(struct nu_h2_stream *stream, const struct nu_headers *headers,
                              struct nu_h2_fields *fields);
/* Makes a 101 a 200. */
void nu_h2_tunnel_fix_response(struct nu_h2_fields *fields);

#endif
