/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A time format is a row of pieces: strftime formats, which need the broken-down time and change
 * once a second, and fractions. Fractions of a fixed width are digits at a fixed place of the
 * second's text, so a cached text is finished by overwriting them.
 */
#include "format/time_format.h"

#include <stdatomic.h>
#include <time.h>

enum {
    CACHE_SLOTS = 8, /* per thread, by the format's id */
    CACHED_TEXT = 104,
    MAX_FRACTIONS = 4,
    MAX_DIGITS = 18,   /* more are not asked for in earnest */
    SPECIAL_ROOM = 24, /* for any piece but a strftime one */
    US_DIGITS = 6,
    MICROS = 1000000,
};

enum piece_kind {
    PIECE_TEXT,         /* strftime */
    PIECE_EPOCH,        /* seconds since 1970 */
    PIECE_OFFSET,       /* of the time zone: `digits` colons in it, +hhmm, +hh:mm, +hh:mm:ss */
    PIECE_FRACTION,     /* `digits` of it */
    PIECE_SHORTEST,     /* without trailing zeros, at least one digit */
    PIECE_DOT_SHORTEST, /* with the dot, or nothing at all */
};

struct piece {
    enum piece_kind kind;
    unsigned digits;
    const char *text; /* NUL-terminated */
};

struct nu_time_format {
    uint64_t id; /* unique in the process, never 0 */
    bool is_local;
    bool is_cacheable;
    size_t room;
    struct piece *pieces;
    size_t count;
};

/* The text of one second. */
struct cached_second {
    uint64_t id;
    uint64_t second;
    uint16_t len;
    uint8_t fraction_count;
    uint8_t fraction_digits[MAX_FRACTIONS];
    uint16_t fraction_at[MAX_FRACTIONS];
    char text[CACHED_TEXT];
};

static _Thread_local struct cached_second cache[CACHE_SLOTS];
static _Atomic uint64_t last_id;

/* --- Compiling ------------------------------------------------------------------------------- */

struct builder {
    struct nu_arena *arena;
    struct nu_strbuf text; /* of the strftime piece under way */
    struct piece *pieces;
    size_t count;
    size_t room;
    bool is_local;
};

static void add_piece(struct builder *b, enum piece_kind kind, unsigned digits, const char *text)
{
    b->pieces[b->count++] = (struct piece){kind, digits, text};
}

static void end_text(struct builder *b)
{
    if (b->text.len == 0)
        return;
    add_piece(b, PIECE_TEXT, 0, nu_arena_strdup(b->arena, b->text.data));
    nu_strbuf_clear(&b->text);
}

static void add_special(struct builder *b, enum piece_kind kind, unsigned digits)
{
    end_text(b);
    add_piece(b, kind, digits, NULL);
    b->room += SPECIAL_ROOM;
}

/* The length of one of Envoy's own conversions at the front of `s`, 0 if there is none. */
static size_t envoy_conversion(struct nu_str s)
{
    if (s.len < 2 || s.ptr[0] != '%')
        return 0;
    if (s.ptr[1] == 's' || s.ptr[1] == 'f')
        return 2;
    return s.len > 2 && s.ptr[2] == 'f' && s.ptr[1] >= '1' && s.ptr[1] <= '9' ? 3 : 0;
}

static void add_envoy_conversion(struct builder *b, struct nu_str s)
{
    if (s.ptr[1] == 's')
        add_special(b, PIECE_EPOCH, 0);
    else
        add_special(b, PIECE_FRACTION, s.ptr[1] == 'f' ? 9 : (unsigned)(s.ptr[1] - '0'));
}

/* %E3S, %E*S, %E3f, %E*f: `s` begins behind the E. */
static size_t take_extended_seconds(struct builder *b, struct nu_str s)
{
    bool shortest = s.len && s.ptr[0] == '*';
    unsigned digits = 0;
    size_t n = shortest ? 1 : 0;
    while (!shortest && n < s.len && n < 4 && nu_ascii_is_digit(s.ptr[n]))
        digits = digits * 10 + (unsigned)(s.ptr[n++] - '0');
    if (n == 0 || n >= s.len || (s.ptr[n] != 'S' && s.ptr[n] != 'f'))
        return 0;
    digits = digits > MAX_DIGITS ? MAX_DIGITS : digits;
    bool has_seconds = s.ptr[n] == 'S';
    if (has_seconds)
        nu_strbuf_add_cstr(&b->text, "%S");
    if (shortest) {
        add_special(b, has_seconds ? PIECE_DOT_SHORTEST : PIECE_SHORTEST, 0);
    } else if (digits) {
        if (has_seconds)
            nu_strbuf_add_char(&b->text, '.');
        add_special(b, PIECE_FRACTION, digits);
    }
    return n + 1;
}

static size_t take_extended(struct builder *b, struct nu_str s)
{
    if (nu_str_starts_with(s, NU_STR("T"))) {
        nu_strbuf_add_char(&b->text, 'T');
        return 1;
    }
    if (nu_str_starts_with(s, NU_STR("4Y"))) {
        nu_strbuf_add_cstr(&b->text, "%Y");
        return 2;
    }
    if (nu_str_starts_with(s, NU_STR("z"))) {
        add_special(b, PIECE_OFFSET, 1);
        return 1;
    }
    if (nu_str_starts_with(s, NU_STR("*z"))) {
        add_special(b, PIECE_OFFSET, 2);
        return 2;
    }
    return take_extended_seconds(b, s);
}

/* %z with colons: %:z, %::z. */
static size_t take_colons(struct builder *b, struct nu_str s)
{
    unsigned colons = 0;
    while (colons < s.len && colons < 2 && s.ptr[colons] == ':')
        colons++;
    if (colons == 0 || colons == s.len || s.ptr[colons] != 'z')
        return 0;
    add_special(b, PIECE_OFFSET, colons);
    return colons + 1;
}

/* What follows a percent sign, where it is not strftime's business; returns its length or 0. */
static size_t take_conversion(struct builder *b, struct nu_str s)
{
    if (s.len == 0)
        return 0;
    switch (s.ptr[0]) {
    case '%':
        /* Envoy looks for its own conversions first: "%%f" is a percent sign and a fraction. */
        if (envoy_conversion(s))
            return 0;
        nu_strbuf_add_cstr(&b->text, "%%");
        return 1;
    case 'Z':
        if (b->is_local)
            return 0;
        nu_strbuf_add_cstr(&b->text, "UTC");
        return 1;
    case 'E': {
        size_t n = take_extended(b, nu_str_skip(s, 1));
        return n ? n + 1 : 0;
    }
    default:
        return take_colons(b, s);
    }
}

/* One step; returns how much of `s` it used. */
static size_t take_next(struct builder *b, struct nu_str s)
{
    size_t n = envoy_conversion(s);
    if (n) {
        add_envoy_conversion(b, s);
        return n;
    }
    n = s.ptr[0] == '%' ? take_conversion(b, nu_str_skip(s, 1)) : 0;
    if (n)
        return n + 1;
    nu_strbuf_add_char(&b->text, s.ptr[0]);
    return 1;
}

/* A generous bound for what one conversion of strftime prints. */
static size_t conversion_room(struct nu_str text)
{
    enum { ROOM = 64 };
    size_t room = 0;
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%')
            room += ROOM;
        width = nu_ascii_is_digit(text.ptr[i]) ? width * 10 + (size_t)(text.ptr[i] - '0') : 0;
        width = nu_min_size(width, 4096);
        room += width;
    }
    return room + text.len + SPECIAL_ROOM + 1;
}

static bool has_fixed_width(const struct nu_time_format *format)
{
    size_t fractions = 0;
    for (size_t i = 0; i < format->count; i++) {
        enum piece_kind kind = format->pieces[i].kind;
        if (kind == PIECE_SHORTEST || kind == PIECE_DOT_SHORTEST)
            return false;
        fractions += kind == PIECE_FRACTION;
    }
    return fractions <= MAX_FRACTIONS;
}

const struct nu_time_format *nu_time_format_compile(struct nu_arena *arena, struct nu_str text,
                                                    bool is_local)
{
    struct builder b = {.arena = arena, .is_local = is_local};
    b.pieces = nu_arena_alloc(arena, (text.len + 2) * 2 * sizeof(*b.pieces));
    b.room = conversion_room(text);
    for (struct nu_str rest = text; rest.len;)
        rest = nu_str_skip(rest, take_next(&b, rest));
    end_text(&b);
    nu_strbuf_finish(&b.text);
    struct nu_time_format *format = nu_arena_alloc(arena, sizeof(*format));
    *format = (struct nu_time_format){.id = atomic_fetch_add(&last_id, 1) + 1,
                                      .is_local = is_local,
                                      .room = b.room,
                                      .pieces = b.pieces,
                                      .count = b.count};
    format->is_cacheable = has_fixed_width(format);
    return format;
}

bool nu_time_format_has_newline(struct nu_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%')
            continue;
        size_t n = i + 1;
        while (n < text.len && strchr("-_0^#", text.ptr[n]))
            n++;
        while (n < text.len && text.ptr[n] >= '1' && text.ptr[n] <= '9')
            n++;
        if (n < text.len && (text.ptr[n] == 'E' || text.ptr[n] == 'O'))
            n++;
        if (n < text.len && text.ptr[n] == 'n')
            return true;
    }
    return false;
}

/* --- Formatting ------------------------------------------------------------------------------- */

/* Where a time is written, and where in it the fractions are. */
struct output {
    char *start;
    char *at;
    char *end;
    uint8_t fraction_count;
    uint16_t fraction_at[MAX_FRACTIONS];
    uint8_t fraction_digits[MAX_FRACTIONS];
};

static void write_digits(char *out, unsigned digits, uint32_t micros)
{
    uint32_t scale = MICROS / 10;
    for (unsigned i = 0; i < digits; i++) {
        out[i] = scale ? (char)('0' + micros / scale % 10) : '0';
        scale /= 10;
    }
}

static void add_text(struct output *out, const char *text, const struct tm *tm)
{
    /* A result of 0 means that it did not fit, or that it is empty. */
    out->at += strftime(out->at, (size_t)(out->end - out->at), text, tm);
}

static void add_two_digits(struct output *out, long number)
{
    *out->at++ = (char)('0' + number / 10 % 10);
    *out->at++ = (char)('0' + number % 10);
}

static void add_offset(struct output *out, unsigned colons, long offset)
{
    *out->at++ = offset < 0 ? '-' : '+';
    offset = offset < 0 ? -offset : offset;
    add_two_digits(out, offset / 3600);
    *out->at++ = ':';
    add_two_digits(out, offset / 60 % 60);
    if (colons == 1)
        return;
    *out->at++ = ':';
    add_two_digits(out, offset % 60);
}

/* The fraction without its trailing zeros; returns the number of digits. */
static unsigned significant_digits(uint32_t micros)
{
    unsigned digits = US_DIGITS;
    while (digits && micros % 10 == 0) {
        micros /= 10;
        digits--;
    }
    return digits;
}

static void add_fraction(struct output *out, unsigned digits, uint32_t micros)
{
    if (out->fraction_count < MAX_FRACTIONS) {
        out->fraction_at[out->fraction_count] = (uint16_t)(out->at - out->start);
        out->fraction_digits[out->fraction_count++] = (uint8_t)digits;
    }
    write_digits(out->at, digits, micros);
    out->at += digits;
}

static void add_shortest(struct output *out, bool with_dot, uint32_t micros)
{
    unsigned digits = significant_digits(micros);
    if (with_dot && digits == 0)
        return;
    if (with_dot)
        *out->at++ = '.';
    add_fraction(out, digits ? digits : 1, micros);
}

static void render(const struct nu_time_format *format, uint64_t second, uint32_t micros,
                   struct output *out)
{
    time_t time = (time_t)second;
    struct tm tm;
    if (format->is_local)
        localtime_r(&time, &tm);
    else
        gmtime_r(&time, &tm);
    for (size_t i = 0; i < format->count && out->end - out->at > SPECIAL_ROOM; i++) {
        const struct piece *piece = &format->pieces[i];
        switch (piece->kind) {
        case PIECE_TEXT:
            add_text(out, piece->text, &tm);
            break;
        case PIECE_EPOCH:
            out->at += nu_u64_to_chars(second, out->at);
            break;
        case PIECE_OFFSET:
            add_offset(out, piece->digits, tm.tm_gmtoff);
            break;
        case PIECE_FRACTION:
            add_fraction(out, piece->digits, micros);
            break;
        case PIECE_SHORTEST:
        case PIECE_DOT_SHORTEST:
            add_shortest(out, piece->kind == PIECE_DOT_SHORTEST, micros);
            break;
        }
    }
}

static struct output output_to(char *start, size_t room)
{
    return (struct output){.start = start, .at = start, .end = start + room};
}

/* Renders a second anew, and keeps it unless it is too long. */
NU_COLD static size_t render_and_keep(const struct nu_time_format *format, uint64_t second,
                                      uint32_t micros, struct cached_second *slot, char *text)
{
    struct output out = output_to(text, format->room);
    render(format, second, micros, &out);
    size_t len = (size_t)(out.at - out.start);
    if (!format->is_cacheable || len > CACHED_TEXT)
        return len;
    slot->id = format->id;
    slot->second = second;
    slot->len = (uint16_t)len;
    slot->fraction_count = out.fraction_count;
    memcpy(slot->fraction_at, out.fraction_at, sizeof(slot->fraction_at));
    memcpy(slot->fraction_digits, out.fraction_digits, sizeof(slot->fraction_digits));
    memcpy(slot->text, text, len);
    return len;
}

size_t nu_time_format_room(const struct nu_time_format *format)
{
    return format->room;
}

size_t nu_time_format_write(const struct nu_time_format *format, uint64_t realtime_us, char *out)
{
    uint64_t second = realtime_us / MICROS;
    uint32_t micros = (uint32_t)(realtime_us % MICROS);
    struct cached_second *slot = &cache[format->id % CACHE_SLOTS];
    if (nu_unlikely(slot->id != format->id || slot->second != second))
        return render_and_keep(format, second, micros, slot, out);
    memcpy(out, slot->text, slot->len);
    for (unsigned i = 0; i < slot->fraction_count; i++)
        write_digits(out + slot->fraction_at[i], slot->fraction_digits[i], micros);
    return slot->len;
}
