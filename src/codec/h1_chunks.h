/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The framing of a chunked body (RFC 9112 7.1), byte by byte:
 *
 *     1*HEXDIG [ ";" extension ] CRLF   data   CRLF   ...   "0" ... CRLF
 *
 * Nothing else is a chunk: no blank behind the size, no control character in an extension, no bare
 * LF, no size of more than 64 bits, no line of more than 4096 bytes. Extensions are dropped. Any
 * thread.
 */
#ifndef NU_CODEC_H1_CHUNKS_H
#define NU_CODEC_H1_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

enum nu_h1_chunk_result {
    NU_H1_CHUNK_PARTIAL, /* all that is there is right so far */
    NU_H1_CHUNK_DATA,    /* the line is over; `left` bytes of data follow, or none: the last
                            chunk */
    NU_H1_CHUNK_BAD,
};

/* Zero-initialised: before the first size. */
struct nu_h1_chunks {
    uint64_t left;        /* bytes of data until the chunk's end; the size while it is read */
    uint16_t line_length; /* bytes of the line so far */
    uint8_t state;        /* private */
    bool in_data;         /* data is next: read no framing before nu_h1_chunks_take took it all */
};

/* Reads framing from *at up to `end`, and moves *at behind what it read. After PARTIAL, call again
 * when there is more. */
enum nu_h1_chunk_result nu_h1_chunks_read(struct nu_h1_chunks *chunks, const char **at,
                                          const char *end);
/* Notes that `n` bytes of data were taken, of the `left` ones. */
void nu_h1_chunks_take(struct nu_h1_chunks *chunks, uint64_t n);

#endif
