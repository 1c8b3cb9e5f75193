/* SPDX-License-Identifier: Apache-2.0 */
/* Setting up the application log. Until the log thread runs, lines are written directly. */
#include "server/log_setup.h"

#include <stdio.h>

#include "config/print.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

typedef Envoy__Config__Bootstrap__V3__Bootstrap__ApplicationLogConfig log_config_proto;
typedef Envoy__Config__Bootstrap__V3__Bootstrap__ApplicationLogConfig__LogFormat log_format_proto;

#define LOG_FORMAT_CASE(name) \
    ENVOY__CONFIG__BOOTSTRAP__V3__BOOTSTRAP__APPLICATION_LOG_CONFIG__LOG_FORMAT__LOG_FORMAT_##name

void nu_log_setup_format(const struct nu_options *options)
{
    nu_options_apply_log_levels(options);
    nu_log_set_pattern(options->log_format);
    nu_log_set_escaped(options->log_format_escaped);
}

/* The object as text is the pattern: what it writes must not break out of the quotes. */
static void use_json(struct nu_config_ctx *ctx, const log_format_proto *proto)
{
    static const char *const unsafe[] = {"%v", "%_"};
    struct nu_strbuf pattern = {0};
    struct nu_json json;
    nu_json_init(&json, &pattern, false);
    nu_config_print(&json, &proto->json_format->base);
    for (size_t i = 0; i < NU_ARRAY_LEN(unsafe); i++) {
        if (strstr(pattern.data, unsafe[i]))
            nu_config_error(ctx, proto, "json_format",
                            "Usage of %s is unavailable for JSON log formats (%%j is)", unsafe[i]);
    }
    nu_log_set_pattern(pattern.data);
    nu_strbuf_finish(&pattern);
}

void nu_log_setup_from_proto(struct nu_config_ctx *ctx, const log_config_proto *proto,
                             const struct nu_options *options)
{
    const log_format_proto *format = proto ? proto->log_format : NULL;
    if (!format)
        return;
    if (options->log_format)
        nu_config_error(ctx, proto, "log_format",
                        "Only one of ApplicationLogConfig.log_format or CLI option --log-format "
                        "can be specified.");
    else if (format->log_format_case == LOG_FORMAT_CASE(JSON_FORMAT))
        use_json(ctx, format);
    else
        nu_log_set_pattern(format->text_format);
}

bool nu_log_setup_output(const struct nu_options *options, struct nu_log_writer *writer)
{
    struct nu_strbuf error = {0};
    const char *path = options->log_path ? options->log_path : "/dev/stderr";
    struct nu_log_file *file = nu_log_writer_open(writer, path, &error);
    if (file)
        nu_log_set_file(file);
    else
        fprintf(stderr, "nuncio: --log-path: %s\n", error.data);
    nu_strbuf_finish(&error);
    return file != NULL;
}
