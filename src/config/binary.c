/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from foreign bytes. protobuf-c recurses without a bound and takes strings as they come,
 * so the bytes are checked first: lengths, wire types, nesting, UTF-8, no NUL in strings. Then a
 * walk over the unpacked message registers places, opens the Anys, and judges fields that the
 * descriptors do not have by number, as the converter does by name.
 */
#include "config/convert_internal.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "udpa/type/v1/typed_struct.pb-c.h"
#include "xds/type/v3/typed_struct.pb-c.h"

/* --- Checking bytes --------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

/* A varint of at most `max` bytes. */
static bool take_varint(struct cursor *c, int max, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < max && c->at < c->end; i++) {
        uint8_t byte = *c->at++;
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The value of a field as a range of its own; varints are passed over. */
static bool take_value(struct cursor *c, unsigned wire, struct cursor *value)
{
    uint64_t len = 0;
    switch (wire) {
    case WIRE_VARINT:
        value->at = c->at;
        if (!take_varint(c, 10, &len))
            return false;
        value->end = c->at;
        return true;
    case WIRE_64BIT:
        len = 8;
        break;
    case WIRE_32BIT:
        len = 4;
        break;
    case WIRE_BYTES:
        if (!take_varint(c, 5, &len))
            return false;
        break;
    default:
        return false;
    }
    if (len > (size_t)(c->end - c->at))
        return false;
    value->at = c->at;
    c->at += len;
    value->end = c->at;
    return true;
}

static unsigned wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        break;
    }
    return WIRE_VARINT;
}

/* The numbers of a packed field fill its bytes exactly. */
static bool check_packed(struct cursor packed, unsigned wire)
{
    struct cursor number;
    while (packed.at < packed.end)
        if (!take_value(&packed, wire, &number))
            return false;
    return true;
}

static const char *check_message(const ProtobufCMessageDescriptor *descriptor, struct cursor c,
                                 unsigned depth);

/* Returns what is wrong with the value of a field, or NULL. */
static const char *check_field(const ProtobufCFieldDescriptor *field, unsigned wire,
                               struct cursor value, unsigned depth)
{
    unsigned expected = wire_type_of(field->type);
    struct nu_str text = nu_str_make((const char *)value.at, (size_t)(value.end - value.at));
    if (wire != expected) {
        if (wire != WIRE_BYTES || !nu_field_is_repeated(field))
            return "wrong wire type";
        return check_packed(value, expected) ? NULL : "broken packed numbers";
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        if (nu_str_find_char(text, '\0') != NU_NPOS)
            return "NUL in a string";
        return nu_str_is_utf8(text) ? NULL : "a string is not UTF-8";
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(field->descriptor, value, depth + 1);
    return NULL;
}

static const char *check_message(const ProtobufCMessageDescriptor *descriptor, struct cursor c,
                                 unsigned depth)
{
    if (depth > NU_DOC_MAX_DEPTH)
        return "nested too deep";
    while (c.at < c.end) {
        uint64_t key;
        struct cursor value;
        if (!take_varint(&c, 5, &key) || key > UINT32_MAX || key >> 3 == 0)
            return "broken field number";
        if (!take_value(&c, key & 7, &value))
            return "cut short";
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3));
        const char *problem = field ? check_field(field, key & 7, value, depth) : NULL;
        if (problem)
            return problem;
    }
    return NULL;
}

/* --- Unpacking -------------------------------------------------------------------------------- */

static void *alloc_in_arena(void *arena, size_t size)
{
    return nu_arena_alloc(arena, size);
}

static void free_nothing(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

ProtobufCMessage *nu_message_unpack(struct nu_arena *arena, struct nu_str bytes,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const char **problem)
{
    const uint8_t *start = (const uint8_t *)(bytes.ptr ? bytes.ptr : "");
    struct cursor c = {start, start + bytes.len};
    ProtobufCAllocator allocator = {alloc_in_arena, free_nothing, arena};
    *problem = check_message(descriptor, c, 1);
    if (*problem)
        return NULL;
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, bytes.len, start);
    if (!message)
        *problem = "not a message of this type";
    return message;
}

/* --- The walk --------------------------------------------------------------------------------- */

struct walk {
    struct nu_config_ctx *ctx;
    const char *source;
    unsigned depth; /* of messages and Anys together */
};

static void walk_message(struct walk *w, struct nu_config_place *place);

static void complain(struct walk *w, struct nu_config_place *place, const char *field,
                     ptrdiff_t index, const char *text)
{
    nu_place_fail(place, NULL);
    nu_place_error(w->ctx, place, (struct nu_position){.source = w->source}, field, index, "%s",
                   text);
}

/* Whether a field that is not implemented has the value that asks for nothing, in any form that a
 * writer gives it: of a plain field, of a wrapper, of an empty text or message. */
static bool asks_for_nothing(const struct nu_reserved_field *reserved,
                             const ProtobufCMessageUnknownField *field)
{
    static const struct {
        const char *value;
        ProtobufCWireType type;
        struct nu_str bytes;
    } forms[] = {
        {"false", PROTOBUF_C_WIRE_TYPE_VARINT, NU_STR_INIT("\0")},
        {"false", PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, NU_STR_INIT("\0")},
        {"false", PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, NU_STR_INIT("\2\x08\0")},
        {"true", PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, NU_STR_INIT("\2\x08\1")},
        {"\"\"", PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, NU_STR_INIT("\0")},
        {"{}", PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, NU_STR_INIT("\0")},
    };
    struct nu_str bytes = nu_str_make((const char *)field->data, field->len);
    for (size_t i = 0; reserved->nothing && i < NU_ARRAY_LEN(forms); i++)
        if (strcmp(reserved->nothing, forms[i].value) == 0 && field->wire_type == forms[i].type &&
            nu_str_eq(bytes, forms[i].bytes))
            return true;
    return false;
}

static void walk_unknown(struct walk *w, struct nu_config_place *place,
                         const ProtobufCMessageUnknownField *unknown)
{
    const struct nu_message_meta *meta = nu_schema_meta(place->message->descriptor);
    const struct nu_reserved_field *reserved = nu_schema_reserved(meta, unknown->tag);
    if (reserved) {
        if (asks_for_nothing(reserved, unknown))
            return;
        complain(w, place, reserved->name, NU_NO_INDEX,
                 "known to Envoy, not implemented by nuncio");
        return;
    }
    char number[16];
    size_t len = nu_u64_to_chars(unknown->tag, number);
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, "no field of %s has this number", meta->descriptor->short_name);
    nu_unknown_field(w->ctx, place, (struct nu_position){.source = w->source},
                     nu_str_make(number, len), text.data);
    nu_strbuf_finish(&text);
}

static void walk_enum(struct walk *w, struct nu_config_place *place,
                      const ProtobufCFieldDescriptor *field, size_t index)
{
    int number = *(const int *)nu_message_value(place->message, field, index);
    if (!nu_schema_enum_is_missing(field->descriptor, number))
        return;
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, "%s: known to Envoy, not implemented by nuncio",
                   protobuf_c_enum_descriptor_get_value(field->descriptor, number)->name);
    complain(w, place, field->name, nu_field_is_repeated(field) ? (ptrdiff_t)index : NU_NO_INDEX,
             text.data);
    nu_strbuf_finish(&text);
}

static void walk_child(struct walk *w, struct nu_config_place *place,
                       const ProtobufCFieldDescriptor *field, size_t index)
{
    const ProtobufCMessage *child = nu_message_child(place->message, field, index);
    if (!child || child->descriptor == &google__protobuf__struct__descriptor)
        return;
    walk_message(w, nu_place_add(w->ctx, child, place, field, index));
}

static void walk_fields(struct walk *w, struct nu_config_place *place)
{
    const ProtobufCMessageDescriptor *descriptor = place->message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        bool is_message = nu_field_is_message(field);
        bool is_enum = field->type == PROTOBUF_C_TYPE_ENUM;
        size_t count = is_message || is_enum ? nu_message_value_count(place->message, field) : 0;
        for (size_t j = 0; j < count; j++) {
            if (is_message)
                walk_child(w, place, field, j);
            else
                walk_enum(w, place, field, j);
        }
    }
}

/* --- Anys ------------------------------------------------------------------------------------- */

static struct nu_doc_node *value_to_doc(const struct nu_doc_input *in,
                                        const Google__Protobuf__Value *value);

static struct nu_doc_node *struct_to_doc(const struct nu_doc_input *in,
                                         const Google__Protobuf__Struct *message)
{
    struct nu_doc_node *map = nu_doc_node_create(in, NU_DOC_MAP, 0, 0);
    for (size_t i = 0; message && i < message->n_fields; i++) {
        struct nu_doc_node *member = value_to_doc(in, message->fields[i]->value);
        member->key = nu_str_from(message->fields[i]->key);
        nu_doc_node_add(map, member);
    }
    return map;
}

static struct nu_doc_node *value_to_doc(const struct nu_doc_input *in,
                                        const Google__Protobuf__Value *value)
{
    struct nu_doc_node *node = nu_doc_node_create(in, NU_DOC_NULL, 0, 0);
    switch (value ? value->kind_case : GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
    case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
        node->kind = NU_DOC_NUMBER;
        node->text = nu_str_from(nu_arena_printf(in->arena, "%.17g", value->number_value));
        return node;
    case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
        node->kind = NU_DOC_STRING;
        node->text = nu_str_from(value->string_value);
        return node;
    case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
        node->kind = NU_DOC_BOOL;
        node->boolean = value->bool_value;
        return node;
    case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
        return struct_to_doc(in, value->struct_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
        node->kind = NU_DOC_LIST;
        for (size_t i = 0; i < value->list_value->n_values; i++)
            nu_doc_node_add(node, value_to_doc(in, value->list_value->values[i]));
        return node;
    case GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE:
    case GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET:
    default:
        return node;
    }
}

/* Replaces a TypedStruct by what it stands for. Both kinds have the same fields. */
static void open_typed_struct(struct walk *w, struct nu_config_place *place,
                              const ProtobufCMessage *message)
{
    const Xds__Type__V3__TypedStruct *typed = (const Xds__Type__V3__TypedStruct *)message;
    _Static_assert(sizeof(Xds__Type__V3__TypedStruct) == sizeof(Udpa__Type__V1__TypedStruct),
                   "the two TypedStructs have one layout");
    struct nu_doc_input in = {.arena = &w->ctx->scratch, .source = w->source};
    struct nu_doc_node *url = nu_doc_node_create(&in, NU_DOC_STRING, 0, 0);
    url->text = nu_str_from(typed->type_url);
    nu_convert_typed_struct(w->ctx, place, url, struct_to_doc(&in, typed->value));
}

static void open_any(struct walk *w, struct nu_config_place *place)
{
    const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)place->message;
    struct nu_str name = nu_config_type_name(nu_str_from(any->type_url));
    if (!name.len) {
        if (any->value.len)
            complain(w, place, NULL, NU_NO_INDEX, "an Any with bytes and no type");
        return;
    }
    const ProtobufCMessageDescriptor *descriptor = nu_config_find_type(name);
    if (!descriptor) {
        struct nu_strbuf text = {0};
        nu_hint_missing_type(name, &text);
        complain(w, place, NULL, NU_NO_INDEX, text.data);
        nu_strbuf_finish(&text);
        return;
    }
    const char *problem;
    struct nu_str bytes = nu_str_make((const char *)any->value.data, any->value.len);
    ProtobufCMessage *content = nu_message_unpack(w->ctx->arena, bytes, descriptor, &problem);
    if (!content) {
        complain(w, place, NULL, NU_NO_INDEX, problem);
    } else if (nu_is_typed_struct(name)) {
        open_typed_struct(w, place, content);
    } else {
        place->content = content;
        walk_message(w, nu_place_add(w->ctx, content, place, NULL, 0));
    }
}

static void walk_message(struct walk *w, struct nu_config_place *place)
{
    const ProtobufCMessage *message = place->message;
    if (w->depth == NU_DOC_MAX_DEPTH) {
        complain(w, place, NULL, NU_NO_INDEX, "nested too deep");
        return;
    }
    w->depth++;
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        walk_unknown(w, place, &message->unknown_fields[i]);
    if (message->descriptor == &google__protobuf__any__descriptor)
        open_any(w, place);
    else
        walk_fields(w, place);
    w->depth--;
}

ProtobufCMessage *nu_binary_read(struct nu_config_ctx *ctx, const char *source, struct nu_str bytes,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    const char *problem;
    ProtobufCMessage *message = nu_message_unpack(ctx->arena, bytes, descriptor, &problem);
    if (!message) {
        nu_error_add(&ctx->errors, (struct nu_position){.source = source}, NULL, "%s: %s",
                     descriptor->short_name, problem);
        return NULL;
    }
    struct nu_config_place *place = nu_place_add(ctx, message, NULL, NULL, 0);
    place->source = source;
    struct walk w = {ctx, source, 0};
    walk_message(&w, place);
    return message;
}
