/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers, as filters see them: a chain of byte ranges. Bytes are moved between buffers without a
 * copy; a buffer belongs to its stream's thread.
 */
#ifndef NUNCIO_BUF_H
#define NUNCIO_BUF_H

#include "nuncio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nu_buf;

/* Bytes in the buffer. */
NUNCIO_API size_t nu_buf_length(const struct nu_buf *buf);
/* Copies up to `n` bytes from `offset` on to `out`; returns how many there were. */
NUNCIO_API size_t nu_buf_copy_out(const struct nu_buf *buf, size_t offset, char *out, size_t n);
/* Copies `bytes` to the end. */
NUNCIO_API void nu_buf_append(struct nu_buf *buf, struct nu_str bytes);
/* Drops the first `n` bytes (cut to the length). */
NUNCIO_API void nu_buf_drain(struct nu_buf *buf, size_t n);
/* Moves everything from `from` to the end of `to`. */
NUNCIO_API void nu_buf_move_all(struct nu_buf *to, struct nu_buf *from);

#ifdef __cplusplus
}
#endif

#endif
