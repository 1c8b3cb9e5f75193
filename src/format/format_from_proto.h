/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters from configuration messages. Main thread, while loading. */
#ifndef NU_FORMAT_FORMAT_FROM_PROTO_H
#define NU_FORMAT_FORMAT_FROM_PROTO_H

#include "format/format.h"

struct Envoy__Config__Core__V3__SubstitutionFormatString;
struct Google__Protobuf__Struct;
struct nu_config_ctx;

/* A compiled SubstitutionFormatString. */
struct nu_format_string {
    const struct nu_formatter *formatter;
    /* Of a body that is written with it; "application/json" or "text/plain" unless the message says
     * otherwise. */
    struct nu_str content_type;
};

/* Compiles a format string into `arena`. False after adding the errors to `ctx`, each with the
 * place of its field. */
NU_MUST_USE bool
nu_format_string_from_proto(struct nu_config_ctx *ctx,
                            const struct Envoy__Config__Core__V3__SubstitutionFormatString *proto,
                            struct nu_arena *arena, struct nu_format_string *out);

/*
 * Compiles the text in field `field` of message `owner`, or the JSON template there; for messages
 * that have a template without a SubstitutionFormatString around it. NULL after adding an error.
 */
const struct nu_formatter *nu_formatter_from_text(struct nu_config_ctx *ctx, const void *owner,
                                                  const char *field, struct nu_str text,
                                                  const struct nu_format_options *options,
                                                  struct nu_arena *arena);
const struct nu_formatter *nu_formatter_from_struct(struct nu_config_ctx *ctx, const void *owner,
                                                    const char *field,
                                                    const struct Google__Protobuf__Struct *json,
                                                    const struct nu_format_options *options,
                                                    struct nu_arena *arena);

#endif
