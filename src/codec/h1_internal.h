/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of one HTTP/1 message, shared by the server and the client side.
 *
 * While a head (or trailer section) is read its bytes stay contiguous in one block. The first line
 * is read whole; the field lines are read by h1_fields.h, each beginning exactly where the one
 * before it ended:
 *
 *     GET /path HTTP/1.1\r\n name:OWS value OWS\r\n name: ... \r\n \r\n
 *     ^head     ^url        ^field.line            ^field.line ^field.line
 *
 * A folded line, a bare LF, a space before a colon or anything else that a parser might skip is an
 * error. Where a message is not plain, llhttp is shown the first line, the field lines that bear on
 * framing, and the framing of a chunked body, which h1_chunks.h reads; both must come to the same
 * reading, whatever the llhttp version tolerates: h1_second.h.
 */
#ifndef NU_CODEC_H1_INTERNAL_H
#define NU_CODEC_H1_INTERNAL_H

#include "codec/h1.h"
#include "codec/h1_chunks.h"
#include "codec/h1_fields.h"
#include "http/joined.h"

enum nu_h1_phase {
    NU_H1_START, /* nothing but empty lines so far */
    NU_H1_HEAD,
    NU_H1_BODY,
    NU_H1_TRAILERS,
    NU_H1_COMPLETE,
    NU_H1_FAILED,
};

/* What a request asks for besides an answer: its connection may become a stream of bytes. */
enum nu_h1_ask {
    NU_H1_ASKS_NOTHING,
    NU_H1_ASKS_UPGRADE, /* granted by 101 */
    NU_H1_ASKS_CONNECT, /* granted by any 2xx */
};

struct nu_h1_message {
    const struct nu_h1_options *options; /* borrowed */
    struct nu_arena *arena;              /* borrowed: the stream's */
    struct nu_headers *headers;          /* head, borrowed from the decoder */
    struct nu_headers *target;           /* what is being filled: headers or trailers */
    const struct nu_header_set *joined;  /* names whose values go into one field */
    struct nu_codec_error error;         /* once FAILED */
    struct nu_map *spellings;            /* of the section's names; in the arena; NULL while few */

    /* Pieces of the line being read; views into the contiguous bytes. */
    union {
        struct nu_str url;    /* of a request */
        struct nu_str reason; /* of a response */
    };
    struct nu_h1_chunks chunks; /* while is_chunked */
    struct nu_h1_field field;   /* `line` is NULL before the first line ended */
    uint64_t content_length;    /* 0 without one */
    uint64_t body_left;         /* of it, while a plain message's body is read */
    bool is_request;
    bool reads_lines_alone; /* names are kept, or looked at for underscores, or all is dropped */
    bool is_refused;        /* once FAILED: by a rule, and nothing in it was unreadable */
    /* Where the head has a Transfer-Encoding: */
    bool ends_chunked;     /* the last one is "chunked" */
    bool has_wrong_coding; /* one is not, or there are several */

    /* From here on all is zero at first. */
    struct nu_headers *trailers; /* in the arena; NULL until there are some */
    struct nu_buf body;          /* read, not yet passed on */
    struct nu_h1_second *second; /* in the arena; NULL while the message is plain */
    const char *head;            /* first byte of the head or trailer section */
    uint32_t parsed;             /* bytes that hold no end of the first line */
    uint32_t header_count;
    uint32_t field_bytes; /* of all fields, as Envoy counts header bytes */
    uint16_t underscores; /* names with an underscore that were dropped or refused */
    uint16_t interims;    /* interim responses that came before this head */
    uint16_t status;      /* of a response, once its first line was read */
    uint8_t http_minor;   /* of the version, like the status */
    uint8_t phase;        /* enum nu_h1_phase */
    uint8_t asks;         /* enum nu_h1_ask, of the request; for a response the question */
    bool is_chunked;
    bool has_length;      /* a Content-Length frames the body */
    bool has_repeated;    /* fields of the section are to be joined when it is complete */
    bool has_body;        /* more than the head is to come */
    bool keep_alive;      /* as the message itself says */
    bool head_passed;     /* decoder->on_headers was called */
    bool end_passed;      /* the decoder was told of the end */
    bool expects_no_body; /* the response to a HEAD */
    bool reads_to_eof;
    bool is_tunnel; /* all that follows the head are bytes of a tunnel: of a request that asks for
                       one, of a response that grants it */
};

/* Makes a message in the decoder's arena. */
struct nu_h1_message *nu_h1_message_create(struct nu_stream_decoder *decoder,
                                           const struct nu_h1_options *options, bool is_request);

bool nu_h1_drop_empty_lines(struct nu_buf *in);

/* Drops the empty lines that may stand before a request (RFC 9112 2.2), of which there are bytes.
 * Returns whether there is more; a lone CR waits for what follows it. */
static inline bool nu_h1_skip_empty_lines(struct nu_buf *in)
{
    return nu_likely(in->first->ptr[0] != '\r') || nu_h1_drop_empty_lines(in);
}

/*
 * Feeds the connection's input. Returns when the input is used up, the head is complete (so that it
 * is passed on whatever comes behind it), the message is complete or it failed; what was not used,
 * or belongs to a next message, stays in `in`. Nothing is called back: the caller looks at
 * the phase and the collected parts.
 */
void nu_h1_message_feed(struct nu_h1_message *msg, struct nu_buf *in);
/* Feeds the body of a plain message, which is everything up to its length or to the connection's end:
 * nothing of it can be wrong. */
void nu_h1_message_feed_plain_body(struct nu_h1_message *msg, struct nu_buf *in);
/* Whether it keeps its bytes in the input until more of them come: of a head or a trailer section,
 * which the limit of a head bounds. */
static inline bool nu_h1_message_needs_more(const struct nu_h1_message *msg)
{
    return msg->phase == NU_H1_HEAD || msg->phase == NU_H1_TRAILERS;
}
/* The peer ended its side: completes a response that is read to the end, fails anything else. */
void nu_h1_message_feed_eof(struct nu_h1_message *msg);
/* Starts over for the final response after an interim one. */
void nu_h1_message_restart(struct nu_h1_message *msg);

/* Passes on a head that was accepted. As with all that is passed on, the owner may have let go of
 * the message when this returns. */
static inline void nu_h1_message_pass_head(struct nu_h1_message *msg,
                                           struct nu_stream_decoder *decoder)
{
    bool end = msg->phase == NU_H1_COMPLETE && !msg->has_body;
    msg->head_passed = true;
    msg->end_passed = end;
    decoder->ops->on_headers(decoder, end);
}

/* Passes on what was read behind the head. `*owned` is the owner's message, which it sets to another
 * value when it lets go of it. */
static inline void nu_h1_message_pass_body(struct nu_h1_message *const *owned,
                                           struct nu_stream_decoder *decoder)
{
    struct nu_h1_message *msg = *owned;
    bool complete = msg->phase == NU_H1_COMPLETE;
    bool trailers = complete && msg->options->enable_trailers && msg->trailers &&
                    nu_headers_count(msg->trailers);
    bool end = complete && !trailers;
    struct nu_buf data = msg->body;
    nu_buf_init(&msg->body);
    if (data.len || end) {
        msg->end_passed = end;
        decoder->ops->on_data(decoder, &data, end);
        nu_buf_clear(&data);
    }
    if (trailers && *owned == msg) {
        msg->end_passed = true;
        decoder->ops->on_trailers(decoder, msg->trailers);
    }
}

/* Passes on the body of a message that failed in its trailers: as in Envoy it is whole by then, and
 * not lost with them, however it came. Returns whether the message is still the owner's. */
static inline bool nu_h1_message_pass_before_failure(struct nu_h1_message *const *owned,
                                                     struct nu_stream_decoder *decoder)
{
    const struct nu_h1_message *msg = *owned;
    if (msg->trailers && msg->body.len)
        nu_h1_message_pass_body(owned, decoder);
    return *owned == msg;
}

/* Whether llhttp looks at a field of this name. */
bool nu_h1_bears_on_framing(enum nu_header_id id);
/* Whether a field that bears on framing can be read in one way only. */
bool nu_h1_is_plain_field(enum nu_header_id id, struct nu_str value);
/* Takes over whole field lines up to `end`, from msg->field.line on, which it moves; stops before
 * the first one that has to be looked at more closely. Memory up to `readable_end`, which is not
 * before `end`, may be read and means nothing. h1_lines.c. */
void nu_h1_take_lines(struct nu_h1_message *msg, const char *end, const char *readable_end);
/* How a name (in lower case), which is spelt `present` in the field that is read, was spelt first in its
 * section. h1_spelling.c. */
const char *nu_h1_first_spelling(struct nu_h1_message *msg, struct nu_str name,
                                 const char *present);
/* The head is complete: judges it, and says in `phase` and `has_body` what follows. Returns 0, or
 * fails the message. */
int nu_h1_message_end_head(struct nu_h1_message *msg);

/* Marks the message failed with this answer; returns what is not 0. */
int nu_h1_message_fail(struct nu_h1_message *msg, uint32_t status, struct nu_str details);

/* Judges a complete head; each returns 0, or fails the message. h1_rules.c. */
int nu_h1_check_request(struct nu_h1_message *msg);
int nu_h1_check_response(struct nu_h1_message *msg);

/* Framing and connection headers that the encoder adds or leaves out. What the map says of framing
 * never goes out as it is: one Content-Length at most, and no Transfer-Encoding but ours. */
enum nu_h1_framing {
    NU_H1_ADD_CHUNKED = 1 << 0,
    NU_H1_ADD_ZERO_LENGTH = 1 << 1,
    NU_H1_ADD_CLOSE = 1 << 2,
    NU_H1_DROP_LENGTH = 1 << 3,
};

/* A head to be written. */
struct nu_h1_head {
    const struct nu_headers *headers;
    const struct nu_header
        *host;            /* of a request: the authority, which goes first as Host, or NULL */
    struct nu_str first;  /* method, or version */
    struct nu_str second; /* request target, or status and reason phrase */
    bool is_request;
    uint8_t framing; /* enum nu_h1_framing, some of them */
    enum nu_h1_name_format format;
};

/* Statuses that never have a body (RFC 9110 6.4.1). */
static inline bool nu_h1_is_bodiless(uint32_t status)
{
    return status < 200 || status == 204 || status == 304;
}

/* Whether the Content-Length in `headers` can mark off the body that follows: it is a number, and 0
 * if nothing follows. */
bool nu_h1_length_fits(struct nu_headers *headers, bool end, uint64_t *length);
/* Cuts `data` to the `*left` bytes that may still be sent; returns whether all of it fits. */
bool nu_h1_take_length(uint64_t *left, struct nu_buf *data);

/* Whether the headers ask for another protocol, or name the one that was switched to. */
bool nu_h1_names_upgrade(const struct nu_headers *headers);
/* Whether a response with this status opens the tunnel that was asked for. */
static inline bool nu_h1_opens_tunnel(enum nu_h1_ask asks, uint32_t status)
{
    return asks == NU_H1_ASKS_CONNECT ? status / 100 == 2 : status == 101;
}

/* What a head took: all of it, and its fields alone, as Envoy counts header bytes. h1_encode.c. */
struct nu_h1_written {
    size_t bytes;
    size_t field_bytes;
};

struct nu_h1_written nu_h1_write_head(struct nu_buf *out, const struct nu_h1_head *head);
/* Moves `data` to `out` as one chunk. */
void nu_h1_write_chunk(struct nu_buf *out, struct nu_buf *data);
/* The last chunk and the trailers (may be NULL); returns the bytes of the latter. */
size_t nu_h1_write_last_chunk(struct nu_buf *out, const struct nu_headers *trailers,
                              enum nu_h1_name_format format);

#endif
