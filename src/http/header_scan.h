/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen bytes of a header at a time, for those who read heads: which of them end a name or a
 * value. For machines with SSE2 (NU_HEADER_SCAN is 1); others go byte by byte.
 */
#ifndef NU_HTTP_HEADER_SCAN_H
#define NU_HTTP_HEADER_SCAN_H

#ifdef __SSE2__
#define NU_HEADER_SCAN 1

#include <emmintrin.h>
#include <stdbool.h>
#include <stddef.h>

static inline __m128i nu_scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 0xff in each byte from `first` to `last`. */
static inline __m128i nu_scan_range(__m128i v, char first, char last)
{
    __m128i from_first = _mm_sub_epi8(v, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8((char)(last - first))),
                          from_first);
}

/* A bit for each of 16 bytes that is a colon, a control character (DEL left out) or beyond ASCII. */
static inline unsigned nu_scan_colon_or_control(const char *p)
{
    __m128i v = nu_scan_load(p);
    __m128i colon = _mm_cmpeq_epi8(v, _mm_set1_epi8(':'));
    /* As signed numbers, bytes beyond ASCII are below all others; and what is not above 0x1f is what
     * a compiler makes of them. */
    __m128i usual = _mm_cmpgt_epi8(v, _mm_set1_epi8(0x1f));
    return 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_andnot_si128(colon, usual));
}

/* A bit for each of 16 bytes that is no letter, digit or '-'. */
static inline unsigned nu_scan_unusual_in_name(const char *p)
{
    __m128i v = nu_scan_load(p);
    __m128i letter = nu_scan_range(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i other = _mm_or_si128(nu_scan_range(v, '0', '9'), _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
    return 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, other));
}

/* A bit for each of 16 bytes that is a control character. */
static inline unsigned nu_scan_control(const char *p)
{
    __m128i v = nu_scan_load(p);
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(nu_scan_range(v, 0, 0x1f), del));
}

/* A bit for each of 16 bytes that is no visible ASCII character or blank. */
static inline unsigned nu_scan_no_text(const char *p)
{
    /* As signed numbers, one more than DEL and what is beyond ASCII is below all others. */
    __m128i above = _mm_add_epi8(nu_scan_load(p), _mm_set1_epi8(1));
    return 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(above, _mm_set1_epi8(0x20)));
}

/* How many of the 16 bytes at `p`, up to the first other one, are `known` when bit 0x20 is set. */
static inline unsigned nu_scan_same_folded(const char *known, const char *p)
{
    __m128i v = _mm_or_si128(nu_scan_load(p), _mm_set1_epi8(0x20));
    unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, nu_scan_load(known)));
    return (unsigned)__builtin_ctz(~same);
}

/* Whether `len` bytes, eight to sixteen of them, are all letters, digits, '-', '.' or ':'. */
static inline bool nu_scan_is_host(const char *p, size_t len)
{
    __m128i v = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p),
                                   _mm_loadl_epi64((const __m128i *)(const void *)(p + len - 8)));
    __m128i letter = nu_scan_range(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i other =
        _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('/')), nu_scan_range(v, '-', ':'));
    return _mm_movemask_epi8(_mm_or_si128(letter, other)) == 0xffff;
}

/* A bit for each of 16 bytes that is no visible ASCII character, or '#'. */
static inline unsigned nu_scan_unusual_in_path(const char *p)
{
    __m128i v = nu_scan_load(p);
    __m128i plain =
        _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('#')), nu_scan_range(v, '!', '~'));
    return 0xffffu ^ (unsigned)_mm_movemask_epi8(plain);
}
#else
#define NU_HEADER_SCAN 0
#endif

#endif
