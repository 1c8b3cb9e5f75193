/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The well-known types with a JSON form of their own: "1.5s" for a Duration, a bare value for a
 * wrapper, any value for a Struct. Durations, timestamps and wrappers may also be written as plain
 * messages, as Envoy accepts them.
 */
#include "config/convert_internal.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/* A message written out with its fields, like any other. */
static bool convert_plainly(const struct nu_target *t, ProtobufCMessage *message)
{
    struct nu_config_place *place = nu_target_place(t, message);
    nu_convert_members(t->ctx, place, t->node, (struct nu_str){0});
    return true;
}

/* --- Duration and Timestamp ------------------------------------------------------------------- */

/* ".5" as nanoseconds, cut off `*text`; nothing is 0. False unless 1 to 9 digits follow a point. */
static bool take_nanos(struct nu_str *text, int32_t *nanos)
{
    *nanos = 0;
    if (text->len == 0 || text->ptr[0] != '.')
        return true;
    *text = nu_str_skip(*text, 1);
    size_t digits = 0;
    while (digits < text->len && nu_ascii_is_digit(text->ptr[digits]))
        *nanos = digits < 9 ? *nanos * 10 + (text->ptr[digits++] - '0') : (digits++, *nanos);
    for (size_t i = digits; i < 9; i++)
        *nanos *= 10;
    *text = nu_str_skip(*text, digits);
    return digits >= 1 && digits <= 9;
}

static bool parse_duration(struct nu_str text, int64_t *seconds, int32_t *nanos)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (negative)
        text = nu_str_skip(text, 1);
    size_t digits = 0;
    while (digits < text.len && nu_ascii_is_digit(text.ptr[digits]))
        digits++;
    if (nu_str_to_i64(nu_str_first(text, digits), seconds) != NU_OK)
        return false;
    text = nu_str_skip(text, digits);
    if (!take_nanos(&text, nanos) || !nu_str_eq(text, NU_STR("s")))
        return false;
    if (negative) {
        *seconds = -*seconds;
        *nanos = -*nanos;
    }
    return true;
}

/* Protobuf's bounds: 10000 years, and nanoseconds of the same sign. */
static bool is_duration(const Google__Protobuf__Duration *d)
{
    static const int64_t max_seconds = 315576000000;
    bool same_sign = !(d->seconds > 0 && d->nanos < 0) && !(d->seconds < 0 && d->nanos > 0);
    return d->seconds >= -max_seconds && d->seconds <= max_seconds && d->nanos > -1000000000 &&
           d->nanos < 1000000000 && same_sign;
}

static bool convert_duration(const struct nu_target *t, ProtobufCMessage *message)
{
    Google__Protobuf__Duration *duration = (Google__Protobuf__Duration *)message;
    if (t->node->kind == NU_DOC_NUMBER)
        return nu_target_fail(t, "a duration needs its unit, as in %ss", t->node->text.ptr);
    if (t->node->kind == NU_DOC_MAP)
        convert_plainly(t, message);
    else if (t->node->kind != NU_DOC_STRING)
        return nu_target_fail(t, "expected a duration such as 1.5s, not %s",
                              nu_doc_kind_name(t->node));
    else if (!parse_duration(t->node->text, &duration->seconds, &duration->nanos))
        return nu_target_fail(t, "\"%.*s\" is no duration; only seconds are, as in 0.25s",
                              NU_STR_ARG(t->node->text));
    if (!is_duration(duration))
        return nu_target_fail(t, "the duration is out of range");
    return true;
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

/* `count` digits and the separator behind them, cut off `*text`. */
static bool take_number(struct nu_str *text, size_t count, char separator, unsigned *out)
{
    uint64_t number;
    if (text->len < count || nu_str_to_u64(nu_str_first(*text, count), &number) != NU_OK)
        return false;
    *out = (unsigned)number;
    *text = nu_str_skip(*text, count);
    if (!separator)
        return true;
    bool ok = text->len && nu_ascii_upper(text->ptr[0]) == separator;
    *text = nu_str_skip(*text, 1);
    return ok;
}

/* "Z", "+01:00" or "-01:00" as seconds east of UTC. */
static bool parse_zone(struct nu_str text, int64_t *offset)
{
    unsigned hours;
    unsigned minutes;
    *offset = 0;
    if (nu_str_eq_nocase(text, NU_STR("z")))
        return true;
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
        return false;
    int sign = text.ptr[0] == '-' ? -1 : 1;
    text = nu_str_skip(text, 1);
    if (!take_number(&text, 2, ':', &hours) || !take_number(&text, 2, 0, &minutes))
        return false;
    *offset = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return hours < 24 && minutes < 60;
}

static bool parse_timestamp(struct nu_str text, Google__Protobuf__Timestamp *out)
{
    unsigned year, month, day, hour, minute, second;
    int64_t offset;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, 'T', &day) || !take_number(&text, 2, ':', &hour) ||
        !take_number(&text, 2, ':', &minute) || !take_number(&text, 2, 0, &second))
        return false;
    if (!take_nanos(&text, &out->nanos) || !parse_zone(text, &offset))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    out->seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    out->seconds -= offset;
    return true;
}

/* The years 1 to 9999. */
static bool is_timestamp(const Google__Protobuf__Timestamp *t)
{
    return t->seconds >= -62135596800 && t->seconds <= 253402300799 && t->nanos >= 0 &&
           t->nanos < 1000000000;
}

static bool convert_timestamp(const struct nu_target *t, ProtobufCMessage *message)
{
    Google__Protobuf__Timestamp *timestamp = (Google__Protobuf__Timestamp *)message;
    if (t->node->kind == NU_DOC_MAP)
        convert_plainly(t, message);
    else if (t->node->kind != NU_DOC_STRING || !parse_timestamp(t->node->text, timestamp))
        return nu_target_fail(t, "expected a time such as 2030-01-31T12:00:00Z");
    if (!is_timestamp(timestamp))
        return nu_target_fail(t, "the time is out of range");
    return true;
}

/* --- Wrappers --------------------------------------------------------------------------------- */

static bool convert_wrapper(const struct nu_target *t, ProtobufCMessage *message)
{
    if (t->node->kind == NU_DOC_MAP)
        return convert_plainly(t, message);
    const ProtobufCFieldDescriptor *value = &message->descriptor->fields[0];
    struct nu_target inner = *t;
    inner.type = value;
    return nu_convert_scalar(&inner, nu_message_member(message, value));
}

/* --- Struct, Value, ListValue ----------------------------------------------------------------- */

static bool convert_value(const struct nu_target *t, ProtobufCMessage *message);

static bool convert_struct(const struct nu_target *t, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *fields = &message->descriptor->fields[0];
    if (t->node->kind != NU_DOC_MAP)
        return nu_target_fail(t, "expected an object, not %s", nu_doc_kind_name(t->node));
    *nu_message_count(message, fields) = 0; /* of a field given twice the last counts */
    for (const struct nu_doc_node *item = t->node->first; item; item = item->next) {
        struct nu_target inner = *t;
        inner.node = item;
        if (item->is_second)
            return nu_target_fail(&inner, "the key \"%.*s\" is there already",
                                  NU_STR_ARG(item->key));
        Google__Protobuf__Struct__FieldsEntry *entry =
            (void *)nu_message_create(t->ctx->arena, fields->descriptor);
        if (!nu_convert_text(&inner, item->key, &entry->key))
            return false;
        entry->value =
            (void *)nu_message_create(t->ctx->arena, &google__protobuf__value__descriptor);
        *(void **)nu_message_add_value(t->ctx->arena, message, fields) = entry;
        if (!convert_value(&inner, &entry->value->base))
            return false;
    }
    return true;
}

static bool convert_list(const struct nu_target *t, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *values = &message->descriptor->fields[0];
    if (t->node->kind != NU_DOC_LIST)
        return nu_target_fail(t, "expected a list, not %s", nu_doc_kind_name(t->node));
    for (const struct nu_doc_node *item = t->node->first; item; item = item->next) {
        struct nu_target inner = *t;
        inner.node = item;
        ProtobufCMessage *value = nu_message_create(t->ctx->arena, values->descriptor);
        *(ProtobufCMessage **)nu_message_add_value(t->ctx->arena, message, values) = value;
        if (!convert_value(&inner, value))
            return false;
    }
    return true;
}

static bool convert_value(const struct nu_target *t, ProtobufCMessage *message)
{
    Google__Protobuf__Value *value = (Google__Protobuf__Value *)message;
    struct nu_arena *arena = t->ctx->arena;
    struct nu_target inner = *t;
    switch ((enum nu_doc_kind)t->node->kind) {
    case NU_DOC_NULL:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
        return true;
    case NU_DOC_BOOL:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
        value->bool_value = t->node->boolean;
        return true;
    case NU_DOC_NUMBER:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
        inner.type =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "number_value");
        return nu_convert_scalar(&inner, &value->number_value);
    case NU_DOC_STRING:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        inner.type =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "string_value");
        return nu_convert_scalar(&inner, &value->string_value);
    case NU_DOC_LIST:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
        value->list_value =
            (void *)nu_message_create(arena, &google__protobuf__list_value__descriptor);
        return convert_list(t, &value->list_value->base);
    case NU_DOC_MAP:
        value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
        value->struct_value =
            (void *)nu_message_create(arena, &google__protobuf__struct__descriptor);
        return convert_struct(t, &value->struct_value->base);
    }
    return false;
}

nu_convert_fn *nu_convert_known(const ProtobufCMessageDescriptor *descriptor)
{
    static const struct {
        const ProtobufCMessageDescriptor *descriptor;
        nu_convert_fn *fn;
    } known[] = {
        {&google__protobuf__any__descriptor, nu_convert_any},
        {&google__protobuf__duration__descriptor, convert_duration},
        {&google__protobuf__timestamp__descriptor, convert_timestamp},
        {&google__protobuf__struct__descriptor, convert_struct},
        {&google__protobuf__value__descriptor, convert_value},
        {&google__protobuf__list_value__descriptor, convert_list},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(known); i++)
        if (known[i].descriptor == descriptor)
            return known[i].fn;
    return nu_is_wrapper(descriptor) ? convert_wrapper : NULL;
}
