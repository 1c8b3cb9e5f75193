/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Http1ProtocolOptions. */
#include "codec/h1_from_proto.h"

#include "codec/common_from_proto.h"
#include "config/values.h"

#include "envoy/config/core/v3/protocol.pb-c.h"
#include "envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.pb-c.h"

typedef Envoy__Config__Core__V3__Http1ProtocolOptions h1_proto;

static void read_preserve_case(
    struct nu_h1_options *options,
    const Envoy__Extensions__Http__HeaderFormatters__PreserveCase__V3__PreserveCaseFormatterConfig
        *proto)
{
    bool proper =
        proto->formatter_type_on_envoy_headers ==
        ENVOY__EXTENSIONS__HTTP__HEADER_FORMATTERS__PRESERVE_CASE__V3__PRESERVE_CASE_FORMATTER_CONFIG__FORMATTER_TYPE_ON_ENVOY_HEADERS__PROPER_CASE;
    options->keep_names = proper ? NU_NAMES_AS_RECEIVED_OR_PROPER_WORDS : NU_NAMES_AS_RECEIVED;
    options->keep_reason = proto->forward_reason_phrase;
}

static void read_name_format(struct nu_factory *factory, struct nu_h1_options *options,
                             const h1_proto *proto)
{
    const Envoy__Config__Core__V3__Http1ProtocolOptions__HeaderKeyFormat *format =
        proto->header_key_format;
    if (!format)
        return;
    if (format->header_format_case ==
        ENVOY__CONFIG__CORE__V3__HTTP1_PROTOCOL_OPTIONS__HEADER_KEY_FORMAT__HEADER_FORMAT_PROPER_CASE_WORDS) {
        options->name_format = NU_H1_NAMES_PROPER;
        return;
    }
    const ProtobufCMessage *message = nu_config_any_of(
        factory->ctx, format->stateful_formatter, "typed_config",
        format->stateful_formatter->typed_config,
        &envoy__extensions__http__header_formatters__preserve_case__v3__preserve_case_formatter_config__descriptor);
    if (message)
        read_preserve_case(
            options,
            (const Envoy__Extensions__Http__HeaderFormatters__PreserveCase__V3__PreserveCaseFormatterConfig
                 *)message);
}

void nu_h1_options_from_proto(struct nu_factory *factory, struct nu_h1_options *options,
                              const h1_proto *proto)
{
    options->allow_absolute_url = nu_bool_or(proto->allow_absolute_url, true);
    options->accept_http_10 = proto->accept_http_10;
    options->default_host_for_http_10 =
        nu_arena_dup(factory->arena, nu_str_from(proto->default_host_for_http_10));
    options->enable_trailers = proto->enable_trailers;
    options->allow_chunked_length = proto->allow_chunked_length;
    options->send_fully_qualified_url = proto->send_fully_qualified_url;
    options->stream_error_on_invalid_message =
        nu_bool_or(proto->override_stream_error_on_invalid_http_message,
                   options->stream_error_on_invalid_message);
    read_name_format(factory, options, proto);
}

void nu_h1_options_from_common(struct nu_h1_options *options,
                               const Envoy__Config__Core__V3__HttpProtocolOptions *proto)
{
    options->max_headers = nu_u32_or(proto->max_headers_count, options->max_headers);
    options->underscore_action = nu_underscore_action_from_proto(proto);
}
