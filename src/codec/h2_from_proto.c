/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Http2ProtocolOptions, with Envoy's rules for settings that are given as numbers. */
#include "codec/h2_from_proto.h"

#include "codec/common_from_proto.h"
#include "codec/h2_internal.h"
#include "config/values.h"

#include "envoy/config/core/v3/protocol.pb-c.h"

typedef Envoy__Config__Core__V3__Http2ProtocolOptions h2_proto;
typedef Envoy__Config__Core__V3__Http2ProtocolOptions__SettingsParameter setting_proto;

/* --- Settings by number ----------------------------------------------------------------------- */

/* The field that says the same, where it is set as well; NULL if none is. */
static const char *named_twice(const h2_proto *proto, uint32_t id)
{
    switch (id) {
    case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
        return proto->hpack_table_size ? "hpack_table_size" : NULL;
    case NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS:
        return proto->max_concurrent_streams ? "max_concurrent_streams" : NULL;
    case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
        return proto->initial_stream_window_size ? "initial_stream_window_size" : NULL;
    default:
        return NULL;
    }
}

/* Whether another entry before this one gives the same setting; with another value is an error. */
static bool is_repeated(struct nu_factory *factory, const h2_proto *proto, size_t index)
{
    const setting_proto *entry = proto->custom_settings_parameters[index];
    for (size_t i = 0; i < index; i++) {
        const setting_proto *other = proto->custom_settings_parameters[i];
        if (other->identifier->value != entry->identifier->value)
            continue;
        if (other->value->value != entry->value->value)
            nu_config_error(factory->ctx, entry, "value",
                            "inconsistent HTTP/2 custom SETTINGS parameter(s) detected; "
                            "identifiers = {0x%02x}",
                            entry->identifier->value);
        return true;
    }
    return false;
}

/* The values that RFC 9113 and RFC 9218 allow; of settings that are not known any. */
static bool is_legal(uint32_t id, uint32_t value)
{
    enum { NO_RFC7540_PRIORITIES = 9 };
    switch (id) {
    case NGHTTP2_SETTINGS_ENABLE_PUSH:
    case NO_RFC7540_PRIORITIES:
        return value <= 1;
    case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
        return value <= INT32_MAX;
    case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
        return value >= 1 << 14 && value < 1 << 24;
    default:
        return true;
    }
}

static void check_setting(struct nu_factory *factory, const h2_proto *proto,
                          const setting_proto *entry)
{
    uint32_t id = entry->identifier->value;
    const char *named = named_twice(proto, id);
    if (named)
        nu_config_error(factory->ctx, entry, "identifier",
                        "the {%s} HTTP/2 SETTINGS parameter(s) can not be configured through both "
                        "named and custom parameters",
                        named);
    if (id == NGHTTP2_SETTINGS_ENABLE_PUSH && entry->value->value)
        nu_config_error(factory->ctx, entry, "value",
                        "server push is not supported by Envoy and can not be enabled via a "
                        "SETTINGS parameter.");
    else if (!is_legal(id, entry->value->value))
        nu_config_error(factory->ctx, entry, "value", "HTTP/2 does not allow %u for setting %u",
                        entry->value->value, id);
    if (id == NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL)
        nu_config_error(factory->ctx, entry, "identifier",
                        "the \"allow_connect\" SETTINGS parameter must only be configured through "
                        "the named field");
}

static void read_settings(struct nu_factory *factory, struct nu_h2_options *options,
                          const h2_proto *proto)
{
    size_t count = proto->n_custom_settings_parameters;
    if (count == 0)
        return;
    if (count > NU_H2_CUSTOM_SETTINGS_MAX) {
        nu_config_error(factory->ctx, proto, "custom_settings_parameters",
                        "at most %d settings can be given", NU_H2_CUSTOM_SETTINGS_MAX);
        return;
    }
    struct nu_h2_setting *settings = nu_arena_alloc(factory->arena, count * sizeof(*settings));
    for (size_t i = 0; i < count; i++) {
        const setting_proto *entry = proto->custom_settings_parameters[i];
        check_setting(factory, proto, entry);
        if (is_repeated(factory, proto, i))
            continue;
        settings[options->setting_count++] = (struct nu_h2_setting){
            .id = (uint16_t)entry->identifier->value,
            .value = entry->value->value,
        };
    }
    options->settings = settings;
}

/* --- The rest --------------------------------------------------------------------------------- */

static void read_keepalive(struct nu_factory *factory, struct nu_h2_options *options,
                           const Envoy__Config__Core__V3__KeepaliveSettings *proto)
{
    enum { DEFAULT_JITTER_PERCENT = 15 };
    if (!proto)
        return;
    options->ping_interval_ms =
        nu_config_duration_ms(factory->ctx, proto, "interval", proto->interval, 0);
    options->ping_timeout_ms =
        nu_config_duration_ms(factory->ctx, proto, "timeout", proto->timeout, 0);
    options->ping_idle_ms = nu_config_duration_ms(factory->ctx, proto, "connection_idle_interval",
                                                  proto->connection_idle_interval, 0);
    options->ping_jitter_percent =
        proto->interval_jitter ? proto->interval_jitter->value : DEFAULT_JITTER_PERCENT;
}

static void read_windows(struct nu_h2_options *options, const h2_proto *proto)
{
    options->hpack_table_bytes = nu_u32_or(proto->hpack_table_size, options->hpack_table_bytes);
    options->max_concurrent_streams =
        nu_u32_or(proto->max_concurrent_streams, options->max_concurrent_streams);
    options->stream_window_bytes =
        nu_u32_or(proto->initial_stream_window_size, options->stream_window_bytes);
    options->connection_window_bytes =
        nu_u32_or(proto->initial_connection_window_size, options->connection_window_bytes);
}

static void read_floods(struct nu_h2_options *options, const h2_proto *proto)
{
    options->max_outbound_frames =
        nu_u32_or(proto->max_outbound_frames, options->max_outbound_frames);
    options->max_outbound_control_frames =
        nu_u32_or(proto->max_outbound_control_frames, options->max_outbound_control_frames);
    options->max_consecutive_empty_frames =
        nu_u32_or(proto->max_consecutive_inbound_frames_with_empty_payload,
                  options->max_consecutive_empty_frames);
    options->max_priority_frames_per_stream = nu_u32_or(
        proto->max_inbound_priority_frames_per_stream, options->max_priority_frames_per_stream);
    options->max_window_updates_per_data_frame =
        nu_u32_or(proto->max_inbound_window_update_frames_per_data_frame_sent,
                  options->max_window_updates_per_data_frame);
}

void nu_h2_options_from_proto(struct nu_factory *factory, struct nu_h2_options *options,
                              const h2_proto *proto)
{
    if (!proto)
        return;
    read_windows(options, proto);
    read_floods(options, proto);
    read_settings(factory, options, proto);
    read_keepalive(factory, options, proto->connection_keepalive);
    options->allow_connect = proto->allow_connect;
    options->allow_metadata = proto->allow_metadata;
    options->max_metadata_bytes = nu_u64_or(proto->max_metadata_size, options->max_metadata_bytes);
    if (proto->stream_error_on_invalid_http_messaging)
        options->stream_error_on_invalid_message = true;
    options->stream_error_on_invalid_message =
        nu_bool_or(proto->override_stream_error_on_invalid_http_message,
                   options->stream_error_on_invalid_message);
}

void nu_h2_options_from_common(struct nu_h2_options *options,
                               const Envoy__Config__Core__V3__HttpProtocolOptions *proto)
{
    options->max_headers = nu_u32_or(proto->max_headers_count, options->max_headers);
    options->underscore_action = nu_underscore_action_from_proto(proto);
}
