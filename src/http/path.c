/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path rules. Normalisation copies only when a first scan finds something to change, which for an
 * ordinary request it does not.
 */
#include "http/path.h"

enum {
    LEGAL = 1,      /* stands in a path as it is; the dot is looked at apart */
    UNRESERVED = 2, /* is unescaped when it comes as %XX */
};

#define L(c) [c] = LEGAL,
#define U(c) [c] = LEGAL | UNRESERVED,
/* clang-format off */
static const uint8_t kinds[256] = {
    U('A') U('B') U('C') U('D') U('E') U('F') U('G') U('H') U('I') U('J') U('K') U('L') U('M')
    U('N') U('O') U('P') U('Q') U('R') U('S') U('T') U('U') U('V') U('W') U('X') U('Y') U('Z')
    U('a') U('b') U('c') U('d') U('e') U('f') U('g') U('h') U('i') U('j') U('k') U('l') U('m')
    U('n') U('o') U('p') U('q') U('r') U('s') U('t') U('u') U('v') U('w') U('x') U('y') U('z')
    U('0') U('1') U('2') U('3') U('4') U('5') U('6') U('7') U('8') U('9') U('-') U('_') U('~')
    L('!') L('$') L('&') L('\'') L('(') L(')') L('*') L('+') L(',') L('/') L(':') L(';') L('=')
    L('?') L('@') L('[') L(']')
};
/* clang-format on */
#undef L
#undef U

/* Whether a path has nothing that normalisation could change. */
static bool is_plain(struct nu_str path)
{
    const char *end = path.ptr + path.len;
    for (const char *at = path.ptr; at < end; at++) {
        if (nu_likely(kinds[(unsigned char)*at]))
            continue;
        if (*at != '.' || at == path.ptr || at[-1] == '/')
            return false;
    }
    return true;
}

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

/* The byte that a %XX at `i` stands for, or -1. */
static int escape_at(struct nu_str s, size_t i)
{
    if (i + 2 >= s.len || s.ptr[i] != '%')
        return -1;
    int high = nu_hex_value(s.ptr[i + 1]);
    int low = nu_hex_value(s.ptr[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The length of a '.' at `i` in either spelling, or 0. */
static size_t dot_at(struct nu_str s, size_t i)
{
    if (i < s.len && s.ptr[i] == '.')
        return 1;
    return escape_at(s, i) == '.' ? 3 : 0;
}

struct normalizer {
    struct nu_str in;
    size_t at; /* next byte of `in` */
    char *out;
    size_t len;
    size_t bad_percent; /* where the last '%' without two digits was written, or NU_NPOS */
};

static bool segment_ends_at(const struct normalizer *n, size_t i)
{
    return i == n->in.len || is_slash(n->in.ptr[i]);
}

static void drop_last_segment(struct normalizer *n)
{
    if (n->len > 1)
        n->len--;
    while (n->len > 1 && n->out[n->len - 1] != '/')
        n->len--;
    n->bad_percent = NU_NPOS;
}

/* At a dot behind a slash: skips a "." or ".." segment and returns true, or false for other
 * names. */
static bool take_dot_segment(struct normalizer *n)
{
    size_t first = n->at + dot_at(n->in, n->at);
    size_t end = first;
    if (!segment_ends_at(n, first)) {
        end += dot_at(n->in, first);
        if (end == first || !segment_ends_at(n, end))
            return false;
        drop_last_segment(n);
    }
    n->at = end < n->in.len ? end + 1 : end;
    return true;
}

/*
 * Unescaping must not make an escape out of a stray percent sign ("%%34%31" is not "%41", which
 * would be 'A' the next time): such a percent sign is escaped itself.
 */
static void protect_bad_percent(struct normalizer *n)
{
    size_t at = n->bad_percent;
    if (at == NU_NPOS)
        return;
    char second;
    if (at + 3 == n->len)
        second = n->out[at + 2];
    else if (at + 2 == n->len && n->at < n->in.len)
        second = n->in.ptr[n->at];
    else
        return;
    if (nu_hex_value(n->out[at + 1]) < 0 || nu_hex_value(second) < 0)
        return;
    memmove(n->out + at + 3, n->out + at + 1, n->len - at - 1);
    memcpy(n->out + at + 1, "25", 2);
    n->len += 2;
    n->bad_percent = NU_NPOS;
}

static void put_escaped(struct normalizer *n, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    n->out[n->len++] = '%';
    n->out[n->len++] = digits[c >> 4];
    n->out[n->len++] = digits[c & 15];
}

/* At a '%': false for an escaped NUL. */
static bool take_escape(struct normalizer *n)
{
    int c = escape_at(n->in, n->at);
    if (c == 0)
        return false;
    if (c < 0) {
        n->bad_percent = n->len;
        n->out[n->len++] = '%';
        n->at++;
        return true;
    }
    if (c == '.' || kinds[c] & UNRESERVED) {
        n->out[n->len++] = (char)c;
        n->at += 3;
        protect_bad_percent(n);
        return true;
    }
    memcpy(n->out + n->len, n->in.ptr + n->at, 3);
    n->len += 3;
    n->at += 3;
    return true;
}

static bool take_char(struct normalizer *n)
{
    char c = n->in.ptr[n->at];
    if (n->len && n->out[n->len - 1] == '/' && dot_at(n->in, n->at) && take_dot_segment(n))
        return true;
    if (c == '%')
        return take_escape(n);
    if (c == '\0')
        return false;
    n->at++;
    if (is_slash(c))
        n->out[n->len++] = '/';
    else if (c == '.' || kinds[(unsigned char)c])
        n->out[n->len++] = c;
    else
        put_escaped(n, (unsigned char)c);
    return true;
}

/* An upper bound of the outcome: escapes and protected percent signs add two bytes each. */
static size_t normalized_bound(struct nu_str in)
{
    size_t bound = in.len;
    for (size_t i = 0; i < in.len; i++) {
        if (!kinds[(unsigned char)in.ptr[i]])
            bound += 2;
    }
    return bound;
}

bool nu_path_normalize(struct nu_arena *arena, struct nu_str *path)
{
    struct nu_str in = nu_path_without_query(*path);
    if (nu_likely(is_plain(in)) || in.len == 0 || in.ptr[0] != '/')
        return true;
    struct nu_str query = nu_str_skip(*path, in.len);
    struct normalizer n = {.in = in, .bad_percent = NU_NPOS};
    n.out = nu_arena_alloc(arena, normalized_bound(in) + query.len + 1);
    while (n.at < in.len) {
        if (!take_char(&n))
            return false;
    }
    if (query.len)
        memcpy(n.out + n.len, query.ptr, query.len);
    *path = nu_str_make(n.out, n.len + query.len);
    return true;
}

struct nu_str nu_path_merge_slashes(struct nu_arena *arena, struct nu_str path)
{
    struct nu_str in = nu_path_without_query(path);
    if (nu_str_find(in, NU_STR("//")) == NU_NPOS)
        return path;
    struct nu_str query = nu_str_skip(path, in.len);
    char *out = nu_arena_alloc(arena, path.len);
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '/' || len == 0 || out[len - 1] != '/')
            out[len++] = in.ptr[i];
    }
    if (len == 1 && in.len > 1)
        out[len++] = '/';
    if (query.len)
        memcpy(out + len, query.ptr, query.len);
    return nu_str_make(out, len + query.len);
}

static char escaped_slash_at(struct nu_str s, size_t i)
{
    int c = escape_at(s, i);
    return c == '/' || c == '\\' ? (char)c : '\0';
}

static size_t find_escaped_slash(struct nu_str in)
{
    for (size_t i = 0; i + 2 < in.len; i++) {
        if (in.ptr[i] == '%' && escaped_slash_at(in, i))
            return i;
    }
    return NU_NPOS;
}

bool nu_path_has_escaped_slashes(struct nu_str path)
{
    return find_escaped_slash(nu_path_without_query(path)) != NU_NPOS;
}

struct nu_str nu_path_unescape_slashes(struct nu_arena *arena, struct nu_str path)
{
    struct nu_str in = nu_path_without_query(path);
    size_t at = find_escaped_slash(in);
    if (at == NU_NPOS)
        return path;
    char *out = nu_arena_alloc(arena, path.len);
    memcpy(out, in.ptr, at);
    size_t len = at;
    while (at < in.len) {
        char slash = escaped_slash_at(in, at);
        out[len++] = slash ? slash : in.ptr[at];
        at += slash ? 3 : 1;
    }
    struct nu_str query = nu_str_skip(path, in.len);
    if (query.len)
        memcpy(out + len, query.ptr, query.len);
    return nu_str_make(out, len + query.len);
}

struct nu_str nu_path_without_query_and_fragment(struct nu_str path)
{
    enum { SHORT = 16 }; /* faster than to be searched twice */
    if (path.len > SHORT) {
        path = nu_path_without_query(path);
        return nu_str_first(path, nu_str_find_char(path, '#'));
    }
    size_t len = 0;
    while (len < path.len && path.ptr[len] != '?' && path.ptr[len] != '#')
        len++;
    return nu_str_make(path.ptr, len);
}

struct nu_str nu_path_query(struct nu_str path)
{
    return nu_str_skip(path, nu_path_without_query(path).len);
}

/* Deals with escaped slashes: false to refuse the request. */
static bool apply_escaped_slashes(const struct nu_path_rules *rules, struct nu_arena *arena,
                                  struct nu_str *path, bool *redirect)
{
    if (rules->escaped_slashes == NU_ESCAPED_SLASHES_KEEP || !nu_path_has_escaped_slashes(*path))
        return true;
    *path = nu_path_unescape_slashes(arena, *path);
    *redirect = rules->escaped_slashes == NU_ESCAPED_SLASHES_REDIRECT;
    return rules->escaped_slashes != NU_ESCAPED_SLASHES_REJECT;
}

enum nu_path_verdict nu_path_apply(const struct nu_path_rules *rules, struct nu_arena *arena,
                                   struct nu_str *path)
{
    struct nu_str p = *path;
    bool redirect = false;
    size_t fragment = nu_str_find_char(p, '#');
    if (nu_unlikely(fragment != NU_NPOS)) {
        if (!rules->strip_fragment)
            return NU_PATH_REJECT;
        p = nu_str_first(p, fragment);
    }
    if (!apply_escaped_slashes(rules, arena, &p, &redirect)) {
        *path = p; /* as Envoy's log shows it */
        return NU_PATH_REJECT;
    }
    if (rules->normalize && !nu_path_normalize(arena, &p))
        return NU_PATH_REJECT;
    if (rules->merge_slashes)
        p = nu_path_merge_slashes(arena, p);
    *path = p;
    return redirect ? NU_PATH_REDIRECT : NU_PATH_ACCEPT;
}
