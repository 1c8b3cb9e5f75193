/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's text format of a struct. */
#include "runtime/text_format.h"

#include <stdio.h>
#include <stdlib.h>

static void indent(struct nu_strbuf *out, int depth)
{
    for (int i = 0; i < depth; i++)
        nu_strbuf_add_cstr(out, "  ");
}

static void add_quoted(struct nu_strbuf *out, struct nu_str text)
{
    static const char plain[] = "nrt\"'\\";
    static const char special[] = "\n\r\t\"'\\";
    nu_strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *at = c ? strchr(special, c) : NULL;
        if (at)
            nu_strbuf_addf(out, "\\%c", plain[at - special]);
        else if (c < 0x20 || c >= 0x7f)
            nu_strbuf_addf(out, "\\%03o", c);
        else
            nu_strbuf_add_char(out, (char)c);
    }
    nu_strbuf_add_char(out, '"');
}

/* The fewest digits of 15 and 17 that read back as the same number. */
static void add_number(struct nu_strbuf *out, double number)
{
    char text[40];
    snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) < number || strtod(text, NULL) > number)
        snprintf(text, sizeof(text), "%.17g", number);
    nu_strbuf_add_cstr(out, text);
}

static void add_fields(struct nu_strbuf *out, const struct nu_value *record, int depth);

static void add_value(struct nu_strbuf *out, const struct nu_value *value, int depth);

static void add_list(struct nu_strbuf *out, const struct nu_value *list, int depth)
{
    for (uint32_t i = 0; i < list->count; i++) {
        indent(out, depth);
        nu_strbuf_add_cstr(out, "values {\n");
        add_value(out, &list->items[i], depth + 1);
        indent(out, depth);
        nu_strbuf_add_cstr(out, "}\n");
    }
}

static void add_nested(struct nu_strbuf *out, const struct nu_value *value, int depth)
{
    bool is_list = value->type == NU_VALUE_LIST;
    nu_strbuf_add_cstr(out, is_list ? "list_value {\n" : "struct_value {\n");
    if (is_list)
        add_list(out, value, depth + 1);
    else
        add_fields(out, value, depth + 1);
    indent(out, depth);
    nu_strbuf_add_char(out, '}');
}

static void add_value(struct nu_strbuf *out, const struct nu_value *value, int depth)
{
    indent(out, depth);
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
        nu_strbuf_add_cstr(out, "null_value: NULL_VALUE");
        break;
    case NU_VALUE_BOOL:
        nu_strbuf_addf(out, "bool_value: %s", value->boolean ? "true" : "false");
        break;
    case NU_VALUE_NUMBER:
        nu_strbuf_add_cstr(out, "number_value: ");
        add_number(out, value->number);
        break;
    case NU_VALUE_STRING:
        nu_strbuf_add_cstr(out, "string_value: ");
        add_quoted(out, nu_value_text(value));
        break;
    case NU_VALUE_LIST:
    case NU_VALUE_STRUCT:
        add_nested(out, value, depth);
        break;
    }
    nu_strbuf_add_char(out, '\n');
}

static void add_fields(struct nu_strbuf *out, const struct nu_value *record, int depth)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct nu_value_field *field = &record->fields[i];
        indent(out, depth);
        nu_strbuf_add_cstr(out, "fields {\n");
        indent(out, depth + 1);
        nu_strbuf_add_cstr(out, "key: ");
        add_quoted(out, field->name);
        nu_strbuf_add_char(out, '\n');
        indent(out, depth + 1);
        nu_strbuf_add_cstr(out, "value {\n");
        add_value(out, &field->value, depth + 2);
        indent(out, depth + 1);
        nu_strbuf_add_cstr(out, "}\n");
        indent(out, depth);
        nu_strbuf_add_cstr(out, "}\n");
    }
}

void nu_text_format_struct(const struct nu_value *record, struct nu_strbuf *out)
{
    add_fields(out, record, 0);
}
