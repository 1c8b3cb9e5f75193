/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk framing as a small state machine: a byte is looked at once, wherever the input is cut. */
#include "codec/h1_chunks.h"

#include "base/str.h"

enum {
    FIRST_DIGIT,
    SIZE,
    EXTENSION,
    LINE_LF,
    DATA_CR, /* behind the data */
    DATA_LF,
};

enum { LINE_MAX_BYTES = 4096 };

static int hex_value(char c)
{
    if (nu_ascii_is_digit(c))
        return c - '0';
    char lower = nu_ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool add_digit(struct nu_h1_chunks *chunks, int digit)
{
    if (chunks->left >> 60)
        return false;
    chunks->left = chunks->left << 4 | (unsigned)digit;
    return true;
}

static bool read_size(struct nu_h1_chunks *chunks, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        chunks->state = SIZE;
        return add_digit(chunks, digit);
    }
    if (chunks->state == FIRST_DIGIT || (c != ';' && c != '\r'))
        return false;
    chunks->state = c == ';' ? EXTENSION : LINE_LF;
    return true;
}

static bool read_extension(struct nu_h1_chunks *chunks, char c)
{
    unsigned char u = (unsigned char)c;
    if (c == '\r')
        chunks->state = LINE_LF;
    return c == '\r' || c == '\t' || (u >= ' ' && u != 0x7f);
}

/* One byte that does not end a line. */
static bool read_byte(struct nu_h1_chunks *chunks, char c)
{
    switch (chunks->state) {
    case FIRST_DIGIT:
    case SIZE:
        return read_size(chunks, c);
    case EXTENSION:
        return read_extension(chunks, c);
    case DATA_CR:
        chunks->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        chunks->state = FIRST_DIGIT;
        chunks->line_length = 0;
        return c == '\n';
    default:
        return false;
    }
}

enum nu_h1_chunk_result nu_h1_chunks_read(struct nu_h1_chunks *chunks, const char **at,
                                          const char *end)
{
    for (const char *p = *at; p < end; p++) {
        *at = p + 1;
        if (chunks->state == LINE_LF) {
            chunks->state = DATA_CR;
            chunks->in_data = chunks->left > 0;
            return *p == '\n' ? NU_H1_CHUNK_DATA : NU_H1_CHUNK_BAD;
        }
        if (++chunks->line_length > LINE_MAX_BYTES || !read_byte(chunks, *p))
            return NU_H1_CHUNK_BAD;
    }
    return NU_H1_CHUNK_PARTIAL;
}

void nu_h1_chunks_take(struct nu_h1_chunks *chunks, uint64_t n)
{
    chunks->left -= n;
    chunks->in_data = chunks->left > 0;
}
