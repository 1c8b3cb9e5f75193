/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing a protobuf-c message through its descriptor, and the places of messages. For
 * the files of this module only.
 */
#ifndef NU_CONFIG_MESSAGE_INTERNAL_H
#define NU_CONFIG_MESSAGE_INTERNAL_H

#include "config/config.h"
#include "config/doc.h"
#include "config/schema.h"

/* --- Messages --------------------------------------------------------------------------------- */

/* A message with nothing set, in `arena`. */
ProtobufCMessage *nu_message_create(struct nu_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor);

static inline bool nu_field_is_repeated(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED;
}

static inline bool nu_field_is_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static inline bool nu_field_is_message(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE;
}

/* Where a field's value is; for a repeated field, where the pointer to the items is. */
static inline void *nu_message_member(const ProtobufCMessage *message,
                                      const ProtobufCFieldDescriptor *field)
{
    return (char *)nu_unconst(message) + field->offset;
}

/* Number of items of a repeated field. */
static inline size_t *nu_message_count(const ProtobufCMessage *message,
                                       const ProtobufCFieldDescriptor *field)
{
    return (size_t *)(void *)((char *)nu_unconst(message) + field->quantifier_offset);
}

/* The number of the oneof's member that is set, 0 for none. */
static inline uint32_t *nu_message_case(const ProtobufCMessage *message,
                                        const ProtobufCFieldDescriptor *field)
{
    return (uint32_t *)(void *)((char *)nu_unconst(message) + field->quantifier_offset);
}

/* Whether a message is one of google.protobuf's wrappers: UInt32Value and the like. */
bool nu_is_wrapper(const ProtobufCMessageDescriptor *descriptor);

/* Whether the field is set: not the default, and in a oneof the member that is set. */
bool nu_message_has(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* How many values a field holds: of a repeated one its items, of others 0 or 1. */
size_t nu_message_value_count(const ProtobufCMessage *message,
                              const ProtobufCFieldDescriptor *field);
/* The value at `index`: pointer to the value itself, also for messages (a pointer to a pointer). */
void *nu_message_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       size_t index);
/* The message at `index` of a message field. */
static inline ProtobufCMessage *nu_message_child(const ProtobufCMessage *message,
                                                 const ProtobufCFieldDescriptor *field,
                                                 size_t index)
{
    return *(ProtobufCMessage **)nu_message_value(message, field, index);
}

/*
 * Room for one more value: a repeated field grows by a zeroed item, a oneof changes to this member.
 * Returns where the value goes.
 */
void *nu_message_add_value(struct nu_arena *arena, ProtobufCMessage *message,
                           const ProtobufCFieldDescriptor *field);

/* Whether `name` is a field's name in either spelling. */
bool nu_field_name_eq(struct nu_str name, const char *field_name);

/* --- Places ----------------------------------------------------------------------------------- */

/* Where a message stands: below which other, and which node of which document describes it. */
struct nu_config_place {
    const ProtobufCMessage *message;
    const ProtobufCMessage *content;       /* what an Any holds */
    struct nu_config_place *parent;        /* NULL at the root */
    const ProtobufCFieldDescriptor *field; /* of the parent; NULL inside an Any */
    size_t index;                          /* in a repeated field */
    const struct nu_doc_node *node;        /* NULL for binary input */
    const struct nu_doc_node *over;        /* the node merged over it, or NULL */
    const char *source;                    /* of a root: the file's name */
    uint64_t unread; /* bit i: descriptor->fields[i] was given and could not be read */
    bool has_errors; /* some field could not be read, or is none of the message's */
};

/* Registers a message. parent is NULL for a root, field is NULL for the content of parent's Any. */
struct nu_config_place *nu_place_add(struct nu_config_ctx *ctx, const ProtobufCMessage *message,
                                     struct nu_config_place *parent,
                                     const ProtobufCFieldDescriptor *field, size_t index);
/* Notes that a field could not be read, so that nobody says it is missing. NULL: no field of
 * ours. */
void nu_place_fail(struct nu_config_place *place, const ProtobufCFieldDescriptor *field);
/* Whether it was noted. */
bool nu_place_has_failed(const struct nu_config_place *place,
                         const ProtobufCFieldDescriptor *field);
/* The place of a message, or NULL. */
struct nu_config_place *nu_place_find(const struct nu_config_ctx *ctx, const void *message);

enum { NU_NO_INDEX = -1 };

/*
 * Adds an error at a position, with the path of `place` and, where given, of one of its fields.
 * Like nu_config_error, for what has a position of its own.
 */
void nu_place_error(struct nu_config_ctx *ctx, const struct nu_config_place *place,
                    struct nu_position at, const char *field, ptrdiff_t index, const char *fmt, ...)
    NU_PRINTF(6, 7);
/* An unknown field or enum value: an error, or a warning when the context lets them pass. */
void nu_unknown_field(struct nu_config_ctx *ctx, struct nu_config_place *place,
                      struct nu_position at, struct nu_str name, const char *text);
/* The same into either list. */
void nu_place_addv(struct nu_error_list *list, const struct nu_config_place *place,
                   struct nu_position at, const char *field, ptrdiff_t index, const char *fmt,
                   va_list args);

/* --- Bytes ------------------------------------------------------------------------------------ */

/* binary.c: a message from foreign bytes with its places, Anys opened. NULL after an error. */
ProtobufCMessage *nu_binary_read(struct nu_config_ctx *ctx, const char *source, struct nu_str bytes,
                                 const ProtobufCMessageDescriptor *descriptor);
/*
 * A message from foreign bytes, checked first, and nothing more. NULL with the reason, a constant,
 * in `*problem`.
 */
ProtobufCMessage *nu_message_unpack(struct nu_arena *arena, struct nu_str bytes,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const char **problem);

#endif
