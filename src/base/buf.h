/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer: a chain of slices, each a range of a reference-counted block. Bodies travel through the
 * proxy in buffers and are moved from one connection's buffer to the other's without a copy.
 *
 *     buf.first -> [block A, 120..4064] -> [block B, 0..16360] -> NULL     len = sum of both
 *
 * nuncio/buf.h has the part that plug-ins see: append, drain, copy_out, move_all. nu_buf_append
 * fills the last block's free bytes where they are free for us.
 *
 * A buffer belongs to one thread, like the blocks. It is 24 bytes, zero-initialised when empty.
 * "append" copies bytes, "move" moves slices, "add" shares a block by reference.
 */
#ifndef NU_BASE_BUF_H
#define NU_BASE_BUF_H

#include <sys/uio.h>

#include "nuncio/buf.h"

#include "base/block.h"
#include "base/str.h"

struct nu_slice {
    struct nu_slice *next;
    struct nu_block
        *block; /* one reference held; NULL for constant bytes that outlive the buffer */
    const char *ptr;
    size_t len; /* never 0 inside a buffer */
};

struct nu_buf {
    struct nu_slice *first;
    struct nu_slice *last;
    size_t len; /* bytes in all slices */
};

static inline void nu_buf_init(struct nu_buf *buf)
{
    buf->first = NULL;
    buf->last = NULL;
    buf->len = 0;
}

void nu_buf_clear_slices(struct nu_buf *buf);

/* Drops all bytes. The buffer may be used again. */
static inline void nu_buf_clear(struct nu_buf *buf)
{
    if (buf->first)
        nu_buf_clear_slices(buf);
}

static inline bool nu_buf_is_empty(const struct nu_buf *buf)
{
    return buf->len == 0;
}

/* Adds bytes that outlive the buffer (string constants, configuration), without a copy. */
void nu_buf_add_static(struct nu_buf *buf, struct nu_str s);
/* Adds the range `s` of `block` and takes a reference of its own. `s` may be empty. */
void nu_buf_add_block(struct nu_buf *buf, struct nu_block *block, struct nu_str s);
/* The same with the caller's reference, which it takes over; `s` is not empty. */
void nu_buf_take_block(struct nu_buf *buf, struct nu_block *block, struct nu_str s);

/*
 * `n` contiguous writable bytes at the end, or all that the last block has room for then; what was
 * written is added by nu_buf_commit. Nothing else may touch the buffer, or one that shares its last
 * block, in between; a reservation may be left for a larger one, or dropped by nu_buf_clear.
 */
char *nu_buf_reserve(struct nu_buf *buf, size_t n);
void nu_buf_commit(struct nu_buf *buf, size_t n);

void nu_buf_drain_slices(struct nu_buf *buf, size_t n);

/* nu_buf_drain for those who mostly drain all. */
static inline void nu_buf_drain_all_or(struct nu_buf *buf, size_t n)
{
    if (nu_likely(n >= buf->len))
        nu_buf_clear(buf);
    else
        nu_buf_drain_slices(buf, n);
}

/* Copies `s` behind the last bytes where it fits into their block; false, and nothing, where not. */
bool nu_buf_append_if_room(struct nu_buf *buf, struct nu_str s);

/* Moves the first `n` bytes (cut to the length) from `from` to the end of `to`. */
void nu_buf_move(struct nu_buf *to, struct nu_buf *from, size_t n);
/* Moves all of `from` to the end of `to`; a few bytes that fit behind the last ones of `to` are
 * copied there, so that both are one piece to write. */
void nu_buf_gather(struct nu_buf *to, struct nu_buf *from);
/*
 * Moves all of `from` to the end of `to`, or shares it, where bytes may wait long and come in pieces
 * of a size that a peer chooses: small ones are copied behind those that wait, for each would hold a
 * block of its own, which is many times its size.
 */
void nu_buf_collect(struct nu_buf *to, struct nu_buf *from);
void nu_buf_collect_shared(struct nu_buf *to, const struct nu_buf *from);
/* Puts the slices of `from` before the first byte of `to`. */
void nu_buf_prepend_all(struct nu_buf *to, struct nu_buf *from);
/* Puts a copy of bytes first. Small pieces put there one after the other share blocks. */
void nu_buf_prepend(struct nu_buf *buf, struct nu_str s);
/* Adds references to all slices of `from`, which is left as it is. */
void nu_buf_share(struct nu_buf *to, const struct nu_buf *from);

/* Fills `iov` with up to `max` slices from the front; returns the count, the bytes in `*bytes`. */
int nu_buf_to_iovec(const struct nu_buf *buf, struct iovec *iov, int max, size_t *bytes);

/*
 * Frees the calling thread's list of spare slice nodes; call it before a thread ends, when none of
 * its buffers holds bytes any more.
 */
void nu_buf_cache_clear(void);

#endif
