/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines as nearly all of them are: whole, with an ordinary name and without blanks to trim.
 * They are read in one loop, sixteen bytes at a time; the first other one is left for
 * h1_message.c, which reads any.
 */
#include "codec/h1_internal.h"
#include "http/header_scan.h"

#if NU_HEADER_SCAN

/* The bits of the 16 bytes from `p` on; of those behind `end` they are 0. Close to the end the last
 * 16 bytes are looked at instead, and shifted. */
#define BITS_AT(scan, p, last_16) \
    (nu_likely((p) <= (last_16)) ? scan(p) : scan(last_16) >> ((p) - (last_16)))

/* Where the name that begins at `p` ends: at a colon with something behind it, else NULL. */
static inline const char *find_colon(const char *p, const char *end)
{
    const char *last_16 = end - 16;
    const char *at = p;
    unsigned bits;
    while (nu_unlikely((bits = BITS_AT(nu_scan_unusual_in_name, at, last_16)) == 0)) {
        at += 16;
        if (at >= end)
            return NULL;
    }
    at += __builtin_ctz(bits);
    return nu_likely(*at == ':' && at > p && at + 1 < end) ? at : NULL;
}

/* Where the value that begins at `p` ends: before CRLF, else NULL. */
static inline const char *find_value_end(const char *p, const char *end)
{
    const char *last_16 = end - 16;
    unsigned bits;
    while ((bits = BITS_AT(nu_scan_control, p, last_16)) == 0) {
        p += 16;
        if (p >= end)
            return NULL;
    }
    p += __builtin_ctz(bits);
    return nu_likely(p + 1 < end && p[0] == '\r' && p[1] == '\n') ? p : NULL;
}

/* Whether the field may be added without a look at the others. */
static bool is_ordinary(const struct nu_h1_message *msg, enum nu_header_id id, struct nu_str value)
{
    if (nu_unlikely(nu_headers_has_id(msg->target, id)))
        return false;
    return nu_likely(!nu_h1_bears_on_framing(id)) ||
           (msg->phase == NU_H1_HEAD && !msg->second && nu_h1_is_plain_field(id, value));
}

void nu_h1_take_lines(struct nu_h1_message *msg, const char *end)
{
    enum { FIELD_EXTRA = sizeof(":\r\n") - 1 };
    struct nu_headers *headers = msg->target;
    const char *line = msg->field.line;
    uint32_t most = msg->options->max_headers;
    if (nu_unlikely(end - msg->head < 16 || msg->has_name_rules))
        return;
    while (line < end && msg->header_count < most) {
        const char *colon = find_colon(line, end);
        if (!colon)
            break;
        const char *start = colon + 1 + (colon[1] == ' ');
        const char *stop = nu_likely(start < end) ? find_value_end(start, end) : NULL;
        if (nu_unlikely(!stop || *start == ' ' || stop[-1] == ' '))
            break;
        struct nu_str name = nu_str_make(line, (size_t)(colon - line));
        struct nu_str value = nu_str_make(start, (size_t)(stop - start));
        enum nu_header_id id = nu_header_id_of_token(name);
        uint32_t name_len = (uint32_t)name.len;
        if (nu_likely(id != NU_HEADER_OTHER)) {
            if (nu_unlikely(!is_ordinary(msg, id, value)))
                break;
            name = nu_header_name_of(id);
        } else {
            nu_header_name_lower(nu_unconst(name.ptr), name.len);
        }
        nu_headers_add_ref(headers, id, name, value);
        msg->field_bytes += name_len + (uint32_t)value.len + FIELD_EXTRA;
        msg->header_count++;
        line = stop + 2;
    }
    nu_h1_field_begin(&msg->field, line);
}

#else

void nu_h1_take_lines(struct nu_h1_message *msg, const char *end)
{
    (void)msg;
    (void)end;
}

#endif
