/* SPDX-License-Identifier: Apache-2.0 */
/* Entry points of the loader: which file, which format, in which order the steps run. */
#include "config/convert_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/config/core/v3/base.pb-c.h"

/* --- Files ------------------------------------------------------------------------------------ */

enum { FILE_CHUNK = 64 * 1024 };
static const size_t max_file_size = (size_t)512 * 1024 * 1024;

/* Reads all of a descriptor into the arena; NU_TOO_LARGE over the bound, NU_IO_ERROR with errno. */
static enum nu_result read_all(int fd, struct nu_strbuf *out)
{
    for (;;) {
        ssize_t n = read(fd, nu_strbuf_reserve(out, FILE_CHUNK), FILE_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return NU_IO_ERROR;
        if (n == 0)
            return NU_OK;
        nu_strbuf_commit(out, (size_t)n);
        if (out->len > max_file_size)
            return NU_TOO_LARGE;
    }
}

/* The descriptor, or -1 with what is wrong. Where nobody is waited for it must be a file: a pipe
 * keeps its reader until somebody writes. */
static int open_file(const char *path, bool waits, const char **problem)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | (waits ? 0 : O_NONBLOCK));
    *problem = fd < 0 || fstat(fd, &info) != 0 ? strerror(errno) : NULL;
    if (!*problem && !waits && !S_ISREG(info.st_mode))
        *problem = S_ISDIR(info.st_mode) ? strerror(EISDIR) : "not a regular file";
    if (*problem && fd >= 0)
        close(fd);
    return *problem ? -1 : fd;
}

/* A whole file into `arena`. On failure returns what is wrong, a constant or strerror's text. */
static const char *read_file(const char *path, bool waits, struct nu_arena *arena,
                             struct nu_str *out)
{
    const char *problem;
    int fd = open_file(path, waits, &problem);
    if (fd < 0)
        return problem;
    struct nu_strbuf bytes = {0};
    enum nu_result result = read_all(fd, &bytes);
    if (result == NU_TOO_LARGE)
        problem = "larger than 512 MiB";
    else if (result != NU_OK)
        problem = strerror(errno);
    close(fd);
    if (!problem)
        *out = nu_arena_dup(arena, nu_strbuf_str(&bytes));
    nu_strbuf_finish(&bytes);
    return problem;
}

/* --- Reading ---------------------------------------------------------------------------------- */

ProtobufCMessage *nu_config_read(struct nu_config_ctx *ctx, const char *source, struct nu_str bytes,
                                 enum nu_config_format format,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    source = nu_arena_strdup(&ctx->scratch, source);
    if (format == NU_CONFIG_BINARY)
        return nu_binary_read(ctx, source, bytes, descriptor);
    struct nu_doc_input in = {&ctx->scratch, source, bytes, &ctx->errors, &ctx->warnings};
    const struct nu_doc_node *root =
        format == NU_CONFIG_YAML ? nu_doc_parse_yaml(&in) : nu_doc_parse_json(&in);
    return root ? nu_config_convert(ctx, root, descriptor) : NULL;
}

static bool has_ending(const char *path, const char *ending)
{
    return nu_str_ends_with_nocase(nu_str_from(path), nu_str_from(ending));
}

static ProtobufCMessage *read_message(struct nu_config_ctx *ctx, const char *path, bool waits,
                                      const ProtobufCMessageDescriptor *descriptor)
{
    struct nu_position at = {.source = path};
    if (has_ending(path, ".pb_text")) {
        nu_error_add(&ctx->errors, at, NULL,
                     "text-format protobuf is not supported; "
                     "use .yaml, .yml, .json or .pb");
        return NULL;
    }
    struct nu_arena text;
    struct nu_str bytes;
    nu_arena_init(&text);
    const char *problem = read_file(path, waits, &text, &bytes);
    if (problem) {
        nu_error_add(&ctx->errors, at, NULL, "unable to read file: %s", problem);
        nu_arena_finish(&text);
        return NULL;
    }
    enum nu_config_format format = NU_CONFIG_JSON;
    if (has_ending(path, ".yaml") || has_ending(path, ".yml"))
        format = NU_CONFIG_YAML;
    else if (has_ending(path, ".pb"))
        format = NU_CONFIG_BINARY;
    ProtobufCMessage *message = nu_config_read(ctx, path, bytes, format, descriptor);
    if (!message && format == NU_CONFIG_JSON && !has_ending(path, ".json") &&
        !nu_str_starts_with(nu_str_trim(bytes), NU_STR("{")))
        nu_error_add(
            &ctx->errors, at, NULL,
            "read as JSON, since the name of the file ends in none of .yaml, .yml and .pb");
    nu_arena_finish(&text);
    return message;
}

ProtobufCMessage *nu_config_read_file(struct nu_config_ctx *ctx, const char *path,
                                      const ProtobufCMessageDescriptor *descriptor)
{
    return read_message(ctx, path, false, descriptor);
}

ProtobufCMessage *nu_config_load(struct nu_config_ctx *ctx, const char *path,
                                 const char *config_yaml,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = path ? read_message(ctx, path, true, descriptor) : NULL;
    if (!path && !config_yaml)
        nu_error_add(&ctx->errors, (struct nu_position){0}, NULL,
                     "at least one of --config-path and --config-yaml is needed");
    if (config_yaml) {
        ProtobufCMessage *over = nu_config_read(ctx, "<--config-yaml>", nu_str_from(config_yaml),
                                                NU_CONFIG_YAML, descriptor);
        if (message && over)
            nu_config_merge(ctx, message, over);
        else if (over)
            message = over;
    }
    if (message)
        nu_config_validate(ctx, message);
    nu_error_list_sort(&ctx->errors);
    return nu_config_is_ok(ctx) ? message : NULL;
}

Envoy__Config__Bootstrap__V3__Bootstrap *
nu_config_load_bootstrap(struct nu_config_ctx *ctx, const char *path, const char *config_yaml)
{
    return (Envoy__Config__Bootstrap__V3__Bootstrap *)nu_config_load(
        ctx, path, config_yaml, &envoy__config__bootstrap__v3__bootstrap__descriptor);
}

/* --- Data sources ----------------------------------------------------------------------------- */

static bool read_data_file(struct nu_config_ctx *ctx,
                           const Envoy__Config__Core__V3__DataSource *source, struct nu_str *out)
{
    const char *problem = read_file(source->filename, true, ctx->arena, out);
    if (problem)
        nu_config_error(ctx, source, "filename", "%s: %s", source->filename, problem);
    return !problem;
}

static bool read_data_variable(struct nu_config_ctx *ctx,
                               const Envoy__Config__Core__V3__DataSource *source,
                               struct nu_str *out)
{
    const char *value = getenv(source->environment_variable);
    if (!value) {
        nu_config_error(ctx, source, "environment_variable",
                        "the environment variable %s does not exist", source->environment_variable);
        return false;
    }
    *out = nu_arena_dup(ctx->arena, nu_str_from(value));
    return true;
}

bool nu_config_data_source_now(struct nu_config_ctx *ctx,
                               const Envoy__Config__Core__V3__DataSource *source,
                               struct nu_str *out)
{
    *out = NU_STR("");
    switch (source ? source->specifier_case
                   : ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER__NOT_SET) {
    case ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_FILENAME:
        return read_data_file(ctx, source, out);
    case ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_ENVIRONMENT_VARIABLE:
        return read_data_variable(ctx, source, out);
    case ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_INLINE_BYTES:
        *out = nu_arena_dup(ctx->arena, nu_str_make((const char *)source->inline_bytes.data,
                                                    source->inline_bytes.len));
        return true;
    case ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_INLINE_STRING:
        *out = nu_str_from(source->inline_string);
        return true;
    case ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER__NOT_SET:
    default:
        return true;
    }
}

bool nu_config_data_source(struct nu_config_ctx *ctx,
                           const Envoy__Config__Core__V3__DataSource *source, struct nu_str *out)
{
    *out = NU_STR("");
    if (source && source->watched_directory) {
        nu_config_error(ctx, source, "watched_directory",
                        "known to Envoy, not implemented by nuncio: what this gives is read once");
        return false;
    }
    return nu_config_data_source_now(ctx, source, out);
}
