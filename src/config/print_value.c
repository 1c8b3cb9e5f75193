/* SPDX-License-Identifier: Apache-2.0 */
/* Values as JSON: scalars, and the well-known types, which have forms of their own. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/base64.h"
#include "config/message_internal.h"
#include "config/print_internal.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

static void print_known(struct nu_json *json, const ProtobufCMessage *message);

/* --- Scalars ---------------------------------------------------------------------------------- */

void nu_print_base64(struct nu_json *json, struct nu_str bytes)
{
    struct nu_strbuf text = {0};
    nu_base64_add(&text, bytes);
    nu_json_string(json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

/* 64-bit integers are strings in JSON, whose numbers are doubles to many readers. */
static void print_long(struct nu_json *json, ProtobufCType type, const void *value)
{
    char text[24];
    bool is_unsigned = type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;
    int len = is_unsigned ? snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)value)
                          : snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)value);
    nu_json_string(json, nu_str_make(text, (size_t)len));
}

static void print_enum(struct nu_json *json, const ProtobufCEnumDescriptor *descriptor, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    if (value)
        nu_json_string(json, nu_str_from(value->name));
    else
        nu_json_i64(json, number);
}

void nu_print_value(struct nu_json *json, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        nu_json_i64(json, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        nu_json_u64(json, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        print_long(json, field->type, value);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        nu_json_double(json, (double)*(const float *)value);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        nu_json_double(json, *(const double *)value);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        nu_json_bool(json, *(const protobuf_c_boolean *)value);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(json, field->descriptor, *(const int *)value);
        return;
    case PROTOBUF_C_TYPE_STRING:
        nu_json_string(json, nu_str_from(*(const char *const *)value));
        return;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = value;
        nu_print_base64(json, nu_str_make((const char *)data->data, data->len));
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        print_known(json, *(ProtobufCMessage *const *)value);
        return;
    }
}

/* --- Well-known types ------------------------------------------------------------------------- */

/* ".5" in three, six or nine digits, as many as it takes. */
static void add_fraction(struct nu_strbuf *out, unsigned nanos)
{
    if (nanos % 1000000 == 0)
        nu_strbuf_addf(out, ".%03u", nanos / 1000000);
    else if (nanos % 1000 == 0)
        nu_strbuf_addf(out, ".%06u", nanos / 1000);
    else
        nu_strbuf_addf(out, ".%09u", nanos);
}

static void print_duration(struct nu_json *json, const ProtobufCMessage *message)
{
    const Google__Protobuf__Duration *d = (const Google__Protobuf__Duration *)message;
    struct nu_strbuf text = {0};
    bool negative = d->seconds < 0 || d->nanos < 0;
    uint64_t seconds = d->seconds < 0 ? 0 - (uint64_t)d->seconds : (uint64_t)d->seconds;
    unsigned nanos = d->nanos < 0 ? 0 - (unsigned)d->nanos : (unsigned)d->nanos;
    nu_strbuf_addf(&text, "%s%" PRIu64, negative ? "-" : "", seconds);
    if (nanos)
        add_fraction(&text, nanos);
    nu_strbuf_add_char(&text, 's');
    nu_json_string(json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

static void print_timestamp(struct nu_json *json, const ProtobufCMessage *message)
{
    const Google__Protobuf__Timestamp *t = (const Google__Protobuf__Timestamp *)message;
    time_t seconds = (time_t)t->seconds;
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (t->nanos > 0)
        add_fraction(&text, (unsigned)t->nanos);
    nu_strbuf_add_char(&text, 'Z');
    nu_json_string(json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

static void print_wrapper(struct nu_json *json, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *value = &message->descriptor->fields[0];
    nu_print_value(json, value, nu_message_member(message, value));
}

static void print_struct(struct nu_json *json, const ProtobufCMessage *message)
{
    const Google__Protobuf__Struct *s = (const Google__Protobuf__Struct *)message;
    nu_json_object_begin(json);
    for (size_t i = 0; i < s->n_fields; i++) {
        nu_json_key(json, nu_str_from(s->fields[i]->key));
        print_known(json, (const ProtobufCMessage *)s->fields[i]->value);
    }
    nu_json_object_end(json);
}

static void print_list(struct nu_json *json, const ProtobufCMessage *message)
{
    const Google__Protobuf__ListValue *list = (const Google__Protobuf__ListValue *)message;
    nu_json_array_begin(json);
    for (size_t i = 0; i < list->n_values; i++)
        print_known(json, &list->values[i]->base);
    nu_json_array_end(json);
}

static void print_struct_value(struct nu_json *json, const ProtobufCMessage *message)
{
    const Google__Protobuf__Value *value = (const Google__Protobuf__Value *)message;
    const ProtobufCFieldDescriptor *kind =
        protobuf_c_message_descriptor_get_field(message->descriptor, value->kind_case);
    if (!kind || value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE)
        nu_json_null(json);
    else
        nu_print_value(json, kind, nu_message_member(message, kind));
}

typedef void print_fn(struct nu_json *json, const ProtobufCMessage *message);

/* What prints a type that has a form of its own, or NULL. */
static print_fn *find_known(const ProtobufCMessageDescriptor *descriptor)
{
    static const struct {
        const ProtobufCMessageDescriptor *descriptor;
        print_fn *print;
    } known[] = {
        {&google__protobuf__duration__descriptor, print_duration},
        {&google__protobuf__timestamp__descriptor, print_timestamp},
        {&google__protobuf__struct__descriptor, print_struct},
        {&google__protobuf__list_value__descriptor, print_list},
        {&google__protobuf__value__descriptor, print_struct_value},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(known); i++)
        if (known[i].descriptor == descriptor)
            return known[i].print;
    return nu_is_wrapper(descriptor) ? print_wrapper : NULL;
}

static void print_known(struct nu_json *json, const ProtobufCMessage *message)
{
    print_fn *print = message ? find_known(message->descriptor) : NULL;
    if (print)
        print(json, message);
    else
        nu_json_null(json);
}

bool nu_print_is_known(const ProtobufCMessageDescriptor *descriptor)
{
    return find_known(descriptor) != NULL;
}
