/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars of protobuf's JSON mapping: numbers also in quotes, enums by name or number, base64. */
#include "config/convert_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Says what was expected, what came instead, and that quotes may be missing. */
static bool wrong_kind(const struct nu_target *t, const char *expected)
{
    ProtobufCType type = t->type->type;
    bool wants_quotes =
        t->node->is_plain && (type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_BYTES ||
                              (type == PROTOBUF_C_TYPE_ENUM && t->node->kind == NU_DOC_BOOL));
    return nu_target_fail(t, "expected %s, not %s%s", expected, nu_doc_kind_name(t->node),
                          wants_quotes ? " (quotes make it a string)" : "");
}

/* --- Integers --------------------------------------------------------------------------------- */

struct int_range {
    int64_t low;
    uint64_t high;
    bool is_signed;
};

static struct int_range range_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return (struct int_range){0, UINT32_MAX, false};
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return (struct int_range){0, UINT64_MAX, false};
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return (struct int_range){INT64_MIN, INT64_MAX, true};
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return (struct int_range){INT32_MIN, INT32_MAX, true};
}

/* Digits with a sign. The value wraps to 64 bits for unsigned types. NU_OVERFLOW out of range. */
static enum nu_result parse_digits(struct nu_str text, const struct int_range *range, uint64_t *out)
{
    int64_t number;
    enum nu_result result;
    if (range->is_signed) {
        result = nu_str_to_i64(text, &number);
        *out = (uint64_t)number;
        if (result == NU_OK && (number < range->low || number > (int64_t)range->high))
            return NU_OVERFLOW;
        return result;
    }
    if (text.len && text.ptr[0] == '+')
        text = nu_str_skip(text, 1);
    result = nu_str_to_u64(text, out);
    return result == NU_OK && *out > range->high ? NU_OVERFLOW : result;
}

/* A number of a JSON text whose digits alone are not all: 5.0, 1e3. Exact up to 2^53. */
static bool parse_float_as_int(const struct nu_target *t, const struct int_range *range,
                               uint64_t *out)
{
    double number = strtod(t->node->text.ptr, NULL);
    if (!(fabs(number) < 9007199254740992.0) || number < (double)range->low ||
        number > (double)range->high)
        return nu_target_fail(t, "%s is out of range", t->node->text.ptr);
    if (number > trunc(number) || number < trunc(number))
        return nu_target_fail(t, "expected an integer, not %s", t->node->text.ptr);
    *out = (uint64_t)(int64_t)number;
    return true;
}

static bool parse_int(const struct nu_target *t, uint64_t *out)
{
    const struct nu_doc_node *node = t->node;
    struct int_range range = range_of(t->type->type);
    if (node->kind != NU_DOC_NUMBER && node->kind != NU_DOC_STRING)
        return wrong_kind(t, "a number");
    enum nu_result result = parse_digits(node->text, &range, out);
    if (result == NU_OK)
        return true;
    if (result == NU_OVERFLOW)
        return nu_target_fail(t, "%.*s is out of range", NU_STR_ARG(node->text));
    if (node->kind == NU_DOC_NUMBER)
        return parse_float_as_int(t, &range, out);
    return nu_target_fail(t, "expected an integer, not \"%.*s\"", NU_STR_ARG(node->text));
}

static bool convert_int(const struct nu_target *t, void *slot)
{
    uint64_t number;
    if (!parse_int(t, &number))
        return false;
    if (nu_type_size(t->type->type) == 8)
        *(uint64_t *)slot = number;
    else
        *(uint32_t *)slot = (uint32_t)number;
    return true;
}

/* --- Floating point, bool --------------------------------------------------------------------- */

static bool convert_double(const struct nu_target *t, void *slot)
{
    const struct nu_doc_node *node = t->node;
    if (node->kind != NU_DOC_NUMBER && node->kind != NU_DOC_STRING)
        return wrong_kind(t, "a number");
    char *end = NULL;
    double number = node->text.len ? strtod(node->text.ptr, &end) : 0;
    bool was_read = end && end == node->text.ptr + node->text.len;
    if (!was_read || (node->kind == NU_DOC_NUMBER && isinf(number)))
        return nu_target_fail(t, "expected a number, not \"%.*s\"", NU_STR_ARG(node->text));
    if (t->type->type == PROTOBUF_C_TYPE_DOUBLE)
        *(double *)slot = number;
    else
        *(float *)slot = (float)number;
    return true;
}

static bool convert_bool(const struct nu_target *t, void *slot)
{
    static const char *const words[2][5] = {{"false", "f", "no", "n", "0"},
                                            {"true", "t", "yes", "y", "1"}};
    if (t->node->kind == NU_DOC_BOOL) {
        *(protobuf_c_boolean *)slot = t->node->boolean;
        return true;
    }
    if (t->node->kind != NU_DOC_STRING)
        return wrong_kind(t, "true or false");
    for (int value = 0; value < 2; value++) {
        for (size_t i = 0; i < NU_ARRAY_LEN(words[0]); i++) {
            if (nu_str_eq_nocase(t->node->text, nu_str_from(words[value][i]))) {
                *(protobuf_c_boolean *)slot = value;
                return true;
            }
        }
    }
    return nu_target_fail(t, "expected true or false, not \"%.*s\"", NU_STR_ARG(t->node->text));
}

/* --- Enums ------------------------------------------------------------------------------------ */

static const ProtobufCEnumValue *find_enum_value(const ProtobufCEnumDescriptor *descriptor,
                                                 struct nu_str name)
{
    for (unsigned i = 0; i < descriptor->n_value_names; i++)
        if (nu_str_eq_nocase(name, nu_str_from(descriptor->values_by_name[i].name)))
            return &descriptor->values[descriptor->values_by_name[i].index];
    return NULL;
}

static bool unknown_enum(const struct nu_target *t, const ProtobufCEnumDescriptor *descriptor)
{
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, "%s has no value \"%.*s\"", descriptor->short_name,
                   NU_STR_ARG(t->node->text));
    nu_hint_enum(descriptor, t->node->text, &text);
    if (t->ctx->allow_unknown)
        nu_unknown_field(t->ctx, t->place, t->node->at, nu_str_from(t->type->name), text.data);
    else
        nu_target_fail(t, "%s", text.data);
    nu_strbuf_finish(&text);
    return false;
}

static bool convert_enum(const struct nu_target *t, void *slot)
{
    const ProtobufCEnumDescriptor *descriptor = t->type->descriptor;
    const struct nu_doc_node *node = t->node;
    int64_t number;
    if (node->kind == NU_DOC_STRING) {
        const ProtobufCEnumValue *value = find_enum_value(descriptor, node->text);
        if (value)
            number = value->value;
        else if (nu_str_to_i64(nu_str_trim(node->text), &number) != NU_OK ||
                 number != (int32_t)number)
            return unknown_enum(t, descriptor);
    } else if (node->kind == NU_DOC_NUMBER) {
        uint64_t bits;
        if (!parse_int(t, &bits))
            return false;
        number = (int64_t)bits;
    } else {
        return wrong_kind(t, "the name of a value");
    }
    if (nu_schema_enum_is_missing(descriptor, (int)number)) {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(descriptor, (int)number);
        return nu_target_fail(t, "%s: known to Envoy, not implemented by nuncio", value->name);
    }
    *(int32_t *)slot = (int32_t)number;
    return true;
}

/* --- Strings and bytes ------------------------------------------------------------------------ */

bool nu_convert_text(const struct nu_target *t, struct nu_str text, void *slot)
{
    if (nu_str_find_char(text, '\0') != NU_NPOS)
        return nu_target_fail(t, "a string may not hold a NUL character");
    *(const char **)slot = nu_arena_dup(t->ctx->arena, text).ptr;
    return true;
}

static bool convert_string(const struct nu_target *t, void *slot)
{
    if (t->node->kind != NU_DOC_STRING)
        return wrong_kind(t, "a string");
    return nu_convert_text(t, t->node->text, slot);
}

/* The value of a base64 digit in either alphabet, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (nu_ascii_is_digit(c))
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Decodes standard or URL-safe base64, padded or not. `out` has room for 3/4 of the text. */
static bool decode_base64(struct nu_str text, uint8_t *out, size_t *len)
{
    size_t padding = 0;
    for (; padding < text.len && text.ptr[text.len - 1 - padding] == '='; padding++)
        ;
    if (padding > 0 && (padding > 2 || text.len % 4 != 0))
        return false;
    text.len -= padding;
    if (text.len % 4 == 1)
        return false;
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *len = n;
    return true;
}

static bool convert_bytes(const struct nu_target *t, void *slot)
{
    if (t->node->kind != NU_DOC_STRING)
        return wrong_kind(t, "a string with base64");
    ProtobufCBinaryData *data = slot;
    data->data = nu_arena_alloc(t->ctx->arena, t->node->text.len + 1);
    if (!decode_base64(t->node->text, data->data, &data->len))
        return nu_target_fail(t, "not valid base64");
    data->data[data->len] = 0;
    return true;
}

/* --- Dispatch --------------------------------------------------------------------------------- */

bool nu_convert_scalar(const struct nu_target *t, void *slot)
{
    switch (t->type->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return convert_int(t, slot);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return convert_double(t, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return convert_bool(t, slot);
    case PROTOBUF_C_TYPE_ENUM:
        return convert_enum(t, slot);
    case PROTOBUF_C_TYPE_STRING:
        return convert_string(t, slot);
    case PROTOBUF_C_TYPE_BYTES:
        return convert_bytes(t, slot);
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return false;
}
