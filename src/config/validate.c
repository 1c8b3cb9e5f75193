/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API's validation rules, which stand as data beside the messages (schema.h), applied to a
 * whole tree. Texts follow Envoy's, so that what is known of its errors helps with ours. On the way
 * fields that change nothing here, and deprecated ones, are warned of, each once.
 */
#include "config/convert_internal.h"

#include "base/regex.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"

/* One value and the rule it is held against. */
struct check {
    struct nu_config_ctx *ctx;
    const ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
    ptrdiff_t index; /* of an item, else NU_NO_INDEX */
    const struct nu_rule *rule;
    ProtobufCType type; /* of the value */
    const void *value;  /* points at it; NULL when the field is not set */
};

NU_PRINTF(2, 3)
static void fail(const struct check *c, const char *fmt, ...)
{
    struct nu_strbuf text = {0};
    va_list args;
    va_start(args, fmt);
    nu_strbuf_addv(&text, fmt, args);
    va_end(args);
    if (c->index == NU_NO_INDEX)
        nu_config_error(c->ctx, c->message, c->field->name, "%s", text.data);
    else
        nu_config_error_at(c->ctx, c->message, c->field->name, (size_t)c->index, "%s", text.data);
    nu_strbuf_finish(&text);
}

/* --- Ranges ----------------------------------------------------------------------------------- */

static double number_of(const struct check *c)
{
    switch (c->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
        return *(const double *)c->value;
    case PROTOBUF_C_TYPE_FLOAT:
        return (double)*(const float *)c->value;
    case PROTOBUF_C_TYPE_UINT64:
        return (double)*(const uint64_t *)c->value;
    case PROTOBUF_C_TYPE_INT64:
        return (double)*(const int64_t *)c->value;
    case PROTOBUF_C_TYPE_UINT32:
        return *(const uint32_t *)c->value;
    case PROTOBUF_C_TYPE_MESSAGE: {
        const Google__Protobuf__Duration *d = *(Google__Protobuf__Duration *const *)c->value;
        return (double)d->seconds * 1e9 + (double)d->nanos;
    }
    default:
        return *(const int32_t *)c->value;
    }
}

/* A bound as text: durations in seconds. */
static void add_bound(const struct check *c, double bound, struct nu_strbuf *out)
{
    if (c->type == PROTOBUF_C_TYPE_MESSAGE)
        nu_strbuf_addf(out, "%.10gs", bound / 1e9);
    else
        nu_strbuf_addf(out, "%.15g", bound);
}

static void fail_range(const struct check *c)
{
    const struct nu_rule_range *range = &c->rule->range;
    struct nu_strbuf text = {0};
    if (range->has_low && range->has_high) {
        nu_strbuf_addf(&text, "value must be inside range %c", range->low_open ? '(' : '[');
        add_bound(c, range->low, &text);
        nu_strbuf_add_cstr(&text, ", ");
        add_bound(c, range->high, &text);
        nu_strbuf_add_char(&text, range->high_open ? ')' : ']');
    } else {
        bool open = range->has_low ? range->low_open : range->high_open;
        nu_strbuf_addf(&text, "value must be %s than %s", range->has_low ? "greater" : "less",
                       open ? "" : "or equal to ");
        add_bound(c, range->has_low ? range->low : range->high, &text);
    }
    fail(c, "%s", text.data);
    nu_strbuf_finish(&text);
}

static void check_range(const struct check *c)
{
    const struct nu_rule_range *range = &c->rule->range;
    double number = number_of(c);
    bool low_ok = !range->has_low || (range->low_open ? number > range->low : number >= range->low);
    bool high_ok =
        !range->has_high || (range->high_open ? number < range->high : number <= range->high);
    if (!low_ok || !high_ok)
        fail_range(c);
}

/* --- Strings ---------------------------------------------------------------------------------- */

static struct nu_str text_of(const struct check *c)
{
    if (c->type == PROTOBUF_C_TYPE_STRING)
        return nu_str_from(*(const char *const *)c->value);
    const ProtobufCBinaryData *data = c->value;
    return nu_str_make((const char *)data->data, data->len);
}

static bool is_token_char(char c)
{
    return nu_ascii_is_alpha(c) || nu_ascii_is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_header_name(struct nu_str s)
{
    if (s.len && s.ptr[0] == ':')
        s = nu_str_skip(s, 1);
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.ptr[i]))
            return false;
    return s.len > 0;
}

static bool is_header_value(struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_header_string(struct nu_str s)
{
    return nu_str_find_char(s, '\r') == NU_NPOS && nu_str_find_char(s, '\n') == NU_NPOS &&
           nu_str_find_char(s, '\0') == NU_NPOS;
}

static void check_pattern(const struct check *c)
{
    struct nu_regex *regex = nu_regex_create(nu_str_from(c->rule->pattern), NULL);
    if (!regex || !nu_regex_full_match(regex, text_of(c)))
        fail(c, "value does not match regex pattern \"%s\"", c->rule->pattern);
    nu_regex_destroy(&regex);
}

static void check_in(const struct check *c)
{
    struct nu_strbuf list = {0};
    for (size_t i = 0; i < c->rule->count; i++) {
        if (nu_str_eq(text_of(c), nu_str_from(c->rule->texts[i]))) {
            nu_strbuf_finish(&list);
            return;
        }
        nu_strbuf_addf(&list, "%s%s", i ? ", " : "", c->rule->texts[i]);
    }
    fail(c, "value must be in list [%s]", list.data);
    nu_strbuf_finish(&list);
}

/* --- Dispatch --------------------------------------------------------------------------------- */

static void check_defined(const struct check *c)
{
    int number = *(const int *)c->value;
    if (!protobuf_c_enum_descriptor_get_value(c->field->descriptor, number))
        fail(c, "value must be one of the defined enum values");
}

static bool is_empty(const struct check *c)
{
    if (c->type == PROTOBUF_C_TYPE_STRING || c->type == PROTOBUF_C_TYPE_BYTES)
        return text_of(c).len == 0;
    double number = number_of(c);
    return !(number > 0) && !(number < 0);
}

/* Holds a value that is there against one rule. */
static void check_value(const struct check *c)
{
    const struct nu_rule *rule = c->rule;
    if (rule->skip_empty && is_empty(c))
        return;
    switch (rule->kind) {
    case NU_RULE_RANGE:
        check_range(c);
        return;
    case NU_RULE_MIN_LEN:
        if (nu_utf8_count(text_of(c)) < rule->count)
            fail(c, "value length must be at least %zu characters", rule->count);
        return;
    case NU_RULE_MAX_BYTES:
        if (text_of(c).len > rule->count)
            fail(c, "value length must be at most %zu bytes", rule->count);
        return;
    case NU_RULE_PATTERN:
        check_pattern(c);
        return;
    case NU_RULE_IN:
        check_in(c);
        return;
    case NU_RULE_HEADER_NAME:
        if (!is_header_name(text_of(c)))
            fail(c, "value must be an HTTP header name");
        return;
    case NU_RULE_HEADER_VALUE:
        if (!is_header_value(text_of(c)))
            fail(c, "value must be an HTTP header value");
        return;
    case NU_RULE_HEADER_STRING:
        if (!is_header_string(text_of(c)))
            fail(c, "value may not hold NUL, CR or LF");
        return;
    case NU_RULE_TRUE:
        if (!*(const protobuf_c_boolean *)c->value)
            fail(c, "value must equal true");
        return;
    case NU_RULE_DEFINED:
        check_defined(c);
        return;
    case NU_RULE_REQUIRED:
    case NU_RULE_MIN_ITEMS:
    case NU_RULE_MAX_ITEMS:
        return;
    }
}

/* The value inside a wrapper; others stay as they are. False when there is none. */
static bool unwrap(struct check *c, ProtobufCMessage *const *slot)
{
    const ProtobufCMessage *message = *slot;
    if (!message)
        return false;
    if (message->descriptor == &google__protobuf__duration__descriptor)
        return true;
    if (!nu_is_wrapper(message->descriptor))
        return false;
    const ProtobufCFieldDescriptor *value = &message->descriptor->fields[0];
    c->type = value->type;
    c->value = nu_message_member(message, value);
    return true;
}

static void check_item(struct check *c, const void *value)
{
    c->type = c->field->type;
    c->value = value;
    if (c->type != PROTOBUF_C_TYPE_MESSAGE || unwrap(c, value))
        check_value(c);
}

/* --- Fields ----------------------------------------------------------------------------------- */

static void check_items(struct check *c)
{
    size_t count = *nu_message_count(c->message, c->field);
    for (size_t i = 0; i < count; i++) {
        c->index = (ptrdiff_t)i;
        check_item(c, nu_message_value(c->message, c->field, i));
    }
    c->index = NU_NO_INDEX;
}

static void check_keys(struct check *c)
{
    size_t count = *nu_message_count(c->message, c->field);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCMessage *entry = nu_message_child(c->message, c->field, i);
        struct check inner = *c;
        inner.message = entry;
        inner.field = &entry->descriptor->fields[0];
        check_item(&inner, nu_message_member(entry, inner.field));
    }
}

static void check_presence(const struct check *c, bool was_read)
{
    size_t count = nu_message_value_count(c->message, c->field);
    if (c->rule->kind == NU_RULE_REQUIRED && count == 0 && was_read)
        fail(c, "value is required");
    if (c->rule->kind == NU_RULE_MIN_ITEMS && count < c->rule->count && was_read)
        fail(c, "value must contain at least %zu item(s)", c->rule->count);
    if (c->rule->kind == NU_RULE_MAX_ITEMS && count > c->rule->count)
        fail(c, "value must contain no more than %zu item(s)", c->rule->count);
}

static void check_rule(struct check *c, bool was_read)
{
    bool is_unset_member =
        nu_field_is_oneof(c->field) && *nu_message_case(c->message, c->field) != c->field->id;
    if (is_unset_member)
        return;
    if (c->rule->scope == NU_RULE_ON_ITEM) {
        check_items(c);
    } else if (c->rule->scope == NU_RULE_ON_KEY) {
        check_keys(c);
    } else {
        check_presence(c, was_read);
        if (!nu_field_is_repeated(c->field) && was_read)
            check_item(c, nu_message_member(c->message, c->field));
    }
}

static void warn_once(struct nu_config_ctx *ctx, const ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field, const struct nu_field_meta *meta)
{
    const char *key =
        nu_arena_printf(&ctx->scratch, "%s.%s", message->descriptor->name, field->name);
    if (nu_map_put(&ctx->warned, nu_str_from(key), nu_unconst(field)))
        return;
    if (meta->ignored)
        nu_config_warn(ctx, message, field->name, "has no effect: %s", meta->ignored);
    else if (!ctx->skip_deprecated)
        nu_config_warn(ctx, message, field->name, "is deprecated");
}

static void check_fields(struct nu_config_ctx *ctx, const ProtobufCMessage *message,
                         const struct nu_message_meta *meta, const struct nu_config_place *place)
{
    for (unsigned i = 0; meta->fields && i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const struct nu_field_meta *field_meta = &meta->fields[i];
        struct check c = {.ctx = ctx, .message = message, .field = field, .index = NU_NO_INDEX};
        bool was_read = !nu_place_has_failed(place, field);
        for (size_t j = 0; j < field_meta->rule_count; j++) {
            c.rule = &field_meta->rules[j];
            check_rule(&c, was_read);
        }
        if ((field_meta->ignored || field_meta->deprecated) && nu_message_has(message, field))
            warn_once(ctx, message, field, field_meta);
    }
}

static void check_oneofs(struct nu_config_ctx *ctx, const ProtobufCMessage *message,
                         const struct nu_message_meta *meta)
{
    for (size_t i = 0; i < meta->oneof_count; i++) {
        const struct nu_oneof_meta *oneof = &meta->oneofs[i];
        const ProtobufCFieldDescriptor *first =
            protobuf_c_message_descriptor_get_field(message->descriptor, oneof->first_number);
        if (oneof->required && *nu_message_case(message, first) == 0)
            nu_config_error(ctx, message, NULL, "value is required: %s", oneof->name);
    }
}

/* An extension is found by the type of its configuration, so a name alone is not enough. */
static void check_extension(struct nu_config_ctx *ctx, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    const ProtobufCFieldDescriptor *config =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, "typed_config");
    const ProtobufCFieldDescriptor *name =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, "name");
    if (!config || !name)
        return;
    const ProtobufCMessage *any =
        nu_message_has(message, config) ? nu_message_child(message, config, 0) : NULL;
    const struct nu_config_place *place = any ? nu_place_find(ctx, any) : NULL;
    bool is_said_already = !any && !nu_field_is_oneof(config); /* the field is required */
    if (is_said_already || (place && (place->content || place->has_errors)))
        return;
    struct nu_strbuf text = {0};
    nu_strbuf_add_cstr(&text,
                       "an object with an \"@type\" is required, a name alone finds nothing");
    nu_hint_extension(nu_str_from(*(const char **)nu_message_member(message, name)), &text);
    nu_config_error(ctx, message, "typed_config", "%s", text.data);
    nu_strbuf_finish(&text);
}

/* --- The walk --------------------------------------------------------------------------------- */

static void check_message(struct nu_config_ctx *ctx, const ProtobufCMessage *message);

static void check_children(struct nu_config_ctx *ctx, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        size_t count = nu_field_is_message(field) ? nu_message_value_count(message, field) : 0;
        for (size_t j = 0; j < count; j++) {
            const ProtobufCMessage *child = nu_message_child(message, field, j);
            if (child)
                check_message(ctx, child);
        }
    }
}

static void check_message(struct nu_config_ctx *ctx, const ProtobufCMessage *message)
{
    const struct nu_config_place *place = nu_place_find(ctx, message);
    if (message->descriptor == &google__protobuf__any__descriptor) {
        if (place && place->content)
            check_message(ctx, place->content);
        return;
    }
    if (strcmp(message->descriptor->package_name, "google.protobuf") == 0)
        return;
    const struct nu_message_meta *meta = nu_schema_meta(message->descriptor);
    check_fields(ctx, message, meta, place);
    if (!place || !place->has_errors) {
        check_oneofs(ctx, message, meta);
        check_extension(ctx, message);
    }
    check_children(ctx, message);
}

bool nu_config_validate(struct nu_config_ctx *ctx, const ProtobufCMessage *message)
{
    check_message(ctx, message);
    return nu_config_is_ok(ctx);
}
