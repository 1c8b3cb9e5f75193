/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slice chains. Slice nodes (32 bytes) come from a per-thread free list that is refilled by the
 * page and never shrinks while the thread lives: it holds at most what was in flight at once.
 */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/assert.h"

enum { NODES_PER_PAGE = 127 };

struct node_page {
    struct node_page *next;
    struct nu_slice nodes[NODES_PER_PAGE];
};

static _Thread_local struct nu_slice *free_nodes;
static _Thread_local struct node_page *node_pages;

NU_COLD static void refill_nodes(void)
{
    struct node_page *page = nu_alloc(sizeof(*page));
    page->next = node_pages;
    node_pages = page;
    for (size_t i = 0; i < NODES_PER_PAGE; i++) {
        page->nodes[i].next = free_nodes;
        free_nodes = &page->nodes[i];
    }
}

static inline struct nu_slice *node_get(void)
{
    if (nu_unlikely(!free_nodes))
        refill_nodes();
    struct nu_slice *node = free_nodes;
    free_nodes = node->next;
    nu_unpoison(node, sizeof(*node));
    return node;
}

static inline void node_put(struct nu_slice *node)
{
    node->next = free_nodes;
    free_nodes = node;
    nu_poison(&node->block, sizeof(*node) - offsetof(struct nu_slice, block));
}

void nu_buf_cache_clear(void)
{
    while (node_pages) {
        struct node_page *page = node_pages;
        node_pages = page->next;
        nu_free(page);
    }
    free_nodes = NULL;
}

void nu_buf_clear_slices(struct nu_buf *buf)
{
    struct nu_slice *slice = buf->first;
    nu_buf_init(buf);
    do {
        struct nu_slice *next = slice->next;
        struct nu_block *block = slice->block;
        node_put(slice);
        nu_block_unref(block);
        slice = next;
    } while (nu_unlikely(slice != NULL));
}

static inline void link_last(struct nu_buf *buf, struct nu_slice *slice)
{
    slice->next = NULL;
    if (buf->last)
        buf->last->next = slice;
    else
        buf->first = slice;
    buf->last = slice;
    buf->len += slice->len;
}

/* Links a slice whose block reference it takes over. */
static void add_slice(struct nu_buf *buf, struct nu_block *block, const char *ptr, size_t len)
{
    struct nu_slice *slice = node_get();
    slice->block = block;
    slice->ptr = ptr;
    slice->len = len;
    link_last(buf, slice);
}

/* The free bytes right behind the last slice, if they are ours to fill. */
static inline size_t tail_room(const struct nu_buf *buf)
{
    const struct nu_slice *last = buf->last;
    if (!last || !last->block)
        return 0;
    const struct nu_block *block = last->block;
    return last->ptr + last->len == block->data + block->fill ? nu_block_room(block) : 0;
}

static inline char *tail_end(const struct nu_buf *buf)
{
    return buf->last->block->data + buf->last->block->fill;
}

static inline void tail_extend(struct nu_buf *buf, size_t n)
{
    buf->last->block->fill += (uint32_t)n;
    buf->last->len += n;
    buf->len += n;
}

size_t nu_buf_length(const struct nu_buf *buf)
{
    return buf->len;
}

void nu_buf_append(struct nu_buf *buf, struct nu_str s)
{
    size_t room = tail_room(buf);
    size_t n = nu_min_size(room, s.len);
    if (n) {
        memcpy(tail_end(buf), s.ptr, n);
        tail_extend(buf, n);
        s = nu_str_skip(s, n);
    }
    while (s.len) {
        struct nu_block *block =
            nu_block_get_size(nu_min_size(s.len, nu_block_size(NU_BLOCK_LARGE)));
        n = nu_min_size(nu_block_room(block), s.len);
        memcpy(block->data, s.ptr, n);
        block->fill = (uint32_t)n;
        add_slice(buf, block, block->data, n);
        s = nu_str_skip(s, n);
    }
}

bool nu_buf_append_if_room(struct nu_buf *buf, struct nu_str s)
{
    if (tail_room(buf) < s.len)
        return false;
    memcpy(tail_end(buf), s.ptr, s.len);
    tail_extend(buf, s.len);
    return true;
}

void nu_buf_add_static(struct nu_buf *buf, struct nu_str s)
{
    if (s.len)
        add_slice(buf, NULL, s.ptr, s.len);
}

void nu_buf_add_block(struct nu_buf *buf, struct nu_block *block, struct nu_str s)
{
    if (s.len == 0)
        return;
    nu_block_ref(block);
    add_slice(buf, block, s.ptr, s.len);
}

void nu_buf_take_block(struct nu_buf *buf, struct nu_block *block, struct nu_str s)
{
    nu_debug_assert(s.len > 0);
    add_slice(buf, block, s.ptr, s.len);
}

static void unlink_last(struct nu_buf *buf)
{
    struct nu_slice *last = buf->last;
    struct nu_slice *before = NULL;
    for (struct nu_slice *slice = buf->first; slice != last; slice = slice->next)
        before = slice;
    if (before)
        before->next = NULL;
    else
        buf->first = NULL;
    buf->last = before;
    nu_block_unref(last->block);
    node_put(last);
}

/*
 * A reservation is kept as an empty last slice until it is committed. One that was not is dropped
 * by the next.
 */
static char *reserve_block(struct nu_buf *buf, size_t n)
{
    struct nu_block *block = nu_block_get_size(n);
    add_slice(buf, block, block->data, 0);
    return block->data;
}

char *nu_buf_reserve(struct nu_buf *buf, size_t n)
{
    if (nu_likely(!buf->last))
        return reserve_block(buf, n);
    if (tail_room(buf) >= nu_max_size(n, 1))
        return tail_end(buf);
    if (buf->last->len == 0)
        unlink_last(buf);
    return reserve_block(buf, n);
}

void nu_buf_commit(struct nu_buf *buf, size_t n)
{
    nu_debug_assert(buf->last && n <= nu_block_room(buf->last->block));
    tail_extend(buf, n);
    if (buf->last->len == 0)
        unlink_last(buf);
}

void nu_buf_move_all(struct nu_buf *to, struct nu_buf *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->len += from->len;
    nu_buf_init(from);
}

void nu_buf_gather(struct nu_buf *to, struct nu_buf *from)
{
    enum { WORTH_MOVING = 512 };
    const struct nu_slice *slice = from->first;
    if (from->len >= WORTH_MOVING || !slice || slice->next || tail_room(to) < slice->len) {
        nu_buf_move_all(to, from);
        return;
    }
    memcpy(tail_end(to), slice->ptr, slice->len);
    tail_extend(to, slice->len);
    nu_buf_clear(from);
}

void nu_buf_move(struct nu_buf *to, struct nu_buf *from, size_t n)
{
    if (n >= from->len) {
        nu_buf_move_all(to, from);
        return;
    }
    while (n) {
        struct nu_slice *slice = from->first;
        if (slice->len > n) {
            if (slice->block)
                nu_block_ref(slice->block);
            add_slice(to, slice->block, slice->ptr, n);
            slice->ptr += n;
            slice->len -= n;
            from->len -= n;
            return;
        }
        from->first = slice->next;
        from->len -= slice->len;
        n -= slice->len;
        link_last(to, slice);
    }
}

void nu_buf_prepend_all(struct nu_buf *to, struct nu_buf *from)
{
    nu_buf_move_all(from, to);
    *to = *from;
    nu_buf_init(from);
}

void nu_buf_prepend(struct nu_buf *buf, struct nu_str s)
{
    struct nu_buf first = {0};
    nu_buf_append(&first, s);
    const struct nu_slice *next = buf->first;
    if (next && tail_room(&first) >= next->len) {
        nu_buf_append(&first, nu_str_make(next->ptr, next->len));
        nu_buf_drain(buf, next->len);
    }
    nu_buf_prepend_all(buf, &first);
}

void nu_buf_share(struct nu_buf *to, const struct nu_buf *from)
{
    for (const struct nu_slice *slice = from->first; slice; slice = slice->next) {
        if (slice->block)
            nu_block_ref(slice->block);
        add_slice(to, slice->block, slice->ptr, slice->len);
    }
}

/* Copies a small piece; false if it is not small, or nothing waits that it could stand behind. */
static bool append_small(struct nu_buf *to, const struct nu_buf *from)
{
    enum { WORTH_SHARING = 512 };
    if (from->len >= WORTH_SHARING || !to->first)
        return false;
    for (const struct nu_slice *slice = from->first; slice; slice = slice->next)
        nu_buf_append(to, nu_str_make(slice->ptr, slice->len));
    return true;
}

void nu_buf_collect(struct nu_buf *to, struct nu_buf *from)
{
    if (append_small(to, from))
        nu_buf_clear(from);
    else
        nu_buf_move_all(to, from);
}

void nu_buf_collect_shared(struct nu_buf *to, const struct nu_buf *from)
{
    if (!append_small(to, from))
        nu_buf_share(to, from);
}

void nu_buf_drain_slices(struct nu_buf *buf, size_t n)
{
    buf->len -= n;
    while (n) {
        struct nu_slice *slice = buf->first;
        if (slice->len > n) {
            slice->ptr += n;
            slice->len -= n;
            return;
        }
        n -= slice->len;
        buf->first = slice->next;
        nu_block_unref(slice->block);
        node_put(slice);
    }
}

void nu_buf_drain(struct nu_buf *buf, size_t n)
{
    nu_buf_drain_all_or(buf, n);
}

size_t nu_buf_copy_out(const struct nu_buf *buf, size_t offset, char *out, size_t n)
{
    size_t copied = 0;
    for (const struct nu_slice *slice = buf->first; slice && copied < n; slice = slice->next) {
        if (offset >= slice->len) {
            offset -= slice->len;
            continue;
        }
        size_t take = nu_min_size(slice->len - offset, n - copied);
        memcpy(out + copied, slice->ptr + offset, take);
        copied += take;
        offset = 0;
    }
    return copied;
}

int nu_buf_to_iovec(const struct nu_buf *buf, struct iovec *iov, int max, size_t *bytes)
{
    int count = 0;
    *bytes = 0;
    for (const struct nu_slice *slice = buf->first; slice && count < max; slice = slice->next) {
        iov[count].iov_base = nu_unconst(slice->ptr);
        iov[count].iov_len = slice->len;
        *bytes += slice->len;
        count++;
    }
    return count;
}
