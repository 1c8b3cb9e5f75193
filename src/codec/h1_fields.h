/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines, one at a time, out of contiguous bytes of which more may come:
 *
 *     name ":" OWS value OWS CRLF            or the empty line, CRLF
 *
 * Nothing else is a field line: no folding, no bare LF or CR, no blank before the colon, no control
 * character. Any thread.
 */
#ifndef NU_CODEC_H1_FIELDS_H
#define NU_CODEC_H1_FIELDS_H

#include "base/str.h"

/* The line being read. Views point into the bytes. */
struct nu_h1_field {
    const char *line;    /* where it begins */
    const char *at;      /* where reading goes on */
    struct nu_str name;  /* ptr is NULL until the colon was seen */
    struct nu_str value; /* of a complete line, without the blanks around it */
};

enum nu_h1_field_result {
    NU_H1_FIELD_PARTIAL,       /* all that is there is right so far */
    NU_H1_FIELD_COMPLETE,      /* `name` and `value` are there */
    NU_H1_FIELD_END,           /* it was the empty line */
    NU_H1_FIELD_BAD,           /* not a field line */
    NU_H1_FIELD_BAD_CHARACTER, /* a control character in it */
};

static inline void nu_h1_field_begin(struct nu_h1_field *field, const char *line)
{
    field->line = line;
    field->at = line;
    field->name.ptr = NULL;
}

/*
 * Reads on, up to `end`; after PARTIAL, call again when there is more. With COMPLETE and END `at`
 * is behind the line's CRLF.
 */
enum nu_h1_field_result nu_h1_field_read(struct nu_h1_field *field, const char *end);

#endif
