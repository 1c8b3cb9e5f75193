/* SPDX-License-Identifier: Apache-2.0 */
/* Formatters from SubstitutionFormatString and from bare templates. */
#include "format/format_from_proto.h"

#include "config/config.h"
#include "config/struct.h"
#include "envoy/config/core/v3/extension.pb-c.h"
#include "envoy/config/core/v3/substitution_format_string.pb-c.h"
#include "envoy/extensions/formatter/metadata/v3/metadata.pb-c.h"
#include "envoy/extensions/formatter/req_without_query/v3/req_without_query.pb-c.h"

/* Fields that Envoy deprecates are read all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef struct Envoy__Config__Core__V3__SubstitutionFormatString format_proto;

static void report(struct nu_config_ctx *ctx, const void *owner, const char *field,
                   struct nu_strbuf *error)
{
    if (error->len)
        nu_config_error(ctx, owner, field, "%s", error->data);
    nu_strbuf_finish(error);
}

const struct nu_formatter *nu_formatter_from_text(struct nu_config_ctx *ctx, const void *owner,
                                                  const char *field, struct nu_str text,
                                                  const struct nu_format_options *options,
                                                  struct nu_arena *arena)
{
    struct nu_strbuf error = {0};
    const struct nu_formatter *formatter = nu_formatter_compile(arena, text, options, &error);
    report(ctx, owner, field, &error);
    return formatter;
}

const struct nu_formatter *nu_formatter_from_struct(struct nu_config_ctx *ctx, const void *owner,
                                                    const char *field,
                                                    const struct Google__Protobuf__Struct *json,
                                                    const struct nu_format_options *options,
                                                    struct nu_arena *arena)
{
    struct nu_strbuf error = {0};
    struct nu_value value = nu_struct_from_proto(json, arena);
    const struct nu_formatter *formatter =
        nu_formatter_compile_json(arena, &value, options, &error);
    report(ctx, owner, field, &error);
    return formatter;
}

/* What the extensions that are configured add. */
static bool add_extensions(struct nu_config_ctx *ctx, const format_proto *proto,
                           struct nu_format_options *options)
{
    for (size_t i = 0; i < proto->n_formatters; i++) {
        const ProtobufCMessage *config = nu_config_any(ctx, proto->formatters[i]->typed_config);
        const ProtobufCMessageDescriptor *type = config ? config->descriptor : NULL;
        if (type ==
            &envoy__extensions__formatter__req_without_query__v3__req_without_query__descriptor) {
            options->has_req_without_query = true;
        } else if (type != &envoy__extensions__formatter__metadata__v3__metadata__descriptor) {
            nu_config_error_at(ctx, proto, "formatters", i, "Formatter not found: %s",
                               proto->formatters[i]->name);
            return false;
        }
    }
    return true;
}

static const struct nu_formatter *compile(struct nu_config_ctx *ctx, const format_proto *proto,
                                          const struct nu_format_options *options,
                                          struct nu_arena *arena)
{
    struct nu_str text;
    switch ((int)proto->format_case) {
    case ENVOY__CONFIG__CORE__V3__SUBSTITUTION_FORMAT_STRING__FORMAT_TEXT_FORMAT:
        return nu_formatter_from_text(ctx, proto, "text_format", nu_str_from(proto->text_format),
                                      options, arena);
    case ENVOY__CONFIG__CORE__V3__SUBSTITUTION_FORMAT_STRING__FORMAT_JSON_FORMAT:
        return nu_formatter_from_struct(ctx, proto, "json_format", proto->json_format, options,
                                        arena);
    case ENVOY__CONFIG__CORE__V3__SUBSTITUTION_FORMAT_STRING__FORMAT_TEXT_FORMAT_SOURCE:
        if (!nu_config_data_source(ctx, proto->text_format_source, &text))
            return NULL;
        return nu_formatter_from_text(ctx, proto, "text_format_source", text, options, arena);
    default:
        nu_config_error(ctx, proto, NULL, "format: is required");
        return NULL;
    }
}

bool nu_format_string_from_proto(struct nu_config_ctx *ctx, const format_proto *proto,
                                 struct nu_arena *arena, struct nu_format_string *out)
{
    struct nu_format_options options = {.omit_empty = proto->omit_empty_values};
    if (!add_extensions(ctx, proto, &options))
        return false;
    out->formatter = compile(ctx, proto, &options, arena);
    if (!out->formatter)
        return false;
    if (proto->content_type && *proto->content_type)
        out->content_type = nu_arena_dup(arena, nu_str_from(proto->content_type));
    else
        out->content_type = nu_formatter_is_json(out->formatter) ? NU_STR("application/json")
                                                                 : NU_STR("text/plain");
    return true;
}
