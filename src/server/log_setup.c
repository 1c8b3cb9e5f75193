/* SPDX-License-Identifier: Apache-2.0 */
/* Setting up the application log. Until the log thread runs, lines are written directly. */
#include "server/log_setup.h"

#include <stdio.h>

void nu_log_setup_format(const struct nu_options *options)
{
    nu_options_apply_log_levels(options);
    nu_log_set_pattern(options->log_format);
    nu_log_set_escaped(options->log_format_escaped);
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
