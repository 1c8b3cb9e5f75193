/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is formatted into a buffer of the thread's and copied from there into the file's ring, so
 * that logging allocates nothing once the buffer has grown to the usual length.
 */
#include "access_log/file_logger.h"

#include "base/log_writer.h"
#include "config/config.h"

enum { KEPT_LINE = 1 << 16 }; /* a buffer that grew over this is given back */

struct file_logger {
    struct nu_access_logger base;
    struct nu_log_file *file; /* borrowed: the writer's */
    const struct nu_formatter *formatter;
};

static _Thread_local struct nu_strbuf line;

void nu_access_log_thread_finish(void)
{
    nu_strbuf_finish(&line);
}

const struct nu_access_logger *
nu_file_logger_create(const struct nu_access_log_factory *factory,
                      const struct nu_access_logger_class *logger_class, const void *owner,
                      const char *path, const struct nu_formatter *formatter)
{
    struct nu_strbuf error = {0};
    struct nu_log_file *file = nu_log_writer_open(factory->writer, path, &error);
    if (!file)
        nu_config_error(factory->ctx, owner, "path", "%s", error.data);
    nu_strbuf_finish(&error);
    if (!file)
        return NULL;
    struct file_logger *logger = nu_arena_alloc(factory->arena, sizeof(*logger));
    logger->base.logger_class = logger_class;
    logger->base.needs = nu_formatter_needs(formatter);
    logger->file = file;
    logger->formatter = formatter;
    return &logger->base;
}

void nu_file_logger_log(const struct nu_access_logger *base,
                        const struct nu_format_context *context)
{
    const struct file_logger *logger = nu_container_of(base, const struct file_logger, base);
    nu_strbuf_clear(&line);
    nu_formatter_format(logger->formatter, context, &line);
    if (line.len)
        nu_log_file_write(logger->file, nu_strbuf_str(&line));
    if (nu_unlikely(line.cap > KEPT_LINE))
        nu_strbuf_finish(&line);
}
