/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers against a model: the input is a row of operations on two buffers, each of which is also
 * done on a plain array of bytes. After every operation both must hold the same bytes and be well
 * formed.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/buf.h"
#include "fuzz/target.h"

enum { MODEL_MAX = 400000, GROWTH_MAX = 150000, OPERATIONS_MAX = 300, IOVEC_MAX = 64 };

struct pair {
    struct nu_buf buf;
    char *bytes; /* MODEL_MAX of them */
    size_t len;
};

struct input {
    const uint8_t *data;
    size_t left;
    uint32_t state; /* of fresh_bytes */
};

static uint8_t next_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

/* Mostly small, sometimes at the border of a block class. */
static size_t next_length(struct input *in)
{
    static const size_t borders[] = {4072, 16360, 65512, 130000};
    uint8_t kind = next_byte(in);
    if (kind < 192)
        return kind;
    return borders[kind % NU_ARRAY_LEN(borders)] - 4 + next_byte(in) % 8;
}

/* `n` bytes, other ones with every call. */
static const char *fresh_bytes(struct input *in, size_t n)
{
    static char bytes[GROWTH_MAX];
    for (size_t i = 0; i < n; i++) {
        in->state = in->state * 1664525 + 1013904223;
        bytes[i] = (char)(in->state >> 24);
    }
    return bytes;
}

static bool has_room(const struct pair *pair, size_t n)
{
    return n <= GROWTH_MAX && pair->len + n <= MODEL_MAX;
}

static void model_append(struct pair *pair, const char *bytes, size_t n)
{
    if (n)
        memcpy(pair->bytes + pair->len, bytes, n);
    pair->len += n;
}

static void model_drain(struct pair *pair, size_t n)
{
    n = nu_min_size(n, pair->len);
    memmove(pair->bytes, pair->bytes + n, pair->len - n);
    pair->len -= n;
}

static void append(struct input *in, struct pair *pair)
{
    size_t n = next_length(in);
    if (!has_room(pair, n))
        return;
    const char *bytes = fresh_bytes(in, n);
    nu_buf_append(&pair->buf, nu_str_make(bytes, n));
    model_append(pair, bytes, n);
}

static void add_static(struct input *in, struct pair *pair)
{
    static const char constant[256] = "a constant that outlives every buffer";
    size_t n = nu_min_size(next_length(in), sizeof(constant));
    if (!has_room(pair, n))
        return;
    nu_buf_add_static(&pair->buf, nu_str_make(constant, n));
    model_append(pair, constant, n);
}

/* A range of a new block, with or without used bytes before and behind it. */
static void add_block(struct input *in, struct pair *pair)
{
    size_t before = next_byte(in) % 8;
    size_t behind = next_byte(in) % 2;
    size_t n = next_length(in);
    size_t all = before + n + behind;
    if (!has_room(pair, all))
        return;
    struct nu_block *block = nu_block_get_size(all);
    memcpy(block->data, fresh_bytes(in, all), all);
    block->fill = (uint32_t)all;
    nu_buf_add_block(&pair->buf, block, nu_str_make(block->data + before, n));
    model_append(pair, block->data + before, n);
    nu_block_unref(block);
}

/* With or without a smaller reservation before it that is never used. */
static void reserve(struct input *in, struct pair *pair)
{
    bool is_second = next_byte(in) % 2;
    size_t n = next_length(in);
    size_t used = nu_min_size(next_length(in), n);
    if (!has_room(pair, n))
        return;
    if (is_second)
        nu_buf_reserve(&pair->buf, n / 2);
    char *room = nu_buf_reserve(&pair->buf, n);
    const char *bytes = fresh_bytes(in, n);
    if (n)
        memcpy(room, bytes, n);
    nu_buf_commit(&pair->buf, used);
    model_append(pair, bytes, used);
}

static void move(struct pair *to, struct pair *from, size_t n)
{
    size_t moved = nu_min_size(n, from->len);
    if (!has_room(to, moved))
        return;
    nu_buf_move(&to->buf, &from->buf, n);
    model_append(to, from->bytes, moved);
    model_drain(from, moved);
}

static void prepend(struct pair *to, struct pair *from)
{
    if (!has_room(to, from->len))
        return;
    nu_buf_prepend_all(&to->buf, &from->buf);
    memmove(to->bytes + from->len, to->bytes, to->len);
    memcpy(to->bytes, from->bytes, from->len);
    to->len += from->len;
    from->len = 0;
}

static void share(struct pair *to, const struct pair *from)
{
    if (!has_room(to, from->len))
        return;
    nu_buf_share(&to->buf, &from->buf);
    model_append(to, from->bytes, from->len);
}

static void drain(struct pair *pair, size_t n)
{
    nu_buf_drain(&pair->buf, n);
    model_drain(pair, n);
}

static void copy_out(const struct pair *pair, size_t offset, size_t n)
{
    char *out = nu_alloc(n);
    size_t want = offset < pair->len ? nu_min_size(n, pair->len - offset) : 0;
    nu_assert(nu_buf_copy_out(&pair->buf, offset, out, n) == want);
    nu_assert(want == 0 || memcmp(out, pair->bytes + offset, want) == 0);
    nu_free(out);
}

static void read_iovec(const struct pair *pair, int max)
{
    struct iovec iov[IOVEC_MAX];
    size_t bytes;
    int count = nu_buf_to_iovec(&pair->buf, iov, max, &bytes);
    nu_assert(count <= max && bytes <= pair->len);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        nu_assert(memcmp(iov[i].iov_base, pair->bytes + at, iov[i].iov_len) == 0);
        at += iov[i].iov_len;
    }
    nu_assert(at == bytes && (count == max || bytes == pair->len));
}

static void check(const struct pair *pair)
{
    size_t at = 0;
    const struct nu_slice *last = NULL;
    for (const struct nu_slice *slice = pair->buf.first; slice; slice = slice->next) {
        nu_assert(slice->len > 0 && slice->len <= pair->len - at);
        nu_assert(memcmp(slice->ptr, pair->bytes + at, slice->len) == 0);
        nu_assert(!slice->block || slice->block->refs > 0);
        at += slice->len;
        last = slice;
    }
    nu_assert(at == pair->len && pair->buf.len == at && pair->buf.last == last);
    nu_assert(nu_buf_is_empty(&pair->buf) == (at == 0));
}

static void operate(struct input *in, struct pair *a, struct pair *b)
{
    switch (next_byte(in) % 12) {
    case 0:
        append(in, a);
        break;
    case 1:
        add_static(in, a);
        break;
    case 2:
        add_block(in, a);
        break;
    case 3:
        reserve(in, a);
        break;
    case 4:
        move(b, a, next_length(in));
        break;
    case 5:
        move(b, a, SIZE_MAX);
        break;
    case 6:
        prepend(b, a);
        break;
    case 7:
        share(b, a);
        break;
    case 8:
        drain(a, next_length(in));
        break;
    case 9: {
        size_t offset = next_length(in);
        copy_out(a, offset, next_length(in));
        break;
    }
    case 10:
        read_iovec(a, next_byte(in) % (IOVEC_MAX + 1));
        break;
    default:
        drain(a, SIZE_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size, 1};
    static char memory[2][MODEL_MAX];
    struct pair pairs[2] = {{.bytes = memory[0]}, {.bytes = memory[1]}};
    for (int i = 0; i < OPERATIONS_MAX && in.left; i++) {
        size_t first = next_byte(&in) % 2;
        operate(&in, &pairs[first], &pairs[1 - first]);
        check(&pairs[0]);
        check(&pairs[1]);
    }
    nu_buf_clear(&pairs[0].buf);
    nu_buf_clear(&pairs[1].buf);
    return 0;
}
