/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines as nearly all of them are: whole, with an ordinary name, and with one blank and no more
 * around the value. They are read in one loop, sixteen bytes at a time; the first other one is left
 * for h1_message.c, which reads any.
 */
#include "codec/h1_internal.h"
#include "http/header_scan.h"

#if NU_HEADER_SCAN

/*
 * Sixteen bytes are looked at wherever they begin, those behind the section's end included: what is
 * found there is not taken. They may be read as long as the block goes on.
 */
enum { LOOK = 16 };

/* Where what begins at `p` ends as a name might: at a colon with two bytes behind it, else NULL.
 * Before it are no control characters. */
static inline const char *find_colon(const char *p, const char *end, const char *last)
{
    unsigned bits;
    while (nu_unlikely((bits = nu_scan_colon_or_control(p)) == 0)) {
        p += LOOK;
        if (p > last)
            return NULL;
    }
    p += (unsigned)__builtin_ctz(bits);
    return nu_likely(*p == ':' && p + 2 < end) ? p : NULL;
}

/* Where the value that begins at `p` ends: before CRLF, else NULL. */
static inline const char *find_value_end(const char *p, const char *end, const char *last)
{
    unsigned bits;
    do {
        if (nu_unlikely(p > last))
            return NULL;
        bits = nu_scan_control(p);
        p += LOOK;
    } while (bits == 0);
    p = p - LOOK + (unsigned)__builtin_ctz(bits);
    return nu_likely(p + 1 < end && memcmp(p, "\r\n", 2) == 0) ? p : NULL;
}

/* The id of a name that has no control characters. */
static inline enum nu_header_id id_of(struct nu_str name)
{
    enum { SHORTEST = 4 };
    if (nu_unlikely(name.len - SHORTEST > LOOK - SHORTEST))
        return nu_header_id_of_token(name);
    enum nu_header_id id = nu_header_id_guess(name);
    const struct nu_header_row *row = &nu_header_rows[id];
    bool is_it = row->len == name.len && nu_scan_is_folded(row->text, name.ptr, name.len);
    return nu_likely(is_it) ? id : NU_HEADER_OTHER;
}

/* Adds a field of a known name, if that can be done without a look at the others. */
static inline bool take_known(struct nu_h1_message *msg, enum nu_header_id id, size_t name_len,
                              struct nu_str value)
{
    if (nu_unlikely(nu_h1_bears_on_framing(id)) &&
        !(msg->phase == NU_H1_HEAD && !msg->second && nu_h1_is_plain_field(id, value)))
        return false;
    return nu_headers_try_new(msg->target, id, name_len, value);
}

/* The same for any other name, if it is one. */
static bool take_other(struct nu_h1_message *msg, struct nu_str name, struct nu_str value)
{
    if (!nu_header_name_is_valid(name))
        return false;
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    nu_headers_add_ref(msg->target, NU_HEADER_OTHER, name, value);
    return true;
}

void nu_h1_take_lines(struct nu_h1_message *msg, const char *end, const char *readable_end)
{
    const char *line = msg->field.line;
    const char *const first = line;
    const char *const last = readable_end - LOOK; /* where there is enough to look at */
    uint32_t room = msg->options->max_headers - msg->header_count;
    if (nu_unlikely(msg->has_name_rules || msg->header_count > msg->options->max_headers))
        return;
    uint32_t left = room;
    for (; nu_likely(left && line <= last); left--) {
        const char *colon = find_colon(line, end, last);
        if (nu_unlikely(!colon || colon[1] != ' ')) /* as at the empty line */
            break;
        const char *start = colon + 2;
        const char *stop = find_value_end(start, end, last);
        if (nu_unlikely(!stop || *start == ' ' || stop[-1] == ' '))
            break;
        struct nu_str name = nu_str_make(line, (size_t)(colon - line));
        struct nu_str value = nu_str_make(start, (size_t)(stop - start));
        enum nu_header_id id = id_of(name);
        bool is_taken = nu_likely(id != NU_HEADER_OTHER) ? take_known(msg, id, name.len, value)
                                                         : take_other(msg, name, value);
        if (nu_unlikely(!is_taken))
            break;
        line = stop + 2;
    }
    uint32_t taken = room - left;
    msg->header_count += taken;
    msg->field_bytes += (uint32_t)(line - first) - taken; /* blanks do not count */
    nu_h1_field_begin(&msg->field, line);
}

#else

void nu_h1_take_lines(struct nu_h1_message *msg, const char *end, const char *readable_end)
{
    (void)msg;
    (void)end;
    (void)readable_end;
}

#endif
