/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing messages. A field whose length is known only when it is written gets it put before it
 * then, which moves the bytes behind: small ones, as metadata are.
 */
#include "attribute/wire.h"

#include "base/varint.h"

/* The kinds of fields, and the numbers of those of Value. */
enum { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES };
enum {
    VALUE_NULL = 1,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_BOOL,
    VALUE_STRUCT,
    VALUE_LIST,
};

static void add_key(unsigned field, unsigned kind, struct nu_strbuf *out)
{
    nu_varint_add(out, field << 3 | kind);
}

static void add_text(unsigned field, struct nu_str text, struct nu_strbuf *out)
{
    add_key(field, WIRE_BYTES, out);
    nu_varint_add(out, text.len);
    nu_strbuf_add(out, text);
}

/* A field of bytes begins; returns where. */
static size_t begin(unsigned field, struct nu_strbuf *out)
{
    add_key(field, WIRE_BYTES, out);
    return out->len;
}

static void end(size_t at, struct nu_strbuf *out)
{
    char length[NU_VARINT_MAX];
    size_t size = out->len - at;
    size_t n = nu_varint_write(size, length);
    nu_strbuf_reserve(out, n);
    memmove(out->data + at + n, out->data + at, size);
    memcpy(out->data + at, length, n);
    nu_strbuf_commit(out, n);
}

static void add_number(double number, struct nu_strbuf *out)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    add_key(VALUE_NUMBER, WIRE_FIXED64, out);
    for (unsigned i = 0; i < 8; i++)
        nu_strbuf_add_char(out, (char)(bits >> 8 * i));
}

static void add_value(const struct nu_value *value, struct nu_strbuf *out);

static void add_list(const struct nu_value *list, struct nu_strbuf *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        size_t item = begin(1, out);
        add_value(&list->items[i], out);
        end(item, out);
    }
}

static void add_value(const struct nu_value *value, struct nu_strbuf *out)
{
    size_t at;
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
        add_key(VALUE_NULL, WIRE_VARINT, out);
        nu_varint_add(out, 0);
        break;
    case NU_VALUE_BOOL:
        add_key(VALUE_BOOL, WIRE_VARINT, out);
        nu_varint_add(out, value->boolean);
        break;
    case NU_VALUE_NUMBER:
        add_number(value->number, out);
        break;
    case NU_VALUE_STRING:
        add_text(VALUE_STRING, nu_value_text(value), out);
        break;
    case NU_VALUE_LIST:
        at = begin(VALUE_LIST, out);
        add_list(value, out);
        end(at, out);
        break;
    case NU_VALUE_STRUCT:
        at = begin(VALUE_STRUCT, out);
        nu_wire_add_struct(value, out);
        end(at, out);
        break;
    }
}

/* An entry of a map: its key is field 1, its value field 2. */
static void add_entry(const struct nu_value_field *field,
                      void (*add)(const struct nu_value *value, struct nu_strbuf *out),
                      struct nu_strbuf *out)
{
    size_t entry = begin(1, out);
    add_text(1, field->name, out);
    size_t value = begin(2, out);
    add(&field->value, out);
    end(value, out);
    end(entry, out);
}

void nu_wire_add_struct(const struct nu_value *record, struct nu_strbuf *out)
{
    for (uint32_t i = 0; i < record->count; i++)
        add_entry(&record->fields[i], add_value, out);
}

void nu_wire_add_metadata(const struct nu_value *namespaces, struct nu_strbuf *out)
{
    for (uint32_t i = 0; i < namespaces->count; i++)
        add_entry(&namespaces->fields[i], nu_wire_add_struct, out);
}
