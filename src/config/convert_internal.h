/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The converter's parts: protobuf's JSON mapping from a document tree to messages, as lenient as
 * Envoy's ("legacy syntax"). For the convert_*.c files and hints.c only.
 */
#ifndef NU_CONFIG_CONVERT_INTERNAL_H
#define NU_CONFIG_CONVERT_INTERNAL_H

#include "config/message_internal.h"

/* A value that is being converted: the field it belongs to, and the node that describes it. */
struct nu_target {
    struct nu_config_ctx *ctx;
    struct nu_config_place *place;         /* of the message that has the field */
    const ProtobufCFieldDescriptor *field; /* NULL for what an Any holds */
    const ProtobufCFieldDescriptor *type;  /* what the value is: the field, or a wrapper's value */
    ptrdiff_t index;                       /* in a repeated field, else NU_NO_INDEX */
    const struct nu_doc_node *node;
};

/* Adds an error about the value, and notes that the field could not be read. Always false. */
bool nu_target_fail(const struct nu_target *t, const char *fmt, ...) NU_PRINTF(2, 3);

/* convert.c: registers the message that the target's node describes. */
struct nu_config_place *nu_target_place(const struct nu_target *t, const ProtobufCMessage *message);
/* convert.c: the members of a map node into the message of `place`; `skip` is passed over. */
void nu_convert_members(struct nu_config_ctx *ctx, struct nu_config_place *place,
                        const struct nu_doc_node *map, struct nu_str skip);
/* A message of any type, well-known ones too, into `message`. */
bool nu_convert_into(const struct nu_target *t, ProtobufCMessage *message);

/* convert_scalar.c: a number, string, bool, bytes or enum into `slot`. */
bool nu_convert_scalar(const struct nu_target *t, void *slot);
/* A string value, or a map's key, into a `const char *`. */
bool nu_convert_text(const struct nu_target *t, struct nu_str text, void *slot);

typedef bool nu_convert_fn(const struct nu_target *t, ProtobufCMessage *message);
/* convert_known.c: the converter of a type with a JSON form of its own, or NULL. */
nu_convert_fn *nu_convert_known(const ProtobufCMessageDescriptor *descriptor);
/* convert_any.c */
bool nu_convert_any(const struct nu_target *t, ProtobufCMessage *message);
/*
 * Fills the Any at `place` with the message that a TypedStruct stands for: its type URL and the
 * object that describes the fields.
 */
bool nu_convert_typed_struct(struct nu_config_ctx *ctx, struct nu_config_place *place,
                             const struct nu_doc_node *url, const struct nu_doc_node *value);
/* Whether a message of this name is a TypedStruct. */
bool nu_is_typed_struct(struct nu_str name);

/* hints.c: each appends what helps an operator, or nothing. */
void nu_hint_field(const struct nu_message_meta *meta, struct nu_str name, struct nu_strbuf *out);
void nu_hint_enum(const ProtobufCEnumDescriptor *descriptor, struct nu_str name,
                  struct nu_strbuf *out);
/* All that is to say of a type that is not compiled in. */
void nu_hint_missing_type(struct nu_str name, struct nu_strbuf *out);
/* The type to write for an extension that is only named. */
void nu_hint_extension(struct nu_str name, struct nu_strbuf *out);

#endif
