/* SPDX-License-Identifier: Apache-2.0 */
/* Reading field lines. A byte is looked at once, however the line is cut into pieces. */
#include "codec/h1_fields.h"

#include "http/header_name.h"

static enum nu_h1_field_result judge(char c)
{
    unsigned char u = (unsigned char)c;
    bool is_control = (u < 0x20 && c != '\t' && c != '\r' && c != '\n') || u == 0x7f;
    return is_control ? NU_H1_FIELD_BAD_CHARACTER : NU_H1_FIELD_BAD;
}

/* At a CR: the line ends if LF follows. */
static enum nu_h1_field_result end_line(struct nu_h1_field *field, const char *cr, const char *end,
                                        enum nu_h1_field_result result)
{
    field->at = cr;
    if (cr + 1 == end)
        return NU_H1_FIELD_PARTIAL;
    field->at = cr + 2;
    return cr[1] == '\n' ? result : NU_H1_FIELD_BAD;
}

static enum nu_h1_field_result read_value(struct nu_h1_field *field, const char *end)
{
    const char *stop = nu_header_value_end(field->at, end);
    field->at = stop;
    if (stop == end)
        return NU_H1_FIELD_PARTIAL;
    if (nu_unlikely(*stop != '\r'))
        return judge(*stop);
    const char *start = field->name.ptr + field->name.len + 1;
    while (start < stop && nu_ascii_is_blank(*start))
        start++;
    const char *last = stop;
    while (last > start && nu_ascii_is_blank(last[-1]))
        last--;
    field->value = nu_str_make(start, (size_t)(last - start));
    return end_line(field, stop, end, NU_H1_FIELD_COMPLETE);
}

enum nu_h1_field_result nu_h1_field_read(struct nu_h1_field *field, const char *end)
{
    if (field->name.ptr)
        return read_value(field, end);
    const char *stop = nu_header_name_end(field->at, end);
    field->at = stop;
    if (stop == end)
        return NU_H1_FIELD_PARTIAL;
    if (stop == field->line)
        return *stop == '\r' ? end_line(field, stop, end, NU_H1_FIELD_END) : judge(*stop);
    if (nu_unlikely(*stop != ':'))
        return judge(*stop);
    field->name = nu_str_make(field->line, (size_t)(stop - field->line));
    field->at = stop + 1;
    return read_value(field, end);
}
