/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From configuration text or bytes to protobuf-c messages. One load is one struct nu_config_ctx: it
 * collects the errors and warnings and remembers where in which file each message came from, so
 * that whoever checks the messages later (a *_from_proto function) can report
 *
 *     envoy.yaml:12:9: static_resources.clusters[0].load_assignment: malformed IP address
 *
 * with nothing but the message and the field's name. The messages live in an arena of the caller's
 * and may outlive the context; they are not changed after loading. Main thread.
 *
 *     text -> tree (doc.h) -> message -> merge -> rules -> *_from_proto
 */
#ifndef NU_CONFIG_CONFIG_H
#define NU_CONFIG_CONFIG_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "config/schema.h"

struct nu_doc_node;
struct Envoy__Config__Bootstrap__V3__Bootstrap;
struct Google__Protobuf__Any;
struct Envoy__Config__Core__V3__DataSource;

struct nu_config_ctx {
    struct nu_error_list errors;
    struct nu_error_list warnings;    /* ignored, deprecated and doubtful things; each field once */
    bool allow_unknown;               /* unknown fields are warnings; set it before loading */
    bool skip_deprecated;             /* deprecated fields are not worth a warning; likewise */
    size_t unknown_fields;            /* how many there were */
    struct nu_arena *arena;           /* borrowed: takes the messages */
    const struct nu_config_ctx *base; /* borrowed: knows other messages; NULL for none */
    struct nu_arena scratch;          /* private: trees and places */
    struct nu_map places;             /* private: message -> struct nu_config_place */
    struct nu_map warned;             /* private: fields that were warned of */
};

/* An empty context whose messages go to `arena`. */
void nu_config_ctx_init(struct nu_config_ctx *ctx, struct nu_arena *arena);
/* An empty context that knows the positions of `base` as well, whose messages are looked at again
 * later on. `base` must live longer. */
void nu_config_ctx_init_view(struct nu_config_ctx *ctx, const struct nu_config_ctx *base,
                             struct nu_arena *arena);
/* Frees lists and positions; the messages stay. */
void nu_config_ctx_finish(struct nu_config_ctx *ctx);

/*
 * Loads a bootstrap: the file `path`, `config_yaml` merged over it, or either alone (the other
 * NULL). The file's ending decides the format: .yaml and .yml are YAML, .pb is binary, all else is
 * JSON. Returns NULL when ctx->errors is not empty; everything that is wrong is in there, sorted.
 */
struct Envoy__Config__Bootstrap__V3__Bootstrap *
nu_config_load_bootstrap(struct nu_config_ctx *ctx, const char *path, const char *config_yaml);
/* The same for a message of another type. */
ProtobufCMessage *nu_config_load(struct nu_config_ctx *ctx, const char *path,
                                 const char *config_yaml,
                                 const ProtobufCMessageDescriptor *descriptor);

enum nu_config_format { NU_CONFIG_YAML, NU_CONFIG_JSON, NU_CONFIG_BINARY };

/*
 * A message of type `descriptor` from bytes; `source` names them in errors. Rules are not applied
 * yet. After errors the message holds what could be read; NULL if there is none.
 */
ProtobufCMessage *nu_config_read(struct nu_config_ctx *ctx, const char *source, struct nu_str bytes,
                                 enum nu_config_format format,
                                 const ProtobufCMessageDescriptor *descriptor);

/* The same from a file; its ending decides the format. */
ProtobufCMessage *nu_config_read_file(struct nu_config_ctx *ctx, const char *path,
                                      const ProtobufCMessageDescriptor *descriptor);

/*
 * A message from a document tree (doc.h) that lives in the context's scratch arena or longer. The
 * node becomes a root: paths begin there. NULL if the node is no object.
 */
ProtobufCMessage *nu_config_convert(struct nu_config_ctx *ctx, const struct nu_doc_node *node,
                                    const ProtobufCMessageDescriptor *descriptor);

/*
 * Protobuf's MergeFrom: values of `over` replace those of `base`, repeated fields are appended,
 * messages merged, map entries replaced by key. Parts of `over` become parts of `base`; `over` must
 * not be used any more. Both were read in this context and have the same type.
 */
void nu_config_merge(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over);

/* Applies the API's rules to the message and all below, inside Anys too. False after errors. */
bool nu_config_validate(struct nu_config_ctx *ctx, const ProtobufCMessage *message);

/*
 * Adds an error about a field of a message that was read in this context. `field` may be NULL,
 * which blames the message. nu_config_error_at says which item of a repeated field.
 */
void nu_config_error(struct nu_config_ctx *ctx, const void *message, const char *field,
                     const char *fmt, ...) NU_PRINTF(4, 5);
void nu_config_error_at(struct nu_config_ctx *ctx, const void *message, const char *field,
                        size_t index, const char *fmt, ...) NU_PRINTF(5, 6);
void nu_config_warn(struct nu_config_ctx *ctx, const void *message, const char *field,
                    const char *fmt, ...) NU_PRINTF(4, 5);
/* Whether there are no errors so far. */
static inline bool nu_config_is_ok(const struct nu_config_ctx *ctx)
{
    return ctx->errors.count == 0;
}

/*
 * The message inside an Any that was read in this context; it was checked along with the rest. NULL
 * when the Any is NULL or empty. The caller looks at its descriptor.
 */
const ProtobufCMessage *nu_config_any(const struct nu_config_ctx *ctx,
                                      const struct Google__Protobuf__Any *any);
/* The same, with an error about `field` of `owner` unless the type is `expected`. */
const ProtobufCMessage *nu_config_any_of(struct nu_config_ctx *ctx, const void *owner,
                                         const char *field, const struct Google__Protobuf__Any *any,
                                         const ProtobufCMessageDescriptor *expected);

/*
 * The bytes of a DataSource, reading the file or the environment. They live in ctx->arena, with a
 * NUL behind them. False after adding an error; NULL gives empty bytes. A watched_directory is an
 * error: this is for bytes that are read once.
 */
NU_MUST_USE bool nu_config_data_source(struct nu_config_ctx *ctx,
                                       const struct Envoy__Config__Core__V3__DataSource *source,
                                       struct nu_str *out);
/* The same for who watches the file and reads it again. */
NU_MUST_USE bool nu_config_data_source_now(struct nu_config_ctx *ctx,
                                           const struct Envoy__Config__Core__V3__DataSource *source,
                                           struct nu_str *out);

#endif
