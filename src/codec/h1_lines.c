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
 * found there is not taken. They may be read as long as the block goes on. Whether it does is asked
 * once for a name of usual length and the first look at its value, which are FIRST_LOOKS bytes.
 */
enum { LOOK = 16, FIRST_LOOKS = 3 * LOOK };

/* Where what begins at `p` ends as a name might: at a colon and a blank, else NULL. Before it are no
 * control characters. */
static inline const char *find_colon(const char *p, const char *last)
{
    unsigned bits;
    while (nu_unlikely((bits = nu_scan_colon_or_control(p)) == 0)) {
        p += LOOK;
        if (p > last)
            return NULL;
    }
    p += (unsigned)__builtin_ctz(bits);
    return nu_likely(memcmp(p, ": ", 2) == 0) ? p : NULL;
}

/* Where the value that begins at `p` ends: before CRLF, else NULL. */
static inline const char *find_value_end(const char *p, const char *end, const char *last)
{
    unsigned bits;
    while (nu_unlikely((bits = nu_scan_no_text(p)) == 0)) {
        p += LOOK;
        if (p > last)
            return NULL;
    }
    p += (unsigned)__builtin_ctz(bits);
    return nu_likely(p + 1 < end && memcmp(p, "\r\n", 2) == 0) ? p : NULL;
}

/* Whether a name is a known one, and which. It has no control characters, and a colon behind it: with
 * which it is a known name, and not the beginning of one. */
static inline bool find_known(struct nu_str name, enum nu_header_id *id)
{
    enum { SHORTEST = 4 };
    if (nu_unlikely(name.len - SHORTEST >= LOOK - SHORTEST)) {
        *id = nu_header_id_of_token(name);
        return *id != NU_HEADER_OTHER;
    }
    *id = nu_header_id_guess(name);
    return nu_scan_same_folded(nu_header_rows[*id].text, name.ptr) > (unsigned)name.len;
}

/* Whether a field of a known name can be added without a look at the others. */
static inline bool may_take(const struct nu_h1_message *msg, enum nu_header_id id,
                            struct nu_str value)
{
    return nu_likely(!nu_h1_bears_on_framing(id)) ||
           (msg->phase == NU_H1_HEAD && !msg->second && nu_h1_is_plain_field(id, value));
}

/* Adds a field of any other name, if it is one. */
static NU_NOINLINE bool take_other(struct nu_headers *headers, struct nu_str name,
                                   struct nu_str value)
{
    if (!nu_header_name_is_valid(name))
        return false;
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    nu_headers_add_ref(headers, NU_HEADER_OTHER, name, value);
    return true;
}

void nu_h1_take_lines(struct nu_h1_message *msg, const char *end, const char *readable_end)
{
    struct nu_headers *headers = msg->target;
    const char *line = msg->field.line;
    const char *const first = line;
    const char *const last = readable_end - FIRST_LOOKS;
    uint32_t room = msg->options->max_headers - msg->header_count;
    if (nu_unlikely(msg->reads_lines_alone || msg->header_count > msg->options->max_headers))
        return;
    room = nu_min_u32(room, nu_headers_room(headers));
    uint32_t left = room;
    for (; nu_likely(left && line <= last); left--) {
        const char *colon = find_colon(line, last);
        if (nu_unlikely(!colon)) /* as at the empty line */
            break;
        const char *start = colon + 2;
        const char *stop = find_value_end(start, end, last);
        if (nu_unlikely(!stop || *start == ' ' || stop[-1] == ' '))
            break;
        struct nu_str name = nu_str_make(line, (size_t)(colon - line));
        struct nu_str value = nu_str_make(start, (size_t)(stop - start));
        enum nu_header_id id;
        bool is_taken =
            nu_likely(find_known(name, &id))
                ? may_take(msg, id, value) && nu_headers_put_new(headers, id, name.len, value)
                : take_other(headers, name, value);
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
