/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back: a message to JSON, driven by its descriptor, with the special forms of the well-known
 * types. The content of an Any is unpacked into an arena that lives as long as its printing.
 */
#include "config/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "config/message_internal.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

struct printer {
    struct nu_json *json;
    nu_config_redact_fn *redact;
    unsigned open_anys;
};

static void print_message(struct printer *p, const ProtobufCMessage *message);
static void print_members(struct printer *p, const ProtobufCMessage *message);
static void print_any(struct printer *p, const ProtobufCMessage *message);

/* --- Scalars ---------------------------------------------------------------------------------- */

static void print_base64(struct nu_json *json, struct nu_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct nu_strbuf text = {0};
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t bits = 0;
        size_t n = nu_min_size(3, bytes.len - i);
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (unsigned char)bytes.ptr[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            nu_strbuf_add_char(&text, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
    }
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

static void print_value(struct printer *p, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        nu_json_i64(p->json, *(const int32_t *)value);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        nu_json_u64(p->json, *(const uint32_t *)value);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        print_long(p->json, field->type, value);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        nu_json_double(p->json, (double)*(const float *)value);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        nu_json_double(p->json, *(const double *)value);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        nu_json_bool(p->json, *(const protobuf_c_boolean *)value);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(p->json, field->descriptor, *(const int *)value);
        return;
    case PROTOBUF_C_TYPE_STRING:
        nu_json_string(p->json, nu_str_from(*(const char *const *)value));
        return;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = value;
        print_base64(p->json, nu_str_make((const char *)data->data, data->len));
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        print_message(p, *(ProtobufCMessage *const *)value);
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

static void print_duration(struct printer *p, const ProtobufCMessage *message)
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
    nu_json_string(p->json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

static void print_timestamp(struct printer *p, const ProtobufCMessage *message)
{
    const Google__Protobuf__Timestamp *t = (const Google__Protobuf__Timestamp *)message;
    time_t seconds = (time_t)t->seconds;
    struct tm tm = {0};
    char date[64];
    gmtime_r(&seconds, &tm);
    size_t len = strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    struct nu_strbuf text = {0};
    nu_strbuf_add(&text, nu_str_make(date, len));
    if (t->nanos > 0)
        add_fraction(&text, (unsigned)t->nanos);
    nu_strbuf_add_char(&text, 'Z');
    nu_json_string(p->json, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
}

static void print_wrapper(struct printer *p, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *value = &message->descriptor->fields[0];
    print_value(p, value, nu_message_member(message, value));
}

static void print_struct(struct printer *p, const ProtobufCMessage *message)
{
    const Google__Protobuf__Struct *s = (const Google__Protobuf__Struct *)message;
    nu_json_object_begin(p->json);
    for (size_t i = 0; i < s->n_fields; i++) {
        nu_json_key(p->json, nu_str_from(s->fields[i]->key));
        print_message(p, (const ProtobufCMessage *)s->fields[i]->value);
    }
    nu_json_object_end(p->json);
}

static void print_list(struct printer *p, const ProtobufCMessage *message)
{
    const Google__Protobuf__ListValue *list = (const Google__Protobuf__ListValue *)message;
    nu_json_array_begin(p->json);
    for (size_t i = 0; i < list->n_values; i++)
        print_message(p, &list->values[i]->base);
    nu_json_array_end(p->json);
}

static void print_struct_value(struct printer *p, const ProtobufCMessage *message)
{
    const Google__Protobuf__Value *value = (const Google__Protobuf__Value *)message;
    const ProtobufCFieldDescriptor *kind =
        protobuf_c_message_descriptor_get_field(message->descriptor, value->kind_case);
    if (!kind || value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE)
        nu_json_null(p->json);
    else
        print_value(p, kind, nu_message_member(message, kind));
}

typedef void print_fn(struct printer *p, const ProtobufCMessage *message);

/* What prints a type that has a form of its own, or NULL. */
static print_fn *find_known(const ProtobufCMessageDescriptor *descriptor)
{
    static const struct {
        const ProtobufCMessageDescriptor *descriptor;
        print_fn *print;
    } known[] = {
        {&google__protobuf__any__descriptor, print_any},
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

/* What an Any holds, behind its "@type". */
static void print_content(struct printer *p, const Google__Protobuf__Any *any, struct nu_str bytes)
{
    struct nu_arena arena;
    const char *problem;
    const ProtobufCMessageDescriptor *descriptor =
        nu_config_find_type(nu_config_type_name(nu_str_from(any->type_url)));
    nu_arena_init(&arena);
    const ProtobufCMessage *content = NULL;
    p->open_anys++;
    if (descriptor && p->open_anys < NU_DOC_MAX_DEPTH)
        content = nu_message_unpack(&arena, bytes, descriptor, &problem);
    if (content && !find_known(descriptor)) {
        print_members(p, content);
    } else {
        nu_json_key(p->json, NU_STR("value"));
        if (content)
            print_message(p, content);
        else
            print_base64(p->json, bytes);
    }
    p->open_anys--;
    nu_arena_finish(&arena);
}

static void print_any(struct printer *p, const ProtobufCMessage *message)
{
    const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)message;
    nu_json_object_begin(p->json);
    if (any->type_url && *any->type_url) {
        nu_json_key(p->json, NU_STR("@type"));
        nu_json_string(p->json, nu_str_from(any->type_url));
        print_content(p, any, nu_str_make((const char *)any->value.data, any->value.len));
    }
    nu_json_object_end(p->json);
}

/* --- Messages --------------------------------------------------------------------------------- */

static void print_map(struct printer *p, const ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field)
{
    nu_json_object_begin(p->json);
    size_t count = *nu_message_count(message, field);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCMessage *entry = nu_message_child(message, field, i);
        const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
        const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
        nu_json_key(p->json, nu_str_from(*(const char **)nu_message_member(entry, key)));
        print_value(p, value, nu_message_member(entry, value));
    }
    nu_json_object_end(p->json);
}

static void print_field(struct printer *p, const ProtobufCMessage *message,
                        const ProtobufCFieldDescriptor *field)
{
    nu_json_key(p->json, nu_str_from(field->name));
    if (p->redact && p->redact(message, field)) {
        nu_json_string(p->json, NU_STR("[redacted]"));
        return;
    }
    if (!nu_field_is_repeated(field)) {
        print_value(p, field, nu_message_member(message, field));
        return;
    }
    if (nu_field_is_message(field) && nu_schema_meta(field->descriptor)->is_map_entry) {
        print_map(p, message, field);
        return;
    }
    nu_json_array_begin(p->json);
    size_t count = *nu_message_count(message, field);
    for (size_t i = 0; i < count; i++)
        print_value(p, field, nu_message_value(message, field, i));
    nu_json_array_end(p->json);
}

static void print_members(struct printer *p, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (nu_message_has(message, &message->descriptor->fields[i]))
            print_field(p, message, &message->descriptor->fields[i]);
}

static void print_message(struct printer *p, const ProtobufCMessage *message)
{
    print_fn *print = message ? find_known(message->descriptor) : NULL;
    if (!message) {
        nu_json_null(p->json);
    } else if (print) {
        print(p, message);
    } else {
        nu_json_object_begin(p->json);
        print_members(p, message);
        nu_json_object_end(p->json);
    }
}

void nu_config_print(struct nu_json *json, const ProtobufCMessage *message,
                     nu_config_redact_fn *redact)
{
    struct printer p = {.json = json, .redact = redact};
    print_message(&p, message);
}
