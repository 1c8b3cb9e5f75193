/* SPDX-License-Identifier: Apache-2.0 */
/* FileAccessLog, StdoutAccessLog, StderrAccessLog. */
#include "access_log/file_logger.h"
#include "config/config.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb-c.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb-c.h"
#include "format/format_from_proto.h"

/* Fields that Envoy deprecates are read all the same. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef struct Envoy__Extensions__AccessLoggers__File__V3__FileAccessLog file_proto;
typedef struct Envoy__Extensions__AccessLoggers__Stream__V3__StdoutAccessLog stdout_proto;
typedef struct Envoy__Extensions__AccessLoggers__Stream__V3__StderrAccessLog stderr_proto;

static const struct nu_format_options plain_options;

static const struct nu_formatter *from_text(const struct nu_access_log_factory *factory,
                                            const void *owner, const char *field,
                                            struct nu_str text)
{
    return nu_formatter_from_text(factory->ctx, owner, field, text, &plain_options, factory->arena);
}

static const struct nu_formatter *default_line(const struct nu_access_log_factory *factory,
                                               const void *owner)
{
    return from_text(factory, owner, NULL, nu_format_default_text());
}

/* NULL stands for the default line. */
static const struct nu_formatter *
from_format_string(const struct nu_access_log_factory *factory, const void *owner,
                   const struct Envoy__Config__Core__V3__SubstitutionFormatString *proto)
{
    struct nu_format_string format;
    if (!proto)
        return default_line(factory, owner);
    if (!nu_format_string_from_proto(factory->ctx, proto, factory->arena, &format))
        return NULL;
    return format.formatter;
}

#define CASE(name) \
    ENVOY__EXTENSIONS__ACCESS_LOGGERS__FILE__V3__FILE_ACCESS_LOG__ACCESS_LOG_FORMAT_##name

/* The two deprecated JSON templates have become one: members have types in both. */
static const struct nu_formatter *from_file_proto(const struct nu_access_log_factory *factory,
                                                  const file_proto *proto)
{
    switch ((int)proto->access_log_format_case) {
    case CASE(FORMAT):
        if (*proto->format == '\0')
            return default_line(factory, proto);
        return from_text(factory, proto, "format", nu_str_from(proto->format));
    case CASE(JSON_FORMAT):
        return nu_formatter_from_struct(factory->ctx, proto, "json_format", proto->json_format,
                                        &plain_options, factory->arena);
    case CASE(TYPED_JSON_FORMAT):
        return nu_formatter_from_struct(factory->ctx, proto, "typed_json_format",
                                        proto->typed_json_format, &plain_options, factory->arena);
    case CASE(LOG_FORMAT):
        return from_format_string(factory, proto, proto->log_format);
    default:
        return default_line(factory, proto);
    }
}

static const struct nu_access_logger *create_file(const struct nu_access_log_factory *factory,
                                                  const ProtobufCMessage *config)
{
    const file_proto *proto = (const file_proto *)config;
    const struct nu_formatter *formatter = from_file_proto(factory, proto);
    return formatter ? nu_file_logger_create(factory, &nu_file_access_logger, proto, proto->path,
                                             formatter)
                     : NULL;
}

static const struct nu_access_logger *create_stdout(const struct nu_access_log_factory *factory,
                                                    const ProtobufCMessage *config)
{
    const stdout_proto *proto = (const stdout_proto *)config;
    const struct nu_formatter *formatter = from_format_string(factory, proto, proto->log_format);
    return formatter ? nu_file_logger_create(factory, &nu_stdout_access_logger, proto,
                                             "/dev/stdout", formatter)
                     : NULL;
}

static const struct nu_access_logger *create_stderr(const struct nu_access_log_factory *factory,
                                                    const ProtobufCMessage *config)
{
    const stderr_proto *proto = (const stderr_proto *)config;
    const struct nu_formatter *formatter = from_format_string(factory, proto, proto->log_format);
    return formatter ? nu_file_logger_create(factory, &nu_stderr_access_logger, proto,
                                             "/dev/stderr", formatter)
                     : NULL;
}

const struct nu_access_logger_class nu_file_access_logger = {
    .name = "envoy.access_loggers.file",
    .config_type = &envoy__extensions__access_loggers__file__v3__file_access_log__descriptor,
    .create = create_file,
    .log = nu_file_logger_log,
};

const struct nu_access_logger_class nu_stdout_access_logger = {
    .name = "envoy.access_loggers.stdout",
    .config_type = &envoy__extensions__access_loggers__stream__v3__stdout_access_log__descriptor,
    .create = create_stdout,
    .log = nu_file_logger_log,
};

const struct nu_access_logger_class nu_stderr_access_logger = {
    .name = "envoy.access_loggers.stderr",
    .config_type = &envoy__extensions__access_loggers__stream__v3__stderr_access_log__descriptor,
    .create = create_stderr,
    .log = nu_file_logger_log,
};
