/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back: a message to JSON, driven by its descriptor. Where the printing is stands in a
 * stack of frames, one for each object and array that is open, so that it can pause behind every
 * value. The content of an Any is unpacked into an arena that its frame owns.
 */
#include "config/print.h"

#include "base/alloc.h"
#include "config/field_mask.h"
#include "config/message_internal.h"
#include "config/print_internal.h"

#include "google/protobuf/any.pb-c.h"

/* An open object, or, with a field, the array or map of that field. */
struct frame {
    const ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field; /* NULL for the object itself */
    const struct nu_field_mask *mask;      /* what is wanted of the message; NULL for all */
    struct nu_arena *arena;                /* owned; NULL unless it holds the message */
    bool is_secret;                        /* no text in it is printed */
    size_t next;                           /* field or item */
};

struct nu_config_printer {
    const ProtobufCMessage *message; /* NULL once it was begun */
    const struct nu_field_mask *mask;
    bool with_type;
    bool is_secret;       /* what is begun now */
    struct frame *frames; /* owned */
    size_t depth;
    size_t cap;
    unsigned open_anys;
};

static void push(struct nu_config_printer *p, struct frame frame)
{
    if (p->depth == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->frames = nu_realloc(p->frames, p->cap * sizeof(*p->frames));
    }
    frame.is_secret = p->is_secret;
    p->frames[p->depth++] = frame;
}

static void pop(struct nu_config_printer *p)
{
    struct frame *top = &p->frames[--p->depth];
    if (!top->arena)
        return;
    p->open_anys--;
    nu_arena_destroy(&top->arena);
}

static void print_type(struct nu_json *json, struct nu_str type_url)
{
    nu_json_key(json, NU_STR("@type"));
    nu_json_string(json, type_url);
}

/* --- Values ----------------------------------------------------------------------------------- */

/* Numbers and the like say little; what can be spelled is the secret. */
static void print_secret(struct nu_json *json, const ProtobufCFieldDescriptor *field,
                         const void *value)
{
    static const struct nu_str redacted = NU_STR_INIT("[redacted]");
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        nu_print_base64(json, redacted);
    else if (field->type == PROTOBUF_C_TYPE_STRING || nu_field_is_message(field))
        nu_json_string(json, redacted);
    else
        nu_print_value(json, field, value);
}

/* A value that is printed whole. */
static void print_whole(struct nu_config_printer *p, struct nu_json *json,
                        const ProtobufCFieldDescriptor *field, const void *value)
{
    if (nu_unlikely(p->is_secret))
        print_secret(json, field, value);
    else
        nu_print_value(json, field, value);
}

/* --- Anys ------------------------------------------------------------------------------------- */

static void begin_any(struct nu_config_printer *p, struct nu_json *json,
                      const Google__Protobuf__Any *any);

/* A content that has no members of its own stands under "value". */
static void print_whole_content(struct nu_config_printer *p, struct nu_json *json,
                                const ProtobufCMessage *content)
{
    ProtobufCFieldDescriptor field = {.type = PROTOBUF_C_TYPE_MESSAGE};
    nu_json_key(json, NU_STR("value"));
    if (content->descriptor == &google__protobuf__any__descriptor)
        begin_any(p, json, (const Google__Protobuf__Any *)content);
    else
        print_whole(p, json, &field, &content);
}

/* Opens what is behind the "@type": the frame prints its members, or none if it is printed
 * whole. */
static void begin_content(struct nu_config_printer *p, struct nu_json *json,
                          const ProtobufCMessage *content, struct nu_arena *arena)
{
    bool is_whole = nu_print_is_known(content->descriptor) ||
                    content->descriptor == &google__protobuf__any__descriptor;
    p->open_anys++;
    push(p, (struct frame){.message = content, .arena = arena, .next = is_whole ? SIZE_MAX : 0});
    if (is_whole)
        print_whole_content(p, json, content);
}

static void begin_any(struct nu_config_printer *p, struct nu_json *json,
                      const Google__Protobuf__Any *any)
{
    nu_json_object_begin(json);
    if (!any->type_url || !*any->type_url) {
        nu_json_object_end(json);
        return;
    }
    print_type(json, nu_str_from(any->type_url));
    struct nu_str bytes = nu_str_make((const char *)any->value.data, any->value.len);
    const ProtobufCMessageDescriptor *descriptor =
        nu_config_find_type(nu_config_type_name(nu_str_from(any->type_url)));
    struct nu_arena *arena = nu_arena_create();
    const ProtobufCMessage *content = NULL;
    const char *problem;
    if (descriptor && p->open_anys + 1 < NU_DOC_MAX_DEPTH)
        content = nu_message_unpack(arena, bytes, descriptor, &problem);
    if (content) {
        begin_content(p, json, content, arena);
        return;
    }
    nu_json_key(json, NU_STR("value"));
    nu_print_base64(json, p->is_secret ? NU_STR("[redacted]") : bytes);
    nu_json_object_end(json);
    nu_arena_destroy(&arena);
}

/* --- Messages --------------------------------------------------------------------------------- */

static void begin_message(struct nu_config_printer *p, struct nu_json *json,
                          const ProtobufCMessage *message, const struct nu_field_mask *mask)
{
    nu_json_object_begin(json);
    push(p, (struct frame){.message = message, .mask = mask});
}

/* A value as a whole, or the beginning of one that consists of parts. */
static void begin_value(struct nu_config_printer *p, struct nu_json *json,
                        const ProtobufCFieldDescriptor *field, const void *value,
                        const struct nu_field_mask *mask)
{
    const ProtobufCMessage *message =
        nu_field_is_message(field) ? *(ProtobufCMessage *const *)value : NULL;
    if (!message || nu_print_is_known(message->descriptor))
        print_whole(p, json, field, value);
    else if (message->descriptor == &google__protobuf__any__descriptor)
        begin_any(p, json, (const Google__Protobuf__Any *)message);
    else
        begin_message(p, json, message, mask);
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
    return nu_field_is_message(field) && nu_schema_meta(field->descriptor)->is_map_entry;
}

static void begin_items(struct nu_config_printer *p, struct nu_json *json,
                        const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (is_map(field))
        nu_json_object_begin(json);
    else
        nu_json_array_begin(json);
    push(p, (struct frame){.message = message, .field = field});
}

static void begin_field(struct nu_config_printer *p, struct nu_json *json,
                        const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        const struct nu_field_mask *mask)
{
    nu_json_key(json, nu_str_from(field->name));
    if (nu_field_is_repeated(field))
        begin_items(p, json, message, field);
    else
        begin_value(p, json, field, nu_message_member(message, field), mask);
}

static bool is_sensitive(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const struct nu_field_meta *fields = nu_schema_meta(message->descriptor)->fields;
    return fields && fields[field - message->descriptor->fields].sensitive;
}

/* The next member of the object on top, or its end. */
static void step_object(struct nu_config_printer *p, struct nu_json *json)
{
    struct frame *top = &p->frames[p->depth - 1];
    const ProtobufCMessage *message = top->message;
    while (top->next < message->descriptor->n_fields) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[top->next++];
        const struct nu_field_mask *mask = NULL;
        if (nu_message_has(message, field) && nu_field_mask_wants(top->mask, field->name, &mask)) {
            p->is_secret = top->is_secret || is_sensitive(message, field);
            begin_field(p, json, message, field, mask);
            return;
        }
    }
    nu_json_object_end(json);
    pop(p);
}

static void begin_entry(struct nu_config_printer *p, struct nu_json *json,
                        const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
    const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
    nu_json_key(json, nu_str_from(*(const char **)nu_message_member(entry, key)));
    begin_value(p, json, value, nu_message_member(entry, value), NULL);
}

/* The next item of the array or map on top, or its end. */
static void step_items(struct nu_config_printer *p, struct nu_json *json)
{
    struct frame *top = &p->frames[p->depth - 1];
    const ProtobufCMessage *message = top->message;
    const ProtobufCFieldDescriptor *field = top->field;
    size_t item = top->next++;
    if (item < *nu_message_count(message, field)) {
        p->is_secret = top->is_secret;
        if (is_map(field))
            begin_entry(p, json, nu_message_child(message, field, item));
        else
            begin_value(p, json, field, nu_message_value(message, field, item), NULL);
        return;
    }
    if (is_map(field))
        nu_json_object_end(json);
    else
        nu_json_array_end(json);
    pop(p);
}

/* --- The printer ------------------------------------------------------------------------------ */

struct nu_config_printer *nu_config_printer_create(const ProtobufCMessage *message,
                                                   const struct nu_config_print_options *options)
{
    struct nu_config_printer *p = nu_calloc(1, sizeof(*p));
    p->message = message;
    p->mask = options->mask;
    p->with_type = options->with_type;
    return p;
}

void nu_config_printer_destroy(struct nu_config_printer **printer)
{
    struct nu_config_printer *p = *printer;
    if (!p)
        return;
    *printer = NULL;
    while (p->depth)
        pop(p);
    nu_free(p->frames);
    nu_free(p);
}

static void begin(struct nu_config_printer *p, struct nu_json *json)
{
    const ProtobufCMessage *message = p->message;
    ProtobufCFieldDescriptor field = {.type = PROTOBUF_C_TYPE_MESSAGE};
    p->message = NULL;
    begin_value(p, json, &field, &message, p->mask);
    if (!p->with_type)
        return;
    struct nu_strbuf type_url = {0};
    nu_strbuf_addf(&type_url, "type.googleapis.com/%s", message->descriptor->name);
    print_type(json, nu_strbuf_str(&type_url));
    nu_strbuf_finish(&type_url);
}

bool nu_config_printer_next(struct nu_config_printer *p, struct nu_json *json)
{
    if (p->message)
        begin(p, json);
    else if (p->frames[p->depth - 1].field)
        step_items(p, json);
    else
        step_object(p, json);
    return p->depth > 0;
}

void nu_config_print(struct nu_json *json, const ProtobufCMessage *message)
{
    struct nu_config_printer p = {.message = message};
    while (nu_config_printer_next(&p, json))
        continue;
    nu_free(p.frames);
}
